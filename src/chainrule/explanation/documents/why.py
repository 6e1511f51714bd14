"""The documents of `why`: the reason of an entry with its evidence, or a map of many entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from chainrule.explanation.derivation import partial
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Cell,
    Derivative,
    Document,
    Entries,
    Equation,
    Heading,
    Name,
    Number,
    Paragraph,
    Right,
    Table,
    Title,
)
from chainrule.explanation.documents.choices import Choices
from chainrule.explanation.documents.compose import FULL, finished
from chainrule.explanation.documents.curves import bar, scale_of
from chainrule.explanation.documents.excerpt import DIGITS
from chainrule.explanation.messages import Words as Messages
from chainrule.explanation.why import Layer, Spot, Terms, Why, WhyMap

__all__ = ["why_document", "why_map_document"]

MOST_LAYERS = 24
"""Rows of the table of layers; of more of them, half from each end."""

MOST_PARTS = 6
"""Reasons that are listed of each array."""


def why_document(why: Why, say: Messages, choices: Choices = FULL) -> Document:
    """The document of `chainrule why` for one entry."""
    symbol = partial(why.loss, why.parameter)
    blocks: list[Block] = [
        Title(why.model.title),
        Heading(symbol, Derivative(why.loss, why.parameter), why.parameter),
        Equation(Derivative(why.loss, why.parameter), (Right(Number(why.gradient)),), level=1),
        Paragraph(say("why.cause", cause=say(f"cause.{why.cause}")), "value", level=1),
        *(Paragraph(say(phrase.key, **phrase.values), level=1) for phrase in why.paragraph),
    ]
    for spot in why.spots:
        blocks += [Break(), *_spot(spot, say)]
    if why.born is not None and why.born.operands:
        blocks += [Break(), Paragraph(say("why.operands"), level=1), Entries(why.born.operands)]
    if why.terms is not None and why.terms.count > 1:
        blocks += [Break(), *_terms(why.loss, why.terms, say)]
    if len(why.layers) > 1:
        everything = choices.level == "everything"
        blocks += [
            Break(),
            *_layers(why.layers, say, len(why.layers) if everything else MOST_LAYERS),
        ]
    document = Document(why.model.title, tuple(blocks), say.language)
    return finished(document, _rounding(choices))


def _rounding(choices: Choices) -> Choices:
    if choices.digits is None and choices.level != "everything":
        return replace(choices, digits=DIGITS)
    return choices


def _spot(spot: Spot, say: Messages) -> Iterator[Block]:
    """A place in one line, and its first numbers."""
    yield Paragraph(say("colon", topic=spot.name, text=say.listed(_about(spot, say))), level=1)
    if spot.numbers:
        yield Paragraph(say(f"why.says.{spot.says}"), "note", level=2)
        yield Entries(spot.numbers)


def _about(spot: Spot, say: Messages) -> Iterator[str]:
    """How many entries, by which step, and where that stands."""
    if spot.count == 1:
        yield say("why.entry")
    else:
        yield say("why.entries", count=f"{spot.count:,}")
    if spot.step not in ("variable", "constant"):
        yield spot.step
    if spot.module and spot.module != spot.quantity:
        yield spot.module
    if spot.line:
        yield spot.line.replace("\\", "/").rpartition("/")[2]


def _terms(loss: str, terms: Terms, say: Messages) -> list[Block]:
    rows: list[tuple[Cell, ...]] = [
        (Name(term.through), term.slope, term.adjoint, term.product) for term in terms.largest
    ]
    head = tuple(say(f"why.{key}") for key in ("through", "slope", "adjoint", "product"))
    return [
        Paragraph(say("why.terms", of=partial(loss, terms.of)), level=1),
        Table(tuple(rows), level=2, head=head),
        Table(
            (
                (say("why.sum", count=f"{terms.count:,}"), terms.total),
                (say("why.sizes"), terms.sizes),
            ),
            level=2,
        ),
    ]


def _layers(layers: Sequence[Layer], say: Messages, most: int) -> list[Block]:
    """The sizes of the adjoint, with a bar each."""
    known = [layer.size for layer in layers if layer.size > 0]
    scale = scale_of(known) if known else None
    rows: list[tuple[Cell, ...]] = []
    for number, layer in enumerate(layers):
        if len(layers) > most and number == most // 2:
            rows.append(("…", "", "", ""))
        if len(layers) > most and most // 2 <= number < len(layers) - most // 2:
            continue
        shown = "" if scale is None or layer.size <= 0 else bar(layer.size, scale)
        factor: Cell = "" if layer.factor is None else layer.factor
        rows.append((Name(layer.quantity), layer.size, shown, factor))
    head = (say("why.quantity"), say("why.size"), "", say("why.factor"))
    return [
        Paragraph(say("why.layers"), level=1),
        Table(tuple(rows), level=2, head=head),
        Paragraph(say("why.measured"), "note", level=2),
    ]


def why_map_document(found: WhyMap, say: Messages, choices: Choices = FULL) -> Document:
    """The document of `chainrule why` for whole arrays."""
    title = say("why.map.title", model=found.model.title, loss=found.loss)
    total = sum(found.sizes.values())
    rows: list[tuple[Cell, ...]] = [
        (say(f"cause.{cause}"), f"{count:,}", f"{count / total:.1%}")
        for cause, count in sorted(found.counts.items(), key=lambda item: -item[1])
    ]
    blocks: list[Block] = [Title(title), Table(tuple(rows), level=1)]
    ordinary = 0
    for name, size in found.sizes.items():
        parts = [part for part in found.parts if part.array == name]
        if choices.level != "everything" and {part.cause for part in parts} <= {"ordinary"}:
            ordinary += 1
            continue
        blocks.append(Heading(name, anchor=name, level=2))
        shown = len(parts) if choices.level == "everything" else MOST_PARTS
        for part in parts[:shown]:
            count = say("why.map.part", count=f"{part.count:,}", total=f"{size:,}")
            text = say("colon", topic=count, text=say(f"cause.{part.cause}"))
            if part.cause != "ordinary" and part.count < size:
                text = say("why.map.which", text=text, entries=part.pattern)
            if part.spot is not None and part.spot.quantity != name:
                text = say("why.map.at", text=text, place=part.spot.name)
            blocks.append(Paragraph(text, level=1))
        if len(parts) > shown:
            blocks.append(Paragraph(say("more", count=len(parts) - shown), "note", level=1))
    if ordinary:
        blocks += [Break(), Paragraph(say("why.map.rest", count=ordinary), "note")]
    return finished(Document(title, tuple(blocks), say.language), choices)
