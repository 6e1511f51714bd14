"""An array graph whose steps JAX can trace: the records' own kernels, on its arrays."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable
from typing import Any

import jax
from jax import lax
from jax import numpy as jnp
from jax.scipy.special import erf

from chainrule.engines.numpy import kernel_of
from chainrule.engines.program import Kernel, Program
from chainrule.graph.node import Node
from chainrule.primitives import REGISTRY, Pointwise, Primitive
from chainrule.primitives.formula import interpret

__all__ = ["program"]

Padding = tuple[tuple[int, int], ...]


def _pad(x: Any, start: tuple[int, ...], step: tuple[int, ...], shape: tuple[int, ...]) -> Any:
    placed = [
        (first, size - first - (own - 1) * stride - 1, stride - 1)
        for first, size, own, stride in zip(start, shape, x.shape, step, strict=True)
    ]
    return lax.pad(x, jnp.zeros((), x.dtype), placed)


def _windows(
    x: Any,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: Padding,
) -> Any:
    lead, rank = x.ndim - len(size), len(size)
    around = [(0, 0, 0)] * lead + [(before, after, 0) for before, after in padding]
    found = lax.pad(x, jnp.zeros((), x.dtype), around)
    for axis, (own, step, apart) in enumerate(zip(size, stride, dilation, strict=True)):
        at = lead + 2 * axis  # each axis before has become two
        count = (found.shape[at] - (own - 1) * apart - 1) // step + 1
        places = step * jnp.arange(count)[:, None] + apart * jnp.arange(own)
        found = jnp.take(found, places, axis=at)
    axes = [lead + 2 * axis + inner for inner in (0, 1) for axis in range(rank)]
    return found.transpose((*range(lead), *axes))


def _overlap_add(
    x: Any,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: Padding,
    shape: tuple[int, ...],
) -> Any:
    rank, lead = len(stride), len(shape) - len(stride)
    counts, size = x.shape[lead : lead + rank], x.shape[lead + rank :]
    if math.prod(counts) < math.prod(size):  # fewer windows than places in one: window by window
        first, second = range(lead, lead + rank), range(lead + rank, lead + 2 * rank)
        x = x.transpose((*range(lead), *second, *first))
        counts, size, stride, dilation = size, counts, dilation, stride
    total = jnp.zeros(shape, x.dtype)
    for at in itertools.product(*map(range, size)):
        placed = [(0, 0, 0)] * lead
        for whole, own, apart, step, count, (before, _) in zip(
            shape[lead:], at, dilation, stride, counts, padding, strict=True
        ):
            start = own * apart - before  # less than 0 cuts off
            placed.append((start, whole - start - (count - 1) * step - 1, step - 1))
        total += lax.pad(x[(..., *at)], jnp.zeros((), x.dtype), placed)
    return total


def _convolution(
    x: Any,
    w: Any,
    stride: tuple[int, ...],
    padding: Padding,
    dilation: tuple[int, ...],
    groups: int,
) -> Any:
    return lax.conv_general_dilated(
        x, w, stride, padding, rhs_dilation=dilation, feature_group_count=groups
    )


def _scatter_add(x: Any, indices: tuple[int, ...], axis: int, size: int) -> Any:
    rows = jnp.moveaxis(x, axis, 0)
    total = jnp.zeros((size, *rows.shape[1:]), x.dtype).at[jnp.array(indices, int)].add(rows)
    return jnp.moveaxis(total, 0, axis)


OWN: dict[str, Kernel] = {
    "erf": erf,
    "pad": _pad,
    "scatter_add": _scatter_add,
    "windows": _windows,
    "overlap_add": _overlap_add,
    "convolution": _convolution,
}
"""The steps that NumPy works entry by entry, in place, or by a view."""


def _kernel(primitive: Primitive) -> Kernel:
    if isinstance(primitive, Pointwise) and not primitive.is_basic:
        return functools.partial(_from_formula, primitive)
    return OWN.get(primitive.name) or kernel_of(primitive)


def _from_formula(record: Pointwise, *operands: Any) -> Any:
    """The record's value, so that the steps in its formula are this engine's too."""
    environment = dict(zip(record.operands, operands, strict=True))
    return interpret(record.formula, environment, float, _apply)


def _apply(operation: str, *arguments: Any) -> Any:
    return _kernel(REGISTRY[operation])(*arguments)


def program(outputs: Iterable[Node], given: Iterable[Node] = (), dtype: str = "float64") -> Program:
    """An array graph, ready to be traced with numbers of the type `dtype`."""

    def constant(value: float) -> Any:
        with jax.ensure_compile_time_eval():  # a program outlives the trace that it is made in
            return jnp.asarray(value, dtype=dtype)

    return Program(outputs, _kernel, constant, given)
