"""LaTeX, MathML, Typst and speech: what is written is what was meant, whatever the names are."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.budget import budgeted
from helpers.typeset import HOSTILE, READERS
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule
from chainrule.explanation.messages import LANGUAGES, Language
from chainrule.explanation.printers import latex, mathml, speech, typst
from chainrule.explanation.printers.names import GREEK, split_name
from chainrule.explanation.printers.unicode import SUPERSCRIPTS
from chainrule.primitives import Apply, Formula, Number, Pointwise, Symbol
from chainrule.primitives.formula import parse
from properties.test_formulas import LITERALS, ON_PAPER, PRINTED, TARGETS, applied, same, value

FORMATS = {"latex": latex.latex, "mathml": mathml.mathml, "typst": typst.typst}
NAMERS = {"latex": latex.name, "mathml": mathml.name, "typst": typst.name}
NUMBERS = {"latex": latex.number, "mathml": mathml.number, "typst": typst.number}
DERIVATIVES = {"latex": latex.derivative, "mathml": mathml.derivative, "typst": typst.derivative}
NAMES = (
    *("x", "e", "E", "η", "net_h1", "out_o1", "δ_o1", "dE_dE[0]", "hidden.weight[2,3]"),
    *("w6", "w_6", "w[6]", "w[0,1]", "w_6[1]", "δ1", "δ_1", "bias1", "bias_1", "a_b_c", "_x"),
    *("权重", "权重_1", "权重1", "é1", "a_é", "layer_1.weight"),
)
LEAVES = st.one_of(LITERALS.map(Number), st.sampled_from(NAMES).map(Symbol))
TREES = st.recursive(LEAVES, lambda children: applied(children, ON_PAPER), max_leaves=12)
ENVIRONMENTS = st.fixed_dictionaries(dict.fromkeys(NAMES, LITERALS))
each_format = pytest.mark.parametrize("form", list(FORMATS))


@each_format
@settings(max_examples=budgeted(250))
@given(tree=TREES, environment=ENVIRONMENTS)
def test_reads_back_as_what_was_printed(
    form: str, tree: Formula, environment: dict[str, float]
) -> None:
    text = FORMATS[form](tree)
    assert same(value(READERS[form](text), environment), value(tree, environment)), text


@each_format
@settings(max_examples=budgeted(250))
@given(tree=TREES, environment=ENVIRONMENTS)
def test_reads_back_with_the_numbers_put_in(
    form: str, tree: Formula, environment: dict[str, float]
) -> None:
    text = FORMATS[form](tree, environment)
    assert same(value(READERS[form](text), {}), value(tree, environment)), text


@each_format
@pytest.mark.parametrize("record", PRINTED, ids=lambda record: record.name)
def test_each_record_reads_back(form: str, record: Pointwise) -> None:
    inside = ((low + 2 * high) / 3 for low, high in record.domain)
    environment = dict(zip(record.operands, inside, strict=True))
    environment["y"] = record.scalar_kernel(*environment.values())
    for text in (record.value, *record.slopes):
        if text is not None:
            tree = parse(text)
            read = READERS[form](FORMATS[form](tree))
            assert same(value(read, environment), value(tree, environment))


@each_format
@given(terms=st.lists(st.tuples(TARGETS, TARGETS), min_size=1, max_size=4))
def test_a_cross_entropy(form: str, terms: list[tuple[float, float]]) -> None:
    """Summands −t · ln p are subtracted, wherever they stand in a sum."""
    tree: Formula = Symbol("")
    for number, _ in enumerate(terms):
        term = Apply("cross_entropy_term", (Symbol(f"t{number}"), Symbol(f"p{number}")))
        tree = Apply("add", (tree, term)) if number else term
    environment = {f"t{number}": t for number, (t, _) in enumerate(terms)}
    environment |= {f"p{number}": p for number, (_, p) in enumerate(terms)}
    write, read = FORMATS[form], READERS[form]
    assert same(value(read(write(tree)), environment), value(tree, environment))
    assert same(value(read(write(tree, environment)), {}), value(tree, environment))


@each_format
@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_keep_every_digit(form: str, number: float) -> None:
    assert same(value(READERS[form](NUMBERS[form](number)), {}), number + 0.0)
    assert same(value(READERS[form](FORMATS[form](Number(number))), {}), number)


@each_format
def test_a_derivative_is_a_fraction(form: str) -> None:
    """So it has brackets where a power of it is taken, and its number has none."""
    write, symbols = FORMATS[form], {"g": "∂E/∂w7"}
    assert DERIVATIVES[form]("E", "w7") == write(Symbol("g"), None, symbols)
    squared, bracketed = parse("g ** 2"), parse("(a / b) ** 2")
    brackets = [
        (text.count("("), text.count(")"))
        for text in (write(squared, None, symbols), write(bracketed))
    ]
    assert brackets[0] == brackets[1]
    assert write(squared, {"g": 2.0}, symbols) == write(squared, {"g": 2.0})


# -------------------------------------------------------------------------------- names

IDENTIFIERS = st.from_regex(r"\A[weδΔ权é_][weδ权é_1０.]{0,4}(\[[01](,[01])?\])?\Z").map(
    lambda name: unicodedata.normalize("NFC", name)
)
NAMED = st.one_of(IDENTIFIERS, st.from_regex(r"\A[WδE]⁽[⁰¹]{1,2}⁾\Z"))


@each_format
@settings(max_examples=budgeted(500))
@given(names=st.tuples(NAMED, NAMED))
def test_different_names_look_different(form: str, names: tuple[str, str]) -> None:
    first, second = names
    assert (first == second) == (NAMERS[form](first) == NAMERS[form](second))


@given(name=st.one_of(NAMED, st.text()))
def test_a_name_is_made_of_its_parts(name: str) -> None:
    parts = split_name(name)
    joint = "_" if parts.underscored else ""
    index = f"[{parts.index}]" if parts.index else ""
    layer = f"⁽{parts.layer.translate(SUPERSCRIPTS)}⁾" if parts.layer else ""
    assert parts.base + joint + parts.subscript + index + layer == name


# --------------------------------------------------------------------------- hostile names

COMMANDS = {
    *(r"\text", r"\mathrm", r"\mathit", r"\textbackslash", r"\textasciicircum"),
    *(r"\textasciitilde", r"\textless", r"\textgreater", r"\textbar", r"\ensuremath"),
    *(r"\frac", r"\partial", r"\delta", r"\Delta", *(f"\\{sign}" for sign in "{}$&#_%")),
}
ANY_NAME = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(),
    st.text(alphabet="\\{}[]$&#^_~%\"'<>/*()@;,.|-a1δ权\u202e\x1b\n ∂"),
)


def inert_latex(text: str) -> bool:
    """Whether groups are balanced, all commands known, and nothing else acts."""
    lexemes = re.findall(r"\\[A-Za-z]+|\\.|.", text, re.DOTALL)
    depth = 0
    for place, lexeme in enumerate(lexemes):
        depth += (lexeme == "{") - (lexeme == "}")
        if lexeme.startswith("\\") and lexeme not in COMMANDS | set(latex._COMMANDS.values()):
            return False
        acts = lexeme in ("$", "&", "#", "%", "~", "^") or not lexeme.isprintable()
        if depth < 0 or acts or (lexeme == "_" and lexemes[place + 1] != "{"):
            return False
    return depth == 0


def inert_typst(text: str) -> bool:
    """Whether nothing but letters, digits and the names below stand outside of strings."""
    outside = re.sub(r'"(?:\\["\\]|[^"\\])*"', "S", text)
    pattern = r"(?:frac|upright|partial|[SA-Za-z\u0370-\u03ff]|_|[0-9]+|[(), ])+"
    return text.isprintable() and re.fullmatch(pattern, outside) is not None


@settings(max_examples=budgeted(500))
@given(name=ANY_NAME)
def test_any_name_is_inert(name: str) -> None:
    tree = Symbol(name)
    for symbols in (None, {name: f"∂{name}/∂{name}"}, {name: name + name}):
        assert inert_latex(latex.latex(tree, None, symbols))
        assert inert_typst(typst.typst(tree, None, symbols))
        element = ElementTree.fromstring(mathml.math(tree, None, symbols))
        assert all(child.text is None or child.text.isprintable() for child in element.iter())
        assert {child.tag.rpartition("}")[2] for child in element.iter()} <= {
            *("math", "mi", "mn", "mrow", "msub", "mfrac", "mtext")
        }
        for lang in LANGUAGES:
            assert speakable(speech.speech(tree, None, symbols, lang))


@given(name=ANY_NAME)
def test_text_is_inert_and_whole(name: str) -> None:
    assert inert_latex(latex.text(name))
    assert inert_typst(typst.text(name))
    shown = ElementTree.fromstring(f"<mi>{mathml.text(name)}</mi>").text or ""
    assert len(shown) >= len(name)


# -------------------------------------------------------------------------------- speech

MESSAGES = Path(chainrule.__file__).parent / "explanation" / "messages"
CATALOGUES = {
    lang: json.loads((MESSAGES / f"speech.{lang}.json").read_text(encoding="utf-8"))
    for lang in LANGUAGES
}


def speakable(text: str) -> bool:
    """Whether a screen reader says all of it: words, numbers, and nothing that it would skip."""
    bare = re.sub(r"(?<=\d)\.(?=\d)", "", text)
    return all(
        character == " "
        or (unicodedata.category(character)[0] in "LM" and not "\u0370" <= character <= "\u03ff")
        or (character.isascii() and character.isdigit())
        for character in bare
    )


@pytest.mark.parametrize("lang", LANGUAGES)
@settings(max_examples=budgeted(200))
@given(tree=TREES, environment=ENVIRONMENTS)
def test_speech_is_words(lang: Language, tree: Formula, environment: dict[str, float]) -> None:
    symbols = {"w6": "∂E/∂out_h1"}
    for values in (None, environment):
        text = speech.speech(tree, values, symbols, lang)
        assert speakable(text), text
        assert "  " not in text


@pytest.mark.parametrize("lang", LANGUAGES)
@settings(max_examples=budgeted(300))
@given(trees=st.tuples(TREES, TREES))
def test_different_formulas_sound_different(lang: Language, trees: tuple[Formula, Formula]) -> None:
    """Where the page tells two formulas apart, the words do."""
    heard = [speech.speech(tree, None, None, lang) for tree in trees]
    seen = [latex.latex(tree) for tree in trees]
    assert (heard[0] == heard[1]) <= (seen[0] == seen[1])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_speech_tells_apart_where_things_end(lang: Language) -> None:
    texts = (
        *("a / b + c", "a / (b + c)", "(a + b) / c", "a + b / c", "a / b / c", "a / (b / c)"),
        *("a ** b + c", "a ** (b + c)", "(a + b) ** c", "a + b ** c", "a ** b ** c"),
        *("(a ** b) ** c", "exp(a) + b", "exp(a + b)", "sqrt(a) + b", "sqrt(a + b)"),
        "e ** (a + b)",
        *("abs(a) * b", "abs(a * b)", "log(a) * b", "log(a * b)", "log(a) ** b", "log(a ** b)"),
        *("-a ** 2", "(-a) ** 2", "-(a + b)", "-a + b", "-(a * b)", "(1 if a > b else c) + a"),
        *("1 if a > b else c + a", "(1 if a > b else c) * a", "1 if a > b else c * a"),
        *("max(a, b) + c", "max(a, b + c)", "max(a, b, c)", "max(a, max(b, c))"),
    )
    heard = [speech.speech(parse(text), None, None, lang) for text in texts]
    assert len(set(heard)) == len(texts)


def test_no_word_is_left_over() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in MESSAGES.parent.rglob("*.py"))
    unused = [key for key in CATALOGUES["en"] if f'"{key}"' not in source and key not in GREEK]
    assert [key for key in unused if f"'{key}'" not in source] == []


def test_both_languages_have_the_same_words() -> None:
    english, chinese = CATALOGUES["en"], CATALOGUES["zh"]
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", chinese[key]))
    for text in CATALOGUES["zh"].values():
        assert re.search(r"[\u4e00-\u9fff]|log1p|expm1", text), text


@pytest.mark.parametrize("name", ["w7", "net_h1", "δ_o1", "hidden.weight[0,1]", "w_7"])
def test_names_are_spoken(name: str) -> None:
    spoken = {
        "w7": "w 7",
        "net_h1": "net h 1",
        "δ_o1": "delta o 1",
        "hidden.weight[0,1]": "hidden dot weight entry 0 comma 1",
        "w_7": "w underscore 7",
    }
    assert speech.name(name) == spoken[name]


Write = Callable[[str, str], str]


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (latex.derivative, r"\frac{\partial E}{\partial w_{7}}"),
        (typst.derivative, "frac(partial E, partial w_7)"),
        (speech.derivative, "the derivative of E with respect to w 7"),
        (
            mathml.derivative,
            '<mfrac><mrow><mi mathvariant="normal">∂</mi><mi>E</mi></mrow><mrow>'
            '<mi mathvariant="normal">∂</mi><msub><mi>w</mi><mn>7</mn></msub></mrow></mfrac>',
        ),
    ],
)
def test_derivatives(write: Write, expected: str) -> None:
    assert write("E", "w7") == expected
