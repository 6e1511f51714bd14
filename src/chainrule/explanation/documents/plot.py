"""Losses and parameters over the steps as a picture, drawn by matplotlib.

Nothing else imports matplotlib.  Figures are made and written without its
`pyplot`, so that no display is needed and nothing of the caller's is changed.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from chainrule.errors import Fault, InputError, printable
from chainrule.explanation.documents.curves import Curve, Curves, curves
from chainrule.explanation.messages import Language, Words

try:
    from matplotlib import font_manager, style
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator
except ImportError:
    raise InputError(
        Fault(
            "PackageError",
            "a plot needs matplotlib, which is not installed",
            hint="pip install 'chainrule[plot]'",
        )
    ) from None

if TYPE_CHECKING:
    from chainrule.train.history import History
    from chainrule.train.steps import Steps

__all__ = ["draw", "plot", "plot_format", "plot_language", "render"]

FORMATS: dict[str, dict[str, None]] = {
    "svg": dict.fromkeys(("Creator", "Date", "Format", "Type")),
    "png": {"Software": None},
    "pdf": dict.fromkeys(("Creator", "Producer", "CreationDate")),
}
"""The formats by the endings of their files, each without what would date a picture."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Source: Okabe, Ito (2008), Color Universal Design; without black and yellow."""
DASHES = ("-", "--", "-.", ":")

INK, GRID = "#222222", "#DDDDDD"
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.1,
    "grid.color": GRID,
    "pdf.compression": 6,
    "svg.fonttype": "path",  # looks the same wherever it is opened, whatever fonts are there
    "svg.hashsalt": "chainrule",
    "text.color": INK,
    "text.parse_math": False,  # a name is text, whatever it looks like
}

LATIN = "DejaVu Sans"  # comes with matplotlib
CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN"),
    *("PingFang SC", "Hiragino Sans GB", "Heiti SC", "Microsoft YaHei", "SimHei"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Noto Sans CJK JP", "Droid Sans Fallback"),
    *("Arial Unicode MS", "Noto Serif CJK SC", "SimSun"),
)
"""Families with Chinese characters, the first that is installed is used."""

LARGEST = 1e150
"""Numbers beyond it, or below its inverse, are drawn there: matplotlib needs room to reckon in."""

LONGEST_TITLE = 60
LONGEST_NAME = 20
LABEL_GAP = 0.05
"""Between two labels, as a share of the panel's height."""
FEW = 25
"""Points that are marked one by one."""


def plot_format(file: str | os.PathLike[str]) -> str:
    """The format that the ending of `file` asks for. Raises: InputError for any other ending."""
    ending = Path(file).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        needs = "a file name that ends in " + ", ".join(f".{known}" for known in FORMATS)
        raise InputError(Fault("OptionError", f"a plot cannot be written as {file}", needs=needs))
    return ending


def plot_language(wanted: Language) -> Language:
    """The language of the labels: `wanted`, or English if no font here has its characters."""
    say = Words(wanted)
    text = say("steps.loss") + say("role.parameter") + say("plot.step")
    return wanted if _Fonts().clean(text) == text else "en"


def plot(taken: Steps, history: History, form: str, language: Language) -> bytes:
    """The picture of some steps, as a file in the format `form`."""
    return render(curves(taken, history, Words(plot_language(language))), form)


def draw(shown: Curves) -> Figure:
    """Two panels, the losses above the parameters."""
    fonts = _Fonts()
    figure = Figure(figsize=(8, 7))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 3))
    figure.suptitle(fonts.cut(shown.title, LONGEST_TITLE), x=0.02, ha="left", size="x-large")
    upper.set_title(shown.losses_title, loc="left")
    lower.set_title(shown.parameters_title, loc="left")
    lower.set_xlabel(shown.step)
    last = max(1, shown.losses.steps[-1])
    lower.set_xlim(0, last)
    lower.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if shown.logarithmic:
        upper.set_yscale("log")
        upper.yaxis.set_major_formatter("{x:g}")
    _line(upper, shown.losses, 0, "loss")
    for place, curve in enumerate(shown.parameters):
        _line(lower, curve, place, f"parameter-{place + 1}")
    _label(lower, [fonts.cut(curve.name, LONGEST_NAME) for curve in shown.parameters])
    return figure


def render(shown: Curves, form: str) -> bytes:
    """The figure as a file; an SVG says in words what it shows."""
    buffer = io.BytesIO()
    # This file's style and nothing of the user's own, for as long as matplotlib is at work.
    with style.context(["default", {**STYLE, "font.family": _Fonts().families}]):
        draw(shown).savefig(buffer, format=form, dpi=150, metadata=FORMATS[form])
    data = buffer.getvalue()
    if form != "svg":
        return data
    before, opening, after = data.decode().partition("<svg ")
    attributes, _, body = after.partition(">")
    words = (
        f' <title id="title">{escape(printable(shown.title))}</title>\n'
        f' <desc id="desc">{escape(shown.description)}</desc>'
    )
    named = f'{opening}role="img" aria-labelledby="title desc" {attributes}>'
    return f"{before}{named}\n{words}{body}".encode()


def _line(axes: Axes, curve: Curve, place: int, identifier: str) -> None:
    lowest = 1 / LARGEST if axes.get_yscale() == "log" else -LARGEST
    axes.plot(
        curve.steps,
        [max(lowest, min(value, LARGEST)) for value in curve.values],
        color=COLOURS[place % len(COLOURS)],
        linestyle=DASHES[place % len(DASHES)],
        marker="." if len(curve.steps) <= FEW else "",
        clip_on=False,
        gid=identifier,
    )


def _label(axes: Axes, names: Sequence[str]) -> None:
    """Each line's name at its end, led there where names would lie over one another."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    lines = list(axes.get_lines())
    ends = [(float(line.get_ydata()[-1]) - low) / (high - low) for line in lines]  # type: ignore[index, arg-type]
    for line, name, end, height in zip(lines, names, ends, _apart(ends), strict=True):
        lead = Line2D([1.0, 1.03], [end, height], transform=axes.transAxes, clip_on=False)
        lead.update_from(line)
        lead.set(marker="", linewidth=1, transform=axes.transAxes)
        axes.add_artist(lead)
        axes.text(1.035, height, name, transform=axes.transAxes, va="center", size=9)


def _apart(wanted: Sequence[float]) -> list[float]:
    """Heights near those wanted, in their order, none nearer to another than `LABEL_GAP`."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    heights = list(wanted)
    for below, above in itertools.pairwise(order):
        heights[above] = max(heights[above], heights[below] + LABEL_GAP)
    ceiling = 1.0
    for place in reversed(order):
        heights[place] = min(heights[place], ceiling)
        ceiling = heights[place] - LABEL_GAP
    return heights


class _Fonts:
    """The families that are drawn with, and which characters they have."""

    def __init__(self) -> None:
        installed = {font.name for font in font_manager.fontManager.ttflist}
        chinese = next((family for family in CHINESE if family in installed), None)
        self.families = [LATIN] if chinese is None else [LATIN, chinese]
        self._characters: set[int] = set()
        for family in self.families:
            path = font_manager.findfont(font_manager.FontProperties(family=[family]))
            self._characters.update(font_manager.get_font(path).get_charmap())

    def clean(self, text: str) -> str:
        """`text` with what cannot be drawn, or would act on the drawing, escaped."""
        return "".join(
            character
            if ord(character) in self._characters
            else character.encode("unicode_escape").decode("ascii")
            for character in printable(text, len(text))
        )

    def cut(self, text: str, longest: int) -> str:
        """The same, cut to the room that there is for it."""
        cleaned = self.clean(text)
        return cleaned if len(cleaned) <= longest else cleaned[: longest - 1] + "…"
