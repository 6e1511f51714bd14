"""Source text compiled by numba, and kept on disk under a key that the text alone decides."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["compiled"]


def compiled(source: str, signature: str, fast: bool = False) -> Callable[..., Any]:
    """The function `run` of `source`; with `fast`, sums may be added in any order.

    An equal text is compiled once for all processes.
    """
    import numba

    text = f"# fast mathematics: {fast}\n{source}"
    name = f"chainrule_run_{hashlib.sha256(text.encode()).hexdigest()[:24]}"
    file = _kept(text, f"{name}.py")
    module = sys.modules[name] = ModuleType(name)  # numba looks the function up in it
    if "multiply(" in source:
        from chainrule.engines.tiles import multiply

        module.__dict__["multiply"] = multiply
    if "gemm(" in source:
        from chainrule.engines.blas import gemm

        module.__dict__["gemm"] = gemm
    exec(compile(text, str(file), "exec"), module.__dict__)  # text that this package wrote
    make = numba.njit(signature, cache=True, nogil=True, error_model="numpy", fastmath=fast)
    run: Callable[..., Any] = make(module.__dict__["run"])
    return run


def _kept(text: str, name: str) -> Path:
    """The file of the text: beside it, numba keeps what it was compiled to."""
    base = os.environ.get("CHAINRULE_CACHE") or os.environ.get("XDG_CACHE_HOME")
    folder = Path(base or Path.home() / ".cache") / "chainrule"
    try:
        return _written(folder / name, text)
    except OSError:  # a home that cannot be written to
        return _written(Path(tempfile.mkdtemp()) / name, text)


def _written(file: Path, text: str) -> Path:
    if not file.exists():  # its time is part of numba's key: it is written once
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    return file
