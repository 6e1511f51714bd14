"""From a trace to a graph: each operation in turn, through the table."""

from __future__ import annotations

import linecache
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy
import torch
from torch.fx.node import map_arg

from chainrule.errors import Fault, InputError
from chainrule.graph.build import Builder, Operand
from chainrule.graph.model import Framework, LeafValue, Model
from chainrule.graph.node import Node, topological
from chainrule.importers.torch.gradient import OwnGradient
from chainrule.importers.torch.names import Names, entry_of, source_of
from chainrule.importers.torch.table import Operation, UnsupportedError
from chainrule.importers.torch.trace import Place, Trace, trace

__all__ = ["follow"]

_VALUELESS = (
    *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"),
    *("randint_like", "new_zeros", "new_ones", "new_full", "new_empty", "new_empty_strided"),
)
"""Operations that ask a tensor for its shape and type, and not for its numbers."""

_ROLES = {"PARAMETER": "parameter", "input": "input", "target": "target"}


def follow(
    module: torch.nn.Module,
    args: Any,
    kwargs: Mapping[str, Any],
    loss: Any,
    targets: Any,
    seed: int,
    here: Place,
) -> Model:
    """The model of a module's loss; see `from_torch`."""
    traced = trace(module, args, kwargs, loss, targets, here)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        return _Follower(traced).model()


class _Missing:
    """In the place of a result that could not be built."""


class _Follower:
    """Goes through a trace once; what depends on no parameter is evaluated by PyTorch."""

    def __init__(self, traced: Trace) -> None:
        self.trace = traced
        self.op = Builder()
        self.values: dict[Any, Any] = {}
        """What each step of the trace is: a node, or the tensor or number that is known."""
        self.sources: dict[int, Any] = {}
        """The step that a known tensor comes from, by its identity."""
        self.given: dict[Any, str] = {}
        """What the user calls a buffer, or an argument of integers."""
        self.lifted: dict[Any, Operand] = {}
        self.leaves: list[LeafValue] = []
        self.aliases: dict[str, str] = {}
        self.drawn: dict[Any, torch.Tensor] = {}
        self.has_drawn = False
        self.places: dict[str, tuple[Any, torch.Tensor]] = {}
        """Where each leaf stands in the trace, and its tensor."""
        self.quantities: list[Node] = []
        self.faults: dict[tuple[str, str, int | None], Fault] = {}
        self.followed = 0
        self.last = ""
        self.dtype = "float32"

    def model(self) -> Model:
        self._take_inputs()
        steps = self._steps()
        self.names = Names(self.trace, steps, [leaf.node.name or "" for leaf in self.leaves])
        operations = [node for node in steps if source_of(node) is node]
        for node in self._needed():
            if node in self.values or node.op == "output":
                continue
            if node in steps:
                self._build(node, len(operations))
            else:
                self._evaluate(node)
        if self.faults:
            raise InputError(*self.faults.values())
        loss = self.values[self.trace.loss]
        if not isinstance(loss, Node):
            raise InputError(
                Fault(
                    "ValueError",
                    "the loss depends on no parameter and no floating argument",
                    *self.trace.here,
                    linecache.getline(*self.trace.here),
                )
            )
        own = OwnGradient(self.trace, self.places, self.values, self.drawn, self.has_drawn)
        order = ("input", "target", "parameter", "constant")
        used = set(topological([loss]))
        kept = [leaf for leaf in self.leaves if leaf.role != "constant" or leaf.node in used]
        return Model(
            type(self.trace.call.whole.module).__name__,
            loss,
            tuple(sorted(kept, key=lambda leaf: order.index(leaf.role))),
            tuple(self.quantities),
            aliases=self.aliases,
            dtype=self.dtype,
            framework=Framework("PyTorch", torch.__version__, own, self._largest()),
        )

    def _largest(self) -> float:
        """The largest number of the narrowest format among the leaves."""
        tensors = (tensor for _, tensor in self.places.values())
        formats = {tensor.dtype for tensor in tensors if _is_floating(tensor)}
        return min((torch.finfo(own).max for own in formats), default=math.inf)

    # -------------------------------------------------------------------------- leaves

    def _take_inputs(self) -> None:
        known: dict[int, tuple[str, Node]] = {}
        for node, (name, kind), value in self.trace.inputs():
            role = _ROLES.get(kind)
            if role is None or not isinstance(value, torch.Tensor) or not _is_floating(value):
                self._know(node, value)
                if kind != "CONSTANT_TENSOR":
                    self.given[node] = name
            elif kind == "PARAMETER" and id(value) in known:
                self.values[node] = known[id(value)][1]
            else:
                made = self._leaf(name, value, role, node)
                known[id(value)] = name, made
                self.values[node] = made
        self._note_aliases(known)

    def _note_aliases(self, known: dict[int, tuple[str, Node]]) -> None:
        """The other names of a parameter that has several."""
        whole = self.trace.call.whole
        for full, tensor in whole.named_parameters(remove_duplicate=False):
            name = full.removeprefix("module.")
            if id(tensor) in known and known[id(tensor)][0] != name:
                self.aliases[name] = known[id(tensor)][0]

    def _leaf(self, name: str, tensor: torch.Tensor, role: Any, place: Any = None) -> Node:
        taken = {leaf.node.name for leaf in self.leaves}
        chosen, count = name, 0
        while chosen in taken:
            count += 1
            chosen = f"{name}_{count}"
        node = self.op.variable(chosen, tuple(tensor.shape))
        array = _numbers(tensor)
        if array.dtype == numpy.float64:
            self.dtype = "float64"
        trained = role == "parameter" and tensor.requires_grad
        self.leaves.append(LeafValue(node, array, role, trained))
        if place is not None:
            self.places[chosen] = place, tensor
        return node

    # --------------------------------------------------------------------- which steps

    def _needed(self) -> list[Any]:
        """The steps that the loss needs, in order."""
        needed, stack = set(), [self.trace.loss]
        while stack:
            node = stack.pop()
            if node not in needed:
                needed.add(node)
                stack.extend(node.all_input_nodes)
        return [node for node in self.trace.program.graph.nodes if node in needed]

    def _steps(self) -> dict[Any, None]:
        """The needed steps that depend on a parameter or a floating argument, in order."""
        found: dict[Any, None] = {}
        for node in self._needed():
            depends = any(
                item in found or isinstance(self.values.get(item), Node)
                for item in node.all_input_nodes
            )
            if depends and _name_of(node) not in _VALUELESS:
                found[node] = None
        return found

    # ------------------------------------------------------------------ what is known

    def _know(self, node: Any, value: Any) -> None:
        self.values[node] = value
        if isinstance(value, torch.Tensor):
            self.sources.setdefault(id(value), node)

    def _evaluate(self, node: Any) -> None:
        """A step that PyTorch works out now."""

        def known(item: Any) -> Any:
            value = self.values[item]
            if isinstance(value, Node | _Missing):  # only its shape and type are asked for
                like = item.meta["val"]
                return torch.empty(like.shape, dtype=like.dtype)
            return value

        if node.op == "get_attr":
            value = _attribute(self.trace.program.graph_module, node.target)
        else:
            value = node.target(*map_arg(node.args, known), **map_arg(node.kwargs, known))
            if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
                self.has_drawn = True
        self._know(node, value)

    # ------------------------------------------------------------------------ the steps

    def _build(self, node: Any, total: int) -> None:
        if source_of(node) is not node:
            several = self.values[node.args[0]]
            lost = isinstance(several, _Missing)
            self.values[node] = several if lost else several[node.args[1]]
            if self.values[node] is None:
                self._fault(node, "a second result", total)
            return
        if any(isinstance(self.values[item], _Missing) for item in node.all_input_nodes):
            self.values[node] = _Missing()
            return
        entry = entry_of(node)
        if entry is None:
            self._fault(node, None, total)
            return
        self.op.origin = self.trace.origin(node)
        at = _At(self, node)
        try:
            built = entry.build(
                at, *map_arg(node.args, at.argument), **map_arg(node.kwargs, at.argument)
            )
        except UnsupportedError as error:
            self._fault(node, error.what, total, error.needs)
            return
        self.values[node] = self._named(node, entry, built, at)
        self.followed += 1

    def _named(self, node: Any, entry: Operation, built: Any, at: _At) -> Any:
        several = isinstance(built, tuple | list)
        value = built[0] if several else built
        assert value.shape == at.shape, f"{node.target}: {value.shape} is not {at.shape}"
        name = None if value.dtype == "bool" else self.names.of(node, entry)
        if name is not None:
            value = self.op.named(value, name)
            self.quantities.append(value)
            self.last = name
        return [value, *built[1:]] if several else value

    def _fault(self, node: Any, what: str | None, total: int, needs: str | None = None) -> None:
        """Notes that a step cannot be built."""
        self.values[node] = _Missing()
        origin = self.trace.origin(node)
        where = f" in {origin.module}" if origin.module else ""
        name = f"{node.target}".removeprefix("aten.").removesuffix(".default")
        said = f"{name}{where}" + (f": {what}" if what else " has no steps here")
        upto = f", up to {self.last}" if self.last else ""
        key = said, origin.place, origin.line
        self.faults[key] = Fault(
            "OperationError",
            f"{said}; followed {self.followed} of {total} operations{upto}",
            origin.place,
            origin.line,
            linecache.getline(origin.place, origin.line or 0),
            needs=needs or "an operation of the table in docs/torch.md",
            hint="write the step in other operations, or add it to importers/torch",
        )


class _At:
    """What a function of the table builds with; see `table.Step`."""

    def __init__(self, follower: _Follower, node: Any) -> None:
        self._follower = follower
        self._node = node
        self.op = follower.op
        value = node.meta["val"]
        values = value if isinstance(value, tuple | list) else (value,)
        self.shapes = tuple(tuple(item.shape) for item in values if item is not None)
        self.shape = self.shapes[0]

    def argument(self, item: Any) -> Any:
        """An argument as the table's functions expect it."""
        value = self._follower.values[item]
        floating = isinstance(value, torch.Tensor) and _is_floating(value)
        return self.node(value) if floating else value

    def number(self, value: Any) -> Operand:
        if isinstance(value, Node):
            return self.op.where(value, 1.0, 0.0) if value.dtype == "bool" else value
        return self._lifted(value) if isinstance(value, torch.Tensor) else float(value)

    def node(self, value: Any) -> Node:
        number = self.number(value)
        return number if isinstance(number, Node) else self.op.constant(number)

    def condition(self, value: Any) -> Node:
        if isinstance(value, Node) and value.dtype == "bool":
            return value
        return self.op.not_equal(self.number(value), 0.0)

    def constant(self, word: str, tensor: Any) -> Node:
        follower = self._follower
        drawn = self._node if follower.drawn.get(self._node) is tensor else None
        name = follower.names.inside(self._node, word)
        return follower._leaf(name, tensor, "constant", drawn)

    def shared(self, name: str, tensor: Any) -> Node:
        follower = self._follower
        key = name, tuple(tensor.shape)
        if key not in follower.lifted:
            unique = follower.names.unique(name)
            follower.lifted[key] = follower._leaf(unique, tensor, "constant")
        return follower.lifted[key]  # type: ignore[return-value]

    def draw(self, draw: Callable[[], Any]) -> Any:
        self._follower.has_drawn = True
        drawn = self._follower.drawn[self._node] = draw()
        return drawn

    def _lifted(self, tensor: torch.Tensor) -> Operand:
        """A known tensor as a node: one number where all entries are that, else a leaf."""
        follower = self._follower
        source = follower.sources[id(tensor)]
        if source not in follower.lifted:
            follower.lifted[source] = self._lift(tensor, source)
        return follower.lifted[source]

    def _lift(self, tensor: torch.Tensor, source: Any) -> Operand:
        follower = self._follower
        is_given = source in follower.given
        first = tensor.flatten()[:1]
        if not is_given and len(first) and bool((tensor == first).all()):
            return self.op.broadcast(self.op.constant(first.item()), tuple(tensor.shape))
        if is_given:
            name = follower.names.unique(follower.given[source])
        else:
            entry = entry_of(source)
            word = entry.word if entry is not None else _name_of(source)
            name = follower.names.inside(source, word)
        return follower._leaf(name, tensor, "constant", source)


def _is_floating(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point()


def _numbers(tensor: torch.Tensor) -> Any:
    """The tensor's own numbers, flat; those of types that NumPy lacks, as float32."""
    kept = tensor.dtype in (torch.float32, torch.float64)
    plain = tensor.detach().cpu()
    return (plain if kept else plain.to(torch.float32)).numpy().reshape(-1)


def _name_of(node: Any) -> str:
    """`zeros_like` for `aten.zeros_like.default`."""
    schema = getattr(node.target, "_schema", None)
    return schema.name.partition("::")[2] if schema is not None else str(node.target)


def _attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module
