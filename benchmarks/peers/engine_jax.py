"""chainrule's JAX engine: the data of an epoch handed over, and the run compiled as a whole."""

from __future__ import annotations

from typing import Any

from works import Work

from chainrule.engines.jax.descent import JaxDescent
from chainrule.engines.numpy import leaf_arrays
from peers.model import model, parameters


def takes(work: Work) -> bool:
    return True


def prepare(work: Work) -> Compiled:
    return Compiled(work)


class Compiled:
    def __init__(self, work: Work) -> None:
        self.model = model(work)
        self.descent = JaxDescent(self.model, work.rate, dtype=work.dtype)
        self.inputs = work.inputs.reshape(-1, work.inputs.shape[2])
        self.targets = work.targets.reshape(-1, work.targets.shape[2])
        self.changed: dict[Any, Any] = {}

    def run(self, epochs: int) -> None:
        self.changed = self.descent.run_epochs(self.inputs, self.targets, epochs).parameters

    def parameters(self) -> list[Any]:
        return parameters(self.model, {**leaf_arrays(self.model), **self.changed})
