"""The template and a document to a PDF, by Typst in a limited process."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.errors import Fault, InputError

__all__ = ["Limits", "compiled"]

_HERE = Path(__file__).parent
_KEPT = (
    *("HOME", "XDG_DATA_HOME"),  # where users keep their fonts
    *("USERPROFILE", "LOCALAPPDATA", "SYSTEMROOT", "WINDIR"),
)
_NO_GLYPH = re.compile(r"the text `?\"(.*)\"`? could not be displayed", re.DOTALL)
_CHINESE = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost."""

    seconds: float = 120
    cpu_seconds: int = 60
    memory: int = 4 * 2**30


LIMITS = Limits()


def compiled(document: str, template: str | None = None, limits: Limits = LIMITS) -> bytes:
    """The PDF of a document in JSON.

    Raises:
        InputError: typst is not installed, a font is wanting, or a limit is reached.
    """
    found = importlib.util.find_spec("typst")
    if found is None or found.origin is None:
        raise _refusal(
            "PackageError",
            "a PDF is typeset by Typst, and the package typst is not installed",
            hint="pip install 'chainrule[pdf]'",
        )
    source = template or (_HERE / "template.typ").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="chainrule-") as empty:
        job = {
            "template": source,
            "document": document,
            "fonts": str(_HERE / "fonts"),
            "packages": str(Path(found.origin).parent.parent),
            "root": empty,
            "cpu_seconds": limits.cpu_seconds,
            "memory": limits.memory,
        }
        return _run(job, limits)


def _run(job: dict[str, Any], limits: Limits) -> bytes:
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    # One thread, for the same work each time; and a proxy that is none: nothing is fetched.
    environment |= {"RAYON_NUM_THREADS": "1", "HTTPS_PROXY": "http://127.0.0.1:9"}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-B", str(_HERE / "worker.py")],
            input=json.dumps(job).encode(),
            capture_output=True,
            timeout=limits.seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _too_much(f"was not done after {limits.seconds:g} seconds") from None
    if done.returncode == 0 and done.stdout.startswith(b"%PDF"):
        return done.stdout
    said = done.stderr.decode(errors="replace").strip()
    if found := _NO_GLYPH.search(said):
        raise _no_font(found[1])
    if done.returncode == 1 and said:
        raise _refusal("TypstError", said.splitlines()[-1])
    raise _too_much(f"ran into a limit ({limits.cpu_seconds} s, {limits.memory // 2**20} MiB)")


def _refusal(kind: str, what: str, needs: str | None = None, hint: str | None = None) -> InputError:
    return InputError(Fault(kind, what, needs=needs, hint=hint))


def _too_much(what: str) -> InputError:
    return _refusal("LimitError", f"typesetting the PDF {what}", hint="name fewer parameters")


def _no_font(text: str) -> InputError:
    package = "fonts-noto-cjk" if _CHINESE.search(text) else "fonts-noto"
    return _refusal(
        "FontError",
        f'no font on this system has all characters of "{text}"',
        needs="a font that has them",
        hint=f"on Debian and Ubuntu: apt install {package}",
    )
