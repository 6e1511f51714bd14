"""The user's own text with new numbers in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from chainrule.errors import Fault, closest
from chainrule.frontends.files import Source
from chainrule.frontends.network import text as positions
from chainrule.frontends.network.examples import example_path
from chainrule.frontends.network.faults import Report, known, listed, raise_first
from chainrule.frontends.network.loading import load
from chainrule.frontends.network.names import normal
from chainrule.frontends.network.reader import parse_network, read_network
from chainrule.frontends.network.spec import LayerSpec, NetworkSpec, Row
from chainrule.frontends.network.text import KeyPath

__all__ = ["rewrite_network"]

_MOST_COMPARED = 2000
_WIDEST_LINE = 80


def rewrite_network(source: Source, values: Mapping[str, float]) -> str:
    """The user's own text with new numbers for the named leaves; all else stays as it is.

    A leaf is a weight, a bias, an input `NAME` (`NAME[n]` in a batch), a target
    `target_NAME` (`target_NAME[n]`), or `learning_rate`.  Weights that `init`
    drew, and biases that are "zeros", are written out once one of them is named.

    Raises:
        InputError: a name is not in the text, or a value cannot stand there.
    """
    report = Report(source)
    data = load(source, report)
    spec = read_network(data, report)
    wanted = {normal(name): float(value) for name, value in values.items()}
    _check_finite(wanted, source)
    edits = _Edits()
    for name, path in _written_leaves(data, spec):
        if name in wanted:
            edits.values[path] = repr(wanted.pop(name))
    for index, (layer, entry) in enumerate(zip(spec.layers, data["layers"], strict=True)):
        edits.write_out(("layers", index), layer, entry, wanted)
    _refuse_unknown(wanted, _leaf_names(data, spec), source)
    text = edits.applied_to(source)
    parse_network(Source(text, source.name, source.kind))
    return text


def _written_leaves(data: dict[str, Any], spec: NetworkSpec) -> Iterator[tuple[str, KeyPath]]:
    """Every leaf whose number stands in the text, and where."""
    if spec.learning_rate is not None:
        yield "learning_rate", ("learning_rate",)
    examples = len(spec.targets)
    yield from _example_leaves(data, "inputs", "", spec.inputs.names, examples)
    yield from _example_leaves(data, "targets", "target_", spec.layers[-1].units, examples)
    for index, (layer, entry) in enumerate(zip(spec.layers, data["layers"], strict=True)):
        path: KeyPath = ("layers", index)
        if entry.get("weights") is not None:
            columns = len(layer.weights[0])
            for flat, name in enumerate(layer.weight_names):
                yield name, (*path, "weights", *divmod(flat, columns))
        key = _biases_key(entry)
        if layer.biases is not None and not isinstance(entry[key], str):
            for unit, name in enumerate(layer.bias_names):
                yield name, (*path, key) if layer.biases_are_shared else (*path, key, unit)


def _example_leaves(
    data: dict[str, Any], key: str, prefix: str, names: tuple[str, ...], examples: int
) -> Iterator[tuple[str, KeyPath]]:
    written = data[key]
    keys = list(written) if isinstance(written, dict) else None
    named = [normal(name) for name in keys] if keys else names
    batch = isinstance(written[keys[0] if keys else 0], list)
    for example in range(examples):
        for column, name in enumerate(named):
            leaf = f"{prefix}{name}[{example}]" if batch else f"{prefix}{name}"
            yield leaf, example_path(key, keys, example, column, batch)


def _biases_key(entry: Mapping[str, object]) -> str:
    return "biases" if entry.get("thresholds") is None else "thresholds"


class _Edits:
    """New text for values and keys, by key path, and the entries to take out."""

    def __init__(self) -> None:
        self.values: dict[KeyPath, str] = {}
        self.keys: dict[KeyPath, str] = {}
        self.removed: list[KeyPath] = []

    def write_out(
        self, path: KeyPath, layer: LayerSpec, entry: Mapping[str, object], wanted: dict[str, float]
    ) -> None:
        """Give a layer's drawn weights and "zeros" as numbers, if any of them is `wanted`."""
        if entry.get("init") is not None:
            weights = _with_new(layer.flat_weights, layer.weight_names, wanted)
            if weights is not None:
                self.values[(*path, "init")] = _matrix_text(weights, len(layer.units))
                self.keys[(*path, "init")] = "weights"
                self.removed += [(*path, "seed")] if "seed" in entry else []
        key = _biases_key(entry)
        if isinstance(entry.get(key), str):
            biases = _with_new(layer.flat_biases, layer.bias_names, wanted)
            if biases is not None:
                self.values[(*path, key)] = repr(biases)

    def applied_to(self, source: Source) -> str:
        """The source's text with all of this done to it."""
        text, kind = source.text, source.kind
        places = positions.find(text, kind, {*self.values, *self.keys, *self.removed})
        spans = {(places[path].start, places[path].end): new for path, new in self.values.items()}
        for path, new in self.keys.items():
            spans[known(places[path].key)] = f'"{new}"' if kind == "json" else new
        for path in self.removed:
            spans[positions.removal(text, places[path])] = ""
        return positions.replace(text, spans)


def _with_new(numbers: Row, names: tuple[str, ...], wanted: dict[str, float]) -> list[float] | None:
    """`numbers` with the wanted ones taken over; None if none of the names is wanted."""
    if wanted.keys().isdisjoint(names):
        return None
    return [wanted.pop(name, number) for name, number in zip(names, numbers, strict=True)]


def _matrix_text(numbers: Sequence[float], rows: int) -> str:
    """Rows in brackets: on one line where they fit, else a line each."""
    columns = len(numbers) // rows
    texts = [repr(numbers[start : start + columns]) for start in range(0, len(numbers), columns)]
    whole = f"[{', '.join(texts)}]"
    return whole if len(whole) <= _WIDEST_LINE else "[\n    " + ",\n    ".join(texts) + "\n]"


def _leaf_names(data: dict[str, Any], spec: NetworkSpec) -> Iterator[str]:
    yield from (name for name, _ in _written_leaves(data, spec))
    for layer in spec.layers:
        yield from (*layer.weight_names, *layer.bias_names)


def _check_finite(values: Mapping[str, float], source: Source) -> None:
    faults = [
        Fault("ValueError", f"{name} would be {value}", source.name, needs="a finite number")
        for name, value in values.items()
        if not math.isfinite(value)
    ]
    raise_first(faults, len(faults))


def _refuse_unknown(left: Mapping[str, float], leaves: Iterator[str], source: Source) -> None:
    if not left:
        return
    names = list(islice(leaves, _MOST_COMPARED))
    needs = f"one of {listed(names)}"
    faults = (
        Fault(
            "NameError",
            f'the text gives no number named "{name}"',
            source.name,
            needs=needs,
            hint=closest(name, names),
        )
        for name in left
    )
    raise_first(faults, len(left))
