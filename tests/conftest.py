"""Settings of all tests: a normal run draws the same cases each time, a longer one others."""

from __future__ import annotations

import pytest
from helpers.budget import BUDGET, budgeted
from hypothesis import HealthCheck, settings

settings.register_profile(
    "chainrule",
    max_examples=budgeted(60),
    deadline=None,
    derandomize=BUDGET == 1,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("chainrule")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `long` are for a larger budget: `make test-long`."""
    if BUDGET <= 1:
        long = [item for item in items if item.get_closest_marker("long") is not None]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]
