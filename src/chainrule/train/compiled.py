"""Steps of gradient descent as one compiled run, by the JAX engine."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from chainrule.errors import Fault, InputError
from chainrule.graph.model import Model, Order
from chainrule.train.steps import Steps, check_finite, needed_rate

if TYPE_CHECKING:
    from chainrule.engines.jax.descent import DType
    from chainrule.engines.jax.devices import Devices

__all__ = ["take_steps_jax"]


def take_steps_jax(
    model: Model,
    count: int = 1,
    order: Order | None = None,
    dtype: DType = "float64",
    devices: Devices | None = None,
) -> Steps:
    """`count` steps of gradient descent, compiled into one function.

    `devices` share the examples among them; every process gets the whole answer.

    Raises: InputError without jax, without a learning rate, without trained parameters, or
    where the examples do not share evenly; NumericError when the loss or a parameter
    stops being finite.
    """
    from chainrule.engines.jax.descent import JaxDescent

    rate = needed_rate(model)
    chosen: Order = order or model.order
    if not model.trained:
        raise InputError(
            Fault("ValueError", "no parameter is trained", needs="at least one to update")
        )
    ran = JaxDescent(model, rate, chosen, dtype, devices).run(count)
    losses = tuple(ran.losses.tolist())
    changed = {
        number: ran.parameters[leaf.node].ravel().tolist()
        for number, leaf in enumerate(model.leaves)
        if leaf.trained
    }
    names = {leaf.node: f"{leaf.labels[0]}, ..." for leaf in model.leaves}
    broken = next((place for place, loss in enumerate(losses[:-1]) if not isfinite(loss)), None)
    if broken is not None:
        check_finite(f"step {broken + 1}", losses[broken], {}, names.__getitem__)
    check_finite(f"after step {count}", losses[-1], ran.parameters, names.__getitem__)
    return Steps(model.with_leaves(changed), model, chosen, losses, f"jax, {dtype}")
