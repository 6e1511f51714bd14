"""Descriptions: what they mean, every fault's wording, and numbers written back."""

from __future__ import annotations

import json
import math
import time
import tomllib
import unicodedata
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.errors import InputError
from chainrule.frontends.files import Source
from chainrule.frontends.network import (
    NetworkSpec,
    network_from_data,
    parse_network,
    rewrite_network,
)
from chainrule.frontends.network.faults import MOST_FAULTS
from chainrule.frontends.network.initialise import initial_weights

SEED = """\
# the seed's network
loss = "Half-squared error"
learning_rate = 0.5

[inputs]
l1 = 5.0  # first
l2 = 10

[targets]
o2 = 0.99
o1 = 0.01

[[layers]]
name = "hidden"
units = ["h1", "h2", "h3"]
activation = "sigmoid"
weights = [[0.1, 0.15], [0.2, 0.25], [0.3, 0.35]]  # one row per unit
weight_names = [["w1", "w2"], ["w3", "w4"], ["w5", "w6"]]
biases = 0.35
bias_names = "b1"
train_biases = false

[[layers]]
units = ["o1", "o2"]
activation = "swish"
init = "glorot"  # drawn
seed = 7
biases = "zeros"
"""

Kind = Literal["toml", "json"]


def parse(text: str, kind: Kind = "toml") -> NetworkSpec:
    return parse_network(Source(text, f"net.{kind}", kind))


def refusal(text: str, kind: Kind = "toml") -> str:
    with pytest.raises(InputError) as caught:
        parse(text, kind)
    return str(caught.value)


def edited(*edits: tuple[str, str]) -> str:
    text = SEED
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def small(**changes: Any) -> dict[str, Any]:
    """A 2-1 network as data, with some top-level keys changed."""
    layer = {"units": 1, "weights": [[1.0, 2.0]], "biases": [3.0]}
    return {
        "loss": "mse",
        "inputs": [1.0, 2.0],
        "targets": [0.5],
        "layers": [layer],
        **changes,
    }


def with_layer(**changes: Any) -> dict[str, Any]:
    data = small()
    data["layers"][0].update(changes)
    data["layers"][0] = {k: v for k, v in data["layers"][0].items() if v is not None}
    return data


def leaves(spec: NetworkSpec) -> dict[str, float]:
    """Every leaf by the name that `rewrite_network` takes."""
    found = {} if spec.learning_rate is None else {"learning_rate": spec.learning_rate}
    for names, prefix, rows in (
        (spec.inputs.names, "", spec.inputs.values),
        (spec.layers[-1].units, "target_", spec.targets),
    ):
        for example, row in enumerate(rows):
            index = f"[{example}]" if spec.batch else ""
            found |= {prefix + name + index: x for name, x in zip(names, row, strict=True)}
    for layer in spec.layers:
        found |= dict(zip(layer.weight_names, layer.flat_weights, strict=True))
        found |= dict(zip(layer.bias_names, layer.flat_biases, strict=True))
    return found


# --- meaning ------------------------------------------------------------------


def test_the_seed_network() -> None:
    spec = parse(SEED)
    assert (spec.loss, spec.order, spec.reduction) == (
        "half_squared_error",
        "simultaneous",
        "mean",
    )
    assert (spec.learning_rate, spec.l1, spec.l2, spec.batch) == (0.5, 0.0, 0.0, False)
    assert spec.inputs.names == ("l1", "l2")
    assert spec.inputs.values == ((5.0, 10.0),)
    assert spec.targets == ((0.01, 0.99),)
    hidden, output = spec.layers
    assert (hidden.name, output.name) == ("hidden", "layer2")
    assert hidden.weights == ((0.1, 0.15), (0.2, 0.25), (0.3, 0.35))
    assert hidden.weight_names == ("w1", "w2", "w3", "w4", "w5", "w6")
    assert hidden.biases == 0.35
    assert hidden.biases_are_shared
    assert not output.biases_are_shared
    assert (hidden.bias_names, hidden.bias_sign) == (("b1",), 1)
    assert (hidden.train_weights, hidden.train_biases) == (True, False)
    assert output.activation == "silu"
    assert output.weights == initial_weights("xavier_uniform", 2, 3, 7, 1)
    assert output.weight_names[-1] == "layer2.weight[1,2]"
    assert output.bias_names == ("layer2.bias[0]", "layer2.bias[1]")
    assert output.biases == (0.0, 0.0)


def test_json_means_the_same() -> None:
    assert leaves(parse(json.dumps(tomllib.loads(SEED)), "json")) == leaves(parse(SEED))


def test_default_names() -> None:
    layers: list[dict[str, Any]] = [{"units": 2, "init": "he"} for _ in range(3)]
    units = [
        layer.units for layer in network_from_data(small(layers=layers[:1], targets=[1, 2])).layers
    ]
    assert units == [("o1", "o2")]
    spec = network_from_data(small(layers=layers[:2], targets={"a": 1, "b": 2}))
    assert [layer.units for layer in spec.layers] == [("h1", "h2"), ("a", "b")]
    spec = network_from_data(small(layers=layers, targets=[1, 2]))
    assert [layer.units for layer in spec.layers] == [
        ("h1_1", "h1_2"),
        ("h2_1", "h2_2"),
        ("o1", "o2"),
    ]
    assert spec.inputs.names == ("x1", "x2")


def test_batches_in_both_forms() -> None:
    table = network_from_data(
        small(inputs={"a": [1, 2, 3], "b": [4, 5, 6]}, targets={"o": [7, 8, 9]})
    )
    rows = network_from_data(small(inputs=[[1, 4], [2, 5], [3, 6]], targets=[[7], [8], [9]]))
    for spec in (table, rows):
        assert spec.batch
        assert spec.inputs.values == ((1.0, 4.0), (2.0, 5.0), (3.0, 6.0))
        assert spec.targets == ((7.0,), (8.0,), (9.0,))
    assert table.layers[0].units == ("o",)


def test_thresholds_are_subtracted() -> None:
    data = with_layer(biases=None, thresholds=[0.8], bias_names=["t3"], train_biases=True)
    layer = network_from_data(data).layers[0]
    assert (layer.bias_sign, layer.bias_names) == (-1, ("t3",))


def test_activation_parameters() -> None:
    for changes, expected in (
        ({"activation": "leaky_relu"}, 0.01),
        ({"activation": "Leaky ReLU", "negative_slope": 0.2}, 0.2),
        ({"activation": "elu", "alpha": 2}, 2.0),
        ({"activation": "ELU"}, 1.0),
        ({"activation": "tanh"}, None),
    ):
        layer = network_from_data(with_layer(**changes)).layers[0]
        assert layer.activation_parameter == expected


def test_data_may_be_arrays_and_tuples() -> None:
    data = with_layer(weights=np.array([[1, 2]], dtype=np.float32), biases=(np.float64(3),))
    assert leaves(network_from_data(data)) == leaves(network_from_data(small()))


def test_names_are_normalised_to_nfc() -> None:
    name = unicodedata.normalize("NFD", "é")
    spec = network_from_data(small(inputs={name: 1, "w[0,1]": 2}))
    assert spec.inputs.names == ("é", "w[0,1]")


def test_null_is_absent() -> None:
    assert parse(json.dumps(small(learning_rate=None, l1=None)), "json").learning_rate is None


@pytest.mark.parametrize(
    ("init", "spread"),
    [
        ("xavier_uniform", math.sqrt(6 / 500) / math.sqrt(3)),
        ("xavier_normal", math.sqrt(2 / 500)),
        ("he_uniform", math.sqrt(6 / 300) / math.sqrt(3)),
        ("he_normal", math.sqrt(2 / 300)),
        ("lecun_normal", math.sqrt(1 / 300)),
        ("uniform", 1 / math.sqrt(3)),
        ("normal", 1.0),
        ("zeros", 0.0),
        ("ones", 0.0),
    ],
)
def test_initialisers_have_the_stated_spread(init: str, spread: float) -> None:
    weights = np.array(initial_weights(init, 200, 300, 1, 0))
    assert weights.shape == (200, 300)
    assert weights.std() == pytest.approx(spread, rel=0.02)
    assert weights.mean() == pytest.approx(float(init == "ones"), abs=0.02)
    assert (weights == np.array(initial_weights(init, 200, 300, 1, 0))).all()


# --- faults -------------------------------------------------------------------


def test_all_faults_of_a_file_in_its_order() -> None:
    text = edited(
        ("Half-squared error", "half squared eror"),
        ("learning_rate", "learning_rat"),
        ("l1 = 5.0", "l1 = true"),
        ("o1 = 0.01", "o1 = nan"),
        ("0.15]", "0.15, 3]"),
        ('"w3"', '"w1"'),
        ('units = ["o1", "o2"]', 'units = ["o1", "o2", "o2"]'),
        ("glorot", "glorrot"),
        ("seed = 7", "seed = -1"),
        ('"zeros"', '"ones"'),
    )
    found = refusal(text)
    heads = [line for line in found.splitlines() if not line.startswith("  ")]
    assert heads == [
        'NameError: the loss "half squared eror" is not known',
        'KeyError: the key "learning_rat" is not known',
        "TypeError: inputs, l1 is true",
        "ValueError: targets, o1 is nan",
        'ShapeError: layer "hidden": weights, row 1 has 3 numbers, needs 2',
        'NameError: the name "w1" is used twice, first at line 18',
        'NameError: the name "o2" is used twice, first at line 24',
        'NameError: the initialiser "glorrot" is not known',
        "ValueError: layer 2, seed is -1",
        'TypeError: layer 2: biases is the text "ones"',
    ]
    assert (
        'KeyError: the key "learning_rat" is not known\n'
        "  at net.toml:3:  learning_rat = 0.5\n"
        "  needs: one of loss, learning_rate, order, reduction, huber_delta, l1, l2, inputs,"
        ' targets, layers\n  try: did you mean "learning_rate"?\n' in found
    )


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (
            [("[[0.1, 0.15], [0.2, 0.25], [0.3, 0.35]]", "[[1, 2, 3], [4, 5, 6]]")],
            'ShapeError: layer "hidden": weights is 2 rows of 3, needs 3 rows of 2\n'
            "  at net.toml:17:  weights = [[1, 2, 3], [4, 5, 6]]  # one row per unit\n"
            "  needs: 3 rows of 2: one row per unit, one number per input of the layer\n"
            "  try: it looks transposed: one row per unit",
        ),
        (
            [(", [0.3, 0.35]]", "]")],
            'ShapeError: layer "hidden": weights is 2 rows of 2, needs 3 rows of 2',
        ),
        (
            [("[[0.1, 0.15], [0.2, 0.25], [0.3, 0.35]]", "[1, 2]")],
            'ShapeError: layer "hidden": weights is a flat list of 2, not rows',
        ),
        (
            [("0.15", "1e999"), ("0.25", '"x"'), ("0.35", "9" * 400)],
            'ValueError: layer "hidden": weights, row 1, number 2 is inf',
        ),
        (
            [("0.35", "9" * 400)],
            "row 3, number 2 is an integer of about 401 digits",
        ),
        (
            [("o2 = 0.99", "o3 = 0.99")],
            'NameError: targets: "o3" is not a unit of the output layer',
        ),
        ([("o2 = 0.99", "o3 = 0.99")], 'try: did you mean "o2"?'),
        (
            [("o2 = 0.99\n", "")],
            "KeyError: targets has no number for o2\n  at net.toml:9:  [targets]",
        ),
        (
            [('units = ["o1", "o2"]', "units = 3")],
            "ShapeError: targets has 2 numbers, the output layer has 3 units",
        ),
        (
            [('bias_names = "b1"', 'bias_names = ["b1"]')],
            'ShapeError: layer "hidden": bias_names is a list of 1, and the bias is shared',
        ),
        ([("biases = 0.35\n", "")], 'layer "hidden": bias_names is given without biases'),
        ([("biases = 0.35", "biases = [1, 2]")], 'layer "hidden": biases has 2 numbers, needs 3'),
        (
            [("biases = 0.35", "biases = 0.35\nthresholds = [1]")],
            "both biases (added) and thresholds (subtracted) are given",
        ),
        (
            [("train_biases = false", "train_biases = 0")],
            "TypeError: layer 1, train_biases is 0\n"
            "  at net.toml:21:  train_biases = 0\n  needs: true or false",
        ),
        (
            [('name = "hidden"', 'name = "layer2"')],
            'NameError: the layer name "layer2" is used twice, first at line 14\n'
            "  at net.toml:23:  [[layers]]",
        ),
        (
            [('init = "glorot"  # drawn\n', "")],
            "layer 2: seed is given without init\n  at net.toml:26:  seed = 7",
        ),
        (
            [('init = "glorot"', "")],
            "layer 2: neither weights nor init is given\n  at net.toml:23:  [[layers]]",
        ),
        (
            [("init", "weights = [[1, 2, 3], [4, 5, 6]]\ninit")],
            "layer 2: both weights and init are given\n  at net.toml:27",
        ),
        (
            [("l2 = 10", "w1 = 10")],
            'NameError: the name "w1" is used twice, first at line 7',
        ),
        (
            [("learning_rate", "huber_delta = 1\nlearning_rate")],
            "KeyError: huber_delta is given, and the loss is half_squared_error",
        ),
        (
            [("learning_rate = 0.5", 'learning_rate = "fast"')],
            'TypeError: learning_rate is the text "fast"\n'
            '  at net.toml:3:  learning_rate = "fast"\n  needs: a number',
        ),
        (
            [("learning_rate = 0.5", "l2 = -1")],
            "ValueError: l2 is -1\n  at net.toml:3:  l2 = -1\n  needs: a number, 0 or more",
        ),
        ([("learning_rate = 0.5", "l2 = inf")], "ValueError: l2 is inf"),
        (
            [('"sigmoid"', '"sigmod"')],
            'NameError: the activation "sigmod" is not known\n'
            '  at net.toml:16:  activation = "sigmod"',
        ),
        ([('"sigmoid"', "5")], "TypeError: layer 1, activation is 5"),
        (
            [('"sigmoid"', '"sigmoid"\nalpha = 1')],
            'layer "hidden": alpha is given, and the activation is sigmoid',
        ),
        (
            [('"h1"', '"l1"')],
            'NameError: the name "l1" is used twice, first at line 6\n  at net.toml:15',
        ),
        ([('"h1", "h2", "h3"', "")], 'ValueError: layer "hidden": units is a list of 0'),
        ([('"h1"', "1")], 'TypeError: layer "hidden": units, name 1: is 1'),
        (
            [("[[layers]]\nname", "[layers]\nname"), ("[[layers]]", "[other]")],
            "TypeError: layers is a table of 8 keys\n  at net.toml:13:  [layers]",
        ),
        ([("loss", "order = 'at once'\nloss")], 'NameError: the order "at once" is not known'),
    ],
)
def test_faults_of_a_file(edits: list[tuple[str, str]], message: str) -> None:
    assert message in refusal(edited(*edits))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": []}, "ValueError: inputs is empty"),
        ({"inputs": {}}, "ValueError: inputs is empty"),
        ({"inputs": 3}, "TypeError: inputs is 3"),
        (
            {"inputs": [[1, 2], [3]], "targets": [[1], [2]]},
            "ShapeError: inputs, row 2 has 1 number, the others have 2",
        ),
        ({"inputs": [[], []], "targets": [[1], [2]]}, "ShapeError: inputs, row 1 has 0 numbers"),
        (
            {"inputs": {"a": [1, 2], "b": [3]}},
            "ShapeError: inputs, b has 1 number, the others have 2",
        ),
        (
            {"inputs": {"a": [1, 2], "b": 3}},
            "ShapeError: inputs, b is 3, while inputs, a is a list",
        ),
        (
            {"inputs": [[1, 2], [3, 4]]},
            "ShapeError: inputs is a batch, targets is a single example",
        ),
        (
            {"inputs": [[1, 2]], "targets": [[1], [2]]},
            "ShapeError: targets has 2 examples, inputs has 1",
        ),
        ({"targets": [1, 2]}, "ShapeError: targets has 2 numbers, the output layer has 1 unit"),
        ({"loss": "bce", "targets": [1.5]}, "ValueError: targets, number 1 is 1.5, no probability"),
        (
            {"loss": "cross entropy with logits", "targets": {"o": -0.5}},
            "targets, o is -0.5, no probability",
        ),
        ({"layers": []}, "ValueError: layers is empty"),
        ({"layers": [3]}, "TypeError: layer 1 is 3"),
        ({"learning_rate": 10**400}, "ValueError: learning_rate is an integer of about 401 digits"),
        (
            {"targets": {"é": 1, "e\u0301": 2}, "layers": [{"units": ["é"], "init": "he"}]},
            'NameError: the target "é" is used twice, first in targets, é',
        ),
        ({"loss": 1}, "TypeError: loss is 1\n  at the data:  loss\n  needs: text in quotes"),
        ({"inputs": {"a": 1, "if": 2}}, 'NameError: inputs: "if" is a word of Python'),
        (
            {"inputs": {"é": 1, "e\u0301": 2}},
            'NameError: the name "é" is used twice, first in inputs, é',
        ),
        (
            {"inputs": {"a": [1], "a[0]": [2]}, "targets": [[1]]},
            'the name "a[0]" is also that of an example of the input "a"',
        ),
        ({"huber_delta": 0.0, "loss": "huber"}, "ValueError: huber_delta is 0.0"),
        ({3: 4}, 'KeyError: the key "3" is not known'),
    ],
)
def test_faults_of_data(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        network_from_data(small(**{str(k): v for k, v in changes.items()}))
    assert message in str(caught.value)


@pytest.mark.parametrize("units", [0, -3, True, 2.0, "2", None, 10**9, 10**400])
def test_widths_that_are_none(units: object) -> None:
    with pytest.raises(InputError, match="units is"):
        network_from_data(with_layer(units=units))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("a b", "is not a name"),
        ("1a", "is not a name"),
        ("w[0", "is not a name"),
        ("w[0,]", "is not a name"),
        ("w[a]", "is not a name"),
        ("a\u202eb", "is not a name"),
        ("a\x1b[31m", "is not a name"),
        ("\ud800", "is not a name"),
        ("lambda", "is a word of Python"),
        ("E", "is reserved"),
        ("η[1]", "is reserved"),
        ("learning_rate", "is reserved"),
        ("net_h", 'begins with "net_", which is reserved'),
        ("δ_o1", 'begins with "δ_", which is reserved'),
        ("dE_w", 'begins with "dE_", which is reserved'),
        ("x" * 65, "has 65 characters"),
    ],
)
def test_names_that_are_not_usable(name: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        network_from_data(with_layer(units=[name]))
    message = str(caught.value)
    assert f'" {reason}\n' in message
    assert message.isprintable() or all(c.isprintable() or c == "\n" for c in message)
    with pytest.raises(InputError, match="the layer name"):
        network_from_data(with_layer(name=name))


def test_a_fault_brings_no_others_with_it() -> None:
    found = refusal(edited(('"sigmoid"', "5\nalpha = 1"), ('"glorot"', "3"), ("= 0.35", "= nan")))
    heads = [line for line in found.splitlines() if not line.startswith("  ")]
    assert heads == [
        "TypeError: layer 1, activation is 5",
        'ValueError: layer "hidden": biases is nan',
        "TypeError: layer 2, init is 3",
    ]


def test_a_damaged_part_is_not_judged_by_others() -> None:
    for changes in (
        {"layers": [{"units": 3, "init": "he"}, 3]},  # the first layer is not the output
        {"layers": [{"units": 1, "init": "he", "biases": True, "bias_names": "b"}]},
        {"layers": [{"units": 1, "init": "he", "biases": True, "bias_names": ["b"]}]},
        {"layers": [{"units": 1, "init": "he", "bias_names": "b"}]},
        {"huber_delta": "x"},
        {"l1": -1},
    ):
        with pytest.raises(InputError) as caught:
            network_from_data(small(**changes))
        assert len(caught.value.faults) == 1, caught.value


@pytest.mark.parametrize(
    ("seed", "message"),
    [(-1, "ValueError"), (1.0, "TypeError"), (True, "TypeError"), ("1", "TypeError")],
)
def test_seeds_that_are_none(seed: object, message: str) -> None:
    with pytest.raises(InputError, match=f"{message}: layer 1, seed is .*\n.*\n.*a whole number"):
        network_from_data(with_layer(weights=None, init="he", seed=seed))


def test_data_that_holds_itself() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InputError, match="row 1, number 1 is a list of 1"):
        network_from_data(with_layer(weights=endless))


def test_an_empty_word_is_not_the_default() -> None:
    text = edited(("loss", "order = ''\nreduction = ''\nloss"), ('"sigmoid"', '""'))
    for noun in ("order", "reduction", "activation"):
        assert f'NameError: the {noun} "" is not known' in refusal(text)


def test_missing_keys() -> None:
    found = refusal("[[layers]]\n")
    for what in ("loss", "inputs", "targets"):
        assert f"KeyError: {what} is missing\n  at net.toml\n" in found
    assert "KeyError: layer 1: units is missing\n  at net.toml:1:  [[layers]]\n" in found


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            "a = 1\nb 2\n",
            "toml",
            "SyntaxError: TOML: Expected '=' after a key in a key/value pair (column 3)\n"
            "  at net.toml:2:  b 2\n  needs: valid TOML",
        ),
        ("a = 1\nb = [1,\n", "toml", "the text ends too early\n  at net.toml:2:  b = [1,\n"),
        (
            "a = 1\na = 2\n",
            "toml",
            "SyntaxError: TOML: Cannot overwrite a value (column 5)\n  at net.toml:2",
        ),
        (
            '{"a": 1,\n "b" 2}',
            "json",
            "SyntaxError: JSON: Expecting ':' delimiter (column 6)\n  at net.json:2",
        ),
        ('{"a": [1,', "json", "the text ends too early\n  at net.json:1"),
        ("[1, 2]", "json", "TypeError: the file is a list of 2\n  at net.json:1:  [1, 2]"),
        (
            "a = 1\nb = " + "[" * 5000,
            "toml",
            "SyntaxError: brackets are nested 5,000 deep\n  at net.toml:2",
        ),
        (
            '{"b":' + "[" * 5000 + "]" * 5000 + "}",
            "json",
            "SyntaxError: brackets are nested 5,001 deep",
        ),
        (
            "a = 1\nb = [1, " + "9" * 5000 + "]",
            "toml",
            "ValueError: b, number 2 is an integer of 5,000 digits\n  at net.toml:2",
        ),
        ('{"a": -' + "9" * 5000 + "}", "json", "ValueError: a is an integer of 5,001 digits"),
        (
            '{"loss": "mse",\n "l1": 1,\n "l1": 2}',
            "json",
            "KeyError: l1 is given twice, first at line 2\n  at net.json:3",
        ),
        (
            '{"inputs": {"a": NaN,\n "b": -Infinity, "c": 1e999}}',
            "json",
            "ValueError: inputs, b is -inf\n  at net.json:2",
        ),
    ],
)
def test_faults_of_the_text(text: str, kind: Kind, message: str) -> None:
    assert message in refusal(text, kind)


def test_many_faults_are_counted_not_listed() -> None:
    found = refusal("".join(f"key{n} = 1\n" for n in range(10_000)))
    assert found.count("is missing") == 4
    assert found.count("is not known") == MOST_FAULTS - 4
    assert found.endswith("\nMore: and 9984 more; mend these first")


def test_a_network_too_large_is_refused_before_it_is_made() -> None:
    layers = [{"units": 20_000_000, "init": "he"}, {"units": 2, "init": "he"}]
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        network_from_data(small(layers=layers, targets=[1, 2]))
    assert time.perf_counter() - start < 0.5
    assert 'SizeError: with layer "layer2" the network has 80,000,000 parameters' in str(
        caught.value
    )


def test_equations_are_no_description() -> None:
    for reader in (parse_network, lambda source: rewrite_network(source, {})):
        with pytest.raises(InputError, match="is not the description"):
            reader(Source("y = x", "y.txt", "equations"))


def test_a_large_file_loads_fast() -> None:
    numbers = np.random.default_rng(0).normal(size=(128, 784)).round(6).tolist()
    text = f"loss='mse'\ninputs={[0.5] * 784}\ntargets={[0.1] * 128}\n[[layers]]\nunits=128\n"
    text += f"weights={numbers}\n"
    start = time.perf_counter()
    assert parse(text).layers[0].weights == tuple(map(tuple, numbers))
    assert time.perf_counter() - start < 2
    start = time.perf_counter()
    assert "row 128, number 784 is true" in refusal(text.replace(f"{numbers[-1][-1]}]]", "true]]"))
    assert time.perf_counter() - start < 4


# --- writing back -------------------------------------------------------------


def rewritten(text: str, values: dict[str, float], kind: Kind = "toml") -> str:
    return rewrite_network(Source(text, f"net.{kind}", kind), values)


def test_only_the_named_numbers_change() -> None:
    new = rewritten(SEED, {"w2": 1e-7, "b1": 3, "learning_rate": 0.1, "target_o1": 0.5, "l2": -0.0})
    assert new == edited(
        ("0.15", "1e-07"),
        ("biases = 0.35", "biases = 3.0"),
        ("= 0.5", "= 0.1"),
        ("o1 = 0.01", "o1 = 0.5"),
        ("l2 = 10", "l2 = -0.0"),
    )
    assert rewritten(SEED, {}) == SEED


def test_drawn_weights_are_written_out() -> None:
    new = rewritten(SEED, {"layer2.weight[0,1]": 2.5, "layer2.bias[1]": 0.125})
    start, end = SEED.index("init"), SEED.index('biases = "zeros"')
    assert new.startswith(SEED[:start] + "weights = [\n    [")
    assert new.endswith("\n]  # drawn\nbiases = [0.0, 0.125]\n")
    assert SEED[start:end] not in new
    assert leaves(parse(new)) == leaves(parse(SEED)) | {
        "layer2.weight[0,1]": 2.5,
        "layer2.bias[1]": 0.125,
    }


@pytest.mark.parametrize(
    "order", [("init", "seed", "units"), ("seed", "units", "init"), ("units", "init", "seed")]
)
@pytest.mark.parametrize("indent", [None, 1])
def test_drawn_weights_in_json(order: tuple[str, ...], indent: int | None) -> None:
    layer = {"init": "he", "seed": 3, "units": 1}
    text = json.dumps(small(layers=[{key: layer[key] for key in order}]), indent=indent)
    new = rewritten(text, {"layer1.weight[0,0]": 2.0}, "json")
    assert set(json.loads(new)["layers"][0]) == {"weights", "units"}
    assert leaves(parse(new, "json")) == leaves(parse(text, "json")) | {"layer1.weight[0,0]": 2.0}


def test_what_cannot_be_written() -> None:
    with pytest.raises(InputError) as caught:
        rewritten(SEED, {"w22": 1.0})
    assert 'NameError: the text gives no number named "w22"\n  at net.toml\n' in str(caught.value)
    assert 'try: did you mean "w2"?' in str(caught.value)
    with pytest.raises(InputError, match="ValueError: w2 would be nan"):
        rewritten(SEED, {"w2": math.nan})
    text = json.dumps(small(loss="bce"))
    with pytest.raises(InputError, match=r"number 1 is 2\.0, no probability"):
        rewritten(text, {"target_o1": 2.0}, "json")


def as_toml(data: dict[str, Any], newline: str) -> str:
    """`data` as TOML, with the layers as `[[layers]]` and a comment after every line."""
    rows = [f"{key} = {inline(value)}" for key, value in data.items() if key != "layers"]
    for layer in data["layers"]:
        rows += ["[[layers]]", *(f"{key} = {inline(value)}" for key, value in layer.items())]
    return newline.join(f"{row}  # {n}, 1.0 ]" for n, row in enumerate(rows))


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = {inline(entry)}' for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value)


finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def descriptions(draw: st.DrawFn) -> dict[str, Any]:
    widths = draw(st.lists(st.integers(1, 3), min_size=2, max_size=4))
    examples = draw(st.none() | st.integers(1, 3))

    def numbers(width: int, names: list[str]) -> Any:
        rows = [[draw(finite) for _ in range(width)] for _ in range(examples or 1)]
        if draw(st.booleans()):
            return rows if examples else rows[0]
        columns = list(zip(*rows, strict=True))
        return {n: list(c) if examples else c[0] for n, c in zip(names, columns, strict=False)}

    layers = []
    for inputs, units in pairwise(widths):
        layer: dict[str, Any] = {"units": units}
        if draw(st.booleans()):
            layer["weights"] = [[draw(finite) for _ in range(inputs)] for _ in range(units)]
        else:
            layer |= draw(st.permutations([("init", "he"), ("seed", 3), ("train_weights", True)]))
        kind = draw(st.sampled_from(["none", "shared", "zeros", "biases", "thresholds"]))
        if kind in ("shared", "zeros"):
            layer["biases"] = draw(finite) if kind == "shared" else "zeros"
        elif kind != "none":
            layer[kind] = [draw(finite) for _ in range(units)]
        layers.append(layer)
    return {
        "loss": "squared error",
        "learning_rate": draw(finite),
        "inputs": numbers(widths[0], ["a", "é", "c"]),
        "targets": numbers(widths[-1], ["p", "q", "r"]),
        "layers": layers,
    }


@settings(deadline=None)
@given(st.data(), descriptions(), st.sampled_from(["json", "\n", "\r\n"]))
def test_a_rewritten_text_holds_exactly_the_new_values(
    data: st.DataObject, description: dict[str, Any], form: str
) -> None:
    kind: Kind = "json" if form == "json" else "toml"
    text = json.dumps(description) if kind == "json" else as_toml(description, form)
    old = leaves(parse(text, kind))
    new = data.draw(st.dictionaries(st.sampled_from(sorted(old)), finite))
    after = leaves(parse(rewritten(text, new, kind), kind))
    assert list(map(repr, after.items())) == list(map(repr, (old | new).items()))
