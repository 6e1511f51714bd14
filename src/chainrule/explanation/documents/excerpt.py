"""The document of an excerpt: an entry's gradient by its largest terms, and where they lead."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from chainrule.explanation.derivation import partial
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Cell,
    Derivative,
    Details,
    Document,
    Equation,
    Heading,
    Name,
    Number,
    Paragraph,
    Piece,
    Right,
    Series,
    Table,
    Title,
)
from chainrule.explanation.documents.choices import Choices
from chainrule.explanation.documents.compose import FULL, finished, framework_blocks, line_blocks
from chainrule.explanation.documents.rounding import significant
from chainrule.explanation.excerpt import Chain, Entry, Excerpt, Term, Use
from chainrule.explanation.messages import Words as Messages
from chainrule.explanation.printers.unicode import pretty_number
from chainrule.graph.node import Origin
from chainrule.primitives import Symbol

__all__ = ["DIGITS", "excerpt_document"]

DIGITS = 6
"""Significant digits, where no others are chosen: of a long sum the last ones say nothing."""

WRITTEN = 3
"""Terms that are written out with their formula, in a document of the usual level."""

HOW = {
    (False, True): "excerpt.formula.one",
    (False, False): "excerpt.formula.many",
    (True, True): "excerpt.unchanged.one",
    (True, False): "excerpt.unchanged.many",
}
"""How an entry stands in a quantity: whether it passes unchanged, and into what is named."""

MOST_NAMES = 5
"""Entries with names of their own that are listed; of more, the first ones and the last."""

CANCELS = 0.995
"""A gradient below this share of its terms' magnitudes is said to cancel."""

MOST_USES = 6
"""Quantities that an entry is said to stand in; of more, those whose terms are largest."""

MOST_LINKS = 40
"""Steps of a chain that are listed; of a longer one, half from each end."""


def excerpt_document(excerpt: Excerpt, say: Messages, choices: Choices = FULL) -> Document:
    """The document of `chainrule explain` for a model that is too large to be spelt out."""
    if choices.digits is None and choices.level != "everything":
        choices = replace(choices, digits=DIGITS)
    loss = (Right(Number(excerpt.loss_value)),)
    blocks: list[Block] = [
        Title(excerpt.title),
        Paragraph(say("excerpt.ran", engine=excerpt.engine, dtype=excerpt.dtype), "note"),
        Equation(Name(excerpt.loss), loss, level=0, style="note"),
    ]
    told = _Told(excerpt.loss, say, choices)
    for entry in excerpt.entries:
        heading = Derivative(excerpt.loss, entry.name)
        blocks.append(Heading(partial(excerpt.loss, entry.name), heading, entry.name))
        blocks += [*told.entry(entry), *told.ways(entry), *told.check(entry), *told.opened(entry)]
    document = Document(excerpt.title, tuple(blocks), say.language, told.symbols)
    return finished(document, choices)


class _Told:
    """The blocks of entries; `symbols` notes how derivatives in formulas are written."""

    def __init__(self, loss: str, say: Messages, choices: Choices) -> None:
        self.loss, self.say, self.choices = loss, say, choices
        self.symbols: dict[str, str] = {}

    def entry(self, entry: Entry) -> list[Block]:
        """An entry's number, its gradient, where it stands and its terms."""
        say = self.say
        gradient = Derivative(self.loss, entry.name)
        blocks: list[Block] = [
            Equation(Name(entry.name), (Right(Number(entry.value)),), style="plain"),
            Equation(gradient, (Right(Number(entry.gradient)),)),
        ]
        if entry.also:
            blocks.append(Paragraph(say("excerpt.shared", names=say.names(entry.also))))
        uses = sorted(entry.uses, key=lambda use: -use.size)[:MOST_USES]
        blocks += [Paragraph(self._use(use)) for use in entry.uses if use in uses]
        if len(entry.uses) > MOST_USES:
            text = say("more", count=f"{len(entry.uses) - MOST_USES:,}")
            blocks.append(Paragraph(text))
        if not entry.uses and entry.name != self.loss:
            blocks.append(Paragraph(say("excerpt.unused")))
        if len(entry.uses) > 1:
            blocks.append(Paragraph(say("excerpt.added")))
        return [*blocks, *self._terms(entry)]

    def opened(self, entry: Entry) -> list[Block]:
        """What its terms open to."""
        return [
            Details(
                Heading(partial(self.loss, name), Derivative(self.loss, name), level=2),
                (*self.entry(inner), *self.opened(inner)),
            )
            for name, inner in entry.opened.items()
        ]

    def ways(self, entry: Entry) -> list[Block]:
        """All paths to the loss, and the largest of them."""
        if not entry.uses or self.choices.level == "brief" or not math.isfinite(entry.paths):
            return []
        share = abs(entry.gradient) / entry.paths if entry.paths else 1.0
        numbers = {"paths": self._number(entry.paths), "share": _about(share)}
        blocks: list[Block] = [
            Break(),
            Paragraph(self.say("excerpt.paths", **numbers)),
        ]
        return blocks + (self._chain(entry.chain) if len(entry.chain.links) > 1 else [])

    def _number(self, value: float) -> str:
        digits = self.choices.digits
        return pretty_number(value if digits is None else significant(value, digits))

    def _use(self, use: Use) -> str:
        is_named = len(use.names) == use.count
        key = HOW[use.unchanged, is_named] if use.count else "excerpt.unread"
        if key == "excerpt.formula.one" and use.count > 1:
            key = "excerpt.formula.some"
        names = use.names if len(use.names) <= MOST_NAMES else (*use.names[:3], "…", use.names[-1])
        named = {"name": self.say.names(names), "steps": self.say.names(use.steps)}
        text = self.say(key, count=f"{use.count:,}", **named)
        place = self.say.names(_places(use.origin, use.names[0]))
        return self.say("excerpt.place", text=text, place=place) if place else text

    # ------------------------------------------------------------------------- terms

    def _terms(self, entry: Entry) -> list[Block]:
        say = self.say
        blocks: list[Block] = []
        if entry.count > 1:
            rows: list[tuple[Cell, ...]] = [
                (Name(term.through), term.adjoint, term.slope.value, term.value)
                for term in entry.terms
            ]
            is_whole = entry.count - entry.zero <= len(rows)
            largest = "excerpt.largest" if len(rows) > 1 else "excerpt.largest.one"
            label = "excerpt.terms" if is_whole else largest
            text = say(label, shown=len(rows), count=f"{entry.count:,}")
            blocks += [
                Break(),
                Paragraph(text),
                self._table(
                    rows, "excerpt.through", "excerpt.adjoint", "excerpt.slope", "excerpt.term"
                ),
                *(Paragraph(text, "note") for text in self._sums(entry)),
            ]
        if self.choices.level != "brief":
            most = WRITTEN if self.choices.level == "full" else len(entry.terms)
            for term in entry.terms[:most]:
                blocks += self._written(entry, term)
        return blocks

    def _table(self, rows: list[tuple[Cell, ...]], *head: str) -> Table:
        return Table(tuple(rows), level=2, head=tuple(map(self.say, head)))

    def _sums(self, entry: Entry) -> Iterator[str]:
        """What a table of the largest terms leaves out, and whether they cancel."""
        if entry.zero:
            yield self.say("excerpt.zero", zero=f"{entry.zero:,}", count=f"{entry.count:,}")
        if entry.count - entry.zero > len(entry.terms) and math.isfinite(entry.size):
            share, rest = f"{entry.coverage:.1%}", self._number(entry.rest)
            yield self.say("excerpt.coverage", share=share, rest=rest)
        if entry.cancellation < CANCELS:
            share, size = _about(entry.cancellation), self._number(entry.size)
            yield self.say("excerpt.cancellation", share=share, size=size)

    def _written(self, entry: Entry, term: Term) -> list[Block]:
        """A term with its formula and numbers."""
        tree = term.product.tree
        if term.through == self.loss and tree == Symbol(f"d{self.loss}_d{entry.name}"):
            return []  # its formula is too long to be written, and its number stands above
        slope = Derivative(term.through, entry.name)
        self.symbols[f"d{term.through}_d{entry.name}"] = partial(term.through, entry.name)
        left: Piece = slope
        if term.through != self.loss:
            self.symbols[f"d{self.loss}_d{term.through}"] = partial(self.loss, term.through)
            left = Series((Derivative(self.loss, term.through), slope))
        return [Break(), *line_blocks(left, term.product, self.say, self.choices)]

    # ------------------------------------------------------------------- chain, check

    def _chain(self, chain: Chain) -> list[Block]:
        say, links = self.say, chain.links
        key = "excerpt.chain.largest" if chain.is_largest else "excerpt.chain.found"
        rows: list[tuple[Cell, ...]] = [
            (Name(link.name), link.slope, link.product) for link in links
        ]
        if len(rows) > MOST_LINKS + 1:  # a row that says of one left out is no shorter
            half = MOST_LINKS // 2
            left_out = (say("more", count=f"{len(rows) - 2 * half:,}"), "", "")
            rows = [*rows[:half], left_out, *rows[-half:]]
        text = say(key, count=f"{len(links):,}", product=self._number(chain.product))
        return [
            Break(),
            Paragraph(text),
            self._table(rows, "excerpt.step", "excerpt.slope", "excerpt.so_far"),
        ]

    def check(self, entry: Entry) -> list[Block]:
        """The framework's own gradient."""
        return framework_blocks(entry.checks, self.say, self.choices) if entry.checks else []


def _places(origin: Origin | None, name: str) -> Iterator[str]:
    """Where a quantity comes from, as far as its name does not say it."""
    if origin is None:
        return
    if origin.module and origin.module != name:
        yield origin.module
    *folders, file = origin.place.replace("\\", "/").split("/")
    is_cell = file.startswith("<") or any(name.startswith("ipykernel_") for name in folders[-1:])
    if file and not is_cell:  # what was typed at a prompt or in a notebook is in no file
        yield file if origin.line is None else f"{file}:{origin.line}"


def _about(share: float) -> str:
    return pretty_number(significant(share, 2))
