"""What the steps of a trace are called: by their module, and by their operation within it."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable
from typing import Any

from chainrule.importers.torch.table import OPERATIONS, Operation
from chainrule.importers.torch.trace import Trace

__all__ = ["Names", "entry_of", "source_of"]


def entry_of(node: Any) -> Operation | None:
    """The table's entry for a step of a trace."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return None
    space, _, name = schema.name.partition("::")
    return (
        OPERATIONS.get(f"{name}.{schema.overload_name or 'default'}") if space == "aten" else None
    )


def source_of(node: Any) -> Any:
    """The operation that a step is a result of, if it only takes one of several results."""
    while node.target is operator.getitem:
        node = node.args[0]
    return node


class Names:
    """Gives each named step a name that no other has."""

    def __init__(self, trace: Trace, steps: Collection[Any], taken: Iterable[str]) -> None:
        self._trace = trace
        self._taken = set(taken)
        self._loss = source_of(trace.loss)
        self._results = self._results_of_modules(steps)

    def unique(self, name: str) -> str:
        """The name, with `_1`, `_2`, ... where it is taken."""
        chosen, count = name, 0
        while chosen in self._taken:
            count += 1
            chosen = f"{name}_{count}"
        self._taken.add(chosen)
        return chosen

    def inside(self, node: Any, word: str) -> str:
        """A name for something in the module where the step stands."""
        path, _ = self._trace.called(node)
        return self.unique(f"{path}.{word}" if path else word)

    def of(self, node: Any, entry: Operation) -> str | None:
        """The name of a step's result; None for one that only moves numbers."""
        if node is self._loss:
            return self.unique("loss")
        if node in self._results:
            return self.unique(self._trace.called(node)[0])
        return None if entry.moves else self.inside(node, entry.word)

    def _results_of_modules(self, steps: Collection[Any]) -> set[Any]:
        """The step that yields the result of each call of a module without others inside."""
        members: dict[str, list[Any]] = {}
        for node in steps:
            path, call = self._trace.called(node)
            if path in self._trace.leaf_modules:
                members.setdefault(call, []).append(node)
        found = set()
        for own in members.values():
            if any(not entry.moves for node in own if (entry := entry_of(node)) is not None):
                handed_out = [node for node in own if self._is_used_outside(node, own)]
                found.add(source_of((handed_out or own)[-1]))
        return found

    def _is_used_outside(self, node: Any, own: list[Any]) -> bool:
        return any(
            self._is_used_outside(user, own) if source_of(user) is node else user not in own
            for user in node.users
        )
