"""What the PyTorch importer makes of names, leaves, constants and origins, and what it refuses."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.torch_models import example, gradients
from torch import Tensor, nn
from torch.nn import functional

from chainrule import api
from chainrule.engines import numpy as arrays
from chainrule.errors import InputError
from chainrule.graph.model import Model
from chainrule.importers.torch import from_torch
from chainrule.importers.torch.operations import OPERATIONS, supported

HERE = Path(__file__)


def line_of(text: str) -> int:
    """The line of this file that holds `text` first."""
    return next(n for n, line in enumerate(HERE.read_text().splitlines(), 1) if text in line)


def named(model: Model) -> list[str]:
    return [node.name or "" for node in model.quantities]


def leaves(model: Model) -> dict[str, str]:
    return {leaf.node.name or "": leaf.role for leaf in model.leaves}


class Twice(nn.Module):
    """One layer used twice, a buffer, and operations beside modules."""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)
        self.act = nn.ReLU()
        self.unused = nn.Linear(2, 2)
        self.register_buffer("scale", torch.tensor([1.0, 2.0, 3.0]))

    def forward(self, x: Tensor, *, shift: Tensor) -> Tensor:
        x = self.act(self.fc(x))
        x = self.act(self.fc(x.view(2, 3)) * self.scale)  # the second call
        return functional.relu(x + shift)


@pytest.fixture(scope="module")
def twice() -> Model:
    torch.manual_seed(0)
    shift = torch.ones(3)
    x = torch.randn(2, 3)
    return from_torch(Twice(), x, {"shift": shift}, loss="mse", targets=torch.zeros(2, 3))


def test_results_are_named_by_module_and_operation(twice: Model) -> None:
    assert named(twice) == ["fc", "act", "fc_1", "mul", "act_1", "add", "relu", "loss"]
    assert twice.loss.name == "loss"


def test_leaves_have_the_names_of_the_module_and_its_arguments(twice: Model) -> None:
    assert leaves(twice) == {
        "x": "input",
        "shift": "input",
        "target": "target",
        "fc.weight": "parameter",
        "fc.bias": "parameter",
        "unused.weight": "parameter",
        "unused.bias": "parameter",
        "scale": "constant",
    }


def test_every_step_knows_its_line_and_module(twice: Model) -> None:
    found = {node.name: node.origin for node in twice.quantities}
    product, layer = found["mul"], found["fc_1"]
    assert product is not None
    assert layer is not None
    assert product.place == layer.place == str(HERE)
    assert product.line == layer.line == line_of("# the second call")
    assert product.module is None
    assert layer.module == "fc"


def test_a_step_without_a_line_stands_where_the_model_was_asked_for(twice: Model) -> None:
    assert twice.loss.origin is not None
    assert twice.loss.origin.line == line_of('loss="mse", targets=torch.zeros(2, 3)')


def test_frozen_parameters_are_not_trained() -> None:
    module = nn.Linear(2, 1)
    module.bias.requires_grad_(False)
    model = from_torch(module, torch.ones(1, 2), loss=torch.sum)
    trained = {leaf.node.name: leaf.trained for leaf in model.leaves if leaf.role == "parameter"}
    assert trained == {"weight": True, "bias": False}
    assert model.framework is not None
    assert model.framework.gradient("bias").tolist() == [1.0]


def test_the_numbers_are_the_modules_own() -> None:
    module = nn.Linear(2, 1)
    model = from_torch(module, torch.ones(1, 2), loss=torch.sum)
    with torch.no_grad():
        module.weight.fill_(7.0)
    (weight,) = [leaf for leaf in model.leaves if leaf.node.name == "weight"]
    assert np.shares_memory(weight.values, module.weight.detach().numpy())
    assert weight.values.tolist() == [7.0, 7.0]


def test_tied_parameters_are_one_leaf() -> None:
    module, args, loss, targets = example("gpt2").example(
        tokens=3, width=4, layers=1, heads=1, words=5, context=4
    )
    model = from_torch(module, args, loss=loss, targets=targets)
    assert model.aliases == {"lm_head.weight": "wte.weight"}
    assert "lm_head.weight" not in leaves(model)
    assert leaves(model)["causal_mask"] == "constant"


class Positions(nn.Module):
    """Numbers that no parameter has a part in."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        places = torch.arange(3) * 2 + 1
        mask = torch.arange(3) > 0
        zeros = torch.zeros_like(self.w)
        return (self.w * places + zeros).masked_fill(mask, 0.0) * x.shape[0]


def test_what_depends_on_no_parameter_is_a_constant() -> None:
    model = from_torch(Positions(), torch.ones(2, dtype=torch.int64), loss=torch.sum)
    assert leaves(model) == {"w": "parameter", "add": "constant", "gt": "constant"}
    numbers = {leaf.node.name: list(leaf.values) for leaf in model.leaves}
    assert numbers["add"] == [1.0, 3.0, 5.0]
    assert numbers["gt"] == [0.0, 1.0, 1.0]


def test_the_row_of_padding_is_stopped() -> None:
    torch.manual_seed(0)
    table = nn.Embedding(4, 2, padding_idx=1)
    model = from_torch(table, torch.tensor([1, 2, 1]), loss=torch.sum)
    assert "stop" in {node.primitive.name for node in model.nodes}
    _, found = gradients(model)
    assert found["weight"].tolist() == [[0, 0], [0, 0], [1, 1], [0, 0]]


def test_a_loss_module_may_have_parameters_of_its_own() -> None:
    class Weighted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, output: Tensor) -> Tensor:
            return output.sum() * self.weight

    model = from_torch(nn.Linear(2, 2), torch.ones(2), loss=Weighted())
    assert leaves(model)["loss.weight"] == "parameter"


# ------------------------------------------------------------------------------ refusals


def refused(*args: Any, **named: Any) -> str:
    with pytest.raises(InputError) as error:
        from_torch(*args, **named)
    return str(error.value).replace(str(HERE), "model.py")


class Sorts(nn.Module):
    """Two steps that nothing is known of."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.fc(x))
        y = torch.sort(x).values  # unknown
        z = torch.cumprod(x, 1)  # unknown as well
        return y + z


def test_all_unsupported_operations_are_told_at_once() -> None:
    first, second = line_of("# unknown"), line_of("# unknown as well")
    assert refused(Sorts(), torch.ones(1, 3), loss=torch.sum) == (
        "OperationError: sort has no steps here; followed 2 of 6 operations, up to relu\n"
        f"  at model.py:{first}:  y = torch.sort(x).values  # unknown\n"
        "  needs: an operation of the table in docs/torch.md\n"
        "  try: write the step in other operations, or add it to importers/torch\n"
        "OperationError: cumprod has no steps here; followed 2 of 6 operations, up to relu\n"
        f"  at model.py:{second}:  z = torch.cumprod(x, 1)  # unknown as well\n"
        "  needs: an operation of the table in docs/torch.md\n"
        "  try: write the step in other operations, or add it to importers/torch"
    )


def test_an_unsupported_variant_says_what_is_needed() -> None:
    class Norm(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.linalg.vector_norm(x, 3)

    text = refused(Norm(), torch.ones(1, 3), loss=torch.sum)
    assert "linalg_vector_norm: a norm of order 3; followed 0 of 2 operations" in text
    assert "needs: order 1 or 2" in text


def test_a_module_that_cannot_be_traced() -> None:
    class Branches(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x  # a branch

    text = refused(Branches(), torch.ones(1, 3), loss=torch.sum)
    assert text.startswith("ExportError: torch.export does not trace this module: ")
    assert f"at model.py:{line_of('# a branch')}:  return x if x.sum() > 0 else -x" in text
    assert "Traceback" not in text
    assert len(text.splitlines()) == 4


def test_a_loss_that_is_not_one_number() -> None:
    text = refused(nn.Linear(3, 2), torch.ones(1, 3), loss=lambda out: out)
    assert text.startswith("ShapeError: the loss is torch.float32 of shape (1, 2)\n")
    assert "needs: one floating number, of shape ()" in text


def test_a_loss_without_a_parameter() -> None:
    text = refused(nn.Identity(), torch.ones(3, dtype=torch.int64), loss=lambda x: x.sum() * 1.0)
    assert text.startswith("ValueError: the loss depends on no parameter")


def test_a_name_that_no_loss_has() -> None:
    text = refused(nn.Linear(3, 2), torch.ones(1, 3), loss="mes", targets=torch.ones(1, 2))
    assert text.startswith('NameError: no loss is called "mes"\n')
    assert 'try: did you mean "mse"?' in text


def test_a_named_loss_needs_targets() -> None:
    text = refused(nn.Linear(3, 2), torch.ones(1, 3), loss="mse")
    assert text.startswith('ValueError: loss "mse" without targets\n')


def test_a_gradient_by_an_unknown_name() -> None:
    model = from_torch(nn.Linear(2, 1), torch.ones(1, 2), loss=torch.sum)
    assert model.framework is not None
    with pytest.raises(InputError, match='there is no array called "weihgt"'):
        model.framework.gradient("weihgt")


def test_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert refused(None, (), loss=torch.sum) == (
        'ImportError: PyTorch is not installed\n  try: pip install "chainrule[torch]"'
    )


def test_an_old_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.4.1")
    assert refused(None, (), loss=torch.sum) == (
        "ImportError: PyTorch is 2.4.1\n"
        "  needs: 2.6 or newer\n"
        '  try: pip install "chainrule[torch]"'
    )


def test_a_newer_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "__version__", "2.99.0")
    with pytest.warns(UserWarning, match=r"PyTorch 2\.99\.0 is newer than 2\.13") as warned:
        model = from_torch(nn.Linear(2, 1), torch.ones(1, 2), loss=torch.sum)
    assert warned[0].filename == str(HERE)
    assert model.framework is not None
    assert model.framework.version == "2.99.0"


def test_the_importer_is_there_without_loading_pytorch() -> None:
    code = "import chainrule.importers.torch, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# ----------------------------------------------------------------------------- the table


def test_the_table_says_what_each_operation_becomes() -> None:
    rows = supported()
    assert rows == sorted(rows)
    assert {name for name, _, _ in rows} == {entry.name for entry in OPERATIONS.values()}
    assert ("linear", "linear, add", "") in rows


def test_every_overload_is_one_of_pytorchs() -> None:
    for name in OPERATIONS:
        packet, _, overload = name.partition(".")
        assert overload in getattr(torch.ops.aten, packet).overloads(), name


# ------------------------------------------------------------------- further down the waist


@pytest.mark.parametrize("name", ["mlp", "lstm"])
def test_a_small_model_is_explained_and_checked(name: str) -> None:
    module, args, loss, targets = example(name).example()
    args = tuple(item.double() if item.is_floating_point() else item for item in args)
    model = from_torch(module.double(), args, loss=loss, targets=targets)
    assert model.framework is not None
    unlike = [item.parameter for item in api.check(model).entries if item.verdict != "agrees"]
    assert all(parameter.startswith("embedding.weight[0,") for parameter in unlike)  # padding
    (leaf, *_) = [leaf for leaf in model.leaves if leaf.role == "parameter"]
    array = leaf.node.name or ""
    (found,) = api.explain(model, [f"{array}[1,2]"]).derivations
    assert found.gradient == pytest.approx(model.framework.gradient(array)[1, 2], rel=1e-12)


def test_a_mask_of_minus_infinity_is_a_number_of_single_precision() -> None:
    module, args, loss, targets = example("gpt2").example(
        tokens=3, width=4, layers=1, heads=1, words=5, context=4
    )
    model = from_torch(module, args, loss=loss, targets=targets)
    (mask,) = [leaf for leaf in model.leaves if leaf.node.name == "causal_mask"]
    assert arrays.leaf_arrays(model, "float32")[mask.node][0, 1] == -np.inf
