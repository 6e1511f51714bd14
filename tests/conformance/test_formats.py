"""Typeset formulas, judged by others: Typst's compiler, TeX, and the W3C's list of elements."""

from __future__ import annotations

import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import typst as compiler
from golden.test_formats import PRINTERS, SYMBOLS, cases, shown
from helpers.typeset import HOSTILE

from chainrule.explanation.printers import latex, mathml, typst
from chainrule.primitives import Apply, Formula, Number, Symbol


def _of_arrays(name: str) -> Formula:
    """A name in each place that matrices have."""
    array = Symbol(name)
    power = Apply("entrywise_pow", (array, Number(2.0)))
    product = Apply("matmul", (Apply("transpose", (array,)), power))
    return Apply("hadamard", (product, Apply("call", (Apply("softmax", (array,)),))))


# ------------------------------------------------------------------------------ Typst


def test_typst_compiles_everything(tmp_path: Path) -> None:
    rows = [f"$ {written} $" for _, written in shown("typst")]
    rows += [f"${typst.typst(formula, values, SYMBOLS, 'zh')}$" for _, formula, values in cases()]
    assert _pages(tmp_path, rows) > 1


def test_typst_bears_hostile_names(tmp_path: Path) -> None:
    rows = []
    for name in HOSTILE:
        formula = Apply("div", (Symbol(name), Apply("log", (Symbol(name),))))
        rows += [f"${typst.typst(formula)}$", f"#{typst.text(name)}"]
        rows.append(f"${typst.typst(formula, None, {name: f'∂{name}/∂{name}'})}$")
        rows.append(f"${typst.typst(_of_arrays(name))}$")
        rows.append('#assert(here-is-intact == "yes")')
    _pages(tmp_path, ['#let here-is-intact = "yes"', *rows])


def test_typst_takes_one_thing_for_one_thing(tmp_path: Path) -> None:
    """A fraction has two parts, whatever commas stand in its names and calls."""
    formula = Apply("div", (Apply("maximum", (Symbol("w[0,1]"), Symbol("a,b)"))), Symbol("c;d")))
    source = f"#let seen = ${typst.typst(formula)}$\n#assert.eq(seen.body.func(), math.frac)"
    _pages(tmp_path, [source])


def _pages(folder: Path, rows: list[str]) -> int:
    file = folder / "formulas.typ"
    file.write_text("#set page(width: 90cm)\n" + "\n\n".join(rows), encoding="utf-8")
    pages = compiler.compile(str(file), root=str(folder), format="svg")
    return len(pages) if isinstance(pages, list) else 1


# ------------------------------------------------------------------------------ LaTeX

PREAMBLE = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{amsmath}
\begin{document}
"""


@pytest.fixture(scope="module")
def pdflatex() -> str:
    """The TeX of Debian's texlive-latex-base, which CI installs."""
    found = shutil.which("pdflatex")
    if found is None and not os.environ.get("CI"):
        pytest.skip("no TeX here: apt-get install --no-install-recommends texlive-latex-base")
    assert found is not None, "CI needs texlive-latex-base"
    return found


def test_latex_compiles_everything(pdflatex: str, tmp_path: Path) -> None:
    rows = [
        rf"\[ {written} \]"
        for _, written in shown("latex")
        if not any(character >= "\u4e00" for character in written)  # needs another engine
    ]
    log = _typeset(pdflatex, tmp_path, rows)
    assert "Missing character" not in log


def test_latex_bears_hostile_names(pdflatex: str, tmp_path: Path) -> None:
    rows = []
    for name in HOSTILE:
        formula = Apply("div", (Symbol(name), Apply("log", (Symbol(name),))))
        rows += [rf"\[ {latex.latex(formula)} \]", latex.text(name)]
        rows.append(rf"\[ {latex.latex(_of_arrays(name))} \]")
        rows.append(rf"\[ {latex.latex(formula, None, {name: f'∂{name}/∂{name}'})} \]")
    log = _typeset(pdflatex, tmp_path, [*rows, "the end", r"\typeout{All of it.}"])
    assert "All of it." in log
    assert "passwd" not in log.replace("/etc/passwd\\}", "")


def _typeset(program: str, folder: Path, rows: list[str]) -> str:
    file = folder / "formulas.tex"
    body = "\n\n".join(rows)
    file.write_text(f"{PREAMBLE}{body}\n\\end{{document}}\n", encoding="utf-8")
    options = ["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "-draftmode"]
    run = subprocess.run(
        [program, *options, file.name],
        cwd=folder,
        env=os.environ | {"openin_any": "p", "openout_any": "p", "max_print_line": "100000"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = run.stdout.decode("utf-8", "replace")
    assert run.returncode == 0, said[-2000:]
    return (folder / "formulas.log").read_text(encoding="utf-8", errors="replace")


# ----------------------------------------------------------------------------- MathML

EVERYWHERE = frozenset(
    {
        *("id", "class", "style", "autofocus", "nonce", "tabindex"),
        *("dir", "mathcolor", "mathbackground", "mathsize", "displaystyle", "scriptlevel"),
        *("intent", "arg"),
    }
)
CORE = {
    "math": {"display", "alttext"},
    "mtext": set(),
    "mi": {"mathvariant"},
    "mn": set(),
    "mo": {
        *("fence", "separator", "form", "stretchy", "symmetric", "largeop", "movablelimits"),
        *("lspace", "rspace", "minsize", "maxsize"),
    },
    "mspace": {"width", "height", "depth"},
    "ms": set(),
    "mrow": set(),
    "mfrac": {"linethickness"},
    "msqrt": set(),
    "mroot": set(),
    "mstyle": set(),
    "merror": set(),
    "mpadded": {"width", "height", "depth", "lspace", "voffset"},
    "mphantom": set(),
    "msub": set(),
    "msup": set(),
    "msubsup": set(),
    "munder": {"accentunder"},
    "mover": {"accent"},
    "munderover": {"accent", "accentunder"},
    "mmultiscripts": set(),
    "mprescripts": set(),
    "mtable": set(),
    "mtr": set(),
    "mtd": {"columnspan", "rowspan"},
    "semantics": set(),
    "annotation": {"encoding"},
    "annotation-xml": {"encoding"},
}
"""The elements and attributes of MathML Core (https://w3c.github.io/mathml-core/, 2025)."""

CHILDREN = {"mfrac": 2, "msub": 2, "msup": 2, "mroot": 2, "mtr": 2}
TOKENS = {"mi", "mn", "mo", "mtext"}
NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"


def _check(element: ElementTree.Element) -> None:
    tag = element.tag.removeprefix(NAMESPACE)
    assert set(element.attrib) <= CORE[tag] | EVERYWHERE, tag
    assert tag != "mi" or element.get("mathvariant") in (None, "normal")  # Core knows no other
    if tag in TOKENS:
        assert not len(element)
        assert element.text
    else:
        assert not (element.text or "").strip(), f"<{tag}> holds {element.text!r}"
        assert len(element) == CHILDREN.get(tag, len(element)) > 0
    for child in element:
        assert not (child.tail or "").strip()
        _check(child)


def test_mathml_keeps_to_core() -> None:
    for _, written in shown("mathml"):
        _check(ElementTree.fromstring(written))
    say = PRINTERS["speech.zh"]["write"]
    for _, formula, values in cases():
        for display in ("block", "inline"):
            element = ElementTree.fromstring(
                mathml.math(formula, values, SYMBOLS, "zh", display)  # type: ignore[arg-type]
            )
            assert element.tag == f"{NAMESPACE}math"
            assert element.get("display") == display
            assert element.get("alttext") == say(formula, values, SYMBOLS)
            _check(element)


def test_mathml_bears_hostile_names() -> None:
    for name in HOSTILE:
        formula = Apply("div", (Symbol(name), Apply("log", (Symbol(name),))))
        for symbols in (None, {name: f"∂{name}/∂{name}"}):
            _check(ElementTree.fromstring(mathml.math(formula, None, symbols)))
            _check(ElementTree.fromstring(mathml.math(_of_arrays(name), None, symbols)))
