"""Settings of all tests: a normal run draws the same cases each time, a longer one others."""

from __future__ import annotations

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
