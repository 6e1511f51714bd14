"""C by hand, compiled when it is first needed: straight lines for the seed, loops for the rest."""

from __future__ import annotations

import ctypes
import functools
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from works import Work

FLAGS = ("-O3", "-march=native", "-shared", "-fPIC")


def takes(work: Work) -> bool:
    return work.is_seed or work.weights[0].size < 20_000  # beyond, loops are no match for BLAS


def prepare(work: Work) -> Seed | Network:
    return Seed(work) if work.is_seed else Network(work)


@functools.cache
def library(name: str) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / f"{name}.so"
        source = Path(__file__).with_name(f"{name}.c")
        subprocess.run(["cc", *FLAGS, "-o", built, source, "-lm"], check=True)
        return ctypes.CDLL(str(built))


def address(array: Any) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


class Seed:
    def __init__(self, work: Work) -> None:
        hidden, output = work.weights
        self.w = np.concatenate([hidden.ravel(), output.T.ravel()])
        self.x, self.t = work.inputs.ravel(), work.targets.ravel()
        self.b = np.array([biases[0] for biases in work.biases])
        self.rate = ctypes.c_double(work.rate)
        self.steps = library("seed").steps

    def run(self, epochs: int) -> None:
        arrays = [address(array) for array in (self.w, self.x, self.t, self.b)]
        self.steps(*arrays, self.rate, ctypes.c_long(epochs))

    def parameters(self) -> list[Any]:
        hidden, output = self.w[:6].reshape(3, 2), self.w[6:].reshape(3, 2).T
        return [hidden, np.full(3, self.b[0]), output, np.full(2, self.b[1])]


class Network:
    def __init__(self, work: Work) -> None:
        self.work = work
        self.weights, self.biases = work.copies()
        out = [np.empty((work.batch, len(w)), np.float32) for w in self.weights]
        self.room = [self.weights, self.biases, out, [np.empty_like(item) for item in out]]
        self.widths = np.array([work.inputs.shape[2], *map(len, self.weights)], np.intc)
        self.epoch = library("network").epoch

    def run(self, epochs: int) -> None:
        work, depth = self.work, len(self.weights)
        pointers = [
            (ctypes.c_void_p * depth)(*[array.ctypes.data for array in arrays])
            for arrays in self.room
        ]
        for _ in range(epochs):
            self.epoch(
                *(depth, address(self.widths), work.batch, work.batches),
                *(ctypes.c_float(work.rate), address(work.inputs), address(work.targets)),
                *pointers,
            )

    def parameters(self) -> list[Any]:
        return [array for pair in zip(self.weights, self.biases, strict=True) for array in pair]
