"""Excerpts of PyTorch models: entries of every parameter, and of what their terms lead to."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import chainrule as cr
from chainrule.engines.backward import Backward
from chainrule.excerpts import Reader
from chainrule.explanation.excerpt import Entry
from chainrule.graph.model import Model
from conformance.test_torch_models import MODELS, TOLERANCE, every_model, prepared

ALL = 10**9
"""More terms than any entry has."""

each_type = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)


@functools.cache
def imported(name: str, dtype: torch.dtype) -> Model:
    """The model; all gradients that it is checked by are from one backward pass of PyTorch."""
    module, args, loss, targets = prepared(name, dtype)
    model = cr.from_torch(module, args, loss=loss, targets=targets)
    loss(module(*args), targets).backward()
    own = {name: parameter.grad.numpy() for name, parameter in module.named_parameters()}
    assert model.framework is not None
    return replace(model, framework=replace(model.framework, gradient=own.__getitem__))


def chosen(gradient: Any) -> list[int]:
    """The places of the first entry, the last, and that with the largest gradient."""
    return sorted({0, gradient.size - 1, int(np.abs(gradient).argmax())})


@each_type
@every_model
def test_entries_of_every_parameter(name: str, dtype: torch.dtype) -> None:
    """The gradient is PyTorch's, the terms add up to it, and each is adjoint times slope."""
    model = imported(name, dtype)
    reader = Reader(model)
    assert model.framework is not None
    trained = [leaf for leaf in model.leaves if leaf.trained]
    assert len(trained) > 3
    for leaf in trained:
        own = model.framework.gradient(leaf.node.name or "").reshape(-1)
        allowed = TOLERANCE[dtype] * float(np.abs(own).max())
        places = chosen(own)
        found = reader.excerpt([leaf.labels[place] for place in places])
        assert {checks["verdict"] for checks in found.checks} == {"agrees"}
        for place, entry in zip(places, found.entries, strict=True):
            assert entry.gradient == pytest.approx(float(own[place]), rel=0, abs=allowed)
            told = math.fsum(term.value for term in entry.terms)
            assert told + entry.rest == pytest.approx(entry.gradient, rel=0, abs=1e-12 * entry.size)
            assert math.fsum(use.total for use in entry.uses) == pytest.approx(
                entry.gradient, rel=0, abs=1e-12 * entry.size
            )
            for term in entry.terms:
                assert term.value == pytest.approx(term.adjoint * term.slope.value, rel=1e-12)


@every_model
def test_what_terms_lead_to(name: str) -> None:
    """Opened, a term's entry has the adjoint that the term was told with; so on to the loss."""
    model = imported(name, torch.float64)
    first = next(leaf for leaf in model.leaves if leaf.trained)
    assert model.framework is not None
    place = chosen(model.framework.gradient(first.node.name or ""))[-1]
    excerpt = cr.explain(model, first.labels[place], terms=2, depth=4)
    (entry,) = excerpt.entries
    checked = []

    def followed(entry: Entry) -> None:
        for term in entry.terms:
            inner = entry.opened.get(term.through)
            if inner is not None:
                whole = excerpt.open(inner.name, terms=ALL, depth=1).entries[0]
                assert inner.gradient == pytest.approx(
                    term.adjoint, rel=1e-9, abs=1e-12 * whole.size
                )
                told = math.fsum(item.value for item in whole.terms)
                assert told == pytest.approx(inner.gradient, rel=0, abs=1e-12 * whole.size)
                checked.append(inner.name)
                followed(inner)

    followed(entry)
    assert len(checked) > 3


@every_model
def test_paths_and_the_largest_of_them(name: str) -> None:
    """No path is larger than all together, and the links multiply to what they say."""
    model = imported(name, torch.float64)
    for leaf in [leaf for leaf in model.leaves if leaf.trained][:2]:
        (entry,) = cr.explain(model, leaf.labels[0], terms=2).entries
        assert abs(entry.gradient) <= entry.size * (1 + 1e-9) <= entry.paths * (1 + 2e-9)
        if entry.chain.links:
            product = math.prod(link.slope for link in entry.chain.links)
            assert entry.chain.product == pytest.approx(product, rel=1e-12)
            assert abs(product) <= entry.paths * (1 + 1e-9)
            assert entry.chain.links[-1].name == model.loss.name


@pytest.mark.parametrize("name", ["resnet18", "gpt2", "gpt2 spelt out"])
def test_composites_opened(name: str) -> None:
    """With every composite in its steps, the gradients by what lies before them stay the same."""
    model = imported(name, torch.float64)
    folded = Backward(model)
    opened = folded.open(model.nodes)
    assert len(opened.pullbacks.order) > len(folded.pullbacks.order)
    for leaf in model.leaves:
        if leaf.trained:
            one, other = folded.adjoint(leaf.node), opened.adjoint(leaf.node)
            scale = np.abs(one).max()
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-10 * scale)


def test_a_residual_connection_passes_unchanged() -> None:
    model = imported("resnet18", torch.float64)
    (entry,) = cr.explain(model, "layer2.1.relu[0,0,0,0]", terms=4).entries
    assert not any(use.unchanged for use in entry.uses)
    (around,) = cr.explain(model, "layer2.0.relu_1[0,0,0,0]", terms=4).entries
    ways = {use.names[0]: use for use in around.uses}
    assert ways["layer2.1.add"].unchanged
    assert not ways["layer2.1.conv1"].unchanged


def test_a_tied_parameter_stands_in_both_places() -> None:
    """The token embedding of GPT-2 is its last layer too: one entry, two uses, two names."""
    model = imported("gpt2", torch.float64)
    assert MODELS["gpt2"][1]["words"] == 11
    (entry,) = cr.explain(model, "lm_head.weight[3,0]", terms=ALL).entries
    assert entry.name == "wte.weight[3,0]"
    assert entry.also == ("lm_head.weight",)
    ways = {use.names[0]: use for use in entry.uses}
    assert set(ways) == {"wte", "lm_head"}
    assert ways["wte"].unchanged
    assert ways["lm_head"].count == 5
    assert entry.checks["verdict"] == "agrees"
