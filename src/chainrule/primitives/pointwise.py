"""The pointwise primitives: one record each, value and slopes as text.

To add one, add a record.  Its evaluation, its place in a derivation, its tests
and its row in the documentation follow from it.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from chainrule.primitives import arithmetic
from chainrule.primitives.namespace import namespace
from chainrule.primitives.record import Pointwise

__all__ = ["ACTIVATIONS"]


def _array(name: str) -> Any:
    """The function of that name, of whichever library the arrays belong to."""

    def kernel(*arrays: Any) -> Any:
        return getattr(namespace(*arrays), name)(*arrays)

    return kernel


def _compare(name: str) -> Any:
    """A comparison of real parts, so that complex steps keep to their branch."""

    def kernel(a: Any, b: Any) -> Any:
        xp = namespace(a, b)
        return getattr(xp, name)(xp.real(a), xp.real(b))

    return kernel


def _choose(takes_first: str) -> Any:
    """The larger or the smaller by real part, with NaN passed on."""

    def kernel(a: Any, b: Any) -> Any:
        xp = namespace(a, b)
        first = getattr(xp, takes_first)(xp.real(a), xp.real(b)) | (a != a)
        return _where(first, a, b)

    return kernel


BITS = {"float32": "int32", "float64": "int64"}
MANY = 4096
"""So many entries, at least, are chosen by their bits."""


def _where(c: Any, a: Any, b: Any) -> Any:
    """`a` where `c` holds, else `b`.

    NumPy takes a branch for each entry, and the processor guesses half of them wrong; the
    bits of many entries are picked without one.
    """
    import numpy

    xp = namespace(c, a, b)
    kind = numpy.result_type(a, b).name if xp is numpy and numpy.size(c) >= MANY else ""
    if kind not in BITS:
        return xp.where(c, a, b)
    bits = BITS[kind]
    first, second = (_once(numpy.asarray(item, kind)).view(bits) for item in (a, b))
    found = numpy.asarray(c, bool).astype(bits)
    numpy.negative(found, out=found)
    found = found & (first ^ second)
    found ^= second
    return found.view(kind)


def _once(x: Any) -> Any:
    """The array without its repetitions: of length 1 along each axis that was broadcast."""
    return x[tuple(slice(None) if stride else slice(1) for stride in x.strides)]


def _power(a: Any, b: Any) -> Any:
    """`a ** b`; a cube in single precision as products, which NumPy takes 30 times as long for."""
    import numpy

    if namespace(a, b) is numpy and numpy.result_type(a, b) == numpy.float32:
        exponent = _once(numpy.asarray(b))
        if exponent.size == 1 and exponent.item() == 3:
            return a * a * a
    return a**b


def _absolute(a: Any) -> Any:
    xp = namespace(a)
    return xp.where(xp.real(a) < 0, -a, a) if xp.iscomplexobj(a) else xp.abs(a)


def _error_function(a: Any) -> Any:
    import numpy

    return numpy.vectorize(math.erf, otypes=[numpy.asarray(a).dtype])(a)


ANY = (-3.0, 3.0)
POSITIVE = (0.1, 4.0)
NONZERO = (0.2, 3.0)
CALCULUS = "Any first course in calculus"
SIGN = "(1 if {0} > 0 else (-1 if {0} < 0 else 0))"

# ------------------------------------------------------------------ arithmetic

Pointwise(
    "add",
    ("a", "b"),
    value="a + b",
    slopes=("1", "1"),
    notation="a + b",
    source=CALCULUS,
    scalar=operator.add,
    array=operator.add,
    domain=(ANY, ANY),
)
Pointwise(
    "sub",
    ("a", "b"),
    value="a - b",
    slopes=("1", "-1"),
    notation="a − b",
    source=CALCULUS,
    scalar=operator.sub,
    array=operator.sub,
    domain=(ANY, ANY),
)
Pointwise(
    "mul",
    ("a", "b"),
    value="a * b",
    slopes=("b", "a"),
    notation="a · b",
    source=CALCULUS,
    scalar=operator.mul,
    array=operator.mul,
    domain=(ANY, ANY),
)
Pointwise(
    "div",
    ("a", "b"),
    value="a / b",
    slopes=("1 / b", "-y / b"),
    notation="a / b",
    source=CALCULUS,
    scalar=arithmetic.divide,
    array=operator.truediv,
    domain=(ANY, NONZERO),
)
Pointwise(
    "neg",
    ("a",),
    value="-a",
    slopes=("-1",),
    notation="−a",
    source=CALCULUS,
    scalar=operator.neg,
    array=operator.neg,
    domain=(ANY,),
)
Pointwise(
    "pow",
    ("a", "b"),
    value="a ** b",
    slopes=("b * a ** (b - 1)", "0 if a == 0 else y * log(a)"),
    notation="aᵇ",
    source=CALCULUS,
    scalar=arithmetic.power,
    array=_power,
    domain=(POSITIVE, ANY),
)

# ------------------------------------------------- functions of elementary calculus

Pointwise(
    "exp",
    ("a",),
    value="exp(a)",
    slopes=("y",),
    notation="eᵃ",
    source=CALCULUS,
    scalar=arithmetic.exponential,
    array=_array("exp"),
    domain=(ANY,),
)
Pointwise(
    "expm1",
    ("a",),
    value="expm1(a)",
    slopes=("y + 1",),
    notation="eᵃ − 1",
    source=CALCULUS,
    scalar=arithmetic.exponential_minus_one,
    array=_array("expm1"),
    domain=(ANY,),
)
Pointwise(
    "log",
    ("a",),
    value="log(a)",
    slopes=("1 / a",),
    notation="ln a",
    source=CALCULUS,
    scalar=arithmetic.logarithm,
    array=_array("log"),
    domain=(POSITIVE,),
)
Pointwise(
    "log1p",
    ("a",),
    value="log1p(a)",
    slopes=("1 / (1 + a)",),
    notation="ln(1 + a)",
    source=CALCULUS,
    scalar=arithmetic.logarithm_of_one_plus,
    array=_array("log1p"),
    domain=((-0.8, 3.0),),
)
Pointwise(
    "sqrt",
    ("a",),
    value="sqrt(a)",
    slopes=("0.5 / y",),
    notation="√a",
    source=CALCULUS,
    scalar=arithmetic.square_root,
    array=_array("sqrt"),
    domain=(POSITIVE,),
)
Pointwise(
    "abs",
    ("a",),
    value="abs(a)",
    slopes=(SIGN.format("a"),),
    notation="|a|",
    source=CALCULUS,
    scalar=arithmetic.absolute,
    array=_absolute,
    domain=(ANY,),
    kink="a",
    at_kink="slope 0",
)
Pointwise(
    "sin",
    ("a",),
    value="sin(a)",
    slopes=("cos(a)",),
    notation="sin a",
    source=CALCULUS,
    scalar=arithmetic.sine,
    array=_array("sin"),
    domain=(ANY,),
)
Pointwise(
    "cos",
    ("a",),
    value="cos(a)",
    slopes=("-sin(a)",),
    notation="cos a",
    source=CALCULUS,
    scalar=arithmetic.cosine,
    array=_array("cos"),
    domain=(ANY,),
)
Pointwise(
    "erf",
    ("a",),
    value="erf(a)",
    slopes=("1.1283791670955126 * exp(-a * a)",),  # 2 / sqrt(pi)
    notation="erf a",
    source="Abramowitz and Stegun (1964), 7.1.1",
    scalar=math.erf,
    array=_error_function,
    domain=(ANY,),
    saturates=True,
    analytic=False,
)

# ---------------------------------------------------------- comparisons and choices

for _name, _sign, _python, _written in (
    ("less", "<", arithmetic.less, "a < b"),
    ("less_equal", "<=", arithmetic.less_equal, "a ≤ b"),
    ("greater", ">", arithmetic.greater, "a > b"),
    ("greater_equal", ">=", arithmetic.greater_equal, "a ≥ b"),
    ("equal", "==", arithmetic.equal, "a = b"),
    ("not_equal", "!=", arithmetic.not_equal, "a ≠ b"),
):
    Pointwise(
        _name,
        ("a", "b"),
        value=f"a {_sign} b",
        slopes=(None, None),
        notation=_written,
        source="A truth value; it has no slope",
        scalar=_python,
        array=_compare(_name),
        domain=(ANY, ANY),
        kink="a - b",
        at_kink="the branch that the comparison takes",
        condition=True,
    )
Pointwise(
    "where",
    ("c", "a", "b"),
    value="a if c else b",
    slopes=(None, "1 if c else 0", "0 if c else 1"),
    notation="a if c else b",
    source="The branch that was taken, differentiated",
    scalar=arithmetic.where,
    array=_where,
    domain=((0.0, 1.0), ANY, ANY),
)
Pointwise(
    "maximum",
    ("a", "b"),
    value="max(a, b)",
    slopes=("1 if a >= b else 0", "0 if a >= b else 1"),
    notation="max(a, b)",
    source="The operand that was taken, differentiated",
    scalar=arithmetic.maximum,
    array=_choose("greater_equal"),
    domain=(ANY, ANY),
    kink="a - b",
    at_kink="the first operand takes the whole slope",
)
Pointwise(
    "minimum",
    ("a", "b"),
    value="min(a, b)",
    slopes=("1 if a <= b else 0", "0 if a <= b else 1"),
    notation="min(a, b)",
    source="The operand that was taken, differentiated",
    scalar=arithmetic.minimum,
    array=_choose("less_equal"),
    domain=(ANY, ANY),
    kink="a - b",
    at_kink="the first operand takes the whole slope",
)
Pointwise(
    "stop",
    ("a",),
    value="stop(a)",
    slopes=(None,),
    notation="stop(a)",
    source="The identity, held constant on purpose",
    scalar=operator.pos,
    array=operator.pos,
    domain=(ANY,),
)

# --------------------------------------------------------------------- activations

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "softplus", "gelu", "silu")
"""The pointwise steps whose operand is called the net input of a unit."""

Pointwise(
    "sigmoid",
    ("z",),
    value="1 / (1 + exp(-z))",
    slopes=("y * (1 - y)",),
    notation="σ(z)",
    source="Rumelhart, Hinton, Williams (1986), Nature 323, eq. 2",
    domain=(ANY,),
    saturates=True,
)
Pointwise(
    "tanh",
    ("z",),
    value="tanh(z)",
    slopes=("1 - y * y",),
    notation="tanh z",
    source="LeCun, Bottou, Orr, Müller (1998), Efficient BackProp, 4.4",
    scalar=arithmetic.hyperbolic_tangent,
    array=_array("tanh"),
    domain=(ANY,),
    saturates=True,
)
Pointwise(
    "relu",
    ("z",),
    value="max(z, 0)",
    slopes=("1 if z > 0 else 0",),
    notation="relu(z)",
    source="Nair and Hinton (2010), ICML",
    domain=(ANY,),
    kink="z",
    at_kink="slope 0",
)
Pointwise(
    "leaky_relu",
    ("z", "alpha"),
    value="z if z > 0 else alpha * z",
    slopes=("1 if z > 0 else alpha", "0 if z > 0 else z"),
    notation="leaky_relu(z, α)",
    source="Maas, Hannun, Ng (2013), ICML",
    domain=(ANY, (0.01, 0.5)),
    kink="z",
    at_kink="slope α",
)
Pointwise(
    "elu",
    ("z", "alpha"),
    value="z if z > 0 else alpha * expm1(z)",
    slopes=("1 if z > 0 else alpha * exp(z)", "0 if z > 0 else expm1(z)"),
    notation="elu(z, α)",
    source="Clevert, Unterthiner, Hochreiter (2016), ICLR, eq. 15",
    domain=(ANY, (0.5, 2.0)),
    kink="z",
    at_kink="slope α",
    saturates=True,
)
Pointwise(
    "softplus",
    ("z",),
    value="max(z, 0) + log1p(exp(-abs(z)))",
    slopes=("sigmoid(z)",),
    notation="softplus(z)",
    source="Dugas et al. (2001), NIPS; the form that cannot overflow",
    domain=(ANY,),
    saturates=True,
)
Pointwise(
    "gelu",
    ("z",),
    value="0.5 * z * (1 + erf(z / sqrt(2)))",
    slopes=(  # 1 / sqrt(2 pi)
        "0.5 * (1 + erf(z / sqrt(2))) + 0.3989422804014327 * z * exp(-0.5 * z * z)",
    ),
    notation="gelu(z)",
    source="Hendrycks and Gimpel (2016), arXiv:1606.08415",
    domain=(ANY,),
    saturates=True,
    analytic=False,
)
Pointwise(
    "silu",
    ("z",),
    value="z * sigmoid(z)",
    slopes=("sigmoid(z) * (1 + z * (1 - sigmoid(z)))",),
    notation="silu(z)",
    source="Elfwing, Uchibe, Doya (2018), Neural Networks 107",
    domain=(ANY,),
    saturates=True,
)

# --------------------------------------------------------- parts that losses are made of

Pointwise(
    "cross_entropy_term",
    ("t", "p"),
    value="0 if t == 0 else -t * log(p)",
    slopes=("-log(p)", "cross_entropy_slope(t, p)"),
    notation="−t · ln p",
    source="Cover and Thomas (2006), 2.1: 0 log 0 = 0 by continuity",
    domain=((0.1, 1.0), POSITIVE),
)
Pointwise(
    "cross_entropy_slope",
    ("t", "p"),
    value="0 if t == 0 else -t / p",
    slopes=("-1 / p", "0 if t == 0 else t / (p * p)"),
    notation="−t / p",
    source="The slope of −t · ln p; 0 where t is 0, as that is 0 for every p",
    domain=((0.1, 1.0), POSITIVE),
)
Pointwise(
    "huber",
    ("r", "delta"),
    value="0.5 * r * r if abs(r) <= delta else delta * (abs(r) - 0.5 * delta)",
    slopes=(
        f"r if abs(r) <= delta else delta * {SIGN.format('r')}",
        "0 if abs(r) <= delta else abs(r) - delta",
    ),
    notation="huber(r, δ)",
    source="Huber (1964), Annals of Mathematical Statistics 35",
    domain=(ANY, (0.5, 2.0)),
)
Pointwise(
    "cross_entropy_logit",
    ("t", "z"),
    value="max(z, 0) - t * z + log1p(exp(-abs(z)))",
    slopes=("-z", "sigmoid(z) - t"),
    notation="−t · ln σ(z) − (1 − t) · ln(1 − σ(z))",
    source="Binary cross-entropy of a sigmoid, the form that cannot overflow",
    domain=((0.0, 1.0), ANY),
    saturates=True,
)
