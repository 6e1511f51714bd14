"""A whole run of steps of a scalar graph, as the text of one function.

Every parameter is a local variable, and the loop over the steps is inside:

    run(count, values, losses)

`values` holds the numbers of the leaves, and in the end the new parameters; `losses`,
one longer than `count`, gets the loss before each step and after the last one.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from chainrule.emit.expressions import FUNCTIONS, Expressions, Names, Text
from chainrule.graph.node import Node, topological
from chainrule.primitives import CONSTANT

__all__ = ["Stage", "unrolled_run"]

Stage = Mapping[Node, Node]
"""Parameters that are updated together, each with the node of its new value."""


def unrolled_run(loss: Node, leaves: Sequence[Node], stages: Sequence[Stage]) -> str:
    """The source of `run`; `values` is in the order of `leaves`, the learning rate among them."""
    return _Writer(loss, leaves, stages).source()


class _Writer:
    def __init__(self, loss: Node, leaves: Sequence[Node], stages: Sequence[Stage]) -> None:
        self.loss, self.leaves, self.stages = loss, leaves, stages
        self.parameters = {node for stage in stages for node in stage}
        self.forward = topological([loss])
        self.known = {*self.forward, *leaves}
        self.backward = [
            [
                node
                for node in topological(stage.values(), self.known.__contains__)
                if node not in self.known
            ]
            for stage in stages
        ]
        steps = itertools.chain(self.forward, *self.backward)
        self.uses = Counter(item for node in steps for item in node.inputs)
        self.names = Names(("run", "count", "values", "losses", "step", "range", "abs", "float"))
        self.called = {node: self.names.new(node.name or "value") for node in leaves}
        self.written: dict[Node, Text] = {}
        self.read: set[Node] = set()
        self.lines: list[str] = []
        self.expressions = Expressions(self._bind)

    def source(self) -> str:
        places = {node: place for place, node in enumerate(self.leaves)}
        for node in self.leaves:
            self.lines.append(f"    {self.called[node]} = values[{places[node]}]")
            self.written[node] = Text(self.called[node])
        self.lines.append("    for step in range(count + 1):")
        self._line("# forward")
        self._write(self.forward, {self.loss})
        self._line(f"losses[step] = {self.written[self.loss].text}")
        self._line("if step == count:")
        self._line("    break")
        for stage, steps in zip(self.stages, self.backward, strict=True):
            self._line("# backward")
            self._write(steps, set(), stage)
        for node in self.leaves:
            if node in self.parameters:
                self.lines.append(f"    values[{places[node]}] = {self.called[node]}")
        heading = f"from math import {', '.join(FUNCTIONS)}\n\n\ndef run(count, values, losses):"
        return "\n".join([heading, *self.lines]) + "\n"

    def _line(self, text: str) -> None:
        self.lines.append(f"        {text}")

    def _bind(self, text: str) -> str:
        name = self.names.numbered("t")
        self._line(f"{name} = {text}")
        return name

    def _write(self, steps: Iterable[Node], kept: set[Node], stage: Stage | None = None) -> None:
        """Quantities and what is used more than once on lines of their own; then the updates."""
        updated = set() if stage is None else set(stage.values())
        for node in steps:
            if node.primitive is CONSTANT:
                self.written[node] = self.expressions.number(node.attributes["value"])
            elif node.inputs and node not in updated:
                text = self._expression(node)
                if node in kept or node.name is not None or self.uses[node] > 1:
                    if node not in self.called:
                        self.called[node] = (
                            self.names.numbered("t")
                            if node.name is None
                            else self.names.new(node.name)
                        )
                    self._line(f"{self.called[node]} = {text.text}")
                    text = Text(self.called[node])
                self.written[node] = text
        if stage is not None:
            self._update(stage)

    def _expression(self, node: Node) -> Text:
        operands = [self.written[item] for item in node.inputs]
        return self.expressions.apply(node.primitive.name, *operands)

    def _update(self, stage: Stage) -> None:
        """New values; first under other names, where a later line reads the old ones."""
        self._line("# update")
        inlined = [
            {
                item
                for item in topological([new], lambda node: node in self.called)
                if item in stage and item is not parameter
            }
            for parameter, new in stage.items()
        ]
        late = set().union(*inlined)
        waiting = []
        for parameter, new in stage.items():
            name = self.called[parameter]
            text = self._expression(new).text
            if parameter in late:
                waiting.append((name, fresh := self.names.new(f"new_{name}")))
                self._line(f"{fresh} = {text}")
            else:
                self._line(f"{name} = {text}")
        for name, fresh in waiting:
            self._line(f"{name} = {fresh}")
