"""A drawing as inline SVG; how it is painted is said by the page's style sheet."""

from __future__ import annotations

from chainrule.explanation.documents.drawing import Circle, Drawing, Label, Line
from chainrule.explanation.printers.mathml import text as escaped
from chainrule.explanation.printers.names import is_letter, split_name
from chainrule.explanation.printers.unicode import pretty_number

__all__ = ["svg"]

Described = tuple[str, str]
"""An id and a text."""

HAIR = 0.07
"""The width of a line."""

LOWERED = 0.28
"""How far a subscript stands below its line, in units of the font's size."""


def svg(drawing: Drawing, title: Described, description: Described) -> str:
    """The drawing as one element, with its title and what it shows in words."""
    shapes = "".join(map(_shape, drawing.shapes))
    width, height = _length(drawing.width), _length(drawing.height)
    return (
        f'<svg role="img" aria-labelledby="{title[0]} {description[0]}" '
        f'viewBox="0 0 {width} {height}" width="{width}em" height="{height}em">'
        f'<title id="{title[0]}">{escaped(title[1])}</title>'
        f'<desc id="{description[0]}">{escaped(description[1])}</desc>{shapes}</svg>'
    )


def _shape(shape: Line | Circle | Label) -> str:
    match shape:
        case Line((x1, y1), (x2, y2), stroke, width):
            ends = f'x1="{_length(x1)}" y1="{_length(y1)}" x2="{_length(x2)}" y2="{_length(y2)}"'
            return f'<line class="{stroke}" {ends} stroke-width="{_length(width * HAIR)}"/>'
        case Circle((x, y), radius, role):
            place = f'cx="{_length(x)}" cy="{_length(y)}" r="{_length(radius)}"'
            return f'<circle class="{escaped(role)}" {place}/>'
        case Label((x, y)):
            small = ' class="small"' if shape.small else ""
            return f'<text{small} x="{_length(x)}" y="{_length(y)}">{_label(shape)}</text>'


def _label(label: Label) -> str:
    parts = [_name(label.name)] if label.name else []
    parts += [pretty_number(label.value)] if label.value is not None else []
    return f" {label.sign} ".join(parts) + escaped(label.text)


def _name(name: str) -> str:
    parts = split_name(name)
    slanted = ' class="letter"' if is_letter(parts.base) and not parts.upright else ""
    written = f"<tspan{slanted}>{escaped(parts.base)}</tspan>"
    if not parts.subscript:
        return written + escaped(parts.index and f"[{parts.index}]")
    # Each part is placed from where the last one ended: what follows is raised again.
    below = f'<tspan class="below" dy="{LOWERED}em">{escaped(parts.subscript)}</tspan>'
    after = f"[{parts.index}]" if parts.index else "\N{ZERO WIDTH SPACE}"
    return f'{written}{below}<tspan dy="-{LOWERED}em">{after}</tspan>'


def _length(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")
