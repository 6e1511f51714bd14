"""Who is timed: one row a peer, each in a file of its own, loaded when it is run.

A peer's file has `takes(work)` and `prepare(work)`; what the latter returns has
`run(epochs)` and `parameters()`, weights then biases of each layer in turn.  To add a
peer, add its file and a row.
"""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from dataclasses import dataclass
from typing import Any, Protocol

from works import Work


class Prepared(Protocol):
    def run(self, epochs: int) -> None: ...

    def parameters(self) -> list[Any]: ...


@dataclass(frozen=True)
class Peer:
    name: str
    file: str
    packages: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    is_limit: bool = False
    cache: str | None = None
    """The variable that says where it keeps what it compiled."""

    @property
    def missing(self) -> str | None:
        """What would have to be installed, in one line."""
        lacking = [name for name in self.packages if not is_there(name)]
        lacking += [name for name in self.commands if shutil.which(name) is None]
        return f"{self.name}: left out, {' and '.join(lacking)} missing" if lacking else None

    def takes(self, work: Work) -> bool:
        return bool(self._module.takes(work))

    def prepare(self, work: Work) -> Prepared:
        prepared: Prepared = self._module.prepare(work)
        return prepared

    @property
    def _module(self) -> Any:
        return importlib.import_module(f"peers.{self.file}")


def is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the package that it would be in
        return False


BASE = "chainrule numpy"
"""The engine whose weights all others have to agree with."""

PEERS = (
    Peer("bare matrix products", "products", is_limit=True),
    Peer("C, -O3", "c", commands=("cc",)),
    Peer("NumPy, as in the lesson", "lesson"),
    Peer("NumPy, preallocated", "arrays"),
    Peer("PyTorch, eager", "pytorch", ("torch",)),
    Peer("JAX, jitted step", "jax_step", ("jax",)),
    Peer("JAX, epoch as a scan", "jax_scan", ("jax",)),
    Peer("JAX, fori_loop", "jax_loop", ("jax",)),
    Peer("scikit-learn", "scikit", ("sklearn",)),
    Peer("HIPS autograd", "hips", ("autograd",)),
    Peer("micrograd", "scalars", ("micrograd",)),
    Peer("chainrule reference", "engine_reference"),
    Peer(BASE, "engine_numpy"),
    Peer(
        "chainrule numba",
        "engine_numba",
        ("numba", "scipy", "threadpoolctl"),
        cache="CHAINRULE_CACHE",
    ),
    Peer("chainrule jax", "engine_jax", ("jax", "chainrule.engines.jax.descent")),
)
