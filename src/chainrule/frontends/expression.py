"""Networks written in Python: expressions with operators, and `Network(...)`.

>>> import chainrule as cr
>>> w = cr.var("w", 2.0)
>>> loss = (0.5 * (1.0 - cr.sigmoid(w * 3.0)) ** 2).named("E")
>>> cr.explain(loss, ["w"]).derivations[0].parameter
'w'
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from chainrule.errors import Fault, InputError, closest
from chainrule.graph.build import Builder
from chainrule.graph.model import LeafValue, Model, Order
from chainrule.graph.node import Node
from chainrule.mime import Displayed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Expression", "Network", "combine", "compose", "concat", "model", "var"]

LARGEST = 50_000_000
"""The most entries that a variable may have."""


class Expression(Displayed):
    """A scalar or an array of a model that is being written down.

    Arithmetic, comparisons and `@` build new expressions; nothing is computed
    until the loss is explained, checked or stepped.  NumPy arrays and lists are
    not taken as operands: give them a name with `var`.
    """

    __array_ufunc__ = None  # so that `array * expression` does not run element by element
    __slots__ = ("leaves", "node", "quantities")

    def __init__(
        self, node: Node, leaves: Mapping[Node, LeafValue], quantities: Mapping[Node, None]
    ) -> None:
        self.node = node
        self.leaves = leaves
        self.quantities = quantities

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, () for a scalar."""
        return self.node.shape

    def named(self, name: str, labels: Sequence[str] | None = None) -> Expression:
        """The same expression as a quantity called `name`.

        `labels` names each entry of an array, row-major; `name[i,j]` otherwise.
        """
        if labels is not None and len(labels) != math.prod(self.shape):
            raise InputError(
                Fault(
                    "ShapeError",
                    f'"{name}" has {math.prod(self.shape)} entries and {len(labels)} labels',
                    needs="a label for each entry",
                )
            )
        node = _op().named(self.node, name, None if labels is None else tuple(labels))
        return Expression(node, self.leaves, {**self.quantities, node: None})

    # ------------------------------------------------------------------- arithmetic

    def __add__(self, other: Any) -> Expression:
        return combine("add", self, other)

    def __radd__(self, other: Any) -> Expression:
        return combine("add", other, self)

    def __sub__(self, other: Any) -> Expression:
        return combine("sub", self, other)

    def __rsub__(self, other: Any) -> Expression:
        return combine("sub", other, self)

    def __mul__(self, other: Any) -> Expression:
        return combine("mul", self, other)

    def __rmul__(self, other: Any) -> Expression:
        return combine("mul", other, self)

    def __truediv__(self, other: Any) -> Expression:
        return combine("div", self, other)

    def __rtruediv__(self, other: Any) -> Expression:
        return combine("div", other, self)

    def __pow__(self, other: Any) -> Expression:
        return combine("pow", self, other)

    def __rpow__(self, other: Any) -> Expression:
        return combine("pow", other, self)

    def __neg__(self) -> Expression:
        return combine("neg", self)

    def __abs__(self) -> Expression:
        return combine("abs", self)

    def __lt__(self, other: Any) -> Expression:
        return combine("less", self, other)

    def __le__(self, other: Any) -> Expression:
        return combine("less_equal", self, other)

    def __gt__(self, other: Any) -> Expression:
        return combine("greater", self, other)

    def __ge__(self, other: Any) -> Expression:
        return combine("greater_equal", self, other)

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("two expressions are compared with chainrule.equal(a, b)")

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("an expression has no truth value: use chainrule.where(condition, a, b)")

    # ----------------------------------------------------------------------- arrays

    def __matmul__(self, other: Any) -> Expression:
        left, right = _operands((self, other))
        return _joined(_op().matmul(left.node, right.node), (left, right))

    def __rmatmul__(self, other: Any) -> Expression:
        left, right = _operands((other, self))
        return left @ right

    @property
    def T(self) -> Expression:  # noqa: N802 (NumPy's name)
        """The axes reversed."""
        return _joined(_op().transpose(self.node), (self,))

    def __getitem__(self, index: Any) -> Expression:
        positions = index if isinstance(index, tuple) else (index,)
        if len(positions) > len(self.shape):
            raise IndexError(f"{len(positions)} indices for shape {self.shape}")
        start, step, sizes, kept = [], [], [], []
        for axis, size in enumerate(self.shape):
            position = positions[axis] if axis < len(positions) else slice(None)
            chosen = range(size)[position]  # IndexError where it leaves the axis
            if isinstance(chosen, int):
                start.append(chosen)
                step.append(1)
                sizes.append(1)
                continue
            if chosen.step < 1:
                raise IndexError("a slice runs forward")
            start.append(chosen.start if len(chosen) else 0)
            step.append(chosen.step)
            sizes.append(len(chosen))
            kept.append(len(chosen))
        part = _op().slice(self.node, tuple(start), tuple(step), tuple(sizes))
        return _joined(_op().reshape(part, tuple(kept)), (self,))

    def __iter__(self) -> Iterable[Expression]:
        if not self.shape:
            raise TypeError("a scalar expression has no entries")
        return (self[place] for place in range(self.shape[0]))

    def reshape(self, *shape: int) -> Expression:
        """The entries, row-major, in another shape."""
        return _joined(_op().reshape(self.node, shape), (self,))

    def sum(self, axis: int | tuple[int, ...] | None = None) -> Expression:
        """The sum over `axis` (all axes by default)."""
        return _joined(_op().sum(self.node, axis), (self,))

    def mean(self, axis: int | tuple[int, ...] | None = None) -> Expression:
        """The mean over `axis` (all axes by default)."""
        total = self.sum(axis)
        return total / (math.prod(self.shape) / max(1, math.prod(total.shape)))

    def max(self, axis: int | tuple[int, ...] | None = None) -> Expression:
        """The largest entry along `axis` (of all by default)."""
        return _joined(_op().max(self.node, axis), (self,))

    def __repr__(self) -> str:
        return f"<chainrule.Expression {self.node.name or self.node.primitive.name} {self.shape}>"


def _op() -> Builder:
    """A builder of its own for each step: expressions share nothing but their nodes."""
    return Builder()


def _operands(items: Iterable[Any]) -> tuple[Expression, ...]:
    found = []
    for item in items:
        if isinstance(item, Expression):
            found.append(item)
        elif isinstance(item, Real) and not isinstance(item, bool):
            found.append(Expression(_op().constant(float(item)), {}, {}))
        else:
            raise TypeError(
                f"{type(item).__name__} is not an operand: use a number, or name it with "
                'chainrule.var("x", values, trained=False)'
            )
    return tuple(found)


def _joined(node: Node, operands: Sequence[Expression]) -> Expression:
    leaves: dict[Node, LeafValue] = {}
    quantities: dict[Node, None] = {}
    for operand in operands:
        leaves.update(operand.leaves)
        quantities.update(operand.quantities)
    return Expression(node, leaves, quantities)


def combine(primitive: str, *items: Any) -> Expression:
    """A pointwise primitive applied to expressions and numbers."""
    operands = _operands(items)
    return _joined(_op().apply(primitive, *(item.node for item in operands)), operands)


def compose(composite: str, *items: Any) -> Expression:
    """A composite applied to expressions and numbers."""
    operands = _operands(items)
    return _joined(_op().composite(composite, *(item.node for item in operands)), operands)


def concat(parts: Sequence[Expression], axis: int = 0) -> Expression:
    """Arrays one after another along `axis`; scalars become a vector."""
    operands = [item if item.shape else item.reshape(1) for item in _operands(parts)]
    return _joined(_op().concat(*(item.node for item in operands), axis=axis), operands)


def var(
    name: str,
    value: ArrayLike,
    *,
    trained: bool = True,
    labels: Sequence[str] | None = None,
) -> Expression:
    """A given number or array under a name.

    `labels` names its entries, row-major; `name[i,j]` otherwise.  With
    `trained=False` an update leaves it alone.

    Raises: InputError where the numbers are not finite.
    """
    import numpy

    array = numpy.asarray(value)
    if array.dtype.kind not in "iuf" or array.size > LARGEST:
        raise InputError(
            Fault(
                "TypeError",
                f'"{name}" is an array of {array.dtype}, {array.size} entries',
                needs=f"numbers, at most {LARGEST:,} of them",
            )
        )
    flat = tuple(array.astype(float).ravel().tolist())
    if not all(map(math.isfinite, flat)):
        raise InputError(Fault("ValueError", f'"{name}" holds NaN or infinity'))
    given = None if labels is None else tuple(labels)
    if given is not None and len(given) != len(flat):
        raise InputError(
            Fault("ShapeError", f'"{name}" has {len(flat)} entries and {len(given)} labels')
        )
    node = _op().variable(name, array.shape, given)
    return Expression(node, {node: LeafValue(node, flat, "parameter", trained)}, {})


def model(
    loss: Expression,
    *,
    learning_rate: float | None = None,
    order: Order = "simultaneous",
    title: str = "model",
) -> Model:
    """The model whose loss is the scalar expression `loss`.

    Raises: InputError where the loss is not a scalar, or two things share a name.
    """
    if order not in get_args(Order):
        what, needs = f'the update order "{order}" is not known', " or ".join(get_args(Order))
        raise InputError(
            Fault("ValueError", what, needs=needs, hint=closest(order, get_args(Order)))
        )
    if loss.shape != ():
        raise InputError(
            Fault(
                "ShapeError",
                f"the loss has shape {loss.shape}",
                needs="a scalar",
                hint="loss.sum() or loss.mean()",
            )
        )
    named = loss if loss.node.name is not None else loss.named("E")
    built = Model(
        title,
        named.node,
        tuple(named.leaves.values()),
        tuple(named.quantities),
        learning_rate,
        order=order,
    )
    _refuse_shared_names(built)
    return built


def _refuse_shared_names(built: Model) -> None:
    seen: set[str] = set()
    for labels in built.labels.values():
        for label in labels:
            if label in seen:
                raise InputError(
                    Fault(
                        "NameError", f'two quantities are called "{label}"', needs="one name each"
                    )
                )
            seen.add(label)


def Network(  # noqa: N802 (a constructor in all but the class)
    *,
    inputs: Any,
    targets: Any,
    layers: Sequence[Mapping[str, Any]],
    loss: str = "half squared error",
    title: str = "network",
    **settings: Any,
) -> Model:
    """A network of layers, described with the keys of the TOML file.

    Raises: InputError with every fault of the description.

    Example:
        >>> net = Network(
        ...     inputs={"x": 1.0}, targets={"o": 0.0}, learning_rate=0.1,
        ...     layers=[{"units": ["o"], "activation": "tanh", "weights": [[0.5]]}])
        >>> net.trained
        ('layer1.weight[0,0]',)
    """
    from chainrule.frontends.network import network_from_data
    from chainrule.frontends.network.build import build_network

    data: dict[str, object] = {
        "inputs": _plain(inputs),
        "targets": _plain(targets),
        "layers": [_plain(layer) for layer in layers],
        "loss": loss,
        **{key: _plain(value) for key, value in settings.items()},
    }
    return build_network(network_from_data(data), title)


def _plain(value: Any) -> Any:
    """Arrays and tuples as the lists that a file would hold."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value
