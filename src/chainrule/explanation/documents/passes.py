"""The passes by whole arrays, as blocks: what each symbol stands for, then the formulas."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.explanation.documents.blocks import (
    Block,
    Cell,
    Derivative,
    Equation,
    Heading,
    Name,
    Paragraph,
    Piece,
    Right,
    Table,
    Written,
)
from chainrule.explanation.matrices import Array, Matrices, MatrixLine
from chainrule.explanation.messages import Words as Messages
from chainrule.explanation.printers.names import split_derivative

__all__ = ["matrix_blocks"]

WIDEST = 44
"""Characters of a list of entries that is written out."""


def matrix_blocks(form: Matrices, say: Messages) -> list[Block]:
    """The section on the matrix form."""
    return [
        Heading(say("matrices")),
        Paragraph(say("matrices.columns" if form.columns else "matrices.rows")),
        Table(
            tuple(_row(array) for array in form.arrays if array.shape),
            head=(say("matrices.symbol"), say("matrices.shape"), say("matrices.entries")),
        ),
        *_part("forward_pass", form.forward, say),
        *_part("matrices.backward", form.adjoints, say),
        *_part("matrices.gradients", form.gradients, say),
        *_part("matrices.updates", form.updates, say, mark="⁺"),
    ]


def _row(array: Array) -> tuple[Cell, ...]:
    entries = "; ".join(" ".join(row) for row in array.rows)
    if len(entries) > WIDEST:
        entries = f"{array.labels[0]}, …, {array.labels[-1]}"
    return Name(array.symbol), " × ".join(map(str, array.shape)), entries


def _part(title: str, lines: Iterable[MatrixLine], say: Messages, mark: str = "") -> list[Block]:
    blocks: list[Block] = []
    for line in lines:
        derivative = split_derivative(line.symbol)
        left: Piece = Name(line.symbol, mark) if derivative is None else Derivative(*derivative)
        right = Right(Written(line.formula))
        blocks.append(Equation(left, (right,), level=1, style="plain"))
        if line.after:
            text = say("update.sequential", names=say.names(line.after))
            blocks.append(Paragraph(text, "note", level=2))
    return [Heading(say(title), level=2), *blocks] if blocks else []
