"""How much the tests draw: the environment variable CHAINRULE_TEST_BUDGET multiplies it."""

from __future__ import annotations

import os

BUDGET = float(os.environ.get("CHAINRULE_TEST_BUDGET", "1"))


def budgeted(count: int) -> int:
    """`count` draws of a normal run, as many as this run is to make."""
    return max(1, round(count * BUDGET))
