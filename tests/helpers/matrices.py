"""Matrix formulas evaluated from their trees, written apart from the graph: strict about shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy

from chainrule.explanation.matrices import Array, Matrices, MatrixLine
from chainrule.graph.model import Model
from chainrule.primitives import Apply, Formula, Number, Symbol

Values = dict[str, Any]
erf = numpy.vectorize(math.erf, otypes=[float])


def sigmoid(z: Any) -> Any:
    return 1 / (1 + numpy.exp(-z))


def softmax(z: Any, axis: int) -> Any:
    powers = numpy.exp(z - numpy.max(z, axis, keepdims=True))
    return powers / numpy.sum(powers, axis, keepdims=True)


def log_softmax(z: Any, axis: int) -> Any:
    return numpy.log(softmax(z, axis))


def categorical_cross_entropy_from_logits(t: Any, z: Any, axis: int) -> Any:
    return -numpy.sum(t * log_softmax(z, axis), axis, keepdims=True)


def huber(r: Any, delta: float) -> Any:
    size = numpy.abs(r)
    return numpy.where(size <= delta, r * r / 2, delta * (size - delta / 2))


ENTRYWISE: dict[str, Callable[..., Any]] = {
    "add": numpy.add,
    "sub": numpy.subtract,
    "mul": numpy.multiply,
    "div": numpy.divide,
    "pow": numpy.power,
    "neg": numpy.negative,
    "hadamard": numpy.multiply,
    "entrywise_div": numpy.divide,
    "entrywise_pow": numpy.power,
    "entrywise_cross_entropy_term": lambda t, p: numpy.where(
        t == 0, 0, -t * numpy.log(numpy.where(t == 0, 1, p))
    ),
    "entrywise_cross_entropy_slope": lambda t, p: numpy.where(t == 0, 0, -t / p),
    "where": numpy.where,
    "less": numpy.less,
    "less_equal": numpy.less_equal,
    "greater": numpy.greater,
    "greater_equal": numpy.greater_equal,
    "equal": numpy.equal,
    "not_equal": numpy.not_equal,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(numpy, name) for name in ("exp", "expm1", "log", "log1p", "sqrt", "abs")},
    **{name: getattr(numpy, name) for name in ("sin", "cos", "tanh", "maximum", "minimum")},
    "erf": erf,
    "sigmoid": sigmoid,
    "relu": lambda z: numpy.where(z > 0, z, 0),
    "leaky_relu": lambda z, alpha: numpy.where(z > 0, z, alpha * z),
    "elu": lambda z, alpha: numpy.where(z > 0, z, alpha * (numpy.exp(z) - 1)),
    "softplus": lambda z: numpy.log(1 + numpy.exp(z)),
    "gelu": lambda z: z / 2 * (1 + erf(z / math.sqrt(2))),
    "silu": lambda z: z * sigmoid(z),
    "huber": huber,
    "cross_entropy_logit": lambda t, z: (
        -t * numpy.log(sigmoid(z)) - (1 - t) * numpy.log(1 - sigmoid(z))
    ),
}


STEPS = ENTRYWISE | FUNCTIONS
COMPOSITES: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (softmax, log_softmax, categorical_cross_entropy_from_logits)
}


def evaluate(formula: Formula, values: Mapping[str, Any]) -> Any:
    """The formula's value; arrays have two axes, and beside them only numbers may stand."""
    if isinstance(formula, Number):
        return formula.value
    if isinstance(formula, Symbol):
        return values[formula.name]
    name, inner = formula.operation, formula.arguments
    if name in ("call", "call_rows"):
        (step,) = inner
        assert isinstance(step, Apply)
        given = [evaluate(item, values) for item in step.arguments]
        if step.operation in COMPOSITES:
            return COMPOSITES[step.operation](*given, axis=int(name == "call_rows"))
        assert name == "call"
        name = step.operation
    else:
        given = [evaluate(item, values) for item in inner]
    if name == "ones":
        return numpy.ones((int(given[0]), 1))
    if name == "transpose":
        assert given[0].ndim == 2
        return given[0].T
    if name == "matmul":
        return given[0] @ given[1]
    arrays = [item for item in given if numpy.size(item) > 1]
    assert len({item.shape for item in arrays}) <= 1, f"{name} of {[a.shape for a in arrays]}"
    assert name not in ("hadamard", "entrywise_div") or any(
        isinstance(g, numpy.ndarray) for g in given
    )
    return STEPS[name](*given)


def laid_out(array: Any, shape: tuple[int, ...], transposed: bool) -> Any:
    """A graph's array as matrices have it: a number, or rows and columns."""
    if shape == ():
        return float(numpy.asarray(array).ravel()[0])
    matrix = numpy.asarray(array, dtype=float)
    matrix = matrix.reshape(-1, 1) if matrix.ndim == 1 else matrix
    matrix = matrix.T if transposed else matrix
    assert matrix.shape == shape
    return matrix


def given(form: Matrices, model: Model) -> Values:
    """The numbers of the leaves by symbol, and the learning rate's."""
    leaves = {leaf.node: leaf for leaf in model.leaves}
    found: Values = {}
    for array in form.arrays:
        if array.node in leaves:
            numbers = numpy.array(leaves[array.node].values).reshape(array.node.shape)
            found[array.symbol] = laid_out(numbers, array.shape, array.transposed)
    if model.learning_rate is not None:
        found[model.learning_rate_name] = model.learning_rate
    return found


def work(line: MatrixLine, values: Mapping[str, Any]) -> Any:
    """The value of a line, shaped as it says."""
    for name, shape in line.shapes.items():
        assert numpy.shape(values[name]) == shape, name
    result = evaluate(line.formula, values)
    if line.shape == ():
        return float(numpy.asarray(result).ravel()[0])
    assert numpy.shape(result) == line.shape, line.symbol
    return result


def run(form: Matrices, values: Values) -> Values:
    """All of `values`, and those of every line but the updates."""
    return backward(form, forward(form, values))


def forward(form: Matrices, values: Values) -> Values:
    found = dict(values)
    for line in form.forward:
        found[line.symbol] = work(line, found)
    return found


def backward(form: Matrices, values: Values) -> Values:
    found = dict(values)
    for line in (*form.adjoints, *form.gradients):
        found[line.symbol] = work(line, found)
    return found


def by_entry(array: Array, matrix: Any) -> dict[str, float]:
    """The numbers of an array by the names of its entries."""
    names = [name for row in array.rows for name in row]
    return dict(zip(names, numpy.asarray(matrix).ravel().tolist(), strict=True))
