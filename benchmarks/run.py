"""Speed as ratios within one run: peers and chainrule interleaved, medians compared.

python benchmarks/run.py [--json] [--repeats N]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import chainrule as cr


def process(*arguments: str) -> Callable[[], float]:
    """A whole process, from its start to its end, in seconds."""

    def run() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    return run


def timed(function: Callable[[], Any]) -> Callable[[], float]:
    def run() -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return run


def medians(rows: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """The median of each row; the rows take turns, so that noise falls on all of them."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for run in rows.values():  # caches warm, modules compiled
        run()
    for _ in range(repeats):
        for name, run in rows.items():
            times[name].append(run())
    return {name: statistics.median(own) for name, own in times.items()}


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
        "import resource, sys, time, run\n"
        "model = run.network(784, 128, 10)\n"
        "start = time.perf_counter(), time.process_time()\n"
        f"for line in run.cr.derivations(model, model.trained[:{count}]):\n"
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()

    cold = medians(
        {
            "python -c 'import numpy'": process("-c", "import numpy"),
            "chainrule explain seed w7": process("-m", "chainrule", "explain", "seed", "w7"),
        },
        options.repeats,
    )
    seed = cr.load("seed")
    at_hand = medians(
        {
            "derivations": timed(lambda: cr.explain(seed)),
            "and their texts": timed(lambda: cr.explain(seed).as_json()),
            "and the graph anew": timed(lambda: explained(seed)),
        },
        4 * options.repeats,
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
        max(3, options.repeats // 3),
    )
    lines = {count: streamed(count) for count in (10_000, 101_770)}
    counts = {name: len(model.trained) for name, model in sizes.items()}
    numpy_time, explain_time = cold.values()
    result = {
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
    if options.json:
        print(json.dumps(result))
        return
    print(f"{'cold process':<30} {'median':>10}")
    for name, seconds in cold.items():
        print(f"{name:<30} {1e3 * seconds:>7.0f} ms")
    print(f"{'ratio (at most 2.5)':<30} {explain_time / numpy_time:>10.2f}\n")
    print("all 12 derivations of the seed, checks included (at most 3 ms)")
    for name, seconds in at_hand.items():
        print(f"{name:<30} {1e3 * seconds:>7.1f} ms")
    print()
    print(f"{'all derivations, with texts':<30} {'parameters':>10} {'total':>10} {'each':>10}")
    for name, seconds in derivations.items():
        each = 1e6 * seconds / counts[name]
        print(f"{name:<30} {counts[name]:>10} {1e3 * seconds:>7.1f} ms {each:>7.0f} µs")
    print()
    print(f"{'as lines, 784-128-10':<30} {'a second':>10} {'a CPU s':>10} {'peak':>10}")
    for count, own in lines.items():
        speed, work, mebibytes = own.values()
        print(f"{count:<30} {speed:>10,.0f} {work:>10,.0f} {mebibytes:>6.0f} MiB")


if __name__ == "__main__":
    main()
