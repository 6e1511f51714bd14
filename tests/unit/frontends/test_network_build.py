"""From a description to its model: the graph, the names, and what loading costs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from chainrule.engines import reference
from chainrule.errors import InputError
from chainrule.explanation.messages import Words
from chainrule.frontends.files import Source, example_names, read
from chainrule.frontends.network import build_network, load_network, network_from_data
from chainrule.graph.model import Model


def description(**changes: Any) -> dict[str, Any]:
    return {
        "loss": "mse",
        "inputs": {"a": 1.0, "b": 2.0},
        "targets": {"p": 0.0, "q": 1.0},
        "layers": [{"units": ["p", "q"], "weights": [[1.0, 2.0], [3.0, 4.0]]}],
        **changes,
    }


def loss_of(model: Model) -> float:
    (loss,) = model.unrolled.entries[model.loss]
    return float(reference.run([loss], reference.leaf_values(model))[loss])


# --- the model ----------------------------------------------------------------


NETWORKS = [name for name in example_names() if read(name).kind == "toml"]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_example_loads_under_its_name(name: str) -> None:
    source = read(name)
    model = load_network(source)
    assert model.title == name
    assert model.rewrite is not None
    assert model.rewrite({}) == source.text


def test_the_leaves_of_the_seed() -> None:
    model = load_network(read("seed"))
    found = {(leaf.role, leaf.node.shape): leaf for leaf in model.leaves}
    assert found["parameter", (3, 2)].labels == ("w1", "w2", "w3", "w4", "w5", "w6")
    assert found["parameter", (2, 3)].values == (0.4, 0.5, 0.6, 0.45, 0.55, 0.65)
    assert found["input", (1, 2)].values == (5.0, 10.0)
    assert found["target", (1, 2)].labels == ("target_o1", "target_o2")
    shared = [leaf for leaf in model.leaves if leaf.node.shape == ()]
    assert [(leaf.labels, leaf.values, leaf.trained) for leaf in shared] == [
        (("b1",), (0.35,), False),
        (("b2",), (0.65,), False),
    ]


def test_the_rewrite_of_a_loaded_model_is_of_its_own_text() -> None:
    source = read("seed")
    rewrite = load_network(source).rewrite
    assert rewrite is not None
    assert rewrite({"w2": 7.0}) == source.text.replace("[0.1, 0.15]", "[0.1, 7.0]")


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("absolute error", 15.0),
        ("mean absolute error", 7.5),
        ("MAE", 7.5),
        ("L1 loss", 7.5),
        ("squared error", 125.0),
        ("mean squared error", 62.5),
        ("half squared error", 62.5),
    ],
)
def test_sums_and_means_over_the_outputs(loss: str, expected: float) -> None:
    model = build_network(network_from_data(description(loss=loss)))
    assert loss_of(model) == expected  # outputs 5 and 11, targets 0 and 1


def test_the_conventions_say_what_a_mean_is_over() -> None:
    for loss in ("mean squared error", "mean absolute error"):
        model = build_network(network_from_data(description(loss=loss)))
        said = dict(map(Words("en").convention, model.conventions))
        assert said["loss"] == f"{loss}, over the outputs"


def test_biases_of_each_form() -> None:
    for key, biases, expected in (
        ("biases", 1.0, 12.0 + 6.0),
        ("biases", [1.0, 2.0], 13.0 + 6.0),
        ("thresholds", [1.0, 2.0], 9.0 + 4.0),
        ("biases", "zeros", 11.0 + 5.0),
    ):
        layer = description()["layers"][0] | {key: biases}
        data = description(loss="absolute error", layers=[layer], targets={"p": 0.0, "q": 0.0})
        assert loss_of(build_network(network_from_data(data))) == expected


# --- a loss that applies the output activation itself ---------------------------


def test_logits_need_an_identity_output_and_the_fault_comes_with_the_others() -> None:
    layer = description()["layers"][0] | {"activation": "softmax"}
    changes = {"learning_rat": 1, "loss": "cross entropy from logits", "layers": [layer]}
    text = json.dumps(description(**changes), indent=1)
    with pytest.raises(InputError) as caught:
        load_network(Source(text, "net.json", "json"))
    assert [fault.kind for fault in caught.value.faults] == ["ValueError", "KeyError"]
    line = text[: text.index('"activation"')].count("\n") + 1
    assert str(caught.value.faults[0]) == (
        "ValueError: the output activation is softmax,"
        " and the loss is categorical_cross_entropy_from_logits\n"
        f'  at net.json:{line}:  "activation": "softmax"\n'
        "  needs: an output layer without activation: the loss applies its own\n"
        '  try: activation = "identity", or loss = "categorical_cross_entropy"'
    )


def test_logits_with_an_identity_output() -> None:
    for loss in ("cross entropy from logits", "bce with logits"):
        network_from_data(description(loss=loss))


# --- what loading costs ---------------------------------------------------------


def test_a_small_file_loads_without_numpy() -> None:
    program = (
        "import sys\n"
        "from chainrule.frontends.files import read\n"
        "from chainrule.frontends.network import load_network\n"
        "load_network(read('seed'))\n"
        "print(*sorted({'numpy', 'pydantic'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "\n"
