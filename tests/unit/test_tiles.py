"""Products that are compiled in place, against NumPy's."""

from __future__ import annotations

import numba
import numpy
import pytest

from chainrule.emit.plan import PANEL
from chainrule.engines import tiles

SIZES = [(1, 1, 1), (5, 3, 2), (7, 17, 9), (64, 10, 12), (6, 16, 1), (40, 71, 3)]
MACHINES = {"sse": (16, 16), "avx2": (16, 32), "avx512": (32, 64)}


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("flag", "NT")
def test_a_product_is_that_of_numpy(flag, machine, real, monkeypatch):
    monkeypatch.setattr(tiles, "_registers", lambda: tiles.Registers(*MACHINES[machine]))
    chance = numpy.random.default_rng(0)
    lines, given, expected = ["def run(panel, scale, arrays):"], [], []
    for place, (m, n, k) in enumerate(SIZES):
        left = chance.normal(size=(k, m) if flag == "T" else (m, k)).astype(real)
        right, old = (chance.normal(size=size).astype(real) for size in ((k, n), (m, n)))
        given += [left, right, old.copy(), old.copy()]
        a, b, c, d = (f"arrays[{4 * place + number}]" for number in range(4))
        head = f"    multiply({m}, {n}, {k}, {ord(flag)}, {a}, {b}"
        lines += [f"{head}, {c}, panel)", f"{head}, {d}, panel, scale)"]
        product = (left.T if flag == "T" else left) @ right
        expected += [product, old - product / 2]
    namespace = {"multiply": tiles.multiply}
    exec("\n".join(lines), namespace)
    numba.njit(namespace["run"])(
        numpy.empty(PANEL * max(k for *_, k in SIZES), real),
        numpy.dtype(real).type(-0.5),
        tuple(given),
    )
    found = [array for place in range(len(SIZES)) for array in given[4 * place + 2 : 4 * place + 4]]
    for mine, its in zip(found, expected, strict=True):
        numpy.testing.assert_allclose(
            mine, its, rtol=1e-5 if real == "float32" else 1e-13, atol=1e-5
        )


def test_terms_are_added_in_their_order():
    left = numpy.array([[1e16, 1.0, -1e16, 1.0]])
    right, result = numpy.ones((4, 1)), numpy.empty((1, 1))
    multiply = tiles.multiply

    @numba.njit
    def run(left, right, result, panel):
        multiply(1, 1, 4, 78, left, right, result, panel)

    run(left, right, result, numpy.empty(4 * PANEL))
    assert result[0, 0] == ((1e16 + 1.0) - 1e16) + 1.0
