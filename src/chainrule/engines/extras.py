"""Which optional packages are there, and what to install where they are not."""

from __future__ import annotations

import importlib.util

from chainrule.emit.layout import UnplannedError

__all__ = ["check", "missing"]

PACKAGES = {"fast": ("numba", "scipy", "threadpoolctl"), "jax": ("jax",)}
"""The packages that an engine needs, by the extra that installs them."""


def missing(extra: str) -> list[str]:
    """The packages of an extra that are not installed."""
    return [name for name in PACKAGES[extra] if importlib.util.find_spec(name) is None]


def check(extra: str) -> None:
    """Raises: UnplannedError that names what is missing and says what to install."""
    if absent := missing(extra):
        verb = "is" if len(absent) == 1 else "are"
        raise UnplannedError(
            f"{', '.join(absent)} {verb} not installed: pip install 'chainrule[{extra}]'"
        )
