"""A module and its loss as PyTorch traces them, and what a trace says of where a step stands."""

from __future__ import annotations

import functools
import inspect
import linecache
import re
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_flatten_with_path

from chainrule.errors import Fault, InputError, closest
from chainrule.graph.node import Origin
from chainrule.importers.torch.losses import loss_by_name, loss_names
from chainrule.importers.torch.operations import OPERATIONS

__all__ = ["Call", "ModuleLoss", "Trace", "trace"]

_PREFIX = "module"
_FRAME = re.compile(r'File "(.+?)", line (\d+)')
_AGAIN = re.compile(r"@\d+$")
"""What a trace adds to the path of a module that is called again."""
_NOT_THE_USERS = (str(Path(torch.__file__).parent), str(Path(__file__).parent))

Place = tuple[str, int]


class ModuleLoss(torch.nn.Module):
    """A module with its loss: what is traced, and asked for its own gradient."""

    def __init__(self, module: torch.nn.Module, loss: Callable[..., Any], aimed: bool) -> None:
        super().__init__()
        self.training = module.training
        self.module = module
        self.loss = loss
        self.aimed = aimed

    def forward(self, args: tuple[Any, ...], kwargs: dict[str, Any], targets: Any) -> Any:
        """The loss of the module's output."""
        output = self.module(*args, **kwargs)
        return self.loss(output, targets) if self.aimed else self.loss(output)


@dataclass(frozen=True)
class Call:
    """What was traced: a module, its loss, and what they were given."""

    whole: ModuleLoss
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    targets: Any

    @property
    def given(self) -> tuple[Any, ...]:
        """The arguments of `whole`."""
        return self.args, self.kwargs, self.targets

    @functools.cached_property
    def flat(self) -> list[tuple[str, str, Any]]:
        """Every argument as (name, role, value), in the order of the trace's inputs."""
        names = self._names()
        pairs: Any = tree_flatten_with_path(self.given)[0]
        found = []
        for (place, *path), value in pairs:
            inner = ".".join(str(getattr(key, "idx", getattr(key, "key", key))) for key in path)
            if place.idx == 2:
                found.append((f"target.{inner}" if inner else "target", "target", value))
            else:
                head, _, rest = inner.partition(".")
                name = names[int(head)] if place.idx == 0 else head
                found.append((f"{name}.{rest}" if rest else name, "input", value))
        return found

    def _names(self) -> list[str]:
        """What the module's `forward` calls its positional arguments."""
        names: list[str] = []
        for parameter in inspect.signature(self.whole.module.forward).parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                names.append(parameter.name)
            elif parameter.kind is parameter.VAR_POSITIONAL:
                start = len(names)
                rest = len(self.args) - start
                names += [f"{parameter.name}.{number}" for number in range(rest)]
        return names


@dataclass(frozen=True)
class Trace:
    """The graph that PyTorch traced.

    `here` is the line that asked for it; a step that no line of the user's stands for, as in a
    module of PyTorch's own, has its place there.
    """

    call: Call
    program: Any
    here: Place

    @property
    def loss(self) -> Any:
        """The step that computes the loss."""
        names = self.program.graph_signature.user_outputs
        return next(node for node in self.program.graph.nodes if node.name == names[0])

    def inputs(self) -> Iterator[tuple[Any, Any, Any]]:
        """Each input of the graph: (node, what the trace says of it, its value)."""
        whole, program = self.call.whole, self.program
        tensors: dict[str, Any] = dict(whole.named_parameters(remove_duplicate=False))
        tensors |= dict(whole.named_buffers(remove_duplicate=False))
        tensors = program.constants | tensors
        flat = iter(self.call.flat)
        placeholders = [node for node in program.graph.nodes if node.op == "placeholder"]
        for node, spec in zip(placeholders, program.graph_signature.input_specs, strict=True):
            if spec.kind.name == "USER_INPUT":
                name, role, value = next(flat)
                yield node, (name, role), value
            else:
                name = spec.target.removeprefix(f"{_PREFIX}.")
                yield node, (name, spec.kind.name), tensors[spec.target]

    @functools.cached_property
    def leaf_modules(self) -> set[str]:
        """The paths of the modules that hold no others."""
        return {
            name.removeprefix(f"{_PREFIX}.")
            for name, module in self.call.whole.named_modules()
            if name and not any(True for _ in module.children())
        }

    def called(self, node: Any) -> tuple[str, str]:
        """The module that a step stands in: its path, and which call of it that is."""
        stack = list((node.meta.get("nn_module_stack") or {}).items())
        if not stack:
            return "", ""
        key, (path, _) = stack[-1]
        path = _AGAIN.sub("", path)
        return ("" if path == _PREFIX else path.removeprefix(f"{_PREFIX}.")), key

    def origin(self, node: Any) -> Origin:
        """The user's line that a step comes from, and its module."""
        place, line = self.here
        for file, number in _FRAME.findall(node.meta.get("stack_trace") or ""):
            if not file.startswith(_NOT_THE_USERS):
                place, line = file, int(number)
        return Origin(place, line, self.called(node)[0] or None)


def trace(
    module: torch.nn.Module,
    args: Any,
    kwargs: Mapping[str, Any],
    loss: Any,
    targets: Any,
    here: Place,
) -> Trace:
    """The trace of a module's loss.

    Raises: InputError when PyTorch cannot trace it, or when the loss is not one number.
    """
    args = tuple(args) if isinstance(args, tuple | list) else (args,)
    whole = ModuleLoss(module, _loss(loss, targets, here), targets is not None)
    call = Call(whole, args, dict(kwargs), targets)
    program = _exported(call, here)
    outputs = program.graph_signature.user_outputs
    nodes = {node.name: node for node in program.graph.nodes}
    value = nodes[outputs[0]].meta.get("val") if len(outputs) == 1 else None
    if not isinstance(value, torch.Tensor) or value.shape != () or not value.is_floating_point():
        shape = "" if value is None else f" {value.dtype} of shape {tuple(value.shape)}"
        what = f"the loss is{shape}" if shape else f"the loss is {len(outputs)} results"
        raise InputError(
            Fault(
                "ShapeError",
                what,
                *here,
                linecache.getline(*here),
                needs="one floating number, of shape ()",
                hint="a loss such as `lambda output: output.sum()`",
            )
        )
    return Trace(call, program, here)


def _loss(loss: Any, targets: Any, here: Place) -> Callable[..., Any]:
    """The loss as a function. Raises: InputError when nothing is known by its name."""
    if not isinstance(loss, str):
        return loss  # type: ignore[no-any-return]
    known = loss_by_name(loss)
    line = linecache.getline(*here)
    if known is None:
        raise InputError(
            Fault(
                "NameError",
                f'no loss is called "{loss}"',
                *here,
                line,
                needs=f"a function, a module, or one of {', '.join(loss_names())}",
                hint=closest(loss, loss_names()),
            )
        )
    if targets is None:
        raise InputError(
            Fault("ValueError", f'loss "{loss}" without targets', *here, line, needs="targets=")
        )
    return known


def _exported(call: Call, here: Place) -> Any:
    """The trace, decomposed but for the operations in the table."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with torch.enable_grad():
                exported = torch.export.export(call.whole, call.given, strict=False)
            _stop_where_no_gradient_goes(exported.graph_module)
            return exported.run_decompositions(_decompositions(exported))
    except Exception as error:
        raise InputError(_refusal(error, here)) from None


def _stop_where_no_gradient_goes(module: Any) -> None:
    """Puts `detach` behind what `torch.no_grad` hands out, which decomposing would forget."""
    graph = module.graph
    for node in list(graph.nodes):
        if getattr(node.target, "__name__", "") != "wrap_with_set_grad_enabled" or node.args[0]:
            continue
        for result in list(node.users):
            with graph.inserting_after(result):
                stopped = graph.call_function(torch.ops.aten.detach.default, (result,))
            stopped.meta = dict(result.meta)
            result.replace_all_uses_with(stopped, lambda user, own=stopped: user is not own)
    module.recompile()


def _decompositions(exported: Any) -> Any:
    """PyTorch's own decompositions, but for operations that have steps here."""
    chosen: Any = torch.export.default_decompositions()
    draws = {node.target for node in exported.graph.nodes if _bound(node, "dropout_p")}
    for name in OPERATIONS:
        packet, _, overload = name.partition(".")
        own = getattr(getattr(torch.ops.aten, packet, None), overload, None)
        if own is not None and own not in draws:
            chosen.pop(own, None)
    return chosen


def _bound(node: Any, argument: str) -> Any:
    """The value of an argument that has that name, if the operation has one."""
    schema = getattr(node.target, "_schema", None)
    for place, own in enumerate(schema.arguments if schema else ()):
        if own.name == argument:
            return node.args[place] if place < len(node.args) else node.kwargs.get(argument)
    return None


def _refusal(error: Exception, here: Place) -> Fault:
    """Why PyTorch did not trace the module: its own reason in one line, at the user's line."""
    place, line = here
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith((*_NOT_THE_USERS, "<")) and frame.lineno:
            place, line = frame.filename, frame.lineno
    lines = [text.strip() for text in str(error).splitlines() if text.strip()]
    reason = lines[0] if lines else type(error).__name__
    return Fault(
        "ExportError",
        f"torch.export does not trace this module: {reason}",
        place,
        line,
        linecache.getline(place, line),
        needs="a module that torch.export accepts: no step may depend on the numbers themselves",
        hint="torch.where in the place of `if`, a fixed number of steps in that of a loop",
    )
