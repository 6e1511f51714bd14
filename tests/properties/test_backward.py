"""Array chain rule: whole adjoints and single entries against reverse mode on random models."""

from __future__ import annotations

import math

import numpy
import pytest
from helpers.graphs import graph
from helpers.networks import describe, network

import chainrule as cr
from chainrule.differentiate.reverse import reverse
from chainrule.engines import numpy as arrays
from chainrule.engines.backward import Backward, entries
from chainrule.engines.chains import largest_chain
from chainrule.graph.build import Builder
from chainrule.graph.model import Model

MODELS = [*(("network", seed) for seed in range(60)), *(("graph", seed) for seed in range(60))]


def drawn(kind: str, seed: int) -> Model:
    return network(describe(seed)) if kind == "network" else graph(seed)


@pytest.mark.parametrize(("kind", "seed"), MODELS)
def test_whole_adjoints_are_those_of_reverse_mode(kind: str, seed: int) -> None:
    model = drawn(kind, seed)
    backward = Backward(model)
    nodes = backward.pullbacks.order
    found = reverse(Builder(), model.loss, nodes)
    values = arrays.run([model.loss, *found.values()], arrays.leaf_arrays(model))
    assert backward.loss == float(values[model.loss])
    for node in nodes:
        expected = values[found[node]] if node in found else numpy.zeros(node.shape)
        close = {"rtol": 1e-9, "atol": 1e-12 * max(1.0, float(numpy.abs(expected).max(initial=0)))}
        numpy.testing.assert_allclose(backward.adjoint(node), expected, **close)


@pytest.mark.parametrize(("kind", "seed"), MODELS)
def test_the_terms_of_an_entry_add_up_to_its_adjoint(kind: str, seed: int) -> None:
    model = drawn(kind, seed)
    backward = Backward(model)
    for node in backward.pullbacks.order:
        if node is model.loss:
            continue
        adjoint = backward.adjoint(node)
        paths = backward.paths.at(node, numpy.arange(math.prod(node.shape)))
        for flat in range(min(4, math.prod(node.shape))):
            uses = backward.uses(node, flat)
            total = math.fsum(product for use in uses for product in use.products)
            size = math.fsum(abs(product) for use in uses for product in use.products)
            assert total == pytest.approx(float(adjoint.flat[flat]), rel=1e-9, abs=1e-12 * size)
            assert float(paths[flat]) >= abs(total) * (1 - 1e-9)
            for use in uses:  # each adjoint is that of the entry it is said to be of
                expected = entries(backward.adjoint(use.use), use.reading.found)
                assert (use.adjoints == expected).all()


@pytest.mark.parametrize("seed", range(40))
def test_the_sum_over_all_paths_and_the_largest_of_them(seed: int) -> None:
    """On scalars: every path multiplied out, which only a small graph allows.

    Where a formula leads to an operand in more than one way, these are paths of their own.
    """
    model = graph(seed)
    backward = Backward(model)
    users, loss = backward.pullbacks.users, model.loss
    for leaf in model.leaves:
        node = leaf.node
        if node.shape != () or node not in backward.pullbacks.uses or not users(node):
            continue
        products, open_ends = [], [(node, 1.0)]
        is_simple = True
        while open_ends and len(products) + len(open_ends) < 5000:
            at, product = open_ends.pop()
            if at is loss:
                products.append(product)
                continue
            for use in users(at):
                if use.shape == at.shape == ():
                    reading, slopes = backward.read(use, at, 0)
                    is_simple &= len(reading.ways) == len(reading.places) - 1
                    open_ends += [(use, product * float(slope)) for slope in slopes]
                else:
                    return  # a path through arrays is another test's
        if open_ends:
            continue
        chain, is_largest = largest_chain(backward, node, 0)
        sizes = list(map(abs, products))
        paths = float(backward.paths.at(node, numpy.zeros(1, int))[0])
        assert paths >= math.fsum(sizes) * (1 - 1e-9)
        if is_simple:
            assert paths == pytest.approx(math.fsum(sizes), rel=1e-9)
        if is_largest and chain:
            assert abs(chain[-1].product) == pytest.approx(max(sizes), rel=1e-9)


def test_the_seed_by_its_terms() -> None:
    excerpt = cr.explain(cr.load("seed"), "out_h1", depth=1)
    (entry,) = excerpt.entries
    assert [term.through for term in entry.terms] == ["net_o1", "net_o2"]
    assert entry.gradient == 0.030868129688057137
    assert entry.cancellation == pytest.approx(0.8222975704718386)
    whole = cr.explain(cr.load("seed"), "w1").derivations[0]
    (by_terms,) = cr.explain(cr.load("seed"), "w1", terms=8).entries
    assert by_terms.gradient == whole.gradient
    assert by_terms.paths == pytest.approx(0.014918950077639286)
