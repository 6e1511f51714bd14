"""Explanations: derivations as data, and how they are printed."""
