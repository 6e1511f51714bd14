"""The cases of `why_cases.py` are what they say, judged by PyTorch's gradients and values."""

from __future__ import annotations

import inspect
import math
import re
from collections import defaultdict
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from conformance.why_cases import (
    CAUSES,
    CURED,
    HEALTHY,
    PLANTED,
    SEED,
    Case,
    Healthy,
    Planted,
)
from conformance.why_models import WithLoss


def of(*causes: str) -> Any:
    """Runs a test once for each planted case of these causes."""
    chosen = [each for each in PLANTED if each.cause in causes]
    return pytest.mark.parametrize("planted", chosen, ids=lambda each: each.name)


def each(cases: tuple[Any, ...]) -> Any:
    return pytest.mark.parametrize("one", cases, ids=lambda one: one.name)


# ---------------------------------------------------------------------------- what PyTorch says


def whole(case: Case) -> tuple[WithLoss, tuple[Tensor, ...]]:
    """The model with its loss, and what it is called with."""
    given = case.args if case.targets is None else (*case.args, case.targets)
    return WithLoss(case.module, case.loss, targets=case.targets is not None), given


def loss_of(case: Case) -> Tensor:
    model, given = whole(case)
    torch.manual_seed(SEED)
    return model(*given)


def named(case: Case) -> tuple[nn.Parameter, tuple[int, ...]]:
    """The parameter and the index that `wrt` names."""
    found = re.fullmatch(r"([\w.]+)\[(\d+(?:,\d+)*)\]", case.wrt)
    assert found, case.wrt
    parameter = case.module.get_parameter(found[1])
    index = tuple(int(part) for part in found[2].split(","))
    assert len(index) == parameter.ndim
    return parameter, index


def gradient(case: Case) -> float | None:
    loss_of(case).backward()
    parameter, index = named(case)
    return None if parameter.grad is None else parameter.grad[index].item()


def nudged(case: Case) -> tuple[float, float]:
    """The loss before and after the entry is moved a little."""
    parameter, index = named(case)
    before = loss_of(case).item()
    parameter.data[index] += 1e-3
    return before, loss_of(case).item()


class Seen:
    """What came into and out of each module, call by call, with the adjoints after `backward`."""

    def __init__(self, case: Case) -> None:
        self.model, given = whole(case)
        self.given: dict[str, list[Tensor]] = defaultdict(list)
        self.results: dict[str, list[Tensor]] = defaultdict(list)
        for path, module in self.model.named_modules():
            module.register_forward_hook(self._keeper(path.removeprefix("model.")))
        torch.manual_seed(SEED)
        self.model(*given).backward()

    def _keeper(self, path: str) -> Any:
        def keep(module: nn.Module, given: tuple[Any, ...], result: Any) -> None:
            for kept, value in ((self.given, given[0]), (self.results, result)):
                first = value[0] if isinstance(value, tuple) else value
                kept[path].append(first)
                if first.requires_grad:
                    first.retain_grad()

        return keep


class Steps(TorchDispatchMode):
    """The results of each operation, by its word: "where", "sqrt", "log"."""

    def __init__(self) -> None:
        super().__init__()
        self.results: dict[str, list[Tensor]] = defaultdict(list)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.results[func.overloadpacket.__name__].append(result)
        return result


def results_of(planted: Planted) -> list[Tensor]:
    """What the place gave, in each of its calls; for an argument, itself."""
    case = planted.build()
    arguments = list(inspect.signature(case.module.forward).parameters)
    if planted.place in arguments:
        return [case.args[arguments.index(planted.place)]]
    seen = Seen(case).results
    if planted.place in seen:
        return seen[planted.place]
    with Steps() as steps:
        loss_of(planted.build())
    return steps.results[planted.place]


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


# ------------------------------------------------------------------------------------ the lists


def test_names_are_unique() -> None:
    names = [one.name for one in (*PLANTED, *HEALTHY, *CURED)]
    assert len(set(names)) == len(names)


def test_enough_of_each() -> None:
    assert {planted.cause for planted in PLANTED} == set(CAUSES)
    assert len(PLANTED) >= 24
    assert len(HEALTHY) >= 20


@each((*PLANTED, *HEALTHY, *CURED))
def test_a_case_is_the_same_each_time(one: Planted | Healthy) -> None:
    state = torch.get_rng_state()
    first, second = one.build(), one.build()
    assert torch.equal(state, torch.get_rng_state())
    for left, right in zip(first.module.parameters(), second.module.parameters(), strict=True):
        assert torch.equal(left, right)
        assert left.isfinite().all()
    assert all(torch.equal(*pair) for pair in zip(first.args, second.args, strict=True))
    assert same(loss_of(first).item(), loss_of(second).item())


@each((*HEALTHY, *CURED))
def test_a_healthy_gradient_is_ordinary(one: Healthy) -> None:
    found = gradient(one.build())
    assert found is not None
    assert 1e-5 < abs(found) < 1e2


# ----------------------------------------------------------------------------------- the causes


@of("not connected")
def test_not_connected(planted: Planted) -> None:
    case = planted.build()
    assert named(case)[0].requires_grad
    assert gradient(case) in (None, 0.0)
    before, after = nudged(planted.build())
    # The row of a padding index is read; only its gradient is left out.
    assert (before == after) == (planted.name != "padding row")


@of("frozen", "stopped")
def test_the_loss_depends_on_an_entry_without_gradient(planted: Planted) -> None:
    case = planted.build()
    assert named(case)[0].requires_grad == (planted.cause == "stopped")
    assert gradient(case) is None
    before, after = nudged(planted.build())
    assert before != after


@of("masked", "multiplied by zero")
def test_the_loss_does_not_feel_the_entry(planted: Planted) -> None:
    assert gradient(planted.build()) == 0
    assert same(*nudged(planted.build()))


def _is_module(planted: Planted) -> bool:
    case = planted.build()
    return planted.place == "loss" or planted.place in dict(case.module.named_modules())


@each(tuple(one for one in PLANTED if one.cause in ("masked", "saturated") and _is_module(one)))
def test_the_place_stops_the_adjoint(one: Planted) -> None:
    """An ordinary adjoint goes in, and (nearly) nothing comes out."""
    case = one.build()
    seen = Seen(case)
    (given,), (result,) = seen.given[one.place], seen.results[one.place]
    assert given.grad is not None
    assert result.grad is not None
    entries = one.entries if given.shape == result.shape else ()
    stopped = [given.grad[entry] for entry in entries]
    if one.cause == "saturated":
        stopped = stopped or [given.grad]
        assert result.grad.abs().max() > 1e-4
        assert all(value.abs().max() < 1e-10 for value in stopped)
    else:
        assert all(value == 0 for value in stopped)
        if entries:
            arriving = torch.stack([result.grad[entry].abs() for entry in entries])
            assert arriving.isnan().any() == (one.name == "nan that a dead relu hides")
            assert arriving.nan_to_num(1.0).max() > 1e-5


@of("saturated")
def test_saturated(planted: Planted) -> None:
    found = gradient(planted.build())
    assert found is not None
    assert abs(found) < 1e-10


@of("multiplied by zero")
def test_the_factor_is_zero(planted: Planted) -> None:
    case = planted.build()
    if planted.entries:
        assert all(
            result[entry] == 0 for result in results_of(planted) for entry in planted.entries
        )
    elif planted.place == "mul":
        assert not any(result.any() for result in results_of(planted))
    elif planted.place == "loss":
        assert (case.loss.get_buffer("weight") == 0).any()
    elif planted.place == "bn":
        (result,) = results_of(planted)
        bias = case.module.get_parameter("bn.bias")
        assert (result[:, 2] == bias[2]).all()
    else:
        assert not case.module.get_parameter(f"{planted.place}.weight").any()


@of("cancelled")
def test_cancelled(planted: Planted) -> None:
    case = planted.build()
    seen = Seen(case)
    found = gradient(planted.build())
    assert found is not None

    def adjoint(path: str) -> Tensor:
        (result,) = seen.results[path]
        assert result.grad is not None
        return result.grad

    sums = {
        "bias before batch norm": lambda: adjoint("conv1")[:, 1].reshape(1, -1),
        "bias of the keys": lambda: adjoint("attn.key")[..., 2].reshape(1, -1),
        "symmetric units": lambda: adjoint("fc2") * case.module.get_parameter("fc2.weight")[:, 2],
        "contradictory labels": lambda: (adjoint("fc1")[:, 1] * case.args[0][:, 2]).reshape(1, -1),
    }
    terms = sums[planted.name]()
    sizes = terms.abs().sum(1)
    assert (sizes > 1e-4).all()
    assert (terms.sum(1).abs() < 1e-12 * sizes).all()
    assert abs(found) < 1e-12 * sizes.max()


def sizes_over_the_depth(planted: Planted) -> Tensor:
    """The adjoint's largest entry at each layer or time, the first of them first."""
    seen = Seen(planted.build()).results
    kept = seen[planted.place] or [
        result for path, results in seen.items() for result in results if "layers." in path
    ]
    adjoints = [result.grad for result in kept]
    assert all(adjoint is not None for adjoint in adjoints)
    if planted.cause == "vanishing":
        assert all((adjoint != 0).all() for adjoint in adjoints)
    return torch.stack([adjoint.abs().max() for adjoint in adjoints])


@of("vanishing")
def test_vanishing(planted: Planted) -> None:
    found = gradient(planted.build())
    assert found is not None
    assert 0 < abs(found) < 1e-10
    sizes = sizes_over_the_depth(planted)
    assert sizes[-1] > 1e-3
    assert ((sizes[:-1] / sizes[1:]) < 1).all()
    assert ((sizes[:-1] / sizes[1:]) > 0.01).all()


@of("exploding")
def test_exploding(planted: Planted) -> None:
    found = gradient(planted.build())
    assert found is not None
    assert 1e7 < abs(found) < math.inf
    sizes = sizes_over_the_depth(planted)
    ratios = sizes[:-1] / sizes[1:]
    assert ratios.log().mean().exp() > 1.5
    assert (ratios < 100).all()


@of("not finite")
def test_not_finite(planted: Planted) -> None:
    case = planted.build()
    assert all(value.isfinite().all() for value in (*case.module.parameters(), *case.args))
    found = gradient(case)
    assert found is not None
    assert not math.isfinite(found)
    results = results_of(planted)
    if planted.place == "sqrt":  # finite, with an infinite slope
        assert all(results[0][entry] == 0 for entry in planted.entries)
    else:
        strange = [result for result in results if not result.isfinite().all()]
        assert strange
        assert not any(strange[0][entry].isfinite() for entry in planted.entries)
        if planted.entries:
            assert (~strange[0].isfinite()).sum() == len(planted.entries)


def test_units_that_dropout_drops() -> None:
    for name, kept in (("dropped unit", False), ("unit that dropout kept", True)):
        (one,) = (one for one in (*PLANTED, *HEALTHY) if one.name == name)
        case = one.build()
        _, index = named(case)
        (result,) = Seen(case).results["drop"]
        assert (result[0, index[0]] != 0) == kept


# ------------------------------------------------------------------------------------- the place


@of(*CAUSES)
def test_entries_are_entries_of_the_result(planted: Planted) -> None:
    if not planted.entries:
        return
    result = results_of(planted)[0]
    assert len(set(planted.entries)) == len(planted.entries)
    for entry in planted.entries:
        assert len(entry) == result.ndim
        assert all(0 <= part < size for part, size in zip(entry, result.shape, strict=True))


WORDS = {"no_grad": "wrap_with_set_grad_enabled"}  # as PyTorch's graphs call it


@pytest.mark.long  # test_why takes the same exports
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # PyTorch's own, of itself
@pytest.mark.filterwarnings("ignore:.*_flat_weights:UserWarning")  # and of its recurrent layers
@each((*PLANTED, *HEALTHY))
def test_export(one: Planted | Healthy) -> None:
    """The exported program gives the same loss, and shows the place."""
    model, given = whole(one.build())
    exported = torch.export.export(model, given)
    decomposed = exported.run_decompositions()
    expected = loss_of(one.build())
    assert expected.ndim == 0
    torch.manual_seed(SEED)
    run = decomposed.module()(*given)
    narrow = expected.dtype != torch.float64
    torch.testing.assert_close(
        run, expected, rtol=1e-3 if narrow else 1e-12, atol=0, equal_nan=True
    )
    if isinstance(one, Planted):
        case = one.build()
        modules = dict(case.module.named_modules()) | {"loss": case.loss}
        arguments = inspect.signature(case.module.forward).parameters
        words = {part for node in exported.graph.nodes for part in str(node.target).split(".")}
        word = WORDS.get(one.place, one.place)
        assert one.place in modules or one.place in arguments or word in words


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")
@of("stopped")
def test_only_the_exported_program_shows_a_stop(planted: Planted) -> None:
    """PyTorch's decompositions drop `no_grad` and make `detach` an alias: gradients then differ."""
    model, given = whole(planted.build())
    exported = torch.export.export(model, given)
    name, index = planted.build().wrt.removesuffix("]").split("[")
    found = []
    for program in (exported, exported.run_decompositions()):
        run = program.module()
        run(*given).backward()
        found.append(run.get_parameter(f"model.{name}").grad)
    assert found[0] is None
    assert found[1][tuple(map(int, index.split(",")))] != 0
