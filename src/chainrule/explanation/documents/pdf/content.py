"""Blocks as plain data for `template.typ`.

Words stay words.  What is under the key `math` is evaluated: it is written by the printer, which
lets a name be nothing but a name; `alt` says the same in words.
"""

from __future__ import annotations

from typing import Any

from chainrule.errors import printable
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Cell,
    Diagram,
    Document,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    Paragraph,
    Piece,
    Recomputed,
    Right,
    Series,
    Table,
    Title,
    Words,
)
from chainrule.explanation.documents.drawing import Circle, Drawing, Label, Line, draw
from chainrule.explanation.documents.pieces import speech_script, typst_script, write
from chainrule.explanation.printers.markup import words

__all__ = ["content"]

Data = dict[str, Any]


def content(document: Document) -> Data:
    """The document as JSON can hold it."""
    blocks = map(_Content(document).block, document.blocks)
    return {
        "title": _text(document.title),
        "language": document.language,
        "blocks": [block for block in blocks if block is not None],
    }


def _text(text: str) -> str:
    return printable(text, len(text))


class _Content:
    def __init__(self, document: Document) -> None:
        self.symbols = document.symbols
        self.typst = typst_script(document.language)
        self.speech = speech_script(document.language)
        self.relations = {
            "=": words(document.language)["equal"],
            "≈": words(document.language)["approximately"],
        }

    def block(self, block: Block) -> Data | None:
        match block:
            case Title(text):
                return {"kind": "title", "text": _text(text)}
            case Heading(text, piece, level=level):
                heading = {"text": _text(text)} if piece is None else self._formula(piece)
                return {"kind": "heading", "level": level, **heading}
            case Paragraph(text, style, level):
                return {"kind": "paragraph", "text": _text(text), "style": style, "level": level}
            case Equation():
                return self._equation(block)
            case Entries(pairs):
                items = (Series((Name(name), Number(value)), "=") for name, value in pairs)
                return {"kind": "entries", "items": [self._formula(item) for item in items]}
            case Table():
                return self._table(block)
            case Diagram(picture, alternative):
                return {"kind": "diagram", "alt": _text(alternative)} | self._drawing(draw(picture))
            case Break():
                return {"kind": "break"}
            case Recomputed():
                return None

    def _formula(self, piece: Piece) -> Data:
        return {"math": write(piece, self.typst, self.symbols), "alt": self._said(piece)}

    def _said(self, piece: Piece) -> str:
        return _text(write(piece, self.speech, self.symbols))

    def _equation(self, block: Equation) -> Data:
        said = [self._said(block.left)]
        for right in block.rights:
            said += [self.relations[right.sign], self._said(right.piece)]
        return {
            "kind": "equation",
            "left": write(block.left, self.typst, self.symbols),
            "rights": [self._right(right) for right in block.rights],
            "alt": " ".join(said),
            "level": block.level,
            "style": block.style,
        }

    def _right(self, right: Right) -> Data:
        return {"sign": right.sign, "math": write(right.piece, self.typst, self.symbols)}

    # ----------------------------------------------------------------------- tables

    def _table(self, block: Table) -> Data:
        return {
            "kind": "table",
            "head": [_text(text) for text in block.head],
            "rows": [[self._cell(cell) for cell in row] for row in block.rows],
            "level": block.level,
            "arrow": block.arrow,
            "style": block.style,
        }

    def _cell(self, cell: Cell) -> Data:
        if isinstance(cell, str):
            return {"text": _text(cell)}
        return self._formula(Number(cell) if isinstance(cell, float) else cell)

    # --------------------------------------------------------------------- diagrams

    def _drawing(self, drawing: Drawing) -> Data:
        shapes = [self._shape(shape) for shape in drawing.shapes]
        return {"width": drawing.width, "height": drawing.height, "shapes": shapes}

    def _shape(self, shape: Line | Circle | Label) -> Data:
        match shape:
            case Line(start, end, stroke, width, arrow):
                return {
                    "shape": "line",
                    "start": start,
                    "end": end,
                    "stroke": stroke,
                    "width": width,
                    "arrow": arrow,
                }
            case Circle(centre, radius, role):
                return {"shape": "circle", "at": centre, "radius": radius, "role": role}
            case Label(at, text=text, small=small):
                shown = {"text": _text(text)} if text else self._label(shape)
                return {"shape": "label", "at": at, "small": small, **shown}

    def _label(self, label: Label) -> Data:
        name, value = Name(label.name), label.value
        if value is None:
            return self._formula(name)
        if not label.name:
            return self._formula(Number(value))
        sign = Words(f" {label.sign} ")
        return self._formula(Series((name, sign, Number(value)), ""))
