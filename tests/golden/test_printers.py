"""Every pointwise primitive as each printer writes it: its value, its slopes, numbers put in."""

from __future__ import annotations

from chainrule.explanation.printers.python import python
from chainrule.explanation.printers.unicode import inline, stacked
from chainrule.primitives import REGISTRY, Apply, Formula, Pointwise, Symbol
from chainrule.primitives.formula import parse
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
