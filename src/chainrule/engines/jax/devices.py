"""Rows shared among devices, of one process or of several.

Each device holds all parameters and its share of the rows.  The graph is that of all
rows together: its one sum or mean runs over all devices, so that two processes have the
gradient of one, and nothing is averaged after that.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import jax
import numpy
from jax.sharding import Mesh, NamedSharding, PartitionSpec

__all__ = ["Devices", "connect"]


def connect(address: str, processes: int, number: int) -> None:
    """Join `processes` processes of one run, this one being `number`, counted from 0.

    `address` is `host:port` of number 0.  Call it before anything is computed.
    """
    jax.distributed.initialize(address, processes, number)


@dataclass(frozen=True)
class Devices:
    """All devices of all processes that were connected, in a row."""

    @functools.cached_property
    def mesh(self) -> Mesh:
        """The devices with the one axis that rows are shared along."""
        return Mesh(numpy.array(jax.devices()), ("rows",))

    @property
    def count(self) -> int:
        """How many there are."""
        return math.prod(self.mesh.devices.shape)

    @property
    def whole(self) -> NamedSharding:
        """The same numbers on each device."""
        return self._along()

    def place(self, array: Any, shared: int | None = None) -> jax.Array:
        """The array, which every process has whole: shared along an axis, or on each device."""
        axes = [] if shared is None else [*[None] * shared, "rows"]
        return jax.make_array_from_callback(array.shape, self._along(*axes), array.__getitem__)

    def _along(self, *axes: str | None) -> NamedSharding:
        return NamedSharding(self.mesh, PartitionSpec(*axes))  # type: ignore[no-untyped-call]
