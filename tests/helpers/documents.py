"""What tests of documents have in common: the numbers in a text, and names that must not act."""

from __future__ import annotations

import re

EXAMPLES = ("seed", "seed-equations", "mazur", "macleod", "negnevitsky", "flowers")
NUMBER = re.compile(r"(?<![\w.])[-−]?\d+\.\d+(?: ?\\times ?10\^\{-?\d+\}|e[+−-]\d+)?")
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    r"\input{/etc/passwd}",
    '#read("/etc/passwd")',
    "$x$ `code` [link](javascript:x) *a* _b_ | c",
    "\x1b]0;owned\x07",
    "a\u202eb",
    "=cmd()",
)


def values(text: str) -> set[float]:
    """Every number with a decimal point, without its sign: formulas write minus as a sign."""
    found = (item.replace("−", "-") for item in NUMBER.findall(text))
    exponents = (re.sub(r" ?\\times ?10\^\{(-?\d+)\}", r"e\1", item) for item in found)
    return {abs(float(item)) for item in exponents}
