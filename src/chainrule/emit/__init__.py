"""Emit: a model as source text, which a person can read and an engine compiles."""
