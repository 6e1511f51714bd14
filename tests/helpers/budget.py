"""How much the tests draw: the environment variable CHAINRULE_TEST_BUDGET multiplies it.

A normal run makes part of the draws that the tests name, so that it stays short; with 1 it
makes them all, and with more, others each time.
"""

from __future__ import annotations

import os

NORMAL = 0.6
BUDGET = float(os.environ.get("CHAINRULE_TEST_BUDGET", NORMAL))


def budgeted(count: int) -> int:
    """Of `count` draws, as many as this run is to make."""
    return max(1, round(count * BUDGET))
