"""Importers: models of other frameworks become the one graph."""
