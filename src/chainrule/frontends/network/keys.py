"""The keys that a description may have, and what the plain ones hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chainrule.frontends.network.faults import Spot, describe
from chainrule.frontends.network.numbers import read_number

__all__ = ["LAYER_KEYS", "NETWORK_KEYS", "Table"]

Check = Callable[[Spot, Any], Any]
"""Gives the value, or None after a fault."""


def _typed(kind: type, needs: str) -> Check:
    def check(spot: Spot, value: Any) -> Any:
        if isinstance(value, kind):
            return value
        spot.add("TypeError", f"is {describe(value)}", needs=needs)
        return None

    return check


def _number(accepts: Callable[[float], bool], needs: str) -> Check:
    def check(spot: Spot, value: Any) -> float | None:
        number = read_number(spot, value)
        if number is None or accepts(number):
            return number
        spot.add("ValueError", f"is {describe(value)}", needs=needs)
        return None

    return check


def _seed(spot: Spot, value: Any) -> int | None:
    needs = "a whole number, 0 or more"
    if isinstance(value, bool) or not isinstance(value, int):
        spot.add("TypeError", f"is {describe(value)}", needs=needs)
    elif value < 0:
        spot.add("ValueError", f"is {describe(value)}", needs=needs)
    else:
        return value
    return None


def _any(spot: Spot, value: Any) -> Any:
    """Of several forms: whoever asks for it checks it."""
    return value


_text = _typed(str, "text in quotes")
_switch = _typed(bool, "true or false")
_positive = _number(lambda number: number > 0, "a number above 0")
_penalty = _number(lambda number: number >= 0, "a number, 0 or more")

NETWORK_KEYS: dict[str, Check] = {
    "loss": _text,
    "learning_rate": read_number,
    "order": _text,
    "reduction": _text,
    "huber_delta": _positive,
    "l1": _penalty,
    "l2": _penalty,
    "inputs": _any,
    "targets": _any,
    "layers": _any,
}
LAYER_KEYS: dict[str, Check] = {
    "name": _text,
    "units": _any,
    "activation": _text,
    "negative_slope": read_number,
    "alpha": read_number,
    "weights": _any,
    "weight_names": _any,
    "init": _text,
    "seed": _seed,
    "biases": _any,
    "thresholds": _any,
    "bias_names": _any,
    "train_weights": _switch,
    "train_biases": _switch,
}


class Table:
    """A table of the description: `table[key]` is None if absent, null, or reported as wrong."""

    def __init__(self, spot: Spot, raw: Mapping[str, Any], keys: Mapping[str, Check]) -> None:
        self._raw = raw
        for key in raw:
            if key not in keys:
                where = f"{spot.called}: " if spot.called else ""
                spot.report.add(
                    (*spot.path, str(key)),
                    "KeyError",
                    f'{where}the key "{key}" is not known',
                    needs=f"one of {', '.join(keys)}",
                    near=(str(key), keys),
                )
        self._values = {
            key: check(spot.key(key), raw[key]) for key, check in keys.items() if self.given(key)
        }

    def __getitem__(self, key: str) -> Any:
        return self._values.get(key)

    def given(self, key: str) -> bool:
        """Whether the description says anything for `key`, right or wrong."""
        return self._raw.get(key) is not None
