"""What was measured, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from peers import BASE


def written(result: Mapping[str, Any]) -> Iterator[str]:
    for key, value in result["machine"].items():
        yield f"{key}: {value}"
    yield from result["missing"]
    for name, seconds in result.get("a step, seconds", {}).items():
        yield from ("", *_compared(f"a step of {name}", seconds, seconds[BASE]))
    for name, seconds in result.get("to the first epoch, seconds", {}).items():
        yield from ("", *_compared(f"a new process, to its first epoch of {name}", seconds))
    if "cold process" in result:
        import derivations

        yield from ("", *derivations.table(result))


def _compared(title: str, seconds: Mapping[str, float], base: float | None = None) -> Iterator[str]:
    """A row for each, the fastest first; how many times faster than the base it is."""
    head = f"{title:<52} {'median':>11}"
    yield head if base is None else f"{head} {f'{BASE} / it':>22}"
    for name, own in sorted(seconds.items(), key=lambda item: item[1]):
        row = f"{name:<52} {_duration(own):>11}"
        yield row if base is None else f"{row} {base / own:>22.2f}"


def _duration(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def checked(rows: Iterable[tuple[str, str, float, bool]]) -> Iterator[str]:
    yield f"{'weights after two epochs':<24} {'':<26} off by"
    for work, peer, off, near in rows:
        yield f"{work:<24} {peer:<26} {off:.1e}{'' if near else '   TOO FAR'}"
