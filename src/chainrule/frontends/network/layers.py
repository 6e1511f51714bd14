"""Reading one layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from chainrule.frontends.network.faults import Report, Spot, describe, known
from chainrule.frontends.network.initialise import initial_weights
from chainrule.frontends.network.keys import Table
from chainrule.frontends.network.names import read_name, read_names
from chainrule.frontends.network.numbers import (
    Grid,
    is_number,
    read_matrix,
    read_number,
    read_row,
    sized,
)
from chainrule.frontends.network.spec import LayerSpec, Matrix, Row
from chainrule.frontends.network.text import KeyPath
from chainrule.frontends.network.words import ACTIVATIONS, INITIALISERS, choose, spelling

__all__ = ["MOST_PARAMETERS", "Layer", "read_layer", "report_size"]

MOST_PARAMETERS = 50_000_000
_ACTIVATION_PARAMETERS = {"leaky_relu": ("negative_slope", 0.01), "elu": ("alpha", 1.0)}

T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    """A layer as checked; None stands for what is absent, or what a fault left unknown.

    Nothing of the layer's full size is made before all faults are known.
    """

    index: int
    table: Table
    name: str
    units: tuple[str, ...] | int | None
    inputs: int | None
    activation: str | None
    weights: Matrix | None
    weight_names: tuple[str, ...] | None
    init: str | None
    biases: Row | float | Literal["zeros"] | None
    bias_names: tuple[str, ...] | None

    @property
    def width(self) -> int | None:
        """How many units it has."""
        return len(self.units) if isinstance(self.units, tuple) else self.units

    @property
    def parameters(self) -> int:
        """How many weights and biases it has, as far as that is known."""
        width = self.width or 0
        one_each = isinstance(self.biases, tuple | str)
        return width * (self.inputs or 1) + (width if one_each else self.biases is not None)

    def spec(self, units: tuple[str, ...]) -> LayerSpec:
        """The layer with all that a file leaves out, once no fault was found."""
        activation, table = known(self.activation), self.table
        key, parameter = _ACTIVATION_PARAMETERS.get(activation, ("", None))
        if key and table[key] is not None:
            parameter = table[key]
        weights, biases = self.weights, self.biases
        if weights is None:
            inputs, seed = known(self.inputs), table["seed"] or 0
            weights = initial_weights(known(self.init), len(units), inputs, seed, self.index)
        if isinstance(biases, str):
            biases = (0.0,) * len(units)
        return LayerSpec(
            self.name,
            units,
            activation,
            parameter,
            weights,
            self.weight_names,
            biases,
            self.bias_names or _default_bias_names(self.name, biases),
            1 if table["thresholds"] is None else -1,
            table["train_weights"] is not False,
            table["train_biases"] is not False,
        )


def _default_bias_names(layer: str, biases: Row | float | None) -> tuple[str, ...]:
    if biases is None:
        return ()
    if isinstance(biases, float):
        return (f"{layer}.bias",)
    return tuple(f"{layer}.bias[{unit}]" for unit in range(len(biases)))


def read_layer(report: Report, index: int, table: Table, inputs: int | None) -> Layer:
    """The layer that a table describes; the layer before it decides the number of `inputs`."""
    return _Reader(report, index, table, inputs).layer()


def report_size(report: Report, path: KeyPath, what: str) -> None:
    """Report a network that is too large to make."""
    report.add(path, "SizeError", what, needs=f"at most {MOST_PARAMETERS:,} parameters in all")


class _Reader:
    def __init__(self, report: Report, index: int, table: Table, inputs: int | None) -> None:
        self._report, self._index, self._table, self._inputs = report, index, table, inputs
        self._path: KeyPath = ("layers", index)
        place = Spot(report, (*self._path, "name"), "the layer name")
        name = None if table["name"] is None else read_name(place, table["name"])
        self._name = name or f"layer{index + 1}"
        self._called = f'layer "{name}"' if name else f"layer {index + 1}"
        self._width: int | None = None

    def layer(self) -> Layer:
        units = self._units()
        self._width = len(units) if isinstance(units, tuple) else units
        return Layer(
            self._index,
            self._table,
            self._name,
            units,
            self._inputs,
            self._activation(),
            self._grid("weights", read_row, "number"),
            self._weight_names(),
            self._init(),
            self._biases(),
            self._bias_names(),
        )

    def _spot(self, key: str) -> Spot:
        return Spot(self._report, (*self._path, key), f"{self._called}: {key}")

    def _fault(self, key: str, kind: str, what: str, needs: str, hint: str | None = None) -> None:
        """Report at a key, or at the layer where the key is what is missing."""
        path = (*self._path, key) if self._table.given(key) else self._path
        self._report.add(path, kind, f"{self._called}: {what}", needs=needs, hint=hint)

    def _units(self) -> tuple[str, ...] | int | None:
        """The unit names, or their count."""
        value, spot = self._table["units"], self._spot("units")
        needs = "a list of names, or how many: a whole number, 1 or more"
        if value is None:
            what, example = "units is missing", 'units = ["h1", "h2"], or units = 2'
            self._fault("units", "KeyError", what, example)
        elif isinstance(value, list) and value:
            return read_names(spot, value)
        elif isinstance(value, bool) or not isinstance(value, int | list):
            spot.add("TypeError", f"is {describe(value)}", needs=needs)
        elif isinstance(value, list) or value < 1:
            spot.add("ValueError", f"is {describe(value)}", needs=needs)
        elif value > MOST_PARAMETERS:
            report_size(self._report, spot.path, f"{spot.called} is {describe(value)}")
        else:
            return value
        return None

    def _activation(self) -> str | None:
        given = self._table.given("activation")
        text = self._table["activation"] if given else "identity"
        path = (*self._path, "activation")
        found = choose(self._report, path, text, ACTIVATIONS, "activation")
        for owner, (key, _) in _ACTIVATION_PARAMETERS.items():
            if found and self._table.given(key) and found != owner:
                what = f"{key} is given, and the activation is {found}"
                self._fault(key, "KeyError", what, f'{key} only with activation = "{owner}"')
        return found

    def _grid(
        self, key: str, read_one: Callable[[Spot, object], tuple[T, ...] | None], noun: str
    ) -> tuple[tuple[T, ...], ...] | None:
        value = self._table[key]
        if value is None:
            return None
        return read_matrix(self._spot(key), value, Grid(noun, read_one, self._width, self._inputs))

    def _weight_names(self) -> tuple[str, ...] | None:
        rows = self._grid("weight_names", read_names, "name")
        return None if rows is None else tuple(name for row in rows for name in row)

    def _init(self) -> str | None:
        table = self._table
        weights, init = table.given("weights"), table.given("init")
        if weights and init:
            self._fault("init", "KeyError", "both weights and init are given", "one of the two")
        if not weights and not init:
            self._fault(
                "weights",
                "KeyError",
                "neither weights nor init is given",
                "weights = one row of numbers per unit, or an initialiser",
                'init = "xavier"',
            )
        if table.given("seed") and not init:
            what = "seed is given without init"
            self._fault("seed", "KeyError", what, "seed only where init draws the weights")
        path = (*self._path, "init")
        return choose(self._report, path, table["init"], INITIALISERS, "initialiser")

    @property
    def _biases_key(self) -> str:
        return "thresholds" if self._table.given("thresholds") else "biases"

    def _biases(self) -> Row | float | Literal["zeros"] | None:
        if self._table.given("biases") and self._table.given("thresholds"):
            what = "both biases (added) and thresholds (subtracted) are given"
            self._fault("thresholds", "KeyError", what, "one of the two")
        value, spot = self._table[self._biases_key], self._spot(self._biases_key)
        if value is None:
            return None
        if isinstance(value, list):
            return sized(spot, read_row(spot, value), len(value), self._width, "number")
        if not isinstance(value, str):
            return read_number(spot, value)
        if spelling(value) == "zeros":
            return "zeros"
        needs = 'a list, one number per unit; one number, shared by the layer; or "zeros"'
        spot.add("TypeError", f"is {describe(value)}", needs=needs)
        return None

    def _bias_names(self) -> tuple[str, ...] | None:
        value, spot = self._table["bias_names"], self._spot("bias_names")
        if value is None:
            return None
        if not self._table.given("biases") and not self._table.given("thresholds"):
            what = "bias_names is given without biases"
            self._fault("bias_names", "KeyError", what, "biases or thresholds to be named")
        biases = self._table[self._biases_key]
        if not isinstance(value, list) and not isinstance(biases, list | str):
            name = read_name(spot, value)
            return (name,) if name else None
        if is_number(biases):
            what = f"is {describe(value)}, and the bias is shared"
            spot.add("ShapeError", what, needs="one name for the one bias")
            return None
        size = len(value) if isinstance(value, list) else 0
        return sized(spot, read_names(spot, value), size, self._width, "name")
