"""What a notebook asks of an object: itself in several formats, of which it shows one."""

from __future__ import annotations

import importlib
from collections.abc import Container
from typing import Any

__all__ = ["Displayed"]


class Displayed:
    """Something that a notebook shows as mathematics."""

    __slots__ = ()

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, Any]:
        # By its name: it knows everything that can be shown, and stands above all of it.
        bundle: dict[str, str] = importlib.import_module("chainrule.display").bundle(self)
        return {
            kind: text
            for kind, text in bundle.items()
            if (include is None or kind in include) and (exclude is None or kind not in exclude)
        }
