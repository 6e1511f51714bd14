"""Shipped examples, each loaded by its name."""
