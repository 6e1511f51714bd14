"""Pages read by html5lib, which knows nothing of how they were written."""

from __future__ import annotations

import copy
from typing import Any

import html5lib

from helpers.typeset import _seen, understood


def parsed(page: str) -> Any:
    """The tree of a page, an error where HTML's grammar is broken; tags without namespaces."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parse(page)
    for element in tree.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return tree


def text(element: Any) -> str:
    """What is read, with powers of ten as `\\times 10^{-5}`."""
    if element.tag == "msup":
        base, exponent = map(text, element)
        return f"{base}^{{{exponent.replace('−', '-').replace(' ', '')}}}"
    own = (element.text or "").replace("×", r"\times")
    parts = [own, *(part for child in element for part in (text(child), child.tail or ""))]
    return " ".join(part for part in parts if part)


def formula(element: Any) -> Any:
    """The tree of a side of an equation; a derivative is a name, `∂E/∂w7`, a footnote nothing."""
    element = copy.deepcopy(element)
    for parent in list(element.iter()):
        for note in [child for child in parent if child.text == "*"]:
            parent.remove(note)
        for place, child in enumerate(list(parent)):
            if child.tag == "mfrac" and all(_is_partial(part) for part in child):
                name = "/".join(f"∂{_seen(part[1])[0][1]}" for part in child)
                child.clear()
                child.tag, child.text = "mi", name
                parent[place] = child
    return understood(_seen(element))


def _is_partial(element: Any) -> bool:
    return element.tag == "mrow" and len(element) == 2 and element[0].text == "∂"
