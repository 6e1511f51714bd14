"""A drawing as inline SVG; how it is painted is said by the page's style sheet."""

from __future__ import annotations

from chainrule.explanation.documents.drawing import Circle, Drawing, Label, Line
from chainrule.explanation.printers.mathml import text as escaped
from chainrule.explanation.printers.names import is_letter, split_name
from chainrule.explanation.printers.unicode import pretty_number

__all__ = ["LEAST", "svg"]

LEAST = 0.7
"""How far a drawing is made smaller before it is scrolled."""

Described = tuple[str, str]
"""An id and a text."""

UNIT = 16
"""How finely places are told: browsers do not draw letters that are a pixel high."""

HAIR = 0.07
"""The width of a line."""

SIZE, SMALL_SIZE = 1.0, 0.75
"""Of letters, as the style sheet has them."""

LOWERED = 0.28
"""How far a subscript stands below its line, in units of the letters' size."""

ZERO_WIDTH_SPACE = "\N{ZERO WIDTH SPACE}"


def svg(drawing: Drawing, title: Described, description: Described) -> str:
    """The drawing as one element, with its title and what it shows in words."""
    shapes = "".join(map(_shape, drawing.shapes))
    width, height = _length(drawing.width), _length(drawing.height)
    return (
        f'<svg role="img" aria-labelledby="{title[0]} {description[0]}" '
        f'viewBox="0 0 {width} {height}" '
        f'width="{drawing.width:.4g}em" style="min-width: {LEAST * drawing.width:.4g}em">'
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
            place = f'x="{_length(x)}" y="{_length(y)}"'
            if not shape.small:
                return f"<text {place}>{_label(shape, SIZE)}</text>"
            # The room around it is painted first: it would cover the letters beside it.
            label = _label(shape, SMALL_SIZE)
            return "".join(
                f'<text class="{kind}" {place}>{label}</text>' for kind in ("small room", "small")
            )


def _label(label: Label, size: float) -> str:
    parts = [_name(label.name, size)] if label.name else []
    if label.value is not None:
        parts += [label.sign] if label.shows_sign else []
        parts.append(pretty_number(label.value))
    return " ".join(parts) + escaped(label.text)


def _name(name: str, size: float) -> str:
    parts = split_name(name)
    slanted = ' class="letter"' if is_letter(parts.base) and not parts.upright else ""
    written = f"<tspan{slanted}>{escaped(parts.base)}</tspan>"
    if not parts.subscript:
        return written + escaped(name.removeprefix(parts.base))
    index = f"[{parts.index}]" if parts.index else ""
    down = _length(LOWERED * size)
    below = f'<tspan class="below" dy="{down}">{escaped(parts.subscript)}</tspan>'
    # A place holds for what follows: even where there is no index, it is raised again.
    return f'{written}{below}<tspan dy="-{down}">{index or ZERO_WIDTH_SPACE}</tspan>'


def _length(number: float) -> str:
    return f"{number * UNIT:.1f}".removesuffix(".0")
