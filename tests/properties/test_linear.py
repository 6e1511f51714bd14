"""Each linear or selecting record against index arithmetic: value, terms, transpose, twice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy
import pytest
from helpers.layouts import BILINEAR, CASES, TERMS, Shape, Terms, selected
from hypothesis import given
from hypothesis import strategies as st

from chainrule.differentiate.reverse import reverse
from chainrule.engines import numpy as arrays
from chainrule.engines import reference
from chainrule.errors import InputError
from chainrule.graph.build import Builder
from chainrule.graph.node import Node
from chainrule.graph.passes.unroll import entry_labels, unroll
from chainrule.primitives import REGISTRY, Linear, Select

LINEAR = [name for name, record in REGISTRY.items() if isinstance(record, Linear)]
SELECTING = [name for name, record in REGISTRY.items() if isinstance(record, Select)]

# Eighths: every sum and every product of them is exact, so that order cannot matter.
ENTRIES = st.integers(-16, 16).map(lambda whole: whole / 8)


def row(size: int) -> st.SearchStrategy[list[float]]:
    return st.lists(ENTRIES, min_size=size, max_size=size)


@dataclass
class Step:
    """One step on variables, with numbers for its operands and for an adjoint of its result."""

    op: Builder
    operands: list[Node]
    result: Node
    terms: Terms
    values: dict[Node, Any]
    seed: Node

    @property
    def flat_operands(self) -> list[list[float]]:
        return [self.values[operand].ravel().tolist() for operand in self.operands]

    @property
    def flat_seed(self) -> list[float]:
        flat: list[float] = self.values[self.seed].ravel().tolist()
        return flat

    def run(self, node: Node) -> list[float]:
        flat: list[float] = numpy.ravel(arrays.run([node], self.values)[node]).tolist()
        return flat


@st.composite
def steps(draw: Any, name: str) -> Step:
    shapes, attributes = draw(CASES[name])
    op = Builder()
    operands = [op.variable(f"x{number}", shape) for number, shape in enumerate(shapes)]
    result = op.apply(name, *operands, **attributes)
    seed = op.variable("g", result.shape)
    values = {
        node: numpy.array(draw(row(math.prod(node.shape))), dtype=float).reshape(node.shape)
        for node in (*operands, seed)
    }
    if name in TERMS:
        terms = TERMS[name](shapes, **attributes)
    else:
        (operand,) = operands
        chosen = selected(shapes[0], attributes["axes"], values[operand].ravel().tolist())
        terms = [[((0, place),)] for place in chosen]
    return Step(op, operands, result, terms, values, seed)


def total(terms: Sequence[tuple[tuple[int, int], ...]], operands: Sequence[list[float]]) -> float:
    """A sum of products of operand entries."""
    return sum(math.prod(operands[k][place] for k, place in product) for product in terms)


def pulled_back(step: Step, number: int, seed: Sequence[float]) -> list[float]:
    """∂(Σ seed · result)/∂(each entry of operand `number`), product by product."""
    gradient = [0.0] * math.prod(step.operands[number].shape)
    for weight, terms in zip(seed, step.terms, strict=True):
        for product in terms:
            for at, (k, place) in enumerate(product):
                if k == number:
                    others = product[:at] + product[at + 1 :]
                    gradient[place] += weight * total([others], step.flat_operands)
    return gradient


every_with_transpose = pytest.mark.parametrize("name", [*LINEAR, "max"])


def test_every_record_is_tested():
    assert set(CASES) == {*LINEAR, *SELECTING}
    assert set(TERMS) == set(LINEAR)
    assert set(SELECTING) == {"max", "first_max"}


@every_with_transpose
@given(data=st.data())
def test_kernel_is_the_sum_of_the_terms(name: str, data: st.DataObject):
    step = data.draw(steps(name))
    assert step.run(step.result) == [total(terms, step.flat_operands) for terms in step.terms]


@pytest.mark.parametrize("name", LINEAR)
@given(data=st.data())
def test_many_entries_read_what_each_does(name: str, data: st.DataObject):
    """In any order, more than once: the terms of each, in their order."""
    shapes, attributes = data.draw(CASES[name])
    record = REGISTRY[name]
    assert isinstance(record, Linear)
    rows = record.rows(shapes, attributes)
    entry = st.integers(0, len(rows) - 1)
    places = data.draw(st.lists(entry, max_size=6)) if len(rows) else []
    found: list[list[tuple[tuple[int, int], ...]]] = [[] for _ in places]
    for owners, factors in record.products(numpy.array(places, int), shapes, attributes):
        columns = [flats.tolist() for _, flats in factors]
        for owner, *flats in zip(owners.tolist(), *columns, strict=True):
            operands = (operand for operand, _ in factors)
            found[owner].append(tuple(zip(operands, flats, strict=True)))
    assert found == [rows[place] for place in places]


@pytest.mark.parametrize("name", [name for name in LINEAR if REGISTRY[name].terms is not None])
@given(data=st.data())
def test_terms_of_the_record_in_their_order(name: str, data: st.DataObject):
    shapes, attributes = data.draw(CASES[name])
    record = REGISTRY[name]
    assert isinstance(record, Linear)
    assert record.terms is not None
    assert list(record.terms(shapes, attributes)) == TERMS[name](shapes, **attributes)


@every_with_transpose
@given(data=st.data())
def test_unrolled_it_is_the_sum_of_the_terms(name: str, data: st.DataObject):
    step = data.draw(steps(name))
    labels = {operand: entry_labels(operand) for operand in step.operands}
    unrolled = unroll([step.result], labels)
    leaves = {
        leaf: value
        for operand, flat in zip(step.operands, step.flat_operands, strict=True)
        for leaf, value in zip(unrolled.entries[operand], flat, strict=True)
    }
    entries = unrolled.entries[step.result]
    values = reference.run(entries, leaves)
    expected = [total(terms, step.flat_operands) for terms in step.terms]
    assert [values[entry] for entry in entries] == expected


@every_with_transpose
@given(data=st.data())
def test_transpose_is_the_terms_read_backwards(name: str, data: st.DataObject):
    step = data.draw(steps(name))
    found = reverse(step.op, step.result, step.operands, step.seed)
    for number, operand in enumerate(step.operands):
        adjoint = found[operand]
        assert adjoint.shape == operand.shape
        assert step.run(adjoint) == pulled_back(step, number, step.flat_seed)


@pytest.mark.parametrize("name", LINEAR)
@given(data=st.data())
def test_adjoint_identity(name: str, data: st.DataObject):
    """⟨A x, g⟩ = ⟨x, Aᵀ g⟩; for a product of two operands, by each of them once."""
    step = data.draw(steps(name))
    found = reverse(step.op, step.result, step.operands, step.seed)
    pulled = sum(
        numpy.dot(flat, step.run(found[operand]))
        for operand, flat in zip(step.operands, step.flat_operands, strict=True)
    )
    degree = 2 if name in BILINEAR else 1
    assert pulled == degree * numpy.dot(step.run(step.result), step.flat_seed)


@every_with_transpose
@given(data=st.data())
def test_transpose_of_the_transpose(name: str, data: st.DataObject):
    """⟨v, Aᵀ g⟩ by g is A v; by the other operand of a product, the product with v in it."""
    step = data.draw(steps(name))
    found = reverse(step.op, step.result, step.operands, step.seed)
    for number, operand in enumerate(step.operands):
        v = step.op.variable("v", operand.shape)
        entries = data.draw(row(math.prod(operand.shape)))
        step.values[v] = numpy.array(entries, dtype=float).reshape(operand.shape)
        again = reverse(step.op, found[operand], [step.seed, *step.operands], v)
        swapped = [entries if k == number else flat for k, flat in enumerate(step.flat_operands)]
        only = [[p for p in terms if number in dict(p)] for terms in step.terms]
        assert step.run(again[step.seed]) == [total(terms, swapped) for terms in only]
        for other, node in enumerate(step.operands):
            if other == number or node not in again:
                continue
            moved = Step(step.op, step.operands, step.result, only, dict(step.values), step.seed)
            moved.values[operand] = step.values[v]
            assert step.run(again[node]) == pulled_back(moved, other, step.flat_seed)
        if name in BILINEAR:
            assert step.operands[1 - number] in again


@given(data=st.data())
def test_first_max_marks_the_first_largest(data: st.DataObject):
    step = data.draw(steps("first_max"))
    marks = [0.0] * len(step.flat_operands[0])
    for [((_, place),)] in step.terms:
        marks[place] = 1.0
    assert step.run(step.result) == marks
    assert reverse(step.op, step.result, step.operands, step.seed) == {}


def test_of_a_tie_the_first_entry_takes_all():
    op = Builder()
    x = op.variable("x", (2, 3))
    result = op.max(x, 1)
    found = reverse(op, result, [x])
    values = {x: numpy.array([[1.0, 4.0, 4.0], [2.0, 2.0, 2.0]])}
    assert arrays.run([found[x]], values)[found[x]].tolist() == [[0, 1, 0], [1, 0, 0]]
    unrolled = unroll([result], {x: entry_labels(x)})
    for number, expected in enumerate([[0, 1, 0], [1, 0, 0]]):
        entry, leaves = unrolled.entries[result][number], unrolled.entries[x]
        scalars = reverse(unrolled.op, entry, leaves)
        run = reference.run(
            scalars.values(), dict(zip(leaves, values[x].ravel().tolist(), strict=True))
        )
        assert [run[scalars[leaf]] for leaf in leaves[3 * number : 3 * number + 3]] == expected


SLIDING = {"stride": (1,), "dilation": (1,), "padding": ((0, 0),)}


@pytest.mark.parametrize(
    ("name", "shapes", "attributes"),
    [
        ("matmul", ((2, 3), (2, 3)), {}),
        ("matmul", ((2, 3), (3,)), {}),
        ("batch_matmul", ((2, 2, 3), (3, 3, 2)), {}),
        ("linear", ((2, 3), (4, 2)), {}),
        ("broadcast", ((2, 3),), {"shape": (3, 3)}),
        ("broadcast", ((2, 3),), {"shape": (3,)}),
        ("reshape", ((2, 3),), {"shape": (5,)}),
        ("slice", ((4,),), {"start": (1,), "step": (2,), "shape": (3,)}),
        ("slice", ((4,),), {"start": (-1,), "step": (1,), "shape": (2,)}),
        ("concat", ((2, 3), (3, 3)), {"axis": 1}),
        ("take", ((2, 3),), {"indices": (0, 2), "axis": 0}),
        ("take", ((2, 3),), {"indices": (0, -1), "axis": 1}),
        ("take", ((2, 3),), {"indices": (0,), "axis": 2}),
        ("scatter_add", ((2, 3),), {"indices": (0, 1), "axis": 0, "size": 1}),
        ("scatter_add", ((2, 3),), {"indices": (0, 1), "axis": 1, "size": 4}),
        ("flip", ((2, 3),), {"axes": (2,)}),
        ("cumsum", ((2, 3),), {"axis": 2}),
        ("windows", ((2, 3),), {"size": (4,), **SLIDING}),
        ("windows", ((2, 3),), {"size": (2, 2), **SLIDING}),
        ("windows", ((2, 3),), {"size": (0,), **SLIDING}),
        ("overlap_add", ((2, 2, 2),), {"shape": (2, 4), **SLIDING}),
        ("overlap_add", ((2, 2),), {"shape": (2, 3), **SLIDING}),
        ("convolution", ((1, 3, 5), (2, 2, 3)), {"groups": 1, **SLIDING}),
        ("convolution", ((1, 4, 5), (3, 2, 3)), {"groups": 2, **SLIDING}),
        ("convolution", ((1, 2, 5), (3, 2)), {"groups": 1, **SLIDING}),
        ("convolution", ((1, 2, 5), (3, 2, 6)), {"groups": 1, **SLIDING}),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    name: str, shapes: tuple[Shape, ...], attributes: dict[str, Any]
):
    op = Builder()
    operands = [op.variable(f"x{number}", shape) for number, shape in enumerate(shapes)]
    with pytest.raises(InputError, match=f"ShapeError: {name}: "):
        op.apply(name, *operands, **attributes)
