"""Differentiation, graph to graph."""
