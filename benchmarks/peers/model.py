"""A work as a chainrule model of one batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from works import Work

from chainrule.frontends.network import build_network, network_from_data
from chainrule.graph.model import Model
from chainrule.graph.node import Node


def model(work: Work) -> Model:
    return build_network(
        network_from_data(
            {
                "loss": "half squared error"
                if work.is_seed
                else "categorical_cross_entropy_from_logits",
                "learning_rate": work.rate,
                "inputs": work.inputs[0].tolist(),
                "targets": work.targets[0].tolist(),
                "reduction": "mean",
                "layers": [layer(work, place) for place in range(len(work.weights))],
            }
        )
    )


def layer(work: Work, place: int) -> dict[str, Any]:
    last = place == len(work.weights) - 1
    return {
        "units": len(work.weights[place]),
        "activation": "sigmoid" if work.is_seed else "identity" if last else "relu",
        "weights": work.weights[place].tolist(),
        "biases": work.biases[place].tolist(),
        "train_biases": not work.is_seed,
    }


def tables(made: Model) -> tuple[Node, Node]:
    """The leaves that hold a batch: its inputs and its targets."""
    first, second = (
        leaf.node for role in ("input", "target") for leaf in made.leaves if leaf.role == role
    )
    return first, second


def parameters(made: Model, values: Any) -> list[Any]:
    return [np.asarray(values[leaf.node]) for leaf in made.leaves if leaf.role == "parameter"]
