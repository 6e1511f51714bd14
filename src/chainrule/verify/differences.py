"""Gradients against derivatives that know nothing of the chain rule.

The complex step, Im f(x + ih)/h, is exact to rounding wherever every function
is analytic; the central difference serves everywhere.
Where a step has a kink between the two sides, no difference can judge, and it
says so.

Source: Squire and Trapp (1998), SIAM Review 40.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chainrule.engines import numpy as arrays
from chainrule.engines import reference
from chainrule.engines.program import Program
from chainrule.graph.model import Model
from chainrule.graph.node import Node
from chainrule.primitives import Pointwise, Select
from chainrule.primitives.linear import first_max_kernel
from chainrule.primitives.record import Which, evaluate

__all__ = ["Checked", "Differences", "Verdict", "array_differences", "scalar_differences"]

Verdict = Literal["agrees", "disagrees", "kink", "not judged"]

COMPLEX_STEP = 1e-20
CENTRAL_STEP = 6e-6
"""Both relative to max(1, |x|); the second is about the cube root of the float's precision."""
COMPLEX_TOLERANCE = 1e-9
CENTRAL_TOLERANCE = 1e-6
"""Both relative to max(|gradient|, |loss|, 1e-3)."""
ROUNDING = 2.0**-50
ROUGHNESS = 8.0
"""How many times the scatter of a derivative it may miss the gradient by, and judge nothing."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One entry of a gradient beside its independent derivatives.

    `complex_step` is None where a function does not take complex numbers.
    `error` is the largest difference, as a share of what is allowed: above 1 it
    disagrees.  At a kink, `one_sided` holds the slopes of the two sides.
    """

    parameter: str
    gradient: float
    complex_step: float | None
    central_difference: float
    error: float
    verdict: Verdict
    one_sided: tuple[float, float] | None = None


class Differences:
    """The loss as a function of one perturbation at a time.

    `prepared(given)` is the program of the loss beyond the nodes `given`, and
    `perturbed(direction, amount)` gives the leaves' values moved by `amount`
    along `direction`, an entry or a vector over all of them.  What is stopped on purpose
    keeps the value that it has.
    """

    def __init__(
        self,
        prepared: Callable[[Iterable[Node]], Program],
        loss: Node,
        perturbed: Callable[[Any, complex | float], Mapping[Node, Any]],
        kernels: Which,
        here: Mapping[Node, Any],
    ) -> None:
        program = prepared(())
        self._loss = loss
        self._perturbed = perturbed
        self._kernels: Which = kernels
        self._here = program.run(here)
        stops = [node for node, *_ in program.steps if node.primitive.name == "stop"]
        self._held = {node: self._here[node] for node in stops}
        self._program = prepared(stops) if stops else program
        records = [(step[0], step[0].primitive) for step in self._program.steps]
        self._kinked = [
            node
            for node, record in records
            if isinstance(record, Select) or (isinstance(record, Pointwise) and record.kink)
        ]
        self._is_analytic = all(
            record.analytic for _, record in records if isinstance(record, Pointwise)
        )

    def check(self, name: str, direction: Any, gradient: float, size: float) -> Checked:
        """One derivative along `direction`; `size` is that of the entry (1 for a vector)."""
        unit = max(1.0, abs(size))
        step = CENTRAL_STEP * unit
        right, left = self._run(direction, step), self._run(direction, -step)
        loss = float(self._here[self._loss])
        central = float((right[self._loss] - left[self._loss]) / (2 * step))
        if self._kink(left, right):
            sides = (
                float((loss - left[self._loss]) / step),
                float((right[self._loss] - loss) / step),
            )
            return Checked(name, gradient, None, central, 0.0, "kink", sides)
        stepped = self._complex_step(direction, unit) if self._is_analytic else None
        scale = max(abs(gradient), abs(loss), 1e-3)
        errors = [
            _error(gradient, central, CENTRAL_TOLERANCE * scale, self._centrals(direction, step)),
            _error(gradient, stepped, COMPLEX_TOLERANCE * scale, self._steps(direction, unit)),
        ]
        judged = [error for error in errors if error is not None]
        error = max(judged, default=0.0)
        verdict: Verdict = "not judged" if not judged else "agrees" if error <= 1 else "disagrees"
        return Checked(name, gradient, stepped, central, error, verdict)

    def _run(self, direction: Any, amount: complex | float) -> dict[Node, Any]:
        return self._program.run({**self._perturbed(direction, amount), **self._held})

    def _run_disturbed(self, direction: Any, amount: complex | float, seed: int) -> Any:
        """The loss, each step's result off by a rounding, in a direction drawn anew."""
        drawn = random.Random(seed)

        def disturb(value: Any) -> Any:
            return value * (1 + drawn.choice((-ROUNDING, ROUNDING)))

        given = {**self._perturbed(direction, amount), **self._held}
        run = self._program.run_disturbed(given, disturb)
        return run[self._loss]

    def _centrals(self, direction: Any, step: float) -> Iterator[float]:
        """The same difference from other distances, and with disturbed steps."""
        for seed, share in enumerate((0.9, 0.75, 0.6)):
            right, left = (
                self._run(direction, sign * share * step)[self._loss] for sign in (1, -1)
            )
            yield float((right - left) / (2 * share * step))
            right, left = (
                self._run_disturbed(direction, sign * step, 2 * seed + (sign < 0))
                for sign in (1, -1)
            )
            yield float((right - left) / (2 * step))

    def _complex_step(self, direction: Any, unit: float) -> float | None:
        step = COMPLEX_STEP * unit
        return _slope(self._run(direction, complex(0.0, step))[self._loss], step)

    def _steps(self, direction: Any, unit: float) -> Iterator[float | None]:
        """The same derivative a few roundings beside the point, and with disturbed steps."""
        step = COMPLEX_STEP * unit
        for seed, count in enumerate((-2, -1, 1, 2)):
            beside = complex(count * ROUNDING * unit, step)
            yield _slope(self._run(direction, beside)[self._loss], step)
            yield _slope(self._run_disturbed(direction, complex(0.0, step), seed), step)

    def _kink(self, left: Mapping[Node, Any], right: Mapping[Node, Any]) -> bool:
        """Whether a kinked step lies on different sides at the two ends."""
        return any(
            self._selection_moves(node, left, right)
            if isinstance(node.primitive, Select)
            else _crosses(*(self._margin(node, run) for run in (left, self._here, right)))
            for node in self._kinked
        )

    def _margin(self, node: Node, run: Mapping[Node, Any]) -> Any:
        """How far a step is from its kink."""
        record = node.primitive
        assert isinstance(record, Pointwise)
        assert record.kink is not None
        operands = zip(record.operands, node.inputs, strict=True)
        return evaluate(record.kink, {name: run[item] for name, item in operands}, self._kernels)

    @staticmethod
    def _selection_moves(node: Node, left: Any, right: Any) -> bool:
        import numpy

        operand, axes = node.inputs[0], node.attributes["axes"]
        before, after = (first_max_kernel(run[operand], axes) for run in (left, right))
        return not numpy.array_equal(before, after)


def _slope(loss: Any, step: float) -> float | None:
    """The derivative that the imaginary part shows, where it is a number."""
    derivative = complex(loss).imag / step
    return derivative if math.isfinite(derivative) else None


def _error(
    gradient: float,
    derivative: float | None,
    allowed: float,
    repeated: Iterable[float | None],
) -> float | None:
    """The difference as a share of what is allowed; None where nothing can be judged.

    Where rounding in the loss itself is all that a derivative shows, its repetitions
    scatter as widely as it misses the gradient: such a one judges nothing.
    """
    if derivative is None or not math.isfinite(derivative):
        return None
    missed = abs(derivative - gradient)
    if missed <= allowed:
        return missed / allowed
    seen = [derivative, *(value for value in repeated if value is not None)]
    return None if missed <= ROUGHNESS * (max(seen) - min(seen)) else missed / allowed


def _crosses(left: Any, here: Any, right: Any) -> bool:
    """Whether any margin changes its sign, or leaves zero, between the two ends."""
    moved = left != right
    touched = (left * right < 0) | ((here == 0) & moved)
    return bool(touched.any()) if hasattr(touched, "any") else bool(touched)


def scalar_differences(model: Model) -> tuple[Differences, dict[Node, float]]:
    """Over the unrolled graph, by the reference engine: a direction is a scalar leaf."""
    leaves = reference.leaf_values(model)
    loss = model.unrolled.entries[model.loss][0]

    def prepared(given: Iterable[Node]) -> Program:
        return reference.program([loss], given)

    def perturbed(leaf: Node, amount: complex | float) -> Mapping[Node, Any]:
        return {**leaves, leaf: leaves[leaf] + amount}

    return Differences(prepared, loss, perturbed, "scalar_kernel", leaves), leaves


def array_differences(model: Model) -> Differences:
    """Over the array graph, by the NumPy engine: a direction is a list of (leaf, array)."""
    leaves = arrays.leaf_arrays(model)

    def prepared(given: Iterable[Node]) -> Program:
        return arrays.program([model.loss], given)

    def perturbed(
        direction: Iterable[tuple[Node, Any]], amount: complex | float
    ) -> Mapping[Node, Any]:
        return {**leaves, **{node: leaves[node] + amount * vector for node, vector in direction}}

    return Differences(prepared, model.loss, perturbed, "array_kernel", leaves)
