"""Array kernels against PyTorch: each step of ResNet-18 and GPT-2, and both models whole.

A step is run forwards, and backwards to its activations; parameters get no gradient.  The
two take turns, in float32, and the least times are shown.

python benchmarks/kernels.py [--model NAME] [--whole] [--patience N] [--threads N] [--step TEXT]
"""

from __future__ import annotations

import argparse
import itertools
import math
import multiprocessing
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from timing import limit_threads

Shape = tuple[int, ...]
Call = tuple[str, tuple[tuple[Shape, bool], ...], tuple[tuple[str, Any], ...]]
"""A step's name, each operand's shape and whether it is a parameter, the options."""

TOKENS, WIDTH, HEADS, BLOCKS, VOCABULARY = 64, 768, 12, 12, 50257
NUMBERS = tuple(number * 7919 % VOCABULARY for number in range(TOKENS))
"""The tokens of the text, and what is to be foretold."""


# --------------------------------------------------------------- the models, written once


def resnet18(on: Any, training: bool = False) -> Any:
    """Source: He, Zhang, Ren, Sun (2015), Deep residual learning, table 1."""

    def unit(x: Any, width: int, size: int, stride: int) -> Any:
        w = on.parameter((width, x.shape[1], size, size))
        x = on("convolution", x, w, stride=stride, padding=size // 2)
        count = 2 if training else 4
        rows = [on.parameter((width,)) for _ in range(count)]
        return on("batch_norm" if training else "batch_norm_fixed", x, *rows)

    x = on("relu", unit(on.data((1, 3, 224, 224)), 64, 7, 2))
    x = on("max_pool", x)
    for stage, block in itertools.product(range(4), range(2)):
        width, stride = 64 << stage, 2 if stage and not block else 1
        inner = unit(on("relu", unit(x, width, 3, stride)), width, 3, 1)
        x = on("relu", on("add", inner, unit(x, width, 1, 2) if stride > 1 else x))
    x = on("linear", on("average_pool", x), on.parameter((1000, 512)), on.parameter((1000,)))
    return on("loss", x, targets=(7,))


def gpt2(on: Any) -> Any:
    """Source: Radford et al. (2019), Language models are unsupervised multitask learners, 2.3."""

    def linear(x: Any, width: int) -> Any:
        w, b = on.parameter((width, x.shape[-1])), on.parameter((width,))
        return on("linear", x, w, b)

    def norm(x: Any) -> Any:
        return on("layer_norm", x, on.parameter((WIDTH,)), on.parameter((WIDTH,)))

    table = on.parameter((VOCABULARY, WIDTH))
    x = on("take", table, indices=NUMBERS)
    x = on("add", x, on.parameter((TOKENS, WIDTH)))
    for _ in range(BLOCKS):
        x = on("add", linear(on("attention", linear(norm(x), 3 * WIDTH)), WIDTH), x)
        x = on("add", linear(on("gelu", linear(norm(x), 4 * WIDTH)), WIDTH), x)
    return on("loss", on("logits", norm(x), table), targets=NUMBERS)


MODELS: dict[str, Callable[[Any], Any]] = {
    "resnet18": resnet18,
    "resnet18, training": lambda on: resnet18(on, training=True),
    "gpt2": gpt2,
}

# ------------------------------------------------------------------------- their steps


class Ours:
    """A model as a graph."""

    def __init__(self) -> None:
        from chainrule.graph.build import Builder

        self.op = Builder()
        self.leaves: list[Any] = []
        self.results: list[Any] = []
        self.calls: Counter[Call] = Counter()
        self._parameters: set[Any] = set()

    def parameter(self, shape: Shape) -> Any:
        leaf = self.data(shape)
        self._parameters.add(leaf)
        return leaf

    def data(self, shape: Shape) -> Any:
        self.leaves.append(self.op.variable(f"v{len(self.leaves)}", shape))
        return self.leaves[-1]

    def __call__(self, name: str, *operands: Any, **options: Any) -> Any:
        known = tuple((item.shape, item in self._parameters) for item in operands)
        self.calls[(name, known, tuple(options.items()))] += 1
        self.results.append(getattr(self, name)(*operands, **options))
        return self.results[-1]

    def convolution(self, x: Any, w: Any, stride: int, padding: int) -> Any:
        around = ((padding, padding),) * 2
        return self.op.convolution(x, w, (stride,) * 2, around, (1, 1))

    def batch_norm(self, x: Any, scale: Any, shift: Any) -> Any:
        return self.op.composite("batch_norm", x, scale, shift, 1e-5)

    def batch_norm_fixed(self, x: Any, *rows: Any) -> Any:
        return self.op.composite("batch_norm_fixed", x, *rows, 1e-5)

    def relu(self, x: Any) -> Any:
        return self.op.relu(x)

    def max_pool(self, x: Any) -> Any:
        around = self.op.surrounded(x, ((1, 1),) * 2, -math.inf)
        windows = self.op.windows(around, (3, 3), (2, 2), (1, 1), ((0, 0),) * 2)
        return self.op.max(windows, (-2, -1))

    def average_pool(self, x: Any) -> Any:
        return self.op.div(self.op.sum(x, (2, 3)), float(x.shape[2] * x.shape[3]))

    def add(self, a: Any, b: Any) -> Any:
        return self.op.add(a, b)

    def linear(self, x: Any, w: Any, b: Any) -> Any:
        return self.op.add(self.op.linear(x, w), b)

    def logits(self, x: Any, table: Any) -> Any:
        return self.op.linear(x, table)

    def layer_norm(self, x: Any, scale: Any, shift: Any) -> Any:
        return self.op.composite("layer_norm", x, scale, shift, 1e-5)

    def gelu(self, x: Any) -> Any:
        op = self.op
        inner = op.mul(math.sqrt(2 / math.pi), op.add(x, op.mul(0.044715, op.pow(x, 3.0))))
        return op.mul(op.mul(0.5, x), op.add(1.0, op.tanh(inner)))

    def attention(self, x: Any) -> Any:
        op, own = self.op, (TOKENS, HEADS, WIDTH // HEADS)
        parts = (op.slice(x, (0, at * WIDTH), (1, 1), (TOKENS, WIDTH)) for at in range(3))
        q, k, v = (op.transpose(op.reshape(part, own), (1, 0, 2)) for part in parts)
        mixed = op.composite("attention", q, k, v, self.hidden)
        return op.reshape(op.transpose(mixed, (1, 0, 2)), (TOKENS, WIDTH))

    @property
    def hidden(self) -> Any:
        """Minus infinity where a token would look ahead."""
        if self.leaves[0].name != "hidden":
            self.leaves.insert(0, self.op.variable("hidden", (TOKENS, TOKENS)))
        return self.leaves[0]

    def take(self, table: Any, indices: Shape) -> Any:
        return self.op.take(table, indices, 0)

    def loss(self, x: Any, targets: Shape) -> Any:
        op = self.op
        chosen = op.pick(op.composite("log_softmax", x), targets)
        return op.neg(op.composite("mean", chosen))


class Theirs:
    """The same in PyTorch; `leaves` come in the order in which the graph made them."""

    def __init__(self, leaves: list[Any]) -> None:
        import torch

        self._torch, self._functional = torch, torch.nn.functional
        self._leaves = iter(leaves)

    def parameter(self, shape: Shape) -> Any:
        return next(self._leaves)

    def data(self, shape: Shape) -> Any:
        return next(self._leaves).requires_grad_()

    def __call__(self, name: str, *operands: Any, **options: Any) -> Any:
        return getattr(self, name)(*operands, **options)

    def convolution(self, x: Any, w: Any, stride: int, padding: int) -> Any:
        return self._functional.conv2d(x, w, None, stride, padding)

    def batch_norm(self, x: Any, scale: Any, shift: Any) -> Any:
        return self._functional.batch_norm(x, None, None, scale, shift, training=True)

    def batch_norm_fixed(self, x: Any, *rows: Any) -> Any:
        mean, variance, scale, shift = rows
        return self._functional.batch_norm(x, mean.detach(), variance.detach(), scale, shift)

    def relu(self, x: Any) -> Any:
        return self._torch.relu(x)

    def max_pool(self, x: Any) -> Any:
        return self._functional.max_pool2d(x, 3, 2, 1)

    def average_pool(self, x: Any) -> Any:
        return x.mean((2, 3))

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    def linear(self, x: Any, w: Any, b: Any) -> Any:
        return self._functional.linear(x, w, b)

    def logits(self, x: Any, table: Any) -> Any:
        return x @ table.T

    def layer_norm(self, x: Any, scale: Any, shift: Any) -> Any:
        return self._functional.layer_norm(x, (WIDTH,), scale, shift)

    def gelu(self, x: Any) -> Any:
        return self._functional.gelu(x, approximate="tanh")

    def attention(self, x: Any) -> Any:
        q, k, v = (
            part.reshape(TOKENS, HEADS, -1).transpose(0, 1)[None] for part in x.split(WIDTH, 1)
        )
        mixed = self._functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return mixed[0].transpose(0, 1).reshape(TOKENS, WIDTH)

    def take(self, table: Any, indices: Shape) -> Any:
        found = self._functional.embedding(self._torch.tensor(indices), table)
        return found.requires_grad_()

    def loss(self, x: Any, targets: Shape) -> Any:
        return self._functional.cross_entropy(x, self._torch.tensor(targets))


# ----------------------------------------------------------------------------- running


def numbers(leaves: list[Any]) -> dict[Any, Any]:
    """Arrays for the leaves, such that no step overflows."""
    import numpy

    chance = numpy.random.default_rng(0)
    found: dict[Any, Any] = {}
    for leaf in leaves:
        if leaf.name == "hidden":
            found[leaf] = numpy.triu(numpy.full(leaf.shape, -numpy.inf, numpy.float32), 1)
        elif len(leaf.shape) < 2:
            found[leaf] = chance.uniform(0.5, 1.5, leaf.shape).astype(numpy.float32)
        else:
            found[leaf] = chance.standard_normal(leaf.shape, numpy.float32)
            if leaf.shape[0] not in (1, TOKENS):  # a matrix of weights
                found[leaf] *= 1 / math.sqrt(math.prod(leaf.shape[1:]))
    return found


def step(call: Call) -> tuple[tuple[Callable[[], Any], ...], ...]:
    """Ours and theirs of one step, each forwards and backwards; compared before they are timed."""
    import numpy
    import torch

    from chainrule.differentiate.reverse import reverse
    from chainrule.engines import numpy as arrays
    from chainrule.graph.node import topological

    name, operands, options = call
    ours = Ours()
    nodes = [ours.parameter(shape) if fixed else ours.data(shape) for shape, fixed in operands]
    result = ours(name, *nodes, **dict(options))
    seed = ours.data(result.shape)
    wanted = [node for node, (_, fixed) in zip(nodes, operands, strict=True) if not fixed]
    values = numbers(ours.leaves)
    found = reverse(ours.op, result, wanted, seed)
    adjoints = [found[node] for node in wanted]
    known = topological([result])
    backward = arrays.program(adjoints, known, "float32")
    read = {item for _, _, inputs, _ in backward.steps for item in inputs}
    forward = arrays.program({result: None} | {n: None for n in known if n in read}, (), "float32")
    state = values | forward.results(values)

    tensors = {node: torch.from_numpy(values[node].copy()) for node in (*nodes, seed)}
    points = [tensors[node].requires_grad_() for node in wanted]
    theirs = Theirs([])

    def their_forward() -> Any:
        return theirs(name, *(tensors[node] for node in nodes), **dict(options))

    expected = their_forward()

    def their_backward() -> Any:
        if not points:
            return ()
        return torch.autograd.grad(expected, points, tensors[seed], retain_graph=True)

    run = backward.results(state)
    judged = zip([result, *adjoints], [expected.detach(), *their_backward()], strict=True)
    for node, by in judged:
        value = state[node] if node in state else run[node]
        assert value.dtype == numpy.float32, (call, node.primitive.name, value.dtype)
        off = numpy.abs(value - by.numpy()).max() / numpy.abs(by.numpy()).max()
        assert off < 1e-4, (call, off)
    own = (lambda: forward.results(values)), (lambda: backward.results(state))
    return own, (their_forward, their_backward)


def least(sides: tuple[tuple[Callable[[], Any], ...], ...], patience: int) -> list[list[float]]:
    """The least seconds of each side's functions; the sides take turns.

    They stop when so many turns have bettered none by a fiftieth.  Where there is one thread,
    the seconds are those of the processor: what others do on the machine does not count.
    """
    clock = time.process_time if os.environ["OMP_NUM_THREADS"] == "1" else time.perf_counter
    times = [[math.inf for _ in own] for own in sides]
    left = patience
    while left:
        left -= 1
        for own, found in zip(sides, times, strict=True):
            time.sleep(0.02)  # until the other side's threads no longer wait for work, and so work
            for number, run in enumerate(own):
                run()
                start = clock()
                run()
                seconds = clock() - start
                if seconds < 0.98 * found[number]:
                    left = patience
                found[number] = min(found[number], seconds)
    return times


def steps(name: str, text: str, patience: int) -> None:
    ours = Ours()
    MODELS[name](ours)
    head = ("forward", "PyTorch", "backward", "PyTorch", "ratio", "times")
    print(f"\n{name}, milliseconds{'':<42}", *(f"{title:>9}" for title in head))
    totals = [0.0] * 4
    for call, count in ours.calls.items():
        if text in _title(call):
            ours_own, theirs_own = least(step(call), patience)
            row = [own for pair in zip(ours_own, theirs_own, strict=True) for own in pair]
            totals = [total + count * own for total, own in zip(totals, row, strict=True)]
            _print(_title(call), row, count)
    _print("all", totals, 1)


def _title(call: Call) -> str:
    name, operands, options = call
    shapes = " ".join("×".join(map(str, shape)) for shape, _ in operands if len(shape) > 1)
    stride = dict(options).get("stride", 1)
    return f"{name} {shapes}{f' /{stride}' if stride > 1 else ''}"


def _print(title: str, row: Any, count: int) -> None:
    forward, its_forward, backward, its_backward = row
    ratio = (forward + backward) / (its_forward + its_backward)
    written = (f"{1e3 * own:>9.3f}" for own in row)
    print(f"{title:<60}", *written, f"{ratio:>9.2f}", f"{count:>9}", flush=True)


def whole(name: str, side: str, patience: int) -> tuple[float, float, float]:
    """Seconds, peak memory in MiB with and without what was there before, of one process."""
    from chainrule.differentiate.reverse import reverse
    from chainrule.engines import numpy as arrays

    ours = Ours()
    loss = MODELS[name](ours)
    values = numbers(ours.leaves)
    if side == "chainrule":
        adjoints = reverse(ours.op, loss, {*ours.results, ours.leaves[0]})
        program = arrays.program([loss, *adjoints.values()], dtype="float32")

        def run() -> Any:
            return program.results(values)
    else:
        import torch

        leaves = [torch.from_numpy(values[node]) for node in ours.leaves if node.name != "hidden"]
        if side == "PyTorch, with parameters":
            for leaf in leaves:
                leaf.requires_grad_()

        def run() -> Any:
            for leaf in leaves:
                leaf.grad = None
            MODELS[name](Theirs(leaves)).backward()

    before = _peak()
    ((seconds,),) = least(((run,),), patience)
    return seconds, _peak() - before, _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _whole(name: str, patience: int) -> None:
    print(f"\n{name}, whole{'':<20} milliseconds  MiB for it  MiB in all")
    for side in ("chainrule", "PyTorch", "PyTorch, with parameters"):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            seconds, own, peak = pool.apply(whole, (name, side, patience))
        print(f"{side:<32} {1e3 * seconds:>12.1f} {own:>11.0f} {peak:>11.0f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=list(MODELS), action="append", help="all")
    parser.add_argument("--whole", action="store_true", help="whole models, and their memory")
    parser.add_argument("--step", default="", metavar="TEXT", help="steps with this in their title")
    parser.add_argument(
        "--patience", type=int, default=8, help="turns without a better time before the last"
    )
    parser.add_argument("--threads", type=int, default=2, help="of BLAS and PyTorch")
    options = parser.parse_args()
    limit_threads(options.threads)  # before NumPy is loaded
    for name in options.model or MODELS:
        if options.whole:
            _whole(name, options.patience)
        else:
            steps(name, options.step, options.patience)
    return 0


if __name__ == "__main__":
    sys.exit(main())
