"""Readers of typeset formulas, written apart from the printers: LaTeX, MathML, Typst.

Each turns its markup into the same pieces, as a person sees them on the page
(a fraction is one piece, a power is raised after what it stands beside), and
the pieces are read by the grammar of `helpers.paper`.
"""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from chainrule.primitives import Apply, Formula, Number, Symbol
from helpers.reading import Reader

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</math><script>alert(1)</script>",
    "&lt;&#x3c;",
    "\" onload='x'",
    "\\input{/etc/passwd}",
    "\\end{document}",
    "}}{{",
    "$",
    "$$ x $",
    "%&#^_~",
    "^^5cinput",
    '#read("/etc/passwd")',
    '") #read("/etc/passwd") ("',
    "a\\",
    "// comment",
    "/* comment",
    "a\nb\r\n\n\\par",
    "\x1b[31mred\x1b[0m",
    "a\u202eb\u2066c",
    "\x00\ufffe\ud800",
    "∂a/∂\\b",
    "w[6]_{7}",
    "a" * 10_000,
    "\\" * 1_000 + "{" * 1_000,
)
"""Names that no frontend lets through; a printer has to bear them all the same."""

Piece = tuple[str, Any]
"""number, scientific, name, sign, call, fraction, or another whole formula; raised: the exponent
of what stands before."""

_COMPARISONS = {
    "<": "less",
    "≤": "less_equal",
    ">": "greater",
    "≥": "greater_equal",
    "=": "equal",
    "≠": "not_equal",
}
_FUNCTIONS = {"ln": "log", "max": "maximum", "min": "minimum"}


def _call(name: str) -> Piece:
    return "call", _FUNCTIONS.get(name, name)


# ------------------------------------------------------------------------ the grammar


def understood(pieces: Sequence[Piece]) -> Formula:
    """The tree of a row of pieces."""
    reader = _Reader(pieces)
    formula = reader.comparison()
    assert reader.at == len(pieces), f"{pieces[reader.at :]} is left over"
    return formula


class _Reader(Reader):
    comparisons: ClassVar = _COMPARISONS
    products: ClassVar = {"·": "mul"}

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces = pieces
        self.at = 0

    def take(self, *signs: str) -> str | None:
        kind, sign = self.pieces[self.at] if self.at < len(self.pieces) else ("end", "")
        if kind == "sign" and sign in signs:
            self.at += 1
            return str(sign)
        return None

    def power(self) -> Formula:
        start = self.at
        base = self.atom()
        if self.pieces[start][0] in ("fraction", "call", "scientific"):
            # A power of these is read in two ways: it wants brackets.
            assert self.at == len(self.pieces) or self.pieces[self.at][0] != "raised"
        while self.at < len(self.pieces) and self.pieces[self.at][0] == "raised":
            base = Apply("pow", (base, self.pieces[self.at][1]))
            self.at += 1
        return base

    def atom(self) -> Formula:
        kind, content = self.pieces[self.at]
        self.at += 1
        if kind in ("number", "scientific"):
            return Number(float(content))
        if kind == "name":
            return Symbol(content)
        if kind in ("formula", "fraction"):
            assert isinstance(content, Number | Symbol | Apply)
            return content
        if kind == "call":
            assert self.take("(")
            arguments = [self.comparison()]
            while self.take(","):
                arguments.append(self.comparison())
            assert self.take(")")
            if content in ("maximum", "minimum"):
                formula = arguments[0]
                for argument in arguments[1:]:
                    formula = Apply(content, (formula, argument))
                return formula
            return Apply(content, tuple(arguments))
        assert (kind, content) == ("sign", "("), f"{content!r} begins nothing"
        inner = self.comparison()
        assert self.take(")")
        return inner


def _chosen(rows: Sequence[tuple[Formula, Formula]], otherwise: Formula) -> Piece:
    for value, condition in reversed(rows):
        otherwise = Apply("where", (condition, value, otherwise))
    return "formula", otherwise


def _named(base: str, upright: bool, subscript: str, index: str) -> Piece:
    """The name with these parts; a single letter is upright when an underscore was written."""
    numbered = subscript.isdigit() and len(base) == 1 and not upright
    joined = base + subscript if numbered else "_".join(filter(None, (base, subscript)))
    return "name", joined + index


# ------------------------------------------------------------------------------ LaTeX

_LATEX = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|.", re.DOTALL)
_GREEK = {r"\delta": "δ", r"\eta": "η", r"\theta": "θ"}
_LATEX_SIGNS = {r"\cdot": "·", r"\le": "≤", r"\ge": "≥", r"\ne": "≠", "-": "−"}
_LATEX_FUNCTIONS = (r"\ln", r"\sin", r"\cos", r"\tanh", r"\max", r"\min")


def read_latex(text: str) -> Formula:
    """The tree of a formula in LaTeX."""
    return _latex([item for item in _LATEX.findall(text) if item != " "])


def _latex(lexemes: list[str]) -> Formula:
    return understood(_Latex(lexemes).pieces())


class _Latex:
    def __init__(self, lexemes: list[str]) -> None:
        self.lexemes = lexemes
        self.at = 0

    def take(self, *wanted: str) -> bool:
        found = tuple(self.lexemes[self.at : self.at + len(wanted)]) == wanted
        self.at += len(wanted) if found else 0
        return found

    def until(self, opening: str, closing: str) -> list[str]:
        """What stands before the closing one; the opening one has been read."""
        start, depth = self.at, 1
        while depth:
            lexeme = self.lexemes[self.at]
            depth += (lexeme == opening) - (lexeme == closing)
            self.at += 1
        return self.lexemes[start : self.at - 1]

    def group(self) -> list[str]:
        assert self.take("{"), self.lexemes[self.at :]
        return self.until("{", "}")

    def word(self) -> str:
        return "".join(item.removeprefix("\\") for item in self.group())

    def pieces(self) -> list[Piece]:
        found: list[Piece] = []
        while self.at < len(self.lexemes):
            found.append(self.piece())
        return found

    def piece(self) -> Piece:
        lexeme = self.lexemes[self.at]
        self.at += 1
        if lexeme[0].isdigit():
            if self.take(r"\times", "10", "^"):
                return "scientific", f"{lexeme}e{''.join(self.group())}"
            return "number", lexeme
        if lexeme == r"\frac":
            return "fraction", Apply("div", (_latex(self.group()), _latex(self.group())))
        if lexeme == r"\sqrt":
            return "formula", Apply("sqrt", (_latex(self.group()),))
        if lexeme == r"\left" and self.take("|"):
            start, depth = self.at, 1
            while depth:
                side = self.lexemes[self.at : self.at + 2]
                depth += (side == [r"\left", "|"]) - (side == [r"\right", "|"])
                self.at += 1
            self.at += 1
            return "formula", Apply("abs", (_latex(self.lexemes[start : self.at - 2]),))
        if lexeme in (r"\left", r"\right"):
            return self.piece()
        if lexeme == "^":
            return "raised", _latex(self.group())
        if lexeme in _LATEX_FUNCTIONS:
            return _call(lexeme[1:])
        if lexeme == r"\operatorname":
            return _call(self.word())
        if lexeme == r"\begin":
            return self.cases()
        if lexeme == r"\mathrm" and self.take("{", "e", "}", "^"):
            return "formula", Apply("exp", (_latex(self.group()),))
        if lexeme in (r"\mathrm", r"\text") or lexeme in _GREEK or lexeme.isalpha():
            return self.name(lexeme)
        return "sign", _LATEX_SIGNS.get(lexeme, lexeme)

    def name(self, lexeme: str) -> Piece:
        in_group = lexeme in (r"\mathrm", r"\text")
        upright = lexeme == r"\mathrm"
        base = self.word() if in_group else _GREEK.get(lexeme, lexeme)
        subscript = ""
        if self.take("_"):
            inner = self.group()
            upright = upright or inner[0] == r"\mathit"
            while inner and inner[0].startswith("\\"):
                inner = inner[2:-1]
            subscript = "".join(item.removeprefix("\\") for item in inner)
        index = f"[{''.join(self.until('[', ']'))}]" if self.take("[") else ""
        return _named(base, upright, subscript, index)

    def cases(self) -> Piece:
        assert self.word() == "cases"
        cells: list[list[list[str]]] = [[[]]]
        depth = 0
        while depth or not self.take(r"\end", "{", *"cases", "}"):
            lexeme = self.lexemes[self.at]
            self.at += 1
            depth += (lexeme == r"\begin") - (lexeme == r"\end")
            if lexeme == "&" and not depth:
                cells[-1].append([])
            elif lexeme == r"\\" and not depth:
                cells.append([[]])
            else:
                cells[-1][-1].append(lexeme)
        *rows, (otherwise, last) = cells
        assert "".join(last) == r"\text{otherwise}"
        return _chosen(
            [_latex_row(value, condition) for value, condition in rows], _latex(otherwise)
        )


def _latex_row(value: list[str], condition: list[str]) -> tuple[Formula, Formula]:
    assert condition[:5] == [r"\text", "{", "i", "f", "}"]
    return _latex(value), _latex(condition[5:])


# ----------------------------------------------------------------------------- MathML


def read_mathml(text: str) -> Formula:
    """The tree of a formula in MathML."""
    return understood(_seen(ElementTree.fromstring(text)))


def _understood_element(element: Any) -> Formula:
    return understood(_seen(element))


def _seen(element: Any) -> list[Piece]:
    """The pieces of one element: a row's are those of its children."""
    children = list(element)
    if element.tag == "mn":
        return [("number", element.text)]
    if element.tag == "mo":
        return [("sign", element.text)]
    if element.tag == "mfrac":
        return [("fraction", Apply("div", tuple(map(_understood_element, children))))]
    if element.tag == "msqrt":
        return [("formula", Apply("sqrt", tuple(map(_understood_element, children))))]
    if element.tag == "msup":
        base, exponent = children
        if base.tag == "mi" and base.attrib and base.text == "e":
            return [("formula", Apply("exp", (_understood_element(exponent),)))]
        return [*_seen(base), ("raised", _understood_element(exponent))]
    if element.tag == "mi":
        return [_named(element.text, bool(element.attrib), "", "")]
    if element.tag == "msub":
        base, subscript = children
        return [_named(base.text, bool(base.attrib) or len(base.text) > 1, subscript.text, "")]
    assert element.tag == "mrow", element.tag
    if len(children) == 2 and children[1].tag == "mtext":
        ((kind, name),) = _seen(children[0])
        return [(kind, name + children[1].text)]
    if children[0].text == "|":
        return [("formula", Apply("abs", (_understood_element(children[1]),)))]
    if children[0].text == "{":
        return [_table(children[1])]
    return _row(children)


def _row(children: Sequence[Any]) -> list[Piece]:
    found: list[Piece] = []
    for child in children:
        pieces = _seen(child)
        if pieces == [("sign", "\u2061")]:
            found[-1] = _call(found[-1][1])
        else:
            found += pieces
    for place in range(len(found) - 2, -1, -1):
        if found[place] == ("sign", "×"):
            mantissa, ten, (_, power) = (found[place + step] for step in (-1, 1, 2))
            assert ten == ("number", "10")
            sign = "-" if isinstance(power, Apply) else ""
            digits = power.arguments[0] if isinstance(power, Apply) else power
            number = f"{mantissa[1]}e{sign}{int(digits.value)}"
            found[place - 1 : place + 3] = [("scientific", number)]
    return found


def _table(table: Any) -> Piece:
    *rows, (otherwise, last) = ([cell[0] for cell in row] for row in table)
    assert last.text == "otherwise"
    read = []
    for value, condition in rows:
        start, relation = condition
        assert start.text == "if\N{NO-BREAK SPACE}"
        read.append((_understood_element(value), _understood_element(relation)))
    return _chosen(read, _understood_element(otherwise))


# ------------------------------------------------------------------------------ Typst

_TYPST = re.compile(r'"(?:\\.|[^"\\])*"|\d+(?:\.\d+)?|[A-Za-z][A-Za-z.]*|[<>!]=|.', re.DOTALL)
_TYPST_SIGNS = {"dot.op": "·", "<=": "≤", ">=": "≥", "!=": "≠", "-": "−"}
_TYPST_FUNCTIONS = ("ln", "max", "min", "sin", "cos", "tanh")


def read_typst(text: str) -> Formula:
    """The tree of a formula in Typst's math mode."""
    return _typst([item for item in _TYPST.findall(text) if item != " "])


def _typst(lexemes: list[str]) -> Formula:
    return understood(_Typst(lexemes).pieces())


def _unquoted(string: str) -> str:
    return re.sub(r"\\(.)", r"\1", string[1:-1])


class _Typst:
    def __init__(self, lexemes: list[str]) -> None:
        self.lexemes = lexemes
        self.at = 0

    def peek(self) -> str:
        return self.lexemes[self.at] if self.at < len(self.lexemes) else ""

    def take(self, wanted: str) -> bool:
        found = self.peek() == wanted
        self.at += found
        return found

    def arguments(self) -> list[list[str]]:
        """What stands in brackets, split at its commas."""
        assert self.take("("), self.lexemes[self.at :]
        parts: list[list[str]] = [[]]
        depth = 1
        while True:
            lexeme = self.peek()
            self.at += 1
            depth += (lexeme == "(") - (lexeme == ")")
            if not depth:
                return parts
            if lexeme == "," and depth == 1:
                parts.append([])
            else:
                parts[-1].append(lexeme)

    def pieces(self) -> list[Piece]:
        found: list[Piece] = []
        while self.at < len(self.lexemes):
            found.append(self.piece())
        return found

    def piece(self) -> Piece:
        lexeme = self.peek()
        self.at += 1
        if lexeme[0].isdigit():
            if self.take("times"):
                assert self.take("10")
                return "scientific", f"{lexeme}e{''.join(self.exponent())}"
            return "number", lexeme
        if lexeme == "^":
            self.at -= 1
            return "raised", _typst(self.exponent())
        if lexeme == "frac":
            return "fraction", Apply("div", tuple(map(_typst, self.arguments())))
        if lexeme in ("sqrt", "abs"):
            return "formula", Apply(lexeme, tuple(map(_typst, self.arguments())))
        if lexeme in _TYPST_FUNCTIONS:
            return _call(lexeme)
        if lexeme == "op":
            return _call(_unquoted(self.arguments()[0][0]))
        if lexeme == "cases":
            return self.cases()
        if lexeme == "upright":
            (argument,) = self.arguments()
            if argument == ["e"]:
                return "formula", Apply("exp", (_typst(self.exponent()),))
            return self.name(_unquoted(argument[0]), upright=True)
        if lexeme.isalpha() and lexeme not in _TYPST_SIGNS:
            assert len(lexeme) == 1, f"{lexeme} would be a variable"
            return self.name(lexeme, upright=False)
        return "sign", _TYPST_SIGNS.get(lexeme, lexeme)

    def exponent(self) -> list[str]:
        assert self.take("^")
        if self.peek() == "(":
            (inner,) = self.arguments()
            return inner
        self.at += 1
        return [self.lexemes[self.at - 1]]

    def name(self, base: str, upright: bool) -> Piece:
        subscript = index = ""
        if self.take("_"):
            subscript = self.peek()
            self.at += 1
            if subscript.startswith('"'):
                subscript = _unquoted(subscript)
        if self.peek().startswith('"['):
            index = _unquoted(self.peek())
            self.at += 1
        return _named(base, upright, subscript, index)

    def cases(self) -> Piece:
        rows: list[tuple[list[str], list[str]]] = []
        for row in self.arguments():
            depths = itertools.accumulate((item == "(") - (item == ")") for item in row)
            bar = next(
                place for place, depth in enumerate(depths) if row[place] == "&" and not depth
            )
            assert row[bar + 1] == "quad"
            rows.append((row[:bar], row[bar + 2 :]))
        *conditions, (otherwise, last) = rows
        assert last == ['"otherwise"']
        read = []
        for value, condition in conditions:
            assert condition[0] == '"if "'
            read.append((_typst(value), _typst(condition[1:])))
        return _chosen(read, _typst(otherwise))


READERS: dict[str, Callable[[str], Formula]] = {
    "latex": read_latex,
    "mathml": read_mathml,
    "typst": read_typst,
}
