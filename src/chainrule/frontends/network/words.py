"""The words of a description: every spelling of a loss, an activation, an initialiser, an order."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chainrule.frontends.network.faults import Report

__all__ = [
    "ACTIVATIONS",
    "INITIALISERS",
    "LOSSES",
    "ORDERS",
    "REDUCTIONS",
    "choose",
    "spelling",
]


def _words(*canonical: str, **aliased: str) -> dict[str, str]:
    """Every spelling, mapped to its canonical name."""
    found = dict(zip(canonical, canonical, strict=True))
    for name, others in aliased.items():
        found |= dict.fromkeys((name, *others.split()), name)
    return found


LOSSES = _words(
    half_squared_error="half_squared half_sse",
    squared_error="sse sum_squared_error sum_of_squared_errors",
    mean_squared_error="mse",
    absolute_error="sum_absolute_error sum_of_absolute_errors",
    mean_absolute_error="mae l1_loss",
    huber="huber_loss",
    binary_cross_entropy="bce",
    binary_cross_entropy_from_logits=(
        "binary_cross_entropy_with_logits bce_from_logits bce_with_logits"
    ),
    categorical_cross_entropy="cross_entropy cce",
    categorical_cross_entropy_from_logits=(
        "categorical_cross_entropy_with_logits cross_entropy_from_logits cross_entropy_with_logits"
    ),
)
ACTIVATIONS = _words(
    *("sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus"),
    *("gelu", "softmax", "log_softmax", "sin", "exp"),
    identity="linear none",
    silu="swish",
)
ORDERS = _words("simultaneous", "sequential")
REDUCTIONS = _words("mean", "sum")
INITIALISERS = _words(
    *("zeros", "ones", "uniform", "normal"),
    xavier_uniform="xavier glorot glorot_uniform",
    xavier_normal="glorot_normal",
    he_uniform="he kaiming kaiming_uniform",
    he_normal="kaiming_normal",
    lecun_normal="",
)


def spelling(text: str) -> str:
    """`text` in lower case, with one underscore for each run of spaces, hyphens and underscores."""
    return re.sub(r"[\s_-]+", "_", text.strip()).casefold()


def choose(
    report: Report,
    path: tuple[str | int, ...],
    text: str | None,
    words: Mapping[str, str],
    noun: str,
) -> str | None:
    """The canonical name that `text` spells; None after a fault, or for None."""
    if text is None:
        return None
    word = spelling(text)
    if word not in words:
        report.add(
            path,
            "NameError",
            f'the {noun} "{text}" is not known',
            needs=f"one of {', '.join(dict.fromkeys(words.values()))}",
            near=(word, words),
        )
    return words.get(word)
