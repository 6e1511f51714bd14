"""From a network's description to its graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from chainrule.frontends.files import Source
from chainrule.frontends.network.reader import parse_network
from chainrule.frontends.network.rewrite import rewrite_network
from chainrule.frontends.network.spec import LayerSpec, Matrix, NetworkSpec, Row
from chainrule.graph.build import Builder
from chainrule.graph.model import Convention, LeafValue, Model, Phrase, Role
from chainrule.graph.node import Node

__all__ = ["build_network", "load_network"]

_COMPOSITE_ACTIVATIONS = ("softmax", "log_softmax")
_ENTRY_LOSS = {"mean_squared_error": "squared_error", "mean_absolute_error": "absolute_error"}
"""Losses that are another one's mean over the outputs."""
_STABLE = {
    ("sigmoid", "binary_cross_entropy"): "binary_cross_entropy_from_logits",
    ("softmax", "categorical_cross_entropy"): "categorical_cross_entropy_from_logits",
}
"""The same loss as a function of the net inputs, finite where an output rounds to 0 or 1."""
_KEYS = {"η": "learning_rate"}
"""What the file calls a number that derivations write otherwise."""


def load_network(source: Source) -> Model:
    """The model that a TOML or JSON text describes; its `rewrite` gives that text anew.

    Raises: InputError with all faults of the text, each with its line.
    """

    def rewrite(values: Mapping[str, float]) -> str:
        return rewrite_network(source, {_KEYS.get(name, name): values[name] for name in values})

    return build_network(parse_network(source), source.title, rewrite)


def build_network(
    spec: NetworkSpec,
    title: str = "network",
    rewrite: Callable[[Mapping[str, float]], str] | None = None,
) -> Model:
    """The model that a description means.

    Shapes: inputs (n, i), weights (units, inputs of the layer), targets (n, o).
    """
    model = _Build(spec, spec.loss).model(title, rewrite)
    stable = _STABLE.get((spec.layers[-1].activation, spec.loss))
    if stable is None:
        return model
    return replace(model, stable=lambda: _Build(spec, stable).model(title, rewrite))


class _Build:
    def __init__(self, spec: NetworkSpec, loss: str) -> None:
        self.spec = spec
        self.loss = loss
        self.op = Builder()
        self.examples = len(spec.targets)
        self.leaves: list[LeafValue] = []
        self.quantities: list[Node] = []

    def model(self, title: str, rewrite: Callable[[Mapping[str, float]], str] | None) -> Model:
        spec = self.spec
        x = self._examples(self._labels(spec.inputs.names), spec.inputs.values, "input")
        for layer in spec.layers:
            x = self._layer(layer, x)
        loss = self._loss(self.net if self.loss.endswith("_from_logits") else x)
        outputs = self._labels(spec.layers[-1].units)
        return Model(
            title,
            loss,
            tuple(self.leaves),
            tuple(self.quantities),
            spec.learning_rate,
            order="sequential" if spec.order == "sequential" else "simultaneous",
            conventions=self._conventions(),
            aliases={name: f"target_{name}" for name in outputs},
            rewrite=rewrite,
        )

    # ------------------------------------------------------------------- quantities

    def _labels(self, names: tuple[str, ...], prefix: str = "") -> tuple[str, ...]:
        """Entry names of an (examples, names) array; one example carries no index."""
        if not self.spec.batch:
            return tuple(prefix + name for name in names)
        return tuple(
            f"{prefix}{name}[{example}]" for example in range(self.examples) for name in names
        )

    def _examples(self, labels: tuple[str, ...], rows: Matrix, role: Role) -> Node:
        """A leaf of one row per example."""
        flat = tuple(value for row in rows for value in row)
        return self._leaf(labels, flat, (len(rows), len(rows[0])), role)

    def _leaf(
        self,
        labels: tuple[str, ...],
        flat: Row,
        shape: tuple[int, ...],
        role: Role,
        trained: bool = False,
    ) -> Node:
        name = f"{role}{len(self.leaves)}" if shape else labels[0]
        node = self.op.variable(name, shape, labels if shape else None)
        self.leaves.append(LeafValue(node, flat, role, trained))
        return node

    def _quantity(self, node: Node, labels: tuple[str, ...]) -> Node:
        named = self.op.named(node, labels[0], labels if node.shape else None)
        self.quantities.append(named)
        return named

    # ----------------------------------------------------------------------- layers

    def _layer(self, layer: LayerSpec, x: Node) -> Node:
        op = self.op
        weights = self._leaf(
            layer.weight_names,
            layer.flat_weights,
            (len(layer.units), len(layer.weights[0])),
            "parameter",
            layer.train_weights,
        )
        net = op.linear(x, weights)
        if layer.biases is not None:
            shape = () if layer.biases_are_shared else (len(layer.units),)
            bias = self._leaf(
                layer.bias_names, layer.flat_biases, shape, "parameter", layer.train_biases
            )
            net = op.add(net, bias) if layer.bias_sign > 0 else op.sub(net, bias)
        net = self._quantity(net, self._labels(layer.units, "net_"))
        self.net = net
        if layer.activation == "identity":
            return net
        out = self._labels(layer.units, "out_")
        if layer.activation in _COMPOSITE_ACTIVATIONS:
            return self._quantity(
                op.composite(layer.activation, net, naming=self._inside(layer)), out
            )
        parameter = () if layer.activation_parameter is None else (layer.activation_parameter,)
        return self._quantity(op.apply(layer.activation, net, *parameter), out)

    def _inside(self, layer: LayerSpec) -> Callable[[str, Node], Node]:
        """Names for the steps inside a composite: one a unit, or one for the whole layer."""

        def name(step: str, node: Node) -> Node:
            per_unit = len(node.shape) == 2
            labels = self._labels(layer.units if per_unit else (layer.name,), f"{step}_")
            return self._quantity(node, labels)

        return name

    # ------------------------------------------------------------------------- loss

    def _loss(self, y: Node) -> Node:
        op, spec = self.op, self.spec
        output = spec.layers[-1]
        targets = self._examples(self._labels(output.units, "target_"), spec.targets, "target")
        per_example = self._per_example(targets, y, output)
        total = per_example
        if spec.batch:
            total = op.sum(per_example)
            if spec.reduction == "mean":
                total = op.div(total, float(self.examples))
        else:
            total = op.reshape(total, ())
        penalties = self._penalties()
        if penalties:
            total = self._quantity(total, ("E_data",))
            for penalty in penalties:
                total = op.add(total, penalty)
        return self._quantity(total, ("E",))

    def _per_example(self, targets: Node, y: Node, output: LayerSpec) -> Node:
        """The loss of each example. Shapes: (n,)."""
        op, spec = self.op, self.spec
        if self.loss == "categorical_cross_entropy_from_logits":
            total = op.composite(self.loss, targets, y, naming=self._inside(output))
            return self._example_labels(total)
        entry_loss = _ENTRY_LOSS.get(self.loss, self.loss)
        parameter = (spec.huber_delta,) if spec.loss == "huber" else ()
        parts = op.composite(entry_loss, targets, y, *parameter)
        if len(output.units) == 1:
            return self._example_labels(op.reshape(parts, (self.examples,)))
        parts = self._quantity(parts, self._labels(output.units, "E_"))
        total = op.sum(parts, 1)
        if spec.loss in _ENTRY_LOSS:
            total = op.div(total, float(len(output.units)))
        return self._example_labels(total)

    def _example_labels(self, node: Node) -> Node:
        """In a batch, the loss of each example has a name; alone, it is the loss itself."""
        if not self.spec.batch:
            return node
        return self._quantity(node, tuple(f"E[{example}]" for example in range(self.examples)))

    def _penalties(self) -> list[Node]:
        """L2 and L1 penalties over all weights, biases left out."""
        op, penalties = self.op, []
        weights = [
            leaf.node
            for leaf in self.leaves
            if leaf.role == "parameter" and len(leaf.node.shape) == 2
        ]
        for kind, strength in (("l2", self.spec.l2), ("l1", self.spec.l1)):
            if strength:
                parts = [op.composite(f"{kind}_penalty", node, strength) for node in weights]
                total = parts[0]
                for part in parts[1:]:
                    total = op.add(total, part)
                penalties.append(self._quantity(total, (f"E_{kind}",)))
        return penalties

    # ------------------------------------------------------------------ conventions

    def _conventions(self) -> tuple[Convention, ...]:
        return (
            Convention("network", self._shape()),
            Convention("loss", tuple(map(_phrase, self._loss_phrases()))),
            Convention("biases", tuple(map(_phrase, self._bias_phrases()))),
        )

    def _shape(self) -> tuple[Phrase, ...]:
        """`2 inputs → 3 sigmoid → 2 sigmoid`."""
        count = len(self.spec.inputs.names)
        layers = (f" → {len(layer.units)} {layer.activation}" for layer in self.spec.layers)
        key = "network.inputs.one" if count == 1 else "network.inputs.many"
        return (Phrase(key, {"count": count, "layers": "".join(layers)}),)

    def _loss_phrases(self) -> Iterator[str | Phrase]:
        spec = self.spec
        yield f"loss.{spec.loss}"
        if spec.loss in _ENTRY_LOSS:
            yield "loss.over_outputs"
        elif len(spec.layers[-1].units) > 1:
            yield "loss.summed_outputs"
        if spec.batch:
            yield Phrase(f"loss.{spec.reduction}_examples", {"count": self.examples})
        if self.loss != spec.loss:
            yield "loss.stable"

    def _bias_phrases(self) -> Iterator[str]:
        biased = [layer for layer in self.spec.layers if layer.biases is not None]
        if not biased:
            yield "biases.none"
            return
        if any(layer.bias_sign < 0 for layer in biased):
            yield "biases.thresholds"
        if all(layer.biases_are_shared for layer in biased):
            yield "biases.one_a_layer"
        trained = any(layer.train_biases for layer in biased)
        yield "biases.trained" if trained else "biases.held_fixed"


def _phrase(said: str | Phrase) -> Phrase:
    return Phrase(said) if isinstance(said, str) else said
