"""Plots: the numbers that they show, their bytes, names as text, what is refused."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import chainrule as cr
from chainrule.explanation.documents.curves import Curve, Curves, curves
from chainrule.explanation.documents.plot import FORMATS, draw, plot, plot_language, render
from chainrule.explanation.messages import Language, Words
from chainrule.train.steps import Steps

SVG = "{http://www.w3.org/2000/svg}"
BEGINNINGS = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
NAMES = (
    *("<script>alert(1)</script>", "$x^", r"\frac{1}{2}", "a--b-->", "&amp;]]>", "%s{0}"),
    *("\u202egnp\u2066", "\x1b[31mred", "n" * 10_000, "\u202e" * 50, "\U0010fffd", "权重"),
)


@pytest.fixture(scope="module")
def taken() -> Steps:
    return cr.step(cr.load("seed"), 300, follow=True)


def shown(taken: Steps, language: Language = "en") -> Curves:
    assert taken.history is not None
    return curves(taken, taken.history, Words(language))


def picture(taken: Steps, form: str, language: Language = "en") -> bytes:
    assert taken.history is not None
    return plot(taken, taken.history, form, language)


def lines(figure: Figure) -> dict[str, Line2D]:
    every = [line for axes in figure.axes for line in axes.get_lines()]
    return {str(line.get_gid()): line for line in every if line.get_gid()}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]  # type: ignore[attr-defined]


# ------------------------------------------------------------------------- the numbers


def test_lines_are_the_losses_and_the_parameters(taken: Steps) -> None:
    figure = draw(shown(taken))
    found = {name: list(zip(*line.get_data(), strict=True)) for name, line in lines(figure).items()}
    assert found.pop("loss") == list(enumerate(taken.losses))
    assert taken.history is not None
    assert list(found.values()) == [
        list(zip(taken.history.steps, values, strict=True))
        for values in taken.history.parameters.values()
    ]
    assert set(taken.parameters) <= set(texts(figure))


def test_lines_differ_in_more_than_colour(taken: Steps) -> None:
    drawn = lines(draw(shown(taken))).values()
    looks = {(line.get_color(), line.get_linestyle()) for line in list(drawn)[1:]}
    assert len(looks) == 12


def test_the_points_in_an_svg_are_the_losses() -> None:
    few = cr.step(cr.load("seed"), 20, follow=True)
    root = ElementTree.fromstring(picture(few, "svg"))
    group = next(item for item in root.iter(f"{SVG}g") if item.get("id") == "loss")
    path = group.find(f"{SVG}path")
    assert path is not None
    places = re.findall(r"[ML] (\S+) (\S+)", path.attrib["d"])
    points = [(float(x), float(y)) for x, y in places]
    assert len(points) == 21
    (left, top), (right, bottom) = points[0], points[-1]
    first, last = few.losses[0], few.losses[-1]
    assert first / last < 100  # so the scale is linear
    for (x, y), (step, loss) in zip(points, enumerate(few.losses), strict=True):
        assert (x - left) / (right - left) == pytest.approx(step / 20, abs=1e-5)
        assert (y - bottom) / (top - bottom) == pytest.approx(
            (loss - last) / (first - last), abs=1e-5
        )


def test_the_scale_is_logarithmic_over_decades(taken: Steps) -> None:
    assert taken.losses[0] / taken.losses[-1] > 100
    assert draw(shown(taken)).axes[0].get_yscale() == "log"
    assert draw(shown(cr.step(cr.load("seed"), 3, follow=True))).axes[0].get_yscale() == "linear"


@pytest.mark.parametrize(
    ("losses", "logarithmic", "values"),
    [
        ((1e308, -1e308, 5e-324), False, (1e308, -1e308, 0.0)),
        ((1e308, 1.0, 5e-324), True, (5e-324, 0.0, 0.0)),
        ((1.0, 1.0, 1.0), False, (0.0, 0.0, 0.0)),
    ],
)
def test_the_range_of_floats_is_no_trouble(
    taken: Steps, losses: tuple[float, ...], logarithmic: bool, values: tuple[float, ...]
) -> None:
    curve = Curve(range(3), losses)
    parameters = (Curve(range(3), values, "w"),)
    extreme = dataclasses.replace(
        shown(taken), losses=curve, logarithmic=logarithmic, parameters=parameters
    )
    for form in FORMATS:
        assert render(extreme, form)


def test_no_steps_are_one_point() -> None:
    still = cr.step(cr.load("seed"), 0, follow=True)
    assert lines(draw(shown(still)))["loss"].get_marker() == "."
    assert picture(still, "svg")


def test_a_long_run_is_a_small_picture(taken: Steps) -> None:
    losses = Curve(range(100_000), [1 / (1 + step) + step % 2 for step in range(100_000)])
    long = dataclasses.replace(shown(taken), losses=losses)
    assert len(render(long, "svg")) < 500_000


# --------------------------------------------------------------------------- the files


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_is_the_same_each_time(taken: Steps, form: str) -> None:
    data = picture(taken, form)
    assert data.startswith(BEGINNINGS[form])
    assert picture(taken, form) == data


def test_a_picture_is_the_same_in_each_process(taken: Steps, tmp_path: Path) -> None:
    script = (
        "import chainrule as cr\n"
        "taken = cr.step(cr.load('seed'), 300, follow=True)\n"
        "for form in ('svg', 'png', 'pdf'):\n"
        "    cr.plot(taken, f'curves.{form}')\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60)
    for form in FORMATS:
        assert (tmp_path / f"curves.{form}").read_bytes() == picture(taken, form)


def test_the_users_settings_neither_matter_nor_change(taken: Steps) -> None:
    data = picture(taken, "svg")
    with matplotlib.rc_context({"lines.linewidth": 9.0, "text.parse_math": True}):
        before = dict(matplotlib.rcParams)
        assert picture(taken, "svg") == data
        assert dict(matplotlib.rcParams) == before


def test_an_svg_says_what_it_shows(taken: Steps) -> None:
    root = ElementTree.fromstring(picture(taken, "svg"))
    assert root.get("role") == "img"
    labels = {item.get("id"): item.text or "" for item in root if item.get("id")}
    assert root.get("aria-labelledby") == "title desc"
    assert labels["title"] == "seed: 300 steps, simultaneous"
    assert str(taken.losses[-1]) in labels["desc"]


@pytest.mark.parametrize("form", FORMATS)
def test_names_are_text(taken: Steps, form: str) -> None:
    parameters = tuple(
        Curve((0, 2, 3), (0.1 * place, 0.2, 0.3), name) for place, name in enumerate(NAMES)
    )
    hostile = dataclasses.replace(
        shown(taken), title="".join(NAMES), parameters=parameters, description="<b>&amp;"
    )
    data = render(hostile, form)
    if form == "svg":
        root = ElementTree.fromstring(data)
        assert not list(root.iter(f"{SVG}script"))
        assert root.findtext(f"{SVG}desc") == "<b>&amp;"
        assert not set("\x1b\u202e\u2066") & set(data.decode())
        assert len(data) < 200_000


def test_names_are_shown_whole_or_cut_and_never_as_mathematics(taken: Steps) -> None:
    parameters = tuple(Curve((0,), (0.0,), name) for name in NAMES)
    written = texts(draw(dataclasses.replace(shown(taken), parameters=parameters)))
    assert {"$x^", r"\frac{1}{2}", r"\x1b[31mred", r"\u202egnp\u2066"} <= set(written)
    assert "n" * 19 + "…" in written
    assert r"\U0010fffd" in written


# ------------------------------------------------------------------------- the language


def test_chinese_is_chinese(taken: Steps) -> None:
    assert plot_language("zh") == "zh", "needs a font with Chinese characters"
    figure = draw(shown(taken, "zh"))
    assert {"损失", "参数", "步数"} <= set(texts(figure))
    assert picture(taken, "svg", "zh") != picture(taken, "svg", "en")


def test_without_a_chinese_font_it_is_english(
    taken: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = picture(taken, "png")
    latin = [font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", latin)
    assert plot_language("zh") == "en"
    assert picture(taken, "png", "zh") == english


# ------------------------------------------------------------------------ what is refused


def test_another_ending_is_refused(taken: Steps, tmp_path: Path) -> None:
    with pytest.raises(cr.InputError) as caught:
        cr.plot(taken, tmp_path / "curves.jpg")
    assert "needs: a file name that ends in .svg, .png, .pdf" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_steps_that_were_not_followed_are_refused(tmp_path: Path) -> None:
    with pytest.raises(cr.InputError) as caught:
        cr.plot(cr.step(cr.load("seed"), 2), tmp_path / "curves.svg")
    assert str(caught.value) == (
        "ValueError: the parameters were not followed on the way\n"
        "  needs: steps taken with follow=True"
    )


def test_matplotlib_is_imported_in_one_file() -> None:
    root = Path(cr.__file__).parent
    users = [file.name for file in root.rglob("*.py") if "matplotlib import" in file.read_text()]
    assert users == ["plot.py"]
