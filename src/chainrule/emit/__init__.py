"""Emit: a model as the source of a program in another language."""
