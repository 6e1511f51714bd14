"""The table of the operations of PyTorch that are followed.

To add one, add a function to the file that it belongs to, under `@operation`.  What it says
there is all that is known of it: its row in the documentation, that it is kept whole when
PyTorch decomposes a trace, and the name of its result follow.
"""

from __future__ import annotations

from chainrule.importers.torch import layers, losses, moves, pointwise, reductions
from chainrule.importers.torch.table import OPERATIONS, Operation

__all__ = ["OPERATIONS", "Operation", "supported"]

assert all((layers, losses, moves, pointwise, reductions))  # each enters its operations


def supported() -> list[tuple[str, str, str]]:
    """Each operation, the steps that it becomes, and a note, by name."""
    found: dict[tuple[str, str, str], None] = {}
    for name, entry in OPERATIONS.items():
        found[name.partition(".")[0], entry.steps, entry.note] = None
    return sorted(found)
