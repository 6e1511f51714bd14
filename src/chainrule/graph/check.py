"""The grammar of legal graphs, executable: what every node must be.

Run on the graphs of the tests; a frontend, importer or pass that breaks it has a
bug.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from chainrule.graph.node import Node, topological
from chainrule.graph.passes.unroll import entry_labels
from chainrule.primitives import CONSTANT, VARIABLE, Linear, Pointwise, Select

__all__ = ["check_graph", "faults_of"]


def check_graph(outputs: Iterable[Node]) -> None:
    """Raises: ValueError naming every node that breaks the grammar."""
    nodes = topological(outputs)
    broken = [f"{node!r}: {fault}" for node in nodes for fault in faults_of(node)]
    names = Counter(label for node in nodes for label in entry_labels(node) or ())
    broken += [
        f"{name}: {count} things have this name" for name, count in names.items() if count > 1
    ]
    if broken:
        raise ValueError("\n".join(broken))


def faults_of(node: Node) -> list[str]:
    """What is wrong with one node, its inputs taken as legal."""
    faults = list(_primitive_faults(node))
    if any(size < 0 for size in node.shape):
        faults.append("a size is negative")
    if node.labels is not None and len(node.labels) != math.prod(node.shape):
        faults.append(f"{len(node.labels)} labels for shape {node.shape}")
    if node.labels is not None and len(set(node.labels)) != len(node.labels):
        faults.append("two entries share a label")
    return faults


def _primitive_faults(node: Node) -> Iterable[str]:
    record = node.primitive
    shapes = [item.shape for item in node.inputs]
    if record is CONSTANT:
        if node.inputs or node.shape or not isinstance(node.attributes.get("value"), float):
            yield "a constant is a scalar with a float value and no inputs"
    elif record is VARIABLE:
        if node.inputs or node.name is None:
            yield "a variable has a name and no inputs"
    elif isinstance(record, Pointwise):
        if len(shapes) != len(record.operands):
            yield f"{len(shapes)} inputs for {len(record.operands)} operands"
        if any(shape != node.shape for shape in shapes):
            yield f"operands of shapes {shapes}: broadcasting is a step of its own"
        for place, (name, item) in enumerate(zip(record.operands, node.inputs, strict=False)):
            is_condition = record.name == "where" and place == 0
            if (item.dtype == "bool") != is_condition:
                yield f"operand {name} is {item.dtype}"
    else:
        assert isinstance(record, Linear | Select)
        if record.operands[-1] != "..." and len(shapes) != len(record.operands):
            yield f"{len(shapes)} inputs for {len(record.operands)} operands"
        elif record.shape(*shapes, **node.attributes) != node.shape:
            yield f"the shape rule gives {record.shape(*shapes, **node.attributes)}"
