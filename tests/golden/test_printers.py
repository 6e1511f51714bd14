"""What each printer writes: pointwise primitives, with numbers put in, and formulas of arrays."""

from __future__ import annotations

from collections.abc import Iterator

from helpers.networks import describe, network

from chainrule import api
from chainrule.explanation.matrices import matrices
from chainrule.explanation.printers.numpy import numpy
from chainrule.explanation.printers.unicode import inline, stacked
from chainrule.primitives import REGISTRY, Apply, Formula, Pointwise, Symbol
from chainrule.primitives.formula import parse
from chainrule.primitives.python import python
from golden.comparing import HERE, compare

RECORDS = [
    record
    for record in REGISTRY.values()
    if isinstance(record, Pointwise) and record.name != "stop"  # it is never written
]
NUMBERS = (-0.75, 1.5, 0.25)


def formulas(record: Pointwise) -> dict[str, Formula]:
    """The step applied to its operands, and its slopes."""
    written: dict[str, Formula] = {
        "value": Apply(record.name, tuple(Symbol(name) for name in record.operands))
    }
    for operand, slope in zip(record.operands, record.slopes, strict=True):
        if slope is not None:
            written[f"by {operand}"] = parse(slope)
    return written


def block(record: Pointwise) -> str:
    rows = [record.name]
    values = dict(zip(record.operands, NUMBERS, strict=False)) | {"y": 0.625}
    for called, formula in formulas(record).items():
        rows.append(f"  {called}")
        rows.append(f"    python  {python(formula)}")
        if record.name != "where":  # its first operand is a condition, not a number
            rows.append(f"    numbers {python(formula, values)}")
        rows.append(f"    inline  {inline(formula)}")
        if record.name != "where":
            rows.append(f"    numbers {inline(formula, values)}")
        rows.append("    stacked")
        rows += [f"      {row}".rstrip() for row in stacked(formula).rows]
    return "\n".join(rows)


def test_every_pointwise_primitive_as_it_is_printed() -> None:
    text = "\n\n".join(block(record) for record in RECORDS) + "\n"
    compare("printers.txt", text)


def test_the_stored_text_has_every_primitive() -> None:
    stored = (HERE / "printers.txt").read_text(encoding="utf-8")
    headings = [line for line in stored.splitlines() if line and not line.startswith(" ")]
    assert headings == [record.name for record in RECORDS]


# ----------------------------------------------------------------------------- matrices

BATCH = {
    "loss": "categorical cross-entropy",
    "learning_rate": 0.1,
    "reduction": "mean",
    "inputs": [[0.1, 0.2, 0.3, 0.4]] * 3,
    "targets": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    "layers": [
        {"units": 5, "activation": "relu", "weights": [[0.1] * 4] * 5, "biases": [0.0] * 5},
        {"units": 3, "activation": "softmax", "weights": [[0.1] * 5] * 3, "biases": [0.0] * 3},
    ],
}
"""A 4-5-3 network and three examples."""

MODELS = {
    **{
        name: lambda name=name: api.load(name)
        for name in ("seed", "mazur", "macleod", "negnevitsky", "flowers")
    },
    "4-5-3 of three": lambda: network(BATCH),
    **{f"network {seed}": lambda seed=seed: network(describe(seed)) for seed in (3, 7, 9, 28)},
}


def matrix_lines() -> Iterator[tuple[str, Formula]]:
    """Every line of the matrix form of each model, under its title."""
    for name, load in MODELS.items():
        form = matrices(load())
        assert form is not None
        for line in (*form.forward, *form.adjoints, *form.gradients, *form.updates):
            yield f"{name}, {line.symbol}", line.formula


def test_every_matrix_line_as_it_is_printed() -> None:
    rows = []
    for name, load in MODELS.items():
        form = matrices(load())
        assert form is not None
        rows += [f"{name}: {'columns' if form.columns else 'rows'}", "  arrays"]
        for array in form.arrays:
            rows.append(f"    {array.symbol} {array.shape}")
            rows += [f"      {' '.join(row)}" for row in array.rows]
        for part in ("forward", "adjoints", "gradients", "updates"):
            rows.append(f"  {part}")
            for line in getattr(form, part):
                after = f", after {' '.join(line.after)}" if line.after else ""
                rows.append(f"    {line.symbol} {line.shape}{after}")
                rows.append(f"      inline  {inline(line.formula)}")
                rows.append(f"      numpy   {numpy(line.formula)}")
                rows += [f"        {row}".rstrip() for row in stacked(line.formula).rows]
    compare("matrices.txt", "\n".join(rows) + "\n")
