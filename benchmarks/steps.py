"""Steps of gradient descent: chainrule's engines and their peers, on the same numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from peers import BASE, PEERS, Peer
from timing import enough, medians, process, timed
from works import Work

SECONDS = 0.03
"""How long one measurement lasts, at least."""

FIRST = ("seed", "4-16-3, batch 16", "784-128-10, batch 128")
"""The works whose time to the first step is measured."""

TOLERANCE = {"float64": 1e-12, "float32": 2e-5}
"""How far a weight may be off after two epochs, relative to the layer's largest or 1."""


def present() -> tuple[list[Peer], list[str]]:
    """The peers that are installed, and a line for each that is not."""
    return (
        [peer for peer in PEERS if peer.missing is None],
        [peer.missing for peer in PEERS if peer.missing is not None],
    )


def measure(chosen: list[Work], repeats: int) -> dict[str, dict[str, float]]:
    """Seconds for a step, by work and peer."""
    peers, _ = present()
    return {work.name: _measured(work, peers, repeats) for work in chosen}


def _measured(work: Work, peers: list[Peer], repeats: int) -> dict[str, float]:
    epochs: dict[str, int] = {}
    rows: dict[str, Callable[[], float]] = {}
    for peer in peers:
        if peer.takes(work):
            run = peer.prepare(work).run
            count = epochs[peer.name] = enough(run, SECONDS)
            rows[peer.name] = timed(lambda run=run, count=count: run(count))  # type: ignore[misc]
    found = medians(rows, repeats)
    return {name: found[name] / (epochs[name] * work.batches) for name in found}


def first_steps(chosen: list[Work], repeats: int) -> dict[str, dict[str, float]]:
    """Seconds from the start of a process to the end of its first epoch.

    Where a peer keeps what it compiled, once with and once without.
    """
    peers, _ = present()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for work in chosen:
            if work.name not in FIRST:
                continue
            file = Path(folder) / "work.npz"
            work.save(file)
            script = str(Path(__file__).with_name("first.py"))
            rows = {"python -c 'import numpy'": process("-c", "import numpy")}
            for peer in peers:
                if peer.takes(work) and not peer.is_limit:
                    rows[peer.name] = process(script, peer.name, str(file))
                    if peer.cache is not None:
                        rows[f"{peer.name}, nothing kept"] = process(
                            script, peer.name, str(file), emptied=peer.cache
                        )
            found[work.name] = medians(rows, repeats)
    return found


def check(chosen: list[Work]) -> list[tuple[str, str, float, bool]]:
    """Work, peer, how far off its weights are after two epochs, whether that is near."""
    peers, _ = present()
    base = next(peer for peer in peers if peer.name == BASE)
    rows = []
    for work in chosen:
        expected = _after_two_epochs(base, work)
        for peer in peers:
            if peer is not base and not peer.is_limit and peer.takes(work):
                found = _after_two_epochs(peer, work)
                off = max(
                    float(np.max(np.abs(a - b)) / max(1.0, float(np.max(np.abs(b)))))
                    for a, b in zip(found, expected, strict=True)
                )
                rows.append((work.name, peer.name, off, off <= TOLERANCE[work.dtype]))
    return rows


def _after_two_epochs(peer: Peer, work: Work) -> list[Any]:
    prepared = peer.prepare(work)
    prepared.run(2)
    return [np.array(array, dtype=float) for array in prepared.parameters()]
