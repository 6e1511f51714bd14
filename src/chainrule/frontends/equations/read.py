"""From a file's text to its syntax tree: limits before parsing, faults of syntax after it.

The text is handed to `ast.parse` and to nothing else.  What could trouble the
parser itself (size, nesting) is looked at before it runs.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from chainrule.errors import Faults
from chainrule.frontends.files import Source

__all__ = ["Directive", "Parsed", "read_tree"]

LONGEST_TEXT = 4_000_000
DEEPEST_BRACKETS = 100
LONGEST_PREFIX = 100
MOST_SYNTAX_FAULTS = 20

_TOKEN = re.compile(
    r"""
      (?P<comment>\#[^\n]*+)
    | \"{3}(?:[^"\\]++|\\.|"(?!""))*+\"{3} | '{3}(?:[^'\\]++|\\.|'(?!''))*+'{3}
    | "(?:[^"\\\n]++|\\.)*+" | '(?:[^'\\\n]++|\\.)*+'
    | (?P<prefix>[-+~]|\bnot\b)
    | (?P<opening>[(\[{]) | (?P<closing>[)\]}])
    | \w++ | \S
    """,
    re.VERBOSE | re.DOTALL,
)
_DIRECTIVE = re.compile(r"#+\s*(trained|loss)\s*:\s*(.*?)\s*")
_LINE_ENDS_ELSEWHERE = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Directive:
    """A comment that is meant for chainrule: `# loss: E` or `# trained: w, b`."""

    topic: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """The tree of a file, and its directives by topic (the last of each)."""

    tree: ast.Module
    directives: dict[str, Directive]


def faults_of(source: Source) -> Faults:
    """A collector whose lines are counted as Python counts them."""
    return Faults(source.name, _LINE_ENDS_ELSEWHERE.sub(" ", source.text))


def read_tree(source: Source, faults: Faults) -> Parsed:
    """The syntax tree. Raises: InputError with every line that is not Python."""
    text = source.text
    if len(text) > LONGEST_TEXT:
        faults.add(
            "SizeError",
            f"{len(text):,} characters of equations",
            needs=f"at most {LONGEST_TEXT:,}",
            hint="a network of many weights is better described in TOML",
        )
        faults.raise_if_any()
    directives = {item.topic: item for item in _scan(text, faults)}
    faults.raise_if_any()
    tree = _parse(text, faults)
    faults.raise_if_any()
    assert tree is not None
    return Parsed(tree, directives)


# ------------------------------------------------------------------------ before parsing


def _scan(text: str, faults: Faults) -> Iterator[Directive]:
    """The directives, while brackets and signs are counted."""
    line, position, depth, prefix = 1, 0, 0, 0
    for token in _TOKEN.finditer(text):
        line += _count_lines(text, position, token.start())
        position = token.start()
        kind = token.lastgroup
        depth += (kind == "opening") - (kind == "closing")
        prefix = prefix + 1 if kind == "prefix" else 0
        if depth > DEEPEST_BRACKETS or prefix > LONGEST_PREFIX:
            what = "brackets" if depth > DEEPEST_BRACKETS else "signs"
            _add_too_deep(faults, f"{what} nested more than {DEEPEST_BRACKETS} deep", line)
            return
        directive = _DIRECTIVE.fullmatch(token.group()) if kind == "comment" else None
        if directive is not None:
            yield Directive(directive[1], directive[2], line)


def _count_lines(text: str, start: int, end: int) -> int:
    """The line ends between, `\\r\\n` counted once, as Python counts them."""
    ends = text.count("\n", start, end)
    if "\r" in text[start:end]:
        ends += text.count("\r", start, end) - text.count("\r\n", start, end)
    return ends


def _add_too_deep(faults: Faults, what: str, line: int | None) -> None:
    faults.add(
        "SizeError",
        what,
        line=line,
        needs="an expression that a person can read",
        hint="split it: give its parts names on lines of their own",
    )


# ------------------------------------------------------------------------ while parsing


def _parse(text: str, faults: Faults) -> ast.Module | None:
    """The tree, or None once the faults say why there is none.

    Python stops at the first error.  That line is then mended, or put aside, and
    the text read again, as long as each error is on a line of its own.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    mended: set[int] = set()
    for _ in range(MOST_SYNTAX_FAULTS):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse("\n".join(lines))
        except SyntaxError as error:
            line = error.lineno
            if line is None or line in mended or line > len(lines):
                if not mended:
                    _add_syntax(faults, error, None)
                return None
            _add_syntax(faults, error, line)
            if any(words in error.msg for words in _NOT_OF_ONE_LINE):
                return None
            mended.add(line)
            lines[line - 1] = _mended(lines[line - 1], error)
        except (RecursionError, MemoryError):
            longest = max(range(len(lines)), key=lambda index: len(lines[index]))
            _add_too_deep(faults, "an expression is nested too deep to be read", longest + 1)
            return None
        except (ValueError, OverflowError) as error:
            faults.add("SyntaxError", f"the text is not Python: {error}")
            return None
        else:
            return tree
    return None


_NOT_OF_ONE_LINE = ("never closed", "unterminated triple", "too many nested")


def _mended(line: str, error: SyntaxError) -> str:
    """The line as it may have been meant, or one that keeps the lines around it in place."""
    if "expected an indented block" in error.msg:
        return "    " + line
    indent = "" if "indent" in error.msg else line[: len(line) - len(line.lstrip())]
    return indent + ("if 0:" if line.rstrip().endswith(":") else "pass")


_SYNTAX_HINTS = (
    ("expected an indented block", "begin the line that belongs to the def with four spaces"),
    ("unexpected indent", "begin the line at the left edge"),
    ("unindent", "begin the line at the left edge"),
    ("inconsistent use of tabs", "indent with spaces only"),
    ("never closed", "close the bracket"),
    ("invalid decimal literal", "a product needs its sign: 2*x"),
    ("line continuation character", "begin a line that is not an equation with #"),
    ("cannot assign to", "one name stands left of ="),
    ("leading zeros", "write the number without leading zeros"),
    ("non-printable", "delete the invisible character"),
    ("null bytes", "delete the NUL characters"),
    ("invalid character", "type the sign again: * - ( ) , are plain characters"),
)
_OTHERWISE = "begin a line that is not an equation with #"


def _add_syntax(faults: Faults, error: SyntaxError, line: int | None) -> None:
    message = error.msg
    if message.startswith("Exceeds the limit"):
        faults.add(
            "ValueError",
            "a whole number of thousands of digits",
            line=line,
            needs="a number below 1.8e308",
        )
        return
    if message == "too many nested parentheses":
        _add_too_deep(faults, message, line)
        return
    hint = next((hint for words, hint in _SYNTAX_HINTS if words in message), _OTHERWISE)
    faults.add("SyntaxError", message, line=line, needs="an equation in Python's form", hint=hint)
