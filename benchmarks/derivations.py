"""Derivations: a whole command, all of a network's, and lines for those of a larger one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from timing import medians, process, timed

import chainrule as cr


def network(*widths: int) -> Any:
    layers = [
        {"units": units, "activation": "sigmoid", "init": "xavier", "seed": 1, "biases": "zeros"}
        for units in widths[1:]
    ]
    inputs = [((7 * place) % 11) / 11 - 0.5 for place in range(widths[0])]
    targets = [float(place == 0) for place in range(widths[-1])]
    return cr.Network(inputs=inputs, targets=targets, layers=layers, learning_rate=0.1)


def explained(model: Any) -> Any:
    """All derivations with their texts, from a model whose graph has not been unrolled yet."""
    model.__dict__.pop("unrolled", None)
    model.__dict__.pop("labels", None)
    return cr.explain(model).as_json()


def streamed(count: int) -> dict[str, float]:
    """Derivations of a 784-128-10 network as lines, in a process of its own: speed, memory."""
    script = (
        "import resource, sys, time, derivations\n"
        "model = derivations.network(784, 128, 10)\n"
        "start = time.perf_counter(), time.process_time()\n"
        f"for line in derivations.cr.derivations(model, model.trained[:{count}]):\n"
        "    line.encode()\n"
        "spent = time.perf_counter() - start[0], time.process_time() - start[1]\n"
        "print(*spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent,
        check=True,
        capture_output=True,
        text=True,
    )
    wall, cpu, mebibytes = map(float, ended.stdout.split())
    return {"a second": count / wall, "a CPU second": count / cpu, "peak MiB": mebibytes}


def measure(repeats: int) -> dict[str, Any]:
    cold = medians(
        {
            "python -c 'import numpy'": process("-c", "import numpy"),
            "chainrule explain seed w7": process("-m", "chainrule", "explain", "seed", "w7"),
        },
        repeats,
    )
    seed = cr.load("seed")
    at_hand = medians(
        {
            "derivations": timed(lambda: cr.explain(seed)),
            "and their texts": timed(lambda: cr.explain(seed).as_json()),
            "and the graph anew": timed(lambda: explained(seed)),
        },
        4 * repeats,
    )
    sizes = {
        name: network(*widths)
        for name, widths in (
            ("16-8-10", (16, 8, 10)),
            ("32-16-10", (32, 16, 10)),
            ("64-32-10", (64, 32, 10)),
            ("64-64-10", (64, 64, 10)),
        )
    }
    derivations = medians(
        {name: timed(lambda m=model: explained(m)) for name, model in sizes.items()},
        max(3, repeats // 3),
    )
    lines = {count: streamed(count) for count in (10_000, 101_770)}
    counts = {name: len(model.trained) for name, model in sizes.items()}
    numpy_time, explain_time = cold.values()
    return {
        "cold process": {**cold, "ratio": explain_time / numpy_time, "at most": 2.5},
        "all 12 of the seed, milliseconds": {
            **{name: 1e3 * seconds for name, seconds in at_hand.items()},
            "at most": 3.0,
        },
        "all derivations, milliseconds": {
            name: {
                "parameters": counts[name],
                "total": 1e3 * seconds,
                "each": 1e3 * seconds / counts[name],
            }
            for name, seconds in derivations.items()
        },
        "derivations as lines, 784-128-10": {str(count): own for count, own in lines.items()},
    }


def table(result: Mapping[str, Any]) -> Iterator[str]:
    cold = dict(result["cold process"])
    ratio, most = cold.pop("ratio"), cold.pop("at most")
    yield f"{'cold process':<30} {'median':>10}"
    for name, seconds in cold.items():
        yield f"{name:<30} {1e3 * seconds:>7.0f} ms"
    yield f"{f'ratio (at most {most})':<30} {ratio:>10.2f}"
    yield ""
    at_hand = dict(result["all 12 of the seed, milliseconds"])
    yield f"all 12 derivations of the seed, checks included (at most {at_hand.pop('at most'):g} ms)"
    for name, milliseconds in at_hand.items():
        yield f"{name:<30} {milliseconds:>7.1f} ms"
    yield ""
    yield f"{'all derivations, with texts':<30} {'parameters':>10} {'total':>10} {'each':>10}"
    for name, own in result["all derivations, milliseconds"].items():
        count, total, each = own.values()
        yield f"{name:<30} {count:>10} {total:>7.1f} ms {1e3 * each:>7.0f} µs"
    yield ""
    yield f"{'as lines, 784-128-10':<30} {'a second':>10} {'a CPU s':>10} {'peak':>10}"
    for name, own in result["derivations as lines, 784-128-10"].items():
        speed, work, mebibytes = own.values()
        yield f"{name:<30} {speed:>10,.0f} {work:>10,.0f} {mebibytes:>6.0f} MiB"
