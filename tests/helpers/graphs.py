"""Random array graphs: every linear and selecting step, every activation, in any arrangement."""

from __future__ import annotations

import math
import random
from typing import Any

from chainrule.graph.build import Builder
from chainrule.graph.model import LeafValue, Model
from chainrule.graph.node import Node
from chainrule.primitives.pointwise import ACTIVATIONS

__all__ = ["graph"]

Shape = tuple[int, ...]


def graph(seed: int) -> Model:
    """Model number `seed`; every leaf is trained."""
    return _Drawing(seed).model()


class _Drawing:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.seed = seed
        self.op = Builder()
        self.leaves: list[LeafValue] = []
        self.nodes: list[Node] = []

    def model(self) -> Model:
        for _ in range(self.chance.randint(1, 3)):
            self.leaf(self.shape())
        steps = (
            *(self.activation, self.activation, self.sum_of_two, self.product_of_two),
            *(self.choice, self.larger, self.transposed, self.reshaped, self.cut, self.padded),
            *(self.joined, self.summed, self.largest, self.multiplied, self.repeated),
            *(self.softmax, self.stopped, self.constant),
        )
        for count in range(self.chance.randint(2, 9)):
            step = steps[(self.seed + count * 7) % len(steps)]
            made = step(self.chance.choice(self.nodes))
            if self.chance.random() < 0.3 and made.inputs:
                made = self.op.named(made, f"q{count}")
            self.nodes.append(made)
        loss = self.op.constant(0.0)
        for node in self.nodes[-3:]:
            loss = self.op.add(loss, self.op.sum(self.op.tanh(node)))
        named = [node for node in self.nodes if node.name is not None and node.inputs]
        return Model(
            f"graph {self.seed}",
            self.op.named(loss, "E"),
            tuple(self.leaves),
            tuple(named),
            learning_rate=0.1,
        )

    def shape(self) -> Shape:
        return tuple(self.chance.randint(1, 3) for _ in range(self.chance.randint(0, 3)))

    def leaf(self, shape: Shape) -> Node:
        node = self.op.variable(f"w{len(self.leaves)}", shape)
        values = tuple(self.chance.uniform(-1.5, 1.5) for _ in range(math.prod(shape)))
        self.leaves.append(LeafValue(node, values, "parameter", trained=True))
        self.nodes.append(node)
        return node

    def partner(self, shape: Shape) -> Node:
        """Another array that fits, or has axes of one entry where that has more."""
        same = [node for node in self.nodes if node.shape == shape]
        if same and self.chance.random() < 0.5:
            return self.chance.choice(same)
        sizes = [self.chance.choice([1, size]) for size in shape]
        return self.leaf(tuple(sizes[self.chance.randint(0, len(sizes)) :]))

    # ------------------------------------------------------------------------- steps

    def activation(self, x: Node) -> Node:
        name = self.chance.choice((*ACTIVATIONS, "exp", "sin", "abs", "neg"))
        if name == "exp":
            return self.op.exp(self.op.tanh(x))
        return self.op.apply(name, x, *([0.5] if name in ("leaky_relu", "elu") else []))

    def sum_of_two(self, x: Node) -> Node:
        return self.op.apply(self.chance.choice(["add", "sub"]), x, self.partner(x.shape))

    def product_of_two(self, x: Node) -> Node:
        return self.op.mul(self.partner(x.shape), x)

    def choice(self, x: Node) -> Node:
        return self.op.where(self.op.greater(x, 0.0), self.partner(x.shape), self.op.sin(x))

    def larger(self, x: Node) -> Node:
        return self.op.apply(self.chance.choice(["maximum", "minimum"]), x, self.partner(x.shape))

    def transposed(self, x: Node) -> Node:
        order = list(range(len(x.shape)))
        self.chance.shuffle(order)
        return self.op.transpose(x, tuple(order))

    def reshaped(self, x: Node) -> Node:
        size = math.prod(x.shape)
        wide = self.chance.choice([n for n in range(1, size + 1) if size % n == 0])
        shapes = [(size,), (wide, size // wide), (1, size), (size // wide, 1, wide)]
        return self.op.reshape(x, self.chance.choice(shapes))

    def cut(self, x: Node) -> Node:
        start = tuple(self.chance.randrange(size) for size in x.shape)
        step = tuple(self.chance.randint(1, 2) for _ in x.shape)
        pairs = zip(x.shape, start, step, strict=True)
        return self.op.slice(x, start, step, tuple((n - a - 1) // b + 1 for n, a, b in pairs))

    def padded(self, x: Node) -> Node:
        start = tuple(self.chance.randint(0, 1) for _ in x.shape)
        step = tuple(self.chance.randint(1, 2) for _ in x.shape)
        pairs = zip(x.shape, start, step, strict=True)
        return self.op.pad(x, start, step, tuple(a + (n - 1) * b + 2 for n, a, b in pairs))

    def joined(self, x: Node) -> Node:
        if not x.shape:
            return self.activation(x)
        axis = self.chance.randrange(len(x.shape))
        return self.op.concat(x, self.op.cos(x), self.leaf(x.shape), axis=axis)

    def axes(self, x: Node) -> Any:
        count = self.chance.randint(0, len(x.shape))
        return tuple(sorted(self.chance.sample(range(len(x.shape)), count)))

    def summed(self, x: Node) -> Node:
        return self.op.sum(x, self.axes(x))

    def largest(self, x: Node) -> Node:
        return self.op.max(x, self.axes(x))

    def multiplied(self, x: Node) -> Node:
        if not 1 <= len(x.shape) <= 2:
            x = self.op.reshape(x, (1, math.prod(x.shape)))
        units = self.chance.randint(1, 3)
        if len(x.shape) == 2 and self.chance.random() < 0.5:
            return self.op.linear(x, self.leaf((units, x.shape[1])))
        if self.chance.random() < 0.3:
            return self.op.matmul(x, self.op.transpose(x))
        return self.op.matmul(x, self.leaf((x.shape[-1], units)))

    def repeated(self, x: Node) -> Node:
        return self.op.broadcast(x, (2, *(3 if size == 1 else size for size in x.shape)))

    def softmax(self, x: Node) -> Node:
        if not x.shape:
            return self.activation(x)
        return self.op.composite(self.chance.choice(["softmax", "log_softmax"]), x)

    def stopped(self, x: Node) -> Node:
        return self.op.add(self.op.stop(x), x)

    def constant(self, x: Node) -> Node:
        return self.op.div(x, 3.0)
