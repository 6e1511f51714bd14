"""PyTorch's own gradient, which a model that came from it is judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.func import functional_call
from torch.utils._pytree import tree_flatten, tree_unflatten

from chainrule.errors import Fault, InputError, closest
from chainrule.importers.torch.trace import Trace

__all__ = ["OwnGradient"]


class OwnGradient:
    """The derivative of the loss by a whole leaf, by PyTorch's autograd.

    The user's own module is run again.  Where it drew random numbers, the traced graph is,
    with the numbers that were drawn.
    """

    def __init__(
        self,
        trace: Trace,
        places: Mapping[str, tuple[Any, torch.Tensor]],
        values: Mapping[Any, Any],
        drawn: Mapping[Any, torch.Tensor],
        has_drawn: bool,
    ) -> None:
        self._trace = trace
        self._places = dict(places)
        self._known = {
            node: value for node, value in values.items() if isinstance(value, torch.Tensor)
        }
        self._drawn = dict(drawn)
        self._has_drawn = has_drawn

    def __call__(self, name: str) -> Any:
        """Shapes: that of the leaf. Raises: InputError when there is no such leaf."""
        if name not in self._places:
            raise InputError(
                Fault(
                    "NameError",
                    f'there is no array called "{name}"',
                    hint=closest(name, self._places),
                )
            )
        node, tensor = self._places[name]
        point = tensor.detach().clone().requires_grad_()
        with torch.enable_grad():
            own = None if self._has_drawn else self._of_module(tensor, point)
            loss = self._of_graph(node, point) if own is None else own
            (found,) = torch.autograd.grad(loss, [point], allow_unused=True)
        if found is None:
            found = torch.zeros_like(point)
        kept = found.dtype in (torch.float32, torch.float64)
        return (found if kept else found.to(torch.float32)).cpu().numpy()

    def _of_module(self, tensor: torch.Tensor, point: torch.Tensor) -> torch.Tensor | None:
        """The loss of the user's module with `point` for a parameter, buffer or argument."""
        call = self._trace.call
        state = {name: own.clone() for name, own in call.whole.named_buffers()}
        names = [*call.whole.named_parameters(), *call.whole.named_buffers()]
        changed = {name: point for name, own in names if own is tensor}
        flat, form = tree_flatten(call.given)
        arguments = [point if item is tensor else item for item in flat]
        if not changed and all(item is not point for item in arguments):
            return None
        result: torch.Tensor = functional_call(
            call.whole, state | changed, tree_unflatten(arguments, form)
        )
        return result

    def _of_graph(self, node: Any, point: torch.Tensor) -> torch.Tensor:
        """The loss of the traced graph with `point` for one step of it."""
        known = dict(self._known)
        for place, _, value in self._trace.inputs():
            same = value is self._places_tensor(node)
            known[place] = point if same else value
        drawn = dict(self._drawn)
        if node in drawn:
            drawn[node] = point
        elif node.op != "placeholder":
            known[node] = point
        graph = self._trace.program.graph_module
        interpreter = _Interpreter(graph, drawn)
        outputs = interpreter.run(initial_env=known)
        loss: torch.Tensor = outputs[self._loss_place()]
        return loss

    def _places_tensor(self, node: Any) -> Any:
        return next((tensor for place, tensor in self._places.values() if place is node), None)

    def _loss_place(self) -> int:
        (output,) = [item for item in self._trace.program.graph.nodes if item.op == "output"]
        return list(output.args[0]).index(self._trace.loss)


class _Interpreter(torch.fx.Interpreter):
    """Runs a trace with the random numbers that were drawn, by operations that have a gradient."""

    def __init__(self, graph: Any, drawn: Mapping[Any, torch.Tensor]) -> None:
        super().__init__(graph)
        self._drawn = drawn

    def run_node(self, n: Any) -> Any:
        """One step."""
        if n in self._drawn:
            x = self.fetch_args_kwargs_from_env(n)[0][0]
            return x * self._drawn[n], self._drawn[n] != 0
        if n.target is torch.ops.aten._native_batch_norm_legit_functional.default:
            x, scale, shift, mean, variance, *rest = self.fetch_args_kwargs_from_env(n)[0]
            training, momentum, epsilon = rest
            # The statistics are copies: a batch norm changes them.
            mean, variance = mean.clone(), variance.clone()
            result = torch.nn.functional.batch_norm(
                x, mean, variance, scale, shift, training, momentum, epsilon
            )
            return result, None, None, mean, variance
        return super().run_node(n)
