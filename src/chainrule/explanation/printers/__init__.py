"""Printers: tables over the one formula tree."""
