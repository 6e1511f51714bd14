"""Documents in LaTeX, judged by TeX: they compile, stay on the page, and show their characters."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pypdf
import pytest
from helpers.documents import values
from helpers.typeset import HOSTILE
from unit.test_excerpt import EXAMPLES as EXCERPTS
from unit.test_excerpt import document as excerpted

import chainrule as cr
from chainrule.explanation.documents.article import article_document
from chainrule.explanation.documents.blocks import (
    Block,
    Derivative,
    Diagram,
    Document,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    Paragraph,
    Right,
    Series,
    Table,
    Title,
    Words,
)
from chainrule.explanation.documents.compose import explanation_document
from chainrule.explanation.documents.terminal import terminal_rows
from chainrule.explanation.documents.tex import latex
from chainrule.explanation.messages import Language
from chainrule.explanation.messages import Words as Messages
from chainrule.explanation.picture import Edge, Picture, Unit

EXAMPLES = ("seed", "mazur", "macleod", "negnevitsky", "flowers")
WORDS = (
    r"\write18{x}",
    "αβγ Ά ϗ",
    "网络权重",
    "😀",
    "e\u0301 \u0301",
    "a\u200fb",
    "ÀÉÎõüÿŐőŻżŁł ßÆø Þ¤ „“”‘’–—… §©",
    "⇒ ⊕ ✓ ✗ ½ ²",
    "``--- ?` !`",
    "[x] & \\\\ *",
    "x " * 2_000,
    "公" * 200,
)
OVERFULL = re.compile(r"Overfull \\hbox \(([\d.]+)pt")
ENGINES = {"pdflatex": ("longtable.sty",), "lualatex": ("luaotfload.sty", "fontspec.sty")}


def engine(name: str) -> str:
    """A TeX that has what the documents need."""
    found = shutil.which(name)
    needs = ("amsmath.sty", "hyperref.sty", *ENGINES[name])
    looked = (
        subprocess.run(["kpsewhich", *needs], check=False, capture_output=True) if found else None
    )
    if (looked is None or looked.returncode) and not os.environ.get("CI"):
        pytest.skip(f"no {name} with what it needs: `make tex` installs it")
    assert found is not None, f"CI needs {name}: `make tex` installs it"
    return found


def compiled(program: str, folder: Path, source: str) -> str:
    """The log of a source that has to compile, and what its PDF says."""
    (folder / "document.tex").write_text(source, encoding="utf-8")
    options = ["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
    run = subprocess.run(
        [engine(program), *options, "document.tex"],
        cwd=folder,
        env=os.environ | {"openin_any": "p", "openout_any": "p", "max_print_line": "100000"},
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout.decode("utf-8", "replace")[-2000:]
    return (folder / "document.log").read_text(encoding="utf-8", errors="replace")


def shown(folder: Path) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(folder / "document.pdf").pages)


def explained(language: Language) -> Document:
    """All examples, one after the other, and an article: one run of TeX for all of them."""
    say = Messages(language)
    documents = [explanation_document(cr.explain(cr.load(example)), say) for example in EXAMPLES]
    documents.append(article_document(cr.article(cr.load("seed")), say))
    documents += [excerpted(make(), language) for make in EXCERPTS.values()]
    blocks = tuple(block for document in documents for block in document.blocks)
    symbols = {name: text for document in documents for name, text in document.symbols.items()}
    return Document("examples", blocks, language, symbols)


@pytest.mark.parametrize(
    ("program", "language"), [("pdflatex", "en"), ("lualatex", "en"), ("lualatex", "zh")]
)
def test_the_examples_compile_and_stay_on_the_page(
    program: str, language: Language, tmp_path: Path
) -> None:
    log = compiled(program, tmp_path, latex(explained(language)))
    assert [width for width in OVERFULL.findall(log) if float(width) > 2] == []
    assert "Missing character" not in log
    text = shown(tmp_path)
    assert ("公共部分" if language == "zh" else "Common parts") in text


def test_the_pdf_has_the_numbers_of_the_text(tmp_path: Path) -> None:
    document = explanation_document(cr.explain(cr.load("seed")), Messages())
    compiled("pdflatex", tmp_path, latex(document))
    text = "\n".join(row.text for row in terminal_rows(document, 400))
    plain = {number for number in values(text) if "e" not in repr(number)}
    assert plain <= values(shown(tmp_path).replace("\n", " "))


def test_a_part_compiles_in_another_document(tmp_path: Path) -> None:
    (tmp_path / "part.tex").write_text(
        latex(explanation_document(cr.explain(cr.load("seed"), ["w7"]), Messages()), False),
        encoding="utf-8",
    )
    body = "\\section{Mine}\n\\input{part}\n\\input{part}\nSee \\ref{chainrule:w7}."
    packages = r"\usepackage{amsmath, amssymb, graphicx, color, longtable}"
    source = f"\\documentclass{{article}}{packages}\\begin{{document}}{body}\\end{{document}}"
    log = compiled("pdflatex", tmp_path, source)
    assert [width for width in OVERFULL.findall(log) if float(width) > 2] == []


@pytest.mark.parametrize(
    ("program", "language"), [("pdflatex", "en"), ("lualatex", "en"), ("lualatex", "zh")]
)
def test_hostile_words_act_nowhere(program: str, language: Language, tmp_path: Path) -> None:
    blocks: list[Block] = []
    for name in (*HOSTILE, *WORDS):
        picture = Picture(
            ((Unit(name, 1.0, "input"),), (Unit("o", 2.0, "output"),)),
            (Edge(name, "o", (name, -0.5)),),
        )
        words = Series((Words(name), Name(name)), "")
        blocks += [
            Title(name),
            Heading(name, None, name),
            Heading(name, Derivative(name, name), name, 2),
            Paragraph(name, "note", 1),
            Equation(Name(name, "⁺"), (Right(words), Right(Name(name)))),
            Entries(((name, 1.0),)),
            Table(((name, 1.0, Name(name)),), head=(name, name, name), arrow=True),
            Diagram(picture, name),
            Equation(Name("x"), (Right(Number(1.0)),)),
        ]
    blocks.append(Paragraph("All of it."))
    title = "".join((*HOSTILE[:10], *WORDS[:10]))
    log = compiled(program, tmp_path, latex(Document(title, tuple(blocks), language)))
    assert "Missing character" not in log
    assert "(/etc/passwd" not in log
    text = shown(tmp_path)
    # Between words there is room but no character, which some fonts let go unnoticed.
    assert "Allofit." in text.replace(" ", "")
    assert "root:" not in text


def test_chinese_with_pdflatex_says_what_to_do(tmp_path: Path) -> None:
    source = latex(Document("t", (Paragraph("权重"),), "zh"))
    with pytest.raises(AssertionError, match="set it with lualatex or xelatex"):
        compiled("pdflatex", tmp_path, source)
