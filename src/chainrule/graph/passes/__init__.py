"""Passes: separate small rewrites of a graph."""
