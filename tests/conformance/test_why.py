"""`why` names the planted causes, with place and entries, and none where there is none."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy
import pytest

import chainrule as cr
from chainrule.explanation.why import Spot, Why
from chainrule.importers.torch import from_torch
from conformance.why_cases import CURED, HEALTHY, PLANTED, SEED, Healthy, Planted

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")

SCHEMA = json.loads(
    Path(__file__).parents[2].joinpath("docs/schemas/why.schema.json").read_text("utf-8")
)

TRUTHFUL = {"padding row": "stopped"}
"""Planted under another name: the row of a padding index is read, so that the loss depends on
it, and its gradient is left out on purpose."""

STOPS = ("detach", "no_grad")
"""What PyTorch calls a step that is held constant: one primitive here."""


@functools.cache
def why_of(one: Planted | Healthy) -> Why:
    case = one.build()
    model = from_torch(case.module, case.args, loss=case.loss, targets=case.targets, seed=SEED)
    found = cr.why(model, case.wrt)
    assert isinstance(found, Why)
    return found


def words(found: Why) -> set[str]:
    """Every name by which the evidence tells a place."""
    named: set[str] = set()
    for spot in found.spots:
        named |= {spot.quantity, spot.step, spot.module or ""}
    for layer in found.layers if found.cause in ("vanishing", "exploding") else ():
        named |= {layer.module or "", (layer.module or "").rpartition(".")[0]}
    return named | {name.rpartition(".")[2].partition("_")[0] for name in named}


def is_place(planted: Planted, found: Why) -> bool:
    if planted.place in STOPS:
        return any(spot.step == "stop" for spot in found.spots)
    named = words(found)
    return planted.place in named | {name.rpartition(".")[2] for name in named}


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.name)
def test_a_planted_cause_is_named_with_its_place(planted: Planted) -> None:
    found = why_of(planted)
    assert found.cause == TRUTHFUL.get(planted.name, planted.cause)
    assert is_place(planted, found), found.spots
    answer = json.loads(json.dumps(found.as_json(), allow_nan=False))
    jsonschema.validate(answer, SCHEMA)


def entries(spot: Spot) -> set[tuple[int, ...]]:
    index = numpy.unravel_index(spot.places, spot.shape)
    return set(zip(*(axis.tolist() for axis in index), strict=True))


def own_spots(planted: Planted, found: Why) -> list[Spot]:
    """The places of the cause whose entries are those of the planted place."""
    size = len(planted.entries[0])
    return [spot for spot in found.spots if spot.cause == found.cause and len(spot.shape) == size]


APART = ("saturated tanh rnn",)
"""Whose states are quantities of their own, one a time, and not entries of one."""


@pytest.mark.parametrize(
    "planted",
    [one for one in PLANTED if one.entries and one.name not in APART],
    ids=lambda one: one.name,
)
def test_the_culprits_are_the_planted_entries_that_the_entry_leads_to(planted: Planted) -> None:
    found = why_of(planted)
    spots = own_spots(planted, found)
    assert spots
    if found.cause == "not finite" and found.born is not None and found.born.backward:
        spots = spots[:1]  # of the derivative that is handed back
    for spot in spots:
        assert entries(spot) <= set(planted.entries), spot.name
    # Of a dead layer a weight leads to its own unit alone, and to no unit that another one hides.
    narrower = ("dead relu layer", "softplus floor")
    if planted.name not in narrower:
        assert entries(spots[0]) == set(planted.entries)


@pytest.mark.parametrize(
    "healthy",
    [*HEALTHY, *(pytest.param(one, marks=pytest.mark.long) for one in CURED)],
    ids=lambda one: one.name,
)
def test_a_healthy_gradient_is_ordinary(healthy: Healthy) -> None:
    assert why_of(healthy).cause == "ordinary"


def named(name: str) -> Any:
    return next(one for one in PLANTED if one.name == name)


def test_terms_that_cancel_are_told() -> None:
    terms = why_of(named("symmetric units")).terms
    assert terms is not None
    assert terms.count == 2
    assert abs(terms.total) < 1e-12 * terms.sizes
    assert sum(term.product for term in terms.largest) == terms.total


def test_the_layers_of_a_deep_network_tell_where_it_shrinks() -> None:
    found = why_of(named("recurrent product that vanishes"))
    assert len(found.layers) > 100
    product = 1.0
    for layer in found.layers[:-1]:
        assert layer.factor is not None
        product *= layer.factor
    assert product == pytest.approx(found.layers[-1].size / found.layers[0].size, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "backward", "repaired"),
    [
        ("root in a branch not taken", True, 0.0),
        ("distance of a pair of equals", True, None),
        ("cross entropy by hand", False, 0.0),
        ("nothing divided by nothing", False, None),
    ],
)
def test_births(name: str, backward: bool, repaired: float | None) -> None:
    found = why_of(named(name))
    assert found.born is not None
    assert found.born.backward is backward
    assert found.repaired == repaired


def test_what_a_narrower_format_cannot_hold_is_told() -> None:
    born = why_of(named("square in float16")).born
    assert born is not None
    assert born.largest == 65504
    assert abs(born.value) > born.largest
