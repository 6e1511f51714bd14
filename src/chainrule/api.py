"""What chainrule does, as functions: load, show, explain, why, article, step, plot, check, source.

Each command of the command line is one of these and a way to print its answer.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from chainrule.engines import reference
from chainrule.errors import Fault, InputError, NumericError
from chainrule.explanation.schema import Explanation
from chainrule.explanation.values import (
    Values,
    parts_of_loss,
    raise_non_finite,
    values_of,
)
from chainrule.graph.labels import Labels
from chainrule.graph.model import Model, Order
from chainrule.graph.passes.unroll import quantities
from chainrule.graph.trace import Trace

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from chainrule.emit.source import Form
    from chainrule.emit.straight_line import What
    from chainrule.engines.choice import EngineName
    from chainrule.engines.jax.devices import Devices
    from chainrule.engines.run import DType
    from chainrule.explanation.article import Article
    from chainrule.explanation.excerpt import Excerpt
    from chainrule.explanation.messages import Language
    from chainrule.explanation.why import Why, WhyMap
    from chainrule.frontends.expression import Expression
    from chainrule.frontends.files import Kind, Source
    from chainrule.train.epochs import Epochs
    from chainrule.train.steps import Steps
    from chainrule.verify.report import Report

Taken = TypeVar("Taken")

__all__ = [
    "article",
    "check",
    "derivations",
    "explain",
    "fit",
    "from_torch",
    "load",
    "loads",
    "plot",
    "show",
    "source",
    "step",
    "updated_text",
    "why",
]


def load(
    model: str | os.PathLike[str],
    *,
    loss: str | None = None,
    trained: Sequence[str] | None = None,
    values: Mapping[str, float] | None = None,
) -> Model:
    """A model from a file, from standard input (`-`), or a shipped example by its name.

    `loss` and `trained` choose the loss and the trained parameters of a file of
    equations; `values` overrides numbers by name.

    Raises: InputError with every fault of the file.

    Example:
        >>> load("seed").learning_rate
        0.5
    """
    from chainrule.frontends.files import read

    return _loaded(read(model), loss, trained, values)


def loads(
    text: str,
    *,
    title: str = "model",
    format: Kind | None = None,  # noqa: A002, the word that the commands use
    loss: str | None = None,
    trained: Sequence[str] | None = None,
    values: Mapping[str, float] | None = None,
) -> Model:
    """A model from the text of a file; without a `format` it is seen from the text.

    Raises: InputError with every fault of the text.

    Example:
        >>> loads("w = 2.0; x = 3.0; E = w * x").trained
        ('w',)
    """
    from chainrule.frontends.files import given

    return _loaded(given(text, title, format), loss, trained, values)


def _loaded(
    source: Source,
    loss: str | None,
    trained: Sequence[str] | None,
    values: Mapping[str, float] | None,
) -> Model:
    choices: dict[str, str | tuple[str, ...]] = {"format": source.kind}
    if source.kind == "equations":
        from chainrule.frontends.equations import parse_equations

        if loss is not None:
            choices["loss"] = loss
        if trained is not None:
            choices["trained"] = tuple(trained)
        loaded = parse_equations(source, loss=loss, trained=trained)
    else:
        from chainrule.frontends.network import load_network

        if loss is not None or trained is not None:
            raise InputError(
                Fault(
                    "OptionError",
                    "a network file says itself what its loss is and what it trains",
                    needs="--loss and --train with a file of equations only",
                )
            )
        loaded = load_network(source)
    loaded = dataclasses.replace(loaded, rewrite=_only_changes(loaded), choices=choices)
    return loaded.with_values(values) if values else loaded


def _only_changes(loaded: Model) -> Callable[[Mapping[str, float]], str]:
    """The model's `rewrite`, for the numbers that are no longer those of the file."""
    rewrite = loaded.rewrite
    assert rewrite is not None
    written = loaded.numbers
    return lambda values: rewrite(
        {name: value for name, value in values.items() if value != written[name]}
    )


def _model(given: Model | Expression) -> Model:
    """A model as it is, an expression as the loss of one, in a form whose loss is finite.

    A cross-entropy of an output that rounds to 0 or 1 is infinite in steps where
    it is finite in mathematics; its stable form is taken then.
    """
    if not isinstance(given, Model):
        from chainrule.frontends.expression import model

        return model(given)
    stable = given.in_stable_form()
    return given if stable is None or math.isfinite(_loss(given)) else stable


def _loss(model: Model) -> float:
    if reference.takes(model):
        loss = model.unrolled.entries[model.loss][0]
        return float(reference.run([loss], reference.leaf_values(model))[loss])
    from chainrule.engines import numpy as arrays

    return float(arrays.program([model.loss]).results(arrays.leaf_arrays(model))[model.loss])


def show(model: Model | Expression) -> Values:
    """Every quantity of the forward pass, with its formula and its number."""
    model = _model(model)
    unrolled = model.unrolled
    nodes = quantities(unrolled, model.outputs)
    trace = Trace(reference.run(nodes, reference.leaf_values(model)))
    return values_of(model, unrolled, nodes, trace)


@overload
def explain(
    model: Model | Expression,
    parameters: str | Sequence[str] | None = None,
    *,
    order: Order | None = None,
    checked: bool = True,
) -> Explanation: ...


@overload
def explain(
    model: Any,
    parameters: Any = None,
    *,
    wrt: str | Sequence[str] | None = None,
    loss: Any = None,
    targets: Any = None,
    seed: int = 0,
    order: Order | None = None,
    checked: bool = True,
    terms: int | None = None,
    depth: int | None = None,
) -> Any: ...


def explain(
    model: Any,
    parameters: Any = None,
    *,
    wrt: str | Sequence[str] | None = None,
    loss: Any = None,
    targets: Any = None,
    seed: int = 0,
    order: Order | None = None,
    checked: bool = True,
    terms: int | None = None,
    depth: int | None = None,
) -> Explanation | Excerpt:
    """The derivations of `parameters` (default: all that are trained).

    Any given number may be asked for: inputs and targets too.

    Of a PyTorch module the second argument are the module's own, and `wrt` are the entries:
    `explain(module, args, loss=..., wrt="fc1.weight[0,3]")`; `loss`, `targets` and `seed` are
    those of `from_torch`.

    Of a model that is too large to be spelt out the answer is an `Excerpt`: the largest
    `terms` of each gradient (8), opened to a `depth` (1: not at all).  Where `terms` or `depth`
    is given, that is the answer for any model, and any computed quantity may be asked for.

    Raises: InputError for an unknown name; NumericError where a quantity or a
    derivative is not finite.
    """
    from chainrule.workings import Workings

    if _is_module(model):
        model = from_torch(model, parameters, loss=loss, targets=targets, seed=seed)
        parameters = None
    model = _model(model)
    asked = wrt if parameters is None else parameters
    names = [asked] if isinstance(asked, str) else asked
    if terms is not None or depth is not None or not _is_spelt_out(model):
        if not names:
            raise InputError(_nothing_asked(model))
        return _excerpt(model, names, terms, depth, checked)
    chosen = model.resolve_all(names or model.trained)
    try:
        return Workings(model, chosen, order or model.order).explanation(checked)
    except InputError as error:
        if not names or any(fault.kind != "SizeError" for fault in error.faults):
            raise
    return _excerpt(model, names, terms, depth, checked)


def _excerpt(
    model: Model, names: Sequence[str], terms: int | None, depth: int | None, checked: bool
) -> Excerpt:
    from chainrule.excerpts import DEPTH, TERMS, Reader

    reader = Reader(model)
    return reader.excerpt(names, terms=terms or TERMS, depth=depth or DEPTH, checked=checked)


def why(
    model: Any,
    parameter: Any = None,
    *,
    wrt: str | None = None,
    loss: Any = None,
    targets: Any = None,
    seed: int = 0,
) -> Why | WhyMap:
    """Why the derivative of the loss by the entry `parameter` is what it is.

    It is not connected, frozen, stopped, masked, saturated, cancelled, multiplied by zero,
    vanishing, exploding, not finite, or ordinary; the answer has the evidence, with its place.
    Of the name of a whole array, or without one, the answer is a map: how many entries have
    which reason.

    Of a PyTorch module the second argument are the module's own, and `wrt` is the entry:
    `why(module, args, loss=..., wrt="fc1.weight[0,3]")`; `loss`, `targets` and `seed` are those
    of `from_torch`.

    Raises: InputError for an unknown name.

    Example:
        >>> why(load("seed"), "w7").cause
        'ordinary'
    """
    from chainrule.reasons import why as found

    if _is_module(model):
        model, parameter = from_torch(model, parameter, loss=loss, targets=targets, seed=seed), None
    return found(_model(model), wrt if parameter is None else parameter)


def from_torch(
    module: Any,
    args: Any,
    kwargs: Mapping[str, Any] | None = None,
    *,
    loss: Any,
    targets: Any = None,
    seed: int = 0,
) -> Model:
    """The model of a PyTorch module's loss (see `importers.torch.from_torch`).

    Raises: InputError where PyTorch is missing or an operation has no steps here.
    """
    from chainrule.importers.torch import from_torch as imported

    return imported(module, args, kwargs, loss=loss, targets=targets, seed=seed)


def _is_module(given: Any) -> bool:
    """Whether this is a PyTorch module; PyTorch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(given, torch.nn.Module)


def _is_spelt_out(model: Model) -> bool:
    """Whether derivations are written out whole: of what came from a framework, if small."""
    return model.framework is None or reference.takes(model)


def _nothing_asked(model: Model) -> Fault:
    trained = [leaf.labels for leaf in model.leaves if leaf.trained]
    first = f"an entry of a parameter, as in {trained[0][0]}" if trained else "the name of an entry"
    names = [
        name
        for labels in trained
        for name in ((labels.name,) if isinstance(labels, Labels) else labels)
    ]
    more = ", ..." if len(names) > 8 else ""
    return Fault(
        "ValueError",
        f"the model has {model.scalar_size:,} scalar steps, and no entry was asked for",
        needs=first,
        hint=f"its parameters: {', '.join(names[:8])}{more}" if names else "",
    )


def article(
    model: Model | Expression,
    *,
    order: Order | None = None,
    also: Sequence[Mapping[str, float]] = (),
) -> Article:
    """A whole worked example: forward pass, all derivations, one step, the check.

    Each of `also` gives other numbers by name, with which the step is taken again.  Of a
    model that is too large to be spelt out, the article shows the way from a weight of
    its first layer and one of its last to the loss.

    Raises: InputError where no parameter is trained or a name is unknown; NumericError
    where a quantity or a derivative is not finite.
    """
    from chainrule.explanation.article import Article, Variant
    from chainrule.explanation.cost import cost_of
    from chainrule.explanation.picture import picture_of
    from chainrule.workings import Workings, ends

    model = _model(model)
    chosen: Order = order or model.order
    if not model.trained:
        raise InputError(
            Fault("ValueError", "no parameter is trained", needs="at least one to derive")
        )
    others = [model.with_values(changes) for changes in also]
    whole = reference.takes(model)
    workings = Workings(model, model.trained if whole else ends(model), chosen)
    unrolled, trace = workings.scalars.unrolled, workings.trace
    trains = model.learning_rate is not None
    return Article(
        show(model) if whole else workings.values(),
        parts_of_loss(model, unrolled),
        picture_of(model, unrolled, trace),
        model.examples,
        workings.explanation(),
        workings.worth_showing(),
        cost_of(workings.chain, workings.asked),
        step(model, order=chosen) if trains else None,
        check(model),
        tuple(
            Variant(changes, step(other, order=chosen))
            for changes, other in zip(also, others, strict=True)
        ),
    )


def derivations(
    model: Model | Expression,
    parameters: str | Sequence[str] | None = None,
    *,
    order: Order | None = None,
    checked: bool = True,
) -> Iterator[str]:
    """The same as lines of JSON, one after another: for more than memory should hold.

    The lines are described in `docs/json.md`, schema `chainrule.derivations/1`.

    Raises: what `explain` does, before the first line.
    """
    from chainrule.streamed import lines

    model = _model(model)
    names = [parameters] if isinstance(parameters, str) else parameters
    return lines(model, model.resolve_all(names or model.trained), order or model.order, checked)


def _check_forward(model: Model) -> None:
    """Raises: NumericError naming the first quantity of a small model that is not finite.

    A large one is judged by its loss, when it is run.
    """
    if reference.takes(model):
        loss = model.unrolled.entries[model.loss][0]
        trace = Trace(reference.run([loss], reference.leaf_values(model)))
        raise_non_finite(model.unrolled, model.loss, trace)


def step(
    model: Model | Expression,
    steps: int = 1,
    *,
    order: Order | None = None,
    progress: Callable[[int, float], None] | None = None,
    follow: bool = False,
    engine: EngineName = "auto",
    dtype: DType = "float64",
    devices: Devices | None = None,
) -> Steps:
    """`steps` steps of gradient descent (see `train.steps.take_steps`).

    With `follow` the answer's `history` has the parameters on the way.  `engine` is
    `reference`, `numpy`, `numba`, `jax`, or `auto`, which goes by size and count; where it
    cannot take the steps another does, and the answer's `reason` says why.  `dtype` is
    `float64` or `float32`; `devices` share the examples, by the engine `jax`.

    Raises: InputError where nothing is trained, there is no learning rate, or the engine
    cannot do what is asked; NumericError where a number stops being finite.
    """
    from chainrule.train.steps import take_steps

    model = _model(model)
    _check_forward(model)
    return _in_finite_form(
        model,
        lambda form: take_steps(form, steps, order, progress, follow, engine, dtype, devices),
    )


def _in_finite_form(model: Model, take: Callable[[Model], Taken]) -> Taken:
    """What `take` gives for the model, or for its stable form where a number is not finite.

    An output may round to 0 or 1 on the way.
    """
    try:
        return take(model)
    except NumericError:
        stable = model.in_stable_form()
        if stable is None:
            raise
        return take(stable)


def fit(
    model: Model | Expression,
    inputs: ArrayLike,
    targets: ArrayLike,
    *,
    epochs: int = 1,
    seed: int | None = None,
    engine: EngineName = "auto",
    dtype: DType = "float64",
    losses: bool = True,
    fast: bool = False,
    devices: Devices | None = None,
) -> Epochs:
    """Epochs of gradient descent over data, in batches as large as the model's own examples.

    See `train.epochs.take_epochs`; `engine`, `dtype` and `devices` are those of `step`.

    Raises: InputError where the arrays do not fit the model, it has no learning rate, or the
    engine cannot do what is asked; NumericError where a number stops being finite.
    """
    from chainrule.train.epochs import take_epochs

    return _in_finite_form(
        _model(model),
        lambda form: take_epochs(
            form,
            inputs,
            targets,
            epochs=epochs,
            seed=seed,
            engine=engine,
            dtype=dtype,
            losses=losses,
            fast=fast,
            devices=devices,
        ),
    )


def plot(taken: Steps, file: str | os.PathLike[str], *, language: Language = "en") -> None:
    """Write the loss and the parameters over the steps as a picture: SVG, PNG or PDF.

    The ending of `file` chooses.  Needs matplotlib, and steps taken with `follow`;
    the labels are English where no font has the characters of `language`.

    Raises: InputError for another ending, without matplotlib, without a history,
    and where the file cannot be written.
    """
    from chainrule.explanation.documents import plot as picture
    from chainrule.frontends.files import write_atomic

    form = picture.plot_format(file)
    if taken.history is None:
        raise InputError(
            Fault(
                "ValueError",
                "the parameters were not followed on the way",
                needs="steps taken with follow=True",
            )
        )
    write_atomic(file, picture.plot(taken, taken.history, form, language))


def check(model: Model | Expression) -> Report:
    """Every derivative of the trained parameters against independent ones.

    Raises: NumericError where the loss or a derivative is not finite.
    """
    from chainrule.engines.gradient import gradient
    from chainrule.verify.report import check_gradient

    model = _model(model)
    names = model.trained
    _check_forward(model)
    found = gradient(model)
    for name, value in found.entries.items():
        if not math.isfinite(value):
            raise NumericError(
                Fault(
                    "NumericError",
                    f"the derivative by {name} is {value}",
                    needs="finite numbers",
                    hint=f"`chainrule explain` of {name} names the first factor that is not",
                )
            )
    return check_gradient(model, found.entries, names)


def source(
    model: Model | Expression,
    *,
    lang: str = "python",
    what: What | None = None,
    order: Order | None = None,
    form: Form = "auto",
) -> str:
    """A program without dependencies that computes the forward pass, the gradient or a step.

    `lang` is `python`, `c` or `javascript`; `what` is `forward`, `gradient` (the default) or
    `step`.  The `form` is `scalars`, straight-line code in which every operation stands in
    the order in which the reference engine takes it, or `arrays`, loops and matrix products
    (in Python, NumPy's); by default it is that which suits the model's size.

    With `lang="numba"` it is the text of a run of steps that the numba engine compiles.

    Raises: InputError for another language or form, for a model that is too large to be
    written out, and where nothing is trained or a step has no learning rate.
    """
    model = _model(model)
    if lang == "numba":
        return _numba_source(model, what, order or model.order, form)
    from chainrule.emit.source import source as written

    return written(model, lang, what or "gradient", order or model.order, form)


def _numba_source(model: Model, what: What | None, order: Order, form: Form) -> str:
    from chainrule.emit.straight_line import check_what
    from chainrule.engines import numba
    from chainrule.engines.run import Task

    for option, value, only in (("what", what, "step"), ("form", form, "auto")):
        if value not in (None, only):
            raise InputError(
                Fault(
                    "OptionError",
                    f"numba has one program for a model: it takes no {option} {value}",
                    needs="a run of steps, in the form that the engine chooses",
                    hint=f"leave out --{option}, or choose python, c or javascript",
                )
            )
    check_what(model, "step")
    assert model.learning_rate is not None
    try:
        return numba.prepare(Task(model, model.learning_rate, order)).source
    except numba.UnplannedError as refusal:
        raise InputError(
            Fault(
                "OptionError",
                f"the numba engine does not take this model: {refusal}",
                needs="a model that it can plan",
                hint="choose python, c or javascript",
            )
        ) from None


def updated_text(taken: Steps) -> str:
    """The updated model as text, in the format that it came in.

    Raises: InputError for a model that did not come from a file.
    """
    model = taken.model
    if model.rewrite is None:
        raise InputError(
            Fault(
                "OptionError",
                "the model was not read from a file, so it has no format to be written in",
                needs="a model from a TOML, JSON or equations file",
            )
        )
    return model.rewrite(model.numbers)
