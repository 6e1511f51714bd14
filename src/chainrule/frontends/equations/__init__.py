"""Equations in a small safe subset of Python: parsed, never executed, written back in place."""

from __future__ import annotations

from chainrule.frontends.equations.parse import parse_equations

__all__ = ["parse_equations"]
