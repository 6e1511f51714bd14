"""The functions of the Python interface: every primitive and composite by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.frontends.expression import Expression, combine, compose
from chainrule.primitives import REGISTRY, Pointwise
from chainrule.primitives.composites import COMPOSITES

_OPERATORS = ("add", "sub", "mul", "div", "neg", "pow")


def _function(
    name: str, apply: Callable[..., Expression], operands: tuple[str, ...], does: str
) -> Any:
    def function(*items: Any) -> Expression:
        if len(items) != len(operands):
            raise TypeError(f"{name}({', '.join(operands)}) takes {len(operands)} operands")
        return apply(name, *items)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`{name}({', '.join(operands)})`: {does}"
    return function


_FUNCTIONS = {
    record.name: _function(record.name, combine, record.operands, record.notation)
    for record in REGISTRY.values()
    if isinstance(record, Pointwise) and record.name not in _OPERATORS
} | {
    record.name: _function(record.name, compose, record.operands, record.notation)
    for record in COMPOSITES.values()
}
globals().update(_FUNCTIONS)

__all__ = sorted(_FUNCTIONS)
