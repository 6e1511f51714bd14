"""Typst in a process of its own: a job as JSON on standard input, a PDF on standard output.

Run by its path, so that the process needs nothing of this package, and nothing else of the
environment that it is started from.  What is wrong is said on standard error.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any


def _limit(cpu_seconds: int, memory: int) -> None:
    """What the process may use; it writes no files.  Some systems know no such limits."""
    try:
        import resource
    except ImportError:
        return
    for kind, limit in (
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def _compiled(job: dict[str, Any]) -> bytes:
    sys.path.append(job["packages"])
    import typst

    def attempt(with_system_fonts: bool) -> bytes:
        return typst.compile(
            job["template"].encode(),
            root=job["root"],
            font_paths=[job["fonts"]],
            ignore_system_fonts=not with_system_fonts,
            sys_inputs={"document": job["document"]},
            pdf_standards="ua-1",
            package_path=job["root"],
            package_cache_path=job["root"],
            timestamp=0,
        )

    try:
        return attempt(with_system_fonts=False)
    except typst.TypstError:  # perhaps a character that the fonts at hand do not have
        pass
    try:
        return attempt(with_system_fonts=True)
    except typst.TypstError as error:
        sys.exit(error.message)


def main() -> None:
    """One job."""
    job = json.load(sys.stdin)
    _limit(job["cpu_seconds"], job["memory"])
    os.chdir(job["root"])
    sys.stdout.buffer.write(_compiled(job))


if __name__ == "__main__":
    main()
