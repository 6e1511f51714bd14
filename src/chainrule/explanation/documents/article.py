"""The document of `chainrule article`: a whole worked example, from the network to the check."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from chainrule.explanation.article import Article, Variant
from chainrule.explanation.documents.blocks import (
    Block,
    Break,
    Cell,
    Derivative,
    Diagram,
    Document,
    Heading,
    Name,
    Paragraph,
    Recomputed,
    Table,
    Title,
)
from chainrule.explanation.documents.choices import Choices
from chainrule.explanation.documents.compose import (
    FULL,
    Derived,
    conventions_blocks,
    finished,
    forward_blocks,
    given_blocks,
    symbols_of,
    verdict_blocks,
)
from chainrule.explanation.documents.passes import matrix_blocks
from chainrule.explanation.documents.rounding import rounded_picture
from chainrule.explanation.messages import Words as Messages
from chainrule.explanation.picture import Picture

__all__ = ["article_document"]

PICTURE_DIGITS = 6
"""In a picture there is no room for all digits; they stand in the forward pass."""

T = TypeVar("T")


def article_document(article: Article, say: Messages, choices: Choices = FULL) -> Document:
    """The document of `chainrule article`."""
    return _Article(article, say, choices).document()


class _Article:
    def __init__(self, article: Article, say: Messages, choices: Choices) -> None:
        self.article = article
        self.say = say
        self.choices = choices
        self.introduced: set[str] = set()
        self.derived = Derived(article.explanation, say, choices)

    def document(self) -> Document:
        article, say = self.article, self.say
        title = say("article.title", title=article.values.title)
        blocks: list[Block] = [
            Title(title),
            *conventions_blocks(article.values.conventions, say, self.choices),
            *self.derived.rate(),
            *self._network(),
            *self._forward(),
            *self._loss(),
            *(block for name in article.chosen for block in self._in_full(name)),
            *self._common_parts(),
            *self._matrices(),
            *self._updates(),
            *self._after(),
            *self._check(),
            *(block for variant in article.variants for block in self._variant(variant)),
        ]
        symbols = symbols_of(article.explanation)
        return finished(Document(title, tuple(blocks), say.language, symbols), self.choices)

    # ------------------------------------------------------------------- the forward pass

    def _network(self) -> list[Block]:
        article, say = self.article, self.say
        blocks: list[Block] = [
            Heading(say("article.network")),
            Paragraph(say("article.network.text")),
        ]
        if article.examples > 1:
            blocks.append(Paragraph(say("article.first_example", count=article.examples), "note"))
        picture = rounded_picture(article.picture, PICTURE_DIGITS)
        blocks.append(Diagram(picture, self._alternative(picture)))
        return [*blocks, *given_blocks(article.values, say, level=2, most=self.derived.most_listed)]

    def _alternative(self, picture: Picture) -> str:
        """The diagram in words."""
        say = self.say
        columns = [
            say.names(unit.name for unit in column if not unit.omitted)
            for column in picture.columns
        ]
        listed = "; ".join(columns)
        return say("article.alternative", columns=listed, edges=len(picture.edges))

    def _forward(self) -> list[Block]:
        article, say = self.article, self.say
        lines = [line for line in article.values.lines if line.symbol not in article.parts_of_loss]
        shown, note = self._listed(lines)
        return [
            Heading(say("forward_pass")),
            Paragraph(say("article.forward.text")),
            *forward_blocks(article.values, shown, say, self.choices),
            *note,
        ]

    def _loss(self) -> list[Block]:
        article, say = self.article, self.say
        lines = [line for line in article.values.lines if line.symbol in article.parts_of_loss]
        shown, note = self._listed(lines[:-1])
        loss = article.explanation.loss
        return [
            Heading(say("article.loss")),
            Paragraph(say("article.loss.text", name=loss)),
            *forward_blocks(article.values, [*shown, *lines[-1:]], say, self.choices),
            *note,
            Recomputed(f"cr.show(model).numbers[{loss!r}]", article.explanation.loss_value),
        ]

    # ------------------------------------------------------------------ the backward pass

    def _in_full(self, name: str) -> list[Block]:
        article, say = self.article, self.say
        item = article.derivation(name)
        near, far = ("output", "first") if self._has_layers() else ("near", "far")
        which = near if name == article.chosen[0] else far
        heading, *rest = self.derived.derivation(item, self.introduced)
        assert isinstance(heading, Heading)
        paths = "paths" if item.contributions else "path"
        return [
            Heading(say(f"article.{which}", symbol=item.symbol), anchor=heading.anchor),
            Paragraph(say(f"article.in_full.{paths}", name=name, loss=item.loss)),
            *rest,
            *self.derived.recomputed(item),
        ]

    def _has_layers(self) -> bool:
        """Whether what is trained are tables of weights, not single numbers."""
        leaves = self.article.explanation.model.leaves
        return any(leaf.trained and len(leaf.node.shape) == 2 for leaf in leaves)

    def _common_parts(self) -> list[Block]:
        article, say = self.article, self.say
        if not article.explanation.shared:
            return []
        cost = article.cost
        shown, note = self._listed(article.explanation.shared)
        share = f"{1 - cost.together / cost.apart:.0%}" if cost.apart else "0%"
        saved = cost.apart - cost.together
        counted = say(
            "article.cost", apart=cost.apart, together=cost.together, saved=saved, share=share
        )
        return [
            Heading(say("article.common")),
            Paragraph(say("article.common.text")),
            *self.derived.shared(shown),
            *note,
            Paragraph(counted),
        ]

    def _matrices(self) -> list[Block]:
        form = self.article.explanation.matrices
        return [] if form is None else matrix_blocks(form, self.say)

    def _updates(self) -> list[Block]:
        article, say = self.article, self.say
        key = "article.updates" if article.steps is not None else "article.derivatives"
        blocks: list[Block] = [Heading(say(key)), Paragraph(say(f"{key}.text"))]
        shown, _ = self._listed(article.explanation.derivations)
        note = self.derived.more(len(article.explanation.model.trained) - len(shown))
        for item in shown:
            anchor = "" if item.parameter in article.chosen else item.parameter
            heading = Derivative(item.loss, item.parameter)
            blocks.append(Heading(item.symbol, heading, anchor, level=2))
            blocks += self.derived.in_short(item)
        return [*blocks, *note]

    # ----------------------------------------------------------------- after the step

    def _after(self) -> list[Block]:
        article, say = self.article, self.say
        if article.steps is None:
            return []
        taken = article.steps
        before = taken.before.numbers
        shown, note = self._listed(list(taken.parameters.items()))
        order = article.explanation.order
        return [
            Heading(say("article.after")),
            self._losses(taken.losses),
            Break(),
            Table(
                tuple((Name(name), before[name], value) for name, value in shown),
                head=(say("article.parameter"), say("steps.before"), say("steps.after")),
            ),
            *note,
            *(
                Recomputed(f"cr.step(model, order={order!r}).parameters[{name!r}]", value)
                for name, value in shown
            ),
            Recomputed(f"cr.step(model, order={order!r}).losses[-1]", taken.losses[-1]),
        ]

    def _losses(self, losses: Sequence[float]) -> Table:
        say = self.say
        loss = Name(self.article.explanation.loss)
        return Table(
            ((loss, losses[0], losses[-1]),),
            head=(say("steps.loss"), say("steps.before"), say("steps.after")),
        )

    def _check(self) -> list[Block]:
        article, say = self.article, self.say
        shown, note = self._listed(article.report.entries)
        rows: list[tuple[Cell, ...]] = []
        for item in shown:
            complex_step: Cell = "–" if item.complex_step is None else item.complex_step
            verdict = say(f"verdict.{item.verdict}")
            row = (Name(item.parameter), item.gradient, complex_step, item.central_difference)
            rows.append((*row, verdict))
        head = [say("article.parameter"), say("check.gradient"), say("check.complex_step")]
        head += [say("check.central_difference"), say("article.verdict")]
        return [
            Heading(say("article.check")),
            Paragraph(say("article.check.text")),
            Table(tuple(rows), head=tuple(head)),
            *note,
            *verdict_blocks(article.report, say),
        ]

    def _variant(self, variant: Variant) -> list[Block]:
        say = self.say
        changes = say.names(f"{name} = {value}" for name, value in variant.changes.items())
        before = variant.steps.before.numbers
        shown, note = self._listed(list(variant.steps.parameters.items()))
        return [
            Heading(say("article.variant", changes=changes)),
            self._losses(variant.steps.losses),
            Break(),
            Table(
                tuple((Name(name), before[name], value) for name, value in shown),
                head=(say("article.parameter"), say("steps.before"), say("steps.after")),
            ),
            *note,
        ]

    # ---------------------------------------------------------------------------- lists

    def _listed(self, items: Sequence[T]) -> tuple[Sequence[T], list[Block]]:
        """The items that are written out, and a note that counts the others."""
        shown = items[: self.derived.most_listed]
        return shown, self.derived.more(len(items) - len(shown))
