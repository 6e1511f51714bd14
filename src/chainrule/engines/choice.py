"""The engines that take steps of gradient descent, and which of them takes these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from chainrule.emit.layout import UnplannedError
from chainrule.engines import numba, reference
from chainrule.engines.run import Run, on_arrays, on_scalars
from chainrule.graph.model import Model, Order

__all__ = ["ENGINES", "EngineName", "Start", "prepare"]

EngineName = Literal["auto", "reference", "numpy", "numba"]

ENGINES: dict[str, Callable[[Model, float, Order], Run]] = {
    "reference": on_scalars,
    "numpy": on_arrays,
    "numba": numba.prepare,
}
"""What each prepares for a model, a learning rate and an order of updates."""

WORTH_COMPILING = 3.0
"""Seconds of interpreted steps from which on compiling them is worth its time."""


@dataclass(frozen=True, slots=True)
class Start:
    """A run that is ready, the engine that takes it, and why it is this one."""

    run: Run
    engine: str
    reason: str


def prepare(wanted: EngineName, model: Model, rate: float, order: Order, count: int) -> Start:
    """A run of the engine `wanted`, or, for `auto` and where it cannot, of the one that suits."""
    small = reference.takes(model)
    suits, reason = (
        ("reference", "a small model") if small else ("numpy", "a model too large for scalars")
    )
    if wanted == "auto":
        seconds = count * _seconds_a_step(model, small)
        if seconds < WORTH_COMPILING or not numba.is_installed():
            return Start(ENGINES[suits](model, rate, order), suits, reason)
        wanted, because = "numba", f"about {seconds:.0f} s of steps by {suits}"
    else:
        because = "as asked"
    try:
        return Start(ENGINES[wanted](model, rate, order), wanted, because)
    except UnplannedError as refusal:
        return Start(ENGINES[suits](model, rate, order), suits, str(refusal))


def _seconds_a_step(model: Model, small: bool) -> float:
    """About what an interpreted step takes: a time for each scalar, or for each array and entry."""
    if small:
        return 0.5e-6 * model.scalar_size
    return 10e-6 * len(model.nodes) + 1e-9 * model.scalar_size
