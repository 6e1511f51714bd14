"""Reading a whole description, and all that its parts must agree on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from chainrule.frontends.files import Source
from chainrule.frontends.network.examples import (
    Examples,
    check_probabilities,
    check_same_examples,
    check_targets,
    in_unit_order,
    read_examples,
)
from chainrule.frontends.network.faults import Report, Spot, describe, known
from chainrule.frontends.network.keys import LAYER_KEYS, NETWORK_KEYS, Table
from chainrule.frontends.network.layers import MOST_PARAMETERS, Layer, read_layer, report_size
from chainrule.frontends.network.loading import load
from chainrule.frontends.network.names import check_distinct, read_name
from chainrule.frontends.network.spec import InputsSpec, NetworkSpec
from chainrule.frontends.network.text import KeyPath
from chainrule.frontends.network.words import LOSSES, ORDERS, REDUCTIONS, choose

__all__ = ["network_from_data", "parse_network", "read_network"]

_DEEPEST = 5
"""`layers`, a layer, `weights`, a row, a number."""


def parse_network(source: Source) -> NetworkSpec:
    """The network that a TOML or JSON text describes, validated in every part.

    Example:
        >>> text = 'loss="mse"\\ninputs=[2]\\ntargets=[1]\\nlayers=[{units=1, weights=[[3]]}]'
        >>> parse_network(Source(text, "net.toml", "toml")).layers[0].weights
        ((3.0,),)

    Raises:
        InputError: with all faults of the text, in its order, each with its line.
    """
    report = Report(source)
    return read_network(load(source, report), report)


def network_from_data(data: dict[str, object]) -> NetworkSpec:
    """The network that `data` describes, by the rules of `parse_network`; arrays are welcome too.

    Raises:
        InputError: with all faults, each with its key path in words.
    """
    report = Report()
    if not isinstance(data, dict):
        report.add((), "TypeError", f"the data is {describe(data)}", needs="a dict of keys")
        report.raise_if_any()
    return read_network(_plain(data, 0), report)


def _plain(value: Any, depth: int) -> Any:
    """`value` with arrays and tuples as lists, down to where a description ends."""
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers, and those that look like them
        return value.tolist()
    if depth > _DEEPEST or not isinstance(value, dict | list | tuple):
        return value
    if isinstance(value, dict):
        return {key: _plain(entry, depth + 1) for key, entry in value.items()}
    return [_plain(entry, depth + 1) for entry in value]


def read_network(data: dict[str, Any], report: Report) -> NetworkSpec:
    """The validated description; raises with every fault of it."""
    return _Reader(data, report).spec()


class _Reader:
    def __init__(self, data: dict[str, Any], report: Report) -> None:
        self._report = report
        self._table = Table(report.at(), data, NETWORK_KEYS)
        self._inputs = self._examples("inputs")
        self._targets = self._examples("targets")
        self._loss = self._read_loss()
        self._order = self._choice("order", "simultaneous", ORDERS)
        self._reduction = self._choice("reduction", "mean", REDUCTIONS)
        self._layers = self._read_layers()

    def spec(self) -> NetworkSpec:
        self._check_together()
        if self._fits():
            self._check_names()
        self._report.raise_if_any()
        table, inputs = self._table, known(self._inputs)
        layers = tuple(
            layer.spec(self._unit_names(layer)) for layer in self._layers if layer is not None
        )
        return NetworkSpec(
            InputsSpec(self._input_names(inputs), known(inputs.values)),
            in_unit_order(known(self._targets), layers[-1].units),
            inputs.batch,
            known(self._loss),
            1.0 if table["huber_delta"] is None else table["huber_delta"],
            known(self._reduction),
            table["l1"] or 0.0,
            table["l2"] or 0.0,
            table["learning_rate"],
            known(self._order),
            layers,
        )

    # -------------------------------------------------------------------- the parts

    def _required(self, key: str, needs: str) -> Any:
        if not self._table.given(key):
            self._report.add((), "KeyError", f"{key} is missing", needs=needs)
        return self._table[key]

    def _examples(self, key: str) -> Examples | None:
        value = self._required(key, f"{key}: a number, or a list of numbers, for each name")
        return None if value is None else read_examples(self._report.at(key), value)

    def _read_loss(self) -> str | None:
        text = self._required("loss", 'a loss, such as loss = "half squared error"')
        loss = choose(self._report, ("loss",), text, LOSSES, "loss")
        if self._table["huber_delta"] is not None and loss not in (None, "huber"):
            what = f"huber_delta is given, and the loss is {loss}"
            needs = 'huber_delta only with loss = "huber"'
            self._report.add(("huber_delta",), "KeyError", what, needs=needs)
        return loss

    def _choice(self, key: str, default: str, words: dict[str, str]) -> str | None:
        text = self._table[key] if self._table.given(key) else default
        return choose(self._report, (key,), text, words, key)

    def _read_layers(self) -> list[Layer | None]:
        """The layers in order; None for one that is not even a table."""
        needs = "layers: [[layers]] with units and weights, for each layer"
        raws, spot = self._required("layers", needs), self._report.at("layers")
        if raws is None:
            return []
        if not isinstance(raws, list):
            hint = "write [[layers]], with two brackets"
            spot.add("TypeError", f"is {describe(raws)}", needs="a list of layers", hint=hint)
            return []
        if not raws:
            spot.add("ValueError", "is empty", needs="one layer or more")
        layers: list[Layer | None] = []
        width = self._inputs.columns if self._inputs else None
        for index, raw in enumerate(raws):
            layers.append(self._read_layer(index, raw, width))
            width = layers[-1].width if layers[-1] else None
        return layers

    def _read_layer(self, index: int, raw: object, inputs: int | None) -> Layer | None:
        spot = self._report.at("layers", index)
        if not isinstance(raw, dict):
            spot.add("TypeError", f"is {describe(raw)}", needs="a table of keys")
            return None
        return read_layer(self._report, index, Table(spot, raw, LAYER_KEYS), inputs)

    # ------------------------------------------------------------- what must agree

    def _check_together(self) -> None:
        inputs, targets, loss = self._inputs, self._targets, self._loss or ""
        output = self._layers[-1] if self._layers else None
        if inputs and targets:
            check_same_examples(self._report, inputs, targets)
        if targets and "cross_entropy" in loss:
            check_probabilities(self._report, targets)
        if targets and output and output.units is not None:
            check_targets(self._report, targets, output.units)
        if output and loss.endswith("_from_logits"):
            self._check_logits(output, loss)

    def _check_logits(self, output: Layer, loss: str) -> None:
        """A loss that applies the output activation itself must not get it applied already."""
        if output.activation not in (None, "identity"):
            self._report.add(
                ("layers", output.index, "activation"),
                "ValueError",
                f"the output activation is {output.activation}, and the loss is {loss}",
                needs="an output layer without activation: the loss applies its own",
                hint=f'activation = "identity", or loss = "{loss.removesuffix("_from_logits")}"',
            )

    def _fits(self) -> bool:
        """Whether the network is small enough to be made; nothing of it is made before."""
        total = 0
        for layer in filter(None, self._layers):
            total += layer.parameters
            if total > MOST_PARAMETERS:
                what = f'with layer "{layer.name}" the network has {total:,} parameters'
                report_size(self._report, ("layers", layer.index, "units"), what)
                return False
        return True

    # --------------------------------------------------------------------- the names

    def _input_names(self, inputs: Examples) -> tuple[str, ...]:
        return inputs.names or tuple(f"x{index + 1}" for index in range(inputs.columns or 0))

    def _unit_names(self, layer: Layer) -> tuple[str, ...]:
        """The names in the file; else, for the output, those of the targets; else h1 or o1 on."""
        if isinstance(layer.units, tuple):
            return layer.units
        width, targets = layer.units or 0, self._targets
        if layer is not self._layers[-1]:
            stem = "h" if len(self._layers) == 2 else f"h{layer.index + 1}_"
        elif targets and targets.names and len(targets.names) == width:
            return targets.names
        else:
            stem = "o"
        return tuple(f"{stem}{unit + 1}" for unit in range(width))

    def _check_names(self) -> None:
        """Report names that are not usable, or used twice."""
        report, inputs, targets = self._report, self._inputs, self._targets
        output = self._layers[-1] if self._layers else None
        if inputs:
            _check_keys(report, inputs)
        if targets and output and isinstance(output.units, int):
            _check_keys(report, targets)
        declared = list(self._declared())
        check_distinct(report, declared, "name")
        if inputs and inputs.batch:
            _check_batch_names(report, declared, self._input_names(inputs))
        named = (
            (layer.name, ("layers", layer.index, "name")) for layer in filter(None, self._layers)
        )
        check_distinct(report, named, "layer name")

    def _declared(self) -> Iterator[tuple[str, KeyPath]]:
        """Every name of an input, unit, weight or bias that could be met twice, and its place."""
        if self._inputs:
            names = self._input_names(self._inputs)
            keys: Sequence[str | int] = self._inputs.keys or range(len(names))
            for name, key in zip(names, keys, strict=True):
                yield name, ("inputs", key)
        for layer in filter(None, self._layers):
            path: KeyPath = ("layers", layer.index)
            for unit, name in enumerate(self._unit_names(layer)):
                yield name, (*path, "units", unit)
            for weight, name in enumerate(layer.weight_names or ()):
                row, column = divmod(weight, layer.inputs or len(layer.weight_names or ()))
                yield name, (*path, "weight_names", row, column)
            for bias, name in enumerate(layer.bias_names or ()):
                yield name, (*path, "bias_names", bias)


def _check_keys(report: Report, examples: Examples) -> None:
    for key in examples.keys or ():
        read_name(Spot(report, (examples.key, key), f"{examples.key}:"), key)


def _check_batch_names(
    report: Report, declared: Iterable[tuple[str, KeyPath]], inputs: tuple[str, ...]
) -> None:
    """In a batch `x[3]` is the fourth example of `x`, so that nothing else may be called so."""
    names = set(inputs)
    for name, path in declared:
        base = name.partition("[")[0]
        if base != name and base in names:
            what = f'the name "{name}" is also that of an example of the input "{base}"'
            report.add(path, "NameError", what, needs="a name without brackets, or another one")
