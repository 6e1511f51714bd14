"""Clocks: medians of rows that take turns, and what the machine was while they ran."""

from __future__ import annotations

import functools
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def limit_threads(count: int) -> None:
    """Threads of BLAS, PyTorch and XLA alike, in this process and those that it starts.

    It has to come before NumPy is loaded.  XLA has threads of its own that no variable
    limits; where the system allows it, they all get as many processors as there are threads.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(count)
    if count == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )


def timed(function: Callable[[], Any]) -> Callable[[], float]:
    def run() -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return run


def process(*arguments: str, emptied: str | None = None) -> Callable[[], float]:
    """A whole process, from its start to its end, in seconds.

    `emptied` is the variable that names a cache, which is then an empty folder each time.
    """

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            own = {} if emptied is None else {emptied: folder}
            subprocess.run(
                [sys.executable, *arguments],
                check=True,
                stdout=subprocess.DEVNULL,
                env={**os.environ, **own},
            )

    return timed(run)


def medians(rows: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, float]:
    """The median of each row; the rows take turns, so that noise falls on all of them."""
    times: dict[str, list[float]] = {name: [] for name in rows}
    for run in rows.values():  # caches warm, modules compiled
        run()
    for _ in range(repeats):
        for name, run in rows.items():
            times[name].append(run())
    return {name: statistics.median(own) for name, own in times.items()}


def enough(run: Callable[[int], Any], seconds: float) -> int:
    """How many times `run` has to go for one measurement to last that long, at least 1."""
    count = 1
    while True:
        run(count)  # whatever is compiled for this count is compiled now
        spent = timed(functools.partial(run, count))()
        if spent >= seconds:
            return count
        count = max(2 * count, int(count * seconds / max(spent, 1e-9)))


def machine(threads: int) -> dict[str, Any]:
    import numpy

    blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load over the last minute": os.getloadavg()[0],
        "threads": threads,
        "system": platform.system(),
        "Python": platform.python_version(),
        "NumPy": f"{numpy.__version__} with {blas['name']}",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
