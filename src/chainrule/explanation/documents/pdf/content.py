"""Blocks as plain data for `template.typ`.

Words stay words.  What is under the key `math` is evaluated: it is written by the printer, which
lets a name be nothing but a name; `alt` says the same in words.
"""

from __future__ import annotations

from typing import Any

from chainrule.errors import printable
from chainrule.explanation.documents.blocks import (
    Break,
    Cell,
    Diagram,
    Document,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    PaperBlock,
    Paragraph,
    Piece,
    Recomputed,
    Right,
    Series,
    Table,
    Title,
    Words,
    unfolded,
)
from chainrule.explanation.documents.drawing import Circle, Drawing, Label, Line, Shape, draw
from chainrule.explanation.documents.pieces import speech_script, typst_script, write
from chainrule.explanation.printers.markup import words

__all__ = ["content"]

Data = dict[str, Any]


def content(document: Document) -> Data:
    """The document as JSON can hold it."""
    blocks = map(_Content(document).block, unfolded(document.blocks))
    return {
        "title": _text(document.title) or "chainrule",  # accessible documents have a title
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

    def block(self, block: PaperBlock) -> Data | None:
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
            case Entries():
                return {"kind": "entries", "items": [self._line(item) for item in block.equations]}
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
        return {
            "kind": "equation",
            "left": write(block.left, self.typst, self.symbols),
            "rights": [
                {"sign": right.sign, "math": write(right.piece, self.typst, self.symbols)}
                for right in block.rights
            ],
            "alt": self._equation_said(block),
            "level": block.level,
            "style": block.style,
        }

    def _equation_said(self, block: Equation) -> str:
        said = [self._said(block.left)]
        for right in block.rights:
            said += [self.relations[right.sign], self._said(right.piece)]
        return " ".join(said)

    def _line(self, block: Equation) -> Data:
        """A short equation on one line, with other text."""
        sides = [write(block.left, self.typst, self.symbols)]
        for right in block.rights:
            sign = "=" if right.sign == "=" else "approx"
            sides += [sign, write(right.piece, self.typst, self.symbols)]
        return {"math": " ".join(sides), "alt": self._equation_said(block)}

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

    def _shape(self, shape: Shape) -> Data:
        match shape:
            case Line(start, end, stroke, width):
                return {
                    "shape": "line",
                    "start": start,
                    "end": end,
                    "stroke": stroke,
                    "width": width,
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
            sign = (Words(label.sign),) if label.shows_sign else ()
            return self._formula(Series((*sign, Number(value)), ""))
        return self._line(Equation(name, (Right(Number(value), label.sign),)))
