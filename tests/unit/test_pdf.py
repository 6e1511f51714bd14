"""PDF documents: the numbers of the text, formulas that are said, nothing that acts, limits."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdf
import pytest
import typst
from helpers.typeset import HOSTILE

import chainrule as cr
from chainrule.errors import InputError, printable
from chainrule.explanation.documents.article import article_document
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
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
    Written,
)
from chainrule.explanation.documents.compose import explanation_document
from chainrule.explanation.documents.pdf import compiler, pdf
from chainrule.explanation.documents.pdf.compiler import Limits, compiled
from chainrule.explanation.documents.pdf.content import content
from chainrule.explanation.documents.terminal import terminal_rows
from chainrule.explanation.messages import Language
from chainrule.explanation.messages import Words as Messages
from chainrule.explanation.picture import Edge, Picture, Unit
from chainrule.primitives import Apply, Formula, Symbol

SOURCE = Path(cr.__file__).parent
EXAMPLES = ("seed", "mazur", "macleod", "negnevitsky", "flowers")
NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?:e[+−-]\d+)?")
PICTURE = Picture(
    ((Unit("x", 2.0, "input"),), (Unit("h", 0.5, "hidden", bias=("b", 0.1)),)),
    (Edge("x", "h", ("w", 0.25)),),
)
A4 = 595.3


def explained(example: str, language: Language = "en", *parameters: str) -> Document:
    return explanation_document(cr.explain(cr.load(example), parameters), Messages(language))


def read(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(data))


def text_of(data: bytes) -> str:
    return "\n".join(page.extract_text() for page in read(data).pages)


def elements(data: bytes) -> Iterator[tuple[str, str | None]]:
    """The kind of each element of the structure, and the text that stands for it."""
    stack: list[Any] = [read(data).trailer["/Root"]["/StructTreeRoot"]]
    while stack:
        item = stack.pop()
        item = item.get_object() if hasattr(item, "get_object") else item
        if isinstance(item, list):
            stack += reversed(item)
        elif isinstance(item, dict):
            if "/S" in item:
                yield item["/S"], item.get("/Alt")
            stack.append(item.get("/K"))


def alternatives(data: Any) -> Iterator[str]:
    """The words of every formula of a document's content, in its order."""
    if isinstance(data, list):
        for item in data:
            yield from alternatives(item)
    elif isinstance(data, dict):
        if "alt" in data and data.get("kind") != "diagram":
            yield data["alt"]
        for item in data.values():
            yield from alternatives(item)


# ------------------------------------------------------------------------------ what is shown


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_numbers_are_those_of_the_text(example: str, language: Language) -> None:
    document = explained(example, language)
    text = "\n".join(row.text for row in terminal_rows(document, 400))
    shown = text_of(pdf(document))
    assert set(NUMBER.findall(shown)) == set(NUMBER.findall(text))
    if language == "zh":
        chinese = {character for character in text if "\u4e00" <= character <= "\u9fff"}
        assert len(chinese) > 30
        assert chinese <= set(shown)


def test_an_article() -> None:
    document = article_document(cr.article(cr.load("seed")), Messages("zh"))
    data = pdf(document)
    assert document.title in text_of(data).splitlines()
    figures = [said for kind, said in elements(data) if kind == "/Figure"]
    assert figures == [block.alternative for block in document.blocks if isinstance(block, Diagram)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_formula_is_said(language: Language) -> None:
    document = explained("flowers", language, "w1", "b5")
    formulas = [said for kind, said in elements(pdf(document)) if kind == "/Formula"]
    assert formulas == list(alternatives(content(document)))
    assert len(formulas) > 40
    loss = {"en": "E equals 1.15", "zh": "E 等于 1.15"}[language]
    assert formulas[0] is not None
    assert formulas[0].startswith(loss)


def test_what_a_formula_says() -> None:
    rights = (Right(Series((Number(1.5), Number(-0.5)))), Right(Number(-0.75), "≈"))
    document = Document("", (Equation(Name("w7", "⁺"), rights),))
    assert list(alternatives(content(document))) == [
        "w 7 after the update equals 1.5 times open bracket minus 0.5 close bracket "
        "is approximately minus 0.75"
    ]


def test_the_structure() -> None:
    blocks: tuple[Block, ...] = (
        Title("a title"),
        Paragraph("aside", "note"),
        Heading("", Derivative("E", "w7"), "w7"),
        Paragraph("a step", level=1),
        Heading("a part", level=2),
        Break(),
        Diagram(PICTURE, "one input, one unit"),
        Table((("w7", 0.5, Name("w7")),), head=("a", "b", "c")),
        Table((("w7", 0.4, 0.25),), arrow=True),
        Entries((("w1", 0.1), ("w2", 0.2)), frozenset({"w2"})),
    )
    data = pdf(Document("a title", blocks, "zh"))
    kinds = [kind for kind, _ in elements(data)]
    for kind in ("/H1", "/H2", "/Figure", "/Table", "/TH"):
        assert kind in kinds, kind
    reader = read(data)
    assert reader.metadata is not None
    assert reader.metadata.title == "a title"
    root: Any = reader.trailer["/Root"]
    assert root["/Lang"] == "zh-CN"
    assert b"pdfuaid" in root["/Metadata"].get_object().get_data()
    assert [item["/Title"] for item in reader.outline if isinstance(item, dict)] == ["∂ E/∂ w7"]
    text = text_of(data)
    assert "aside" in text
    assert re.search(r"0\.4\s*→\s*0\.25", text)
    assert re.search(r"2\s*≈\s*0\.2", text)
    assert "one input, one unit" in [said for _, said in elements(data)]


def test_the_same_bytes_each_time() -> None:
    document = explained("seed", "zh", "w1")
    assert pdf(document) == pdf(document)


def long_sum(terms: int) -> Formula:
    total: Formula = Symbol("x")
    for number in range(terms):
        product = Apply("mul", (Symbol(f"weight_{number}"), Symbol("output_of_a_unit")))
        total = Apply("add", (total, product))
    return total


def test_nothing_leaves_the_page() -> None:
    formulas = (
        long_sum(40),
        Apply("div", (long_sum(6), long_sum(5))),
        Apply("sqrt", (long_sum(9),)),
        Apply("mul", (Apply("pow", (long_sum(9), Symbol("x"))), Symbol("x"))),
    )
    wide = Name("a_name_of_sixty_four_characters_which_is_the_most_that_there_can_")
    cells = (0.1234567890123456,) * 7
    blocks = (
        Title("n" * 300),
        Equation(wide, tuple(map(Right, map(Written, formulas)))),
        Table((cells,), head=("a",) * 7),
        Paragraph("n" * 300),
    )
    ends: list[float] = []
    size = 0.0

    def drawn(operator: bytes, operands: Any, at: list[float], inner: list[float]) -> None:
        nonlocal size
        if operator == b"Tf":
            size = float(operands[1])
        if operator in (b"Tj", b"TJ"):  # two bytes a glyph, which is half as wide as high, about
            runs = operands if operator == b"Tj" else operands[0]
            glyphs = sum(len(run) // 2 for run in runs if isinstance(run, bytes))
            ends.append(at[4] + at[0] * inner[4] + 0.45 * size * glyphs)

    for page in read(pdf(Document("t", blocks))).pages:
        page.extract_text(visitor_operand_before=drawn)
    assert len(ends) > 50
    assert max(ends) < A4 - 40


# ------------------------------------------------------------------------ words are only words

NAMES = (
    *HOSTILE,
    '"#panic("x")"',
    '$ #eval("1+1") $',
    "=cmd()",
    "= heading",
    "#{panic()}",
    "\ud800",
)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:30]))
def test_hostile_names_are_inert(name: str) -> None:
    short = name[:99]
    blocks: tuple[Block, ...] = (
        Title(name),
        Paragraph(name, "note"),
        Heading(name),
        Heading(name, Derivative(name, name), name),
        Equation(Series((Words(name), Name(name, "⁺")), ""), (Right(Written(Symbol(name))),)),
        Entries(((name, 1.0),)),
        Table(((short, Name(short), Derivative("E", short)),), head=(short, "b", "c")),
        Diagram(Picture(((Unit(name, 1.0, "input"),),), ()), name),
    )
    data = pdf(Document(name, blocks, symbols={name: f"∂E/∂{name}"}))
    shown = re.sub(r"[\s\u200b]", "", text_of(data))
    assert re.sub(r"\s", "", printable(name, len(name))) in shown
    assert "root:" not in shown
    assert not re.search(rb"/(JavaScript|JS|Launch|URI|EmbeddedFile)\b", data)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ('#read("/etc/passwd")', "file not found"),
        ('#read("../../../../../etc/passwd")', "escape"),
        ('#eval("#read(\\"/etc/passwd\\")", mode: "markup")', "file not found"),
        ('#import "@preview/cetz:0.3.0"', "package"),
    ],
)
def test_nothing_is_read_or_fetched(template: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        compiled("{}", template)


# ------------------------------------------------------------------------------ what can fail


def test_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        pdf(Document("", ()))
    assert str(caught.value) == (
        "PackageError: a PDF is typeset by Typst, and the package typst is not installed\n"
        "  try: pip install 'chainrule[pdf]'"
    )


def test_a_character_that_no_font_has() -> None:
    with pytest.raises(InputError) as caught:
        pdf(Document("", (Paragraph("\U00030010"),)))
    assert str(caught.value) == (
        'FontError: no font on this system has all characters of "\U00030010"\n'
        "  needs: a font that has them\n"
        "  try: on Debian and Ubuntu: apt install fonts-noto-cjk"
    )


BUSY = "#for i in range(100000) { for j in range(100000) { } }"


def test_the_time_is_limited() -> None:
    with pytest.raises(InputError) as caught:
        compiled("{}", BUSY, Limits(seconds=1))
    assert str(caught.value) == (
        "LimitError: typesetting the PDF was not done after 1 seconds\n  try: name fewer parameters"
    )


@pytest.mark.parametrize(
    ("template", "limits"),
    [
        (BUSY, Limits(cpu_seconds=1)),
        ("#let a = range(100000000)", Limits(memory=2**30)),
    ],
)
def test_the_process_is_limited(template: str, limits: Limits) -> None:
    with pytest.raises(InputError, match="LimitError: typesetting the PDF ran into a limit"):
        compiled("{}", template, limits)


def test_the_environment_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    run = compiler.subprocess.run

    def noted(*arguments: Any, **options: Any) -> Any:
        given.update(options["env"])
        return run(*arguments, **options)

    monkeypatch.setenv("SECRET", "s")
    monkeypatch.setattr(compiler.subprocess, "run", noted)
    pdf(Document("t", (Title("t"),)))
    assert given
    assert {"SECRET", "PATH"}.isdisjoint(given)


def test_one_file_imports_typst() -> None:
    importing = [
        path.name
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and "typst" in [alias.name for alias in node.names if isinstance(node, ast.Import)]
    ]
    assert importing == ["worker.py"]


# ------------------------------------------------------------------------------------- the font


def test_the_font_has_the_chinese_catalogue(tmp_path: Path) -> None:
    messages = SOURCE / "explanation" / "messages"
    texts = [
        "".join(json.loads((messages / name).read_text(encoding="utf-8")).values())
        for name in ("zh.json", "speech.zh.json")
    ]
    shown = "".join(sorted(set("".join(texts)) - set("{}")))
    fonts = SOURCE / "explanation" / "documents" / "pdf" / "fonts"
    document = typst.compile(
        b'#set document(title: "t")\n#set text(lang: "zh", font: "Chainrule Song")\n'
        b"#sys.inputs.text",
        root=tmp_path,
        font_paths=[fonts],
        ignore_system_fonts=True,
        sys_inputs={"text": shown},
        pdf_standards="ua-1",  # in which a character without a glyph is an error
    )
    assert set(text_of(document)) >= {character for character in shown if character > "\u4e00"}
    assert "Open Font License" in (fonts / "OFL.txt").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in fonts.glob("*.otf")) < 250_000
