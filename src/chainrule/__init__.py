"""Backpropagation you can read, check, and run.

>>> import chainrule as cr
>>> cr.explain(cr.load("seed"), ["w7"]).derivations[0].gradient
0.07806387550033887
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "ChainruleError": "chainrule.errors",
    "Excerpt": "chainrule.explanation.excerpt",
    "Explanation": "chainrule.explanation.schema",
    "Expression": "chainrule.frontends.expression",
    "InputError": "chainrule.errors",
    "Model": "chainrule.graph.model",
    "Network": "chainrule.frontends.expression",
    "NumericError": "chainrule.errors",
    "article": "chainrule.api",
    "check": "chainrule.api",
    "concat": "chainrule.frontends.expression",
    "derivations": "chainrule.api",
    "explain": "chainrule.api",
    "fit": "chainrule.api",
    "from_torch": "chainrule.api",
    "load": "chainrule.api",
    "loads": "chainrule.api",
    "model": "chainrule.frontends.expression",
    "plot": "chainrule.api",
    "show": "chainrule.api",
    "source": "chainrule.api",
    "step": "chainrule.api",
    "var": "chainrule.frontends.expression",
    "why": "chainrule.api",
    "write": "chainrule.display",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Public names, and every function by its name, loaded when they are first used."""
    if name.startswith("__"):
        raise AttributeError(name)
    if name in _HOME:
        found = getattr(importlib.import_module(_HOME[name]), name)
    else:
        functions = importlib.import_module("chainrule.frontends.functions")
        if name not in functions.__all__:
            raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
        found = getattr(functions, name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    functions = importlib.import_module("chainrule.frontends.functions")
    return sorted([*__all__, *functions.__all__])
