"""The command run inside this process, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chainrule.cli.main import run

EXAMPLES = ("flowers", "macleod", "mazur", "negnevitsky", "seed", "seed-equations")
NETWORKS = tuple(name for name in EXAMPLES if name != "seed-equations")
LOCATION = Path(__file__).parents[2] / "src/chainrule/examples"


@dataclass(frozen=True)
class Done:
    """How a run of the command ended."""

    status: int
    out: str
    err: str


def invoke(*arguments: str, stdin: str | bytes = b"") -> Done:
    """Run the command here: the streams are ordinary files, no terminal."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="ascii") for _ in range(2))
    status = 0
    with _stdin(given), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            run(list(arguments))
        except SystemExit as ended:
            status = 0 if ended.code is None else int(ended.code)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8"))  # type: ignore[attr-defined]
    return Done(status, *texts)


def succeed(*arguments: str, stdin: str | bytes = b"") -> str:
    """The standard output of a run that must go well, and say nothing else."""
    done = invoke(*arguments, stdin=stdin)
    assert (done.status, done.err) == (0, ""), done
    return done.out


@contextlib.contextmanager
def _stdin(given: bytes) -> Iterator[None]:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(given))
    try:
        yield
    finally:
        sys.stdin = before


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without what changes the output, and `variables`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("COLUMNS", "LINES", "NO_COLOR", "PYTHONIOENCODING")
    }
    return {**kept, "TERM": "xterm-256color", **variables}


def separately(
    *arguments: str,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 10,
    program: tuple[str, ...] = ("-m", "chainrule"),
) -> Done:
    """Run the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, *program, *arguments],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env=dict(env or environment()),
        timeout=timeout,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))
