"""The engines that take steps of gradient descent, and which of them takes these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from chainrule.emit.layout import UnplannedError
from chainrule.engines import extras, reference
from chainrule.engines.run import DType, Run, Task, on_arrays
from chainrule.errors import Fault, InputError, closest

__all__ = ["ENGINES", "EngineName", "Start", "prepare"]

EngineName = Literal["auto", "reference", "numpy", "numba", "jax"]


# Each engine is loaded when it is to run, so that a command starts quickly.


def _reference(task: Task) -> Run:
    from chainrule.engines.printed import prepare

    return prepare(task)


def _numpy(task: Task) -> Run:
    return on_arrays(task.model, task.rate, task.order, task.dtype)


def _numba(task: Task) -> Run:
    extras.check("fast")
    from chainrule.engines.numba import prepare

    return prepare(task)


def _jax(task: Task) -> Run:
    extras.check("jax")
    from chainrule.engines.jax.descent import JaxRun

    return JaxRun(task)


ENGINES: dict[str, Callable[[Task], Run]] = {
    "reference": _reference,
    "numpy": _numpy,
    "numba": _numba,
    "jax": _jax,
}
"""What prepares a run of a task, by the engine's name.

It raises UnplannedError with a reason where the engine cannot take the steps.
"""

WORTH_COMPILING = 3.0
"""Seconds of interpreted steps from which on compiling them is worth its time."""


@dataclass(frozen=True, slots=True)
class Start:
    """A run that is ready, the engine that takes it, and why it is this one."""

    run: Run
    engine: str
    reason: str


def prepare(wanted: EngineName, task: Task) -> Start:
    """A run of the engine `wanted`, or, for `auto` and where it cannot, of the one that suits.

    Raises: InputError for an engine or a type that there is not, for `reference` with
    float32, and for devices with another engine than `jax`.
    """
    _check(wanted, task)
    suits, reason = _suitable(task)
    if wanted == "auto":
        seconds = task.count * _seconds_a_step(task, suits)
        if seconds < WORTH_COMPILING or extras.missing("fast"):
            return Start(ENGINES[suits](task), suits, reason)
        wanted, because = "numba", f"about {seconds:.0f} s of steps by {suits}"
    else:
        because = "as asked"
    try:
        return Start(ENGINES[wanted](task), wanted, because)
    except UnplannedError as refusal:
        return Start(ENGINES[suits](task), suits, str(refusal))


def _suitable(task: Task) -> tuple[str, str]:
    """The engine that is always there and suits the model, and why."""
    if not reference.takes(task.model):
        return "numpy", "a model too large for scalars"
    if task.dtype != "float64":
        return "numpy", f"{task.dtype} is for arrays"
    return "reference", "a small model"


def _seconds_a_step(task: Task, engine: str) -> float:
    """About what a step takes: a time for each scalar, or for each array and entry."""
    if engine == "reference":
        return 0.2e-6 * task.model.scalar_size
    return 10e-6 * len(task.model.nodes) + 1e-9 * task.model.scalar_size


def _check(wanted: str, task: Task) -> None:
    known = get_args(EngineName)
    if wanted not in known:
        what, needs = f'there is no engine called "{wanted}"', " or ".join(known)
        raise InputError(Fault("OptionError", what, needs=needs, hint=closest(wanted, known)))
    if task.dtype not in get_args(DType):
        what, needs = f"numbers of the type {task.dtype}", " or ".join(get_args(DType))
        raise InputError(Fault("OptionError", what, needs=needs))
    if wanted == "reference" and task.dtype != "float64":
        raise InputError(
            Fault(
                "OptionError",
                f"the reference engine has no {task.dtype}: it works with Python's floats",
                needs="float64",
                hint=f"the engine numpy takes steps in {task.dtype}",
            )
        )
    if task.devices is not None and wanted != "jax":
        raise InputError(
            Fault("OptionError", f"devices with the engine {wanted}", needs="the engine jax")
        )
