"""Models that came from PyTorch, run as array graphs and judged by PyTorch."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.differentiate.reverse import reverse
from chainrule.engines import numpy as arrays
from chainrule.graph.build import Builder
from chainrule.graph.check import check_graph
from chainrule.graph.model import Model

EXAMPLES = Path(__file__).parents[2] / "examples" / "torch"


def example(name: str) -> ModuleType:
    """The module `examples/torch/<name>.py`."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def gradients(model: Model) -> tuple[float, dict[str, Any]]:
    """The loss, and its derivative by each leaf that it depends on, by its name."""
    op = Builder()
    wanted = [leaf.node for leaf in model.leaves if leaf.role != "constant"]
    found = reverse(op, model.loss, wanted)
    outputs = [model.loss, *found.values()]
    given = arrays.leaf_arrays(model, model.dtype)
    run = arrays.program(outputs, given, model.dtype).run(given)
    return run[model.loss], {node.name or "": run[found[node]] for node in found}


def judged(model: Model, tolerance: float, *, check: bool = True) -> None:
    """Every gradient is PyTorch's, within `tolerance` of the array's largest entry."""
    if check:
        check_graph([*model.outputs, *(leaf.node for leaf in model.leaves)])
    assert model.framework is not None
    _, own = gradients(model)
    for leaf in model.leaves:
        name = leaf.node.name or ""
        if leaf.role == "constant":
            continue
        expected = model.framework.gradient(name)
        got = own.get(name, np.zeros_like(expected))
        assert got.shape == expected.shape == leaf.node.shape
        assert got.dtype == expected.dtype == np.dtype(model.dtype)
        scale = np.abs(expected).max(initial=0.0) or 1.0
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale, err_msg=name)
