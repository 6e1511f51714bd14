"""What the readers of printed formulas share: sums of products of signed powers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from chainrule.primitives import Apply, Formula


class Reader(ABC):
    """Recursive descent, from comparisons down to powers.

    `comparisons` and `products` say which signs stand for which primitives.
    """

    comparisons: ClassVar[Mapping[str, str]]
    products: ClassVar[Mapping[str, str]]

    @abstractmethod
    def take(self, *signs: str) -> str | None:
        """The next sign, if it is one of these; it is then behind."""

    @abstractmethod
    def power(self) -> Formula:
        """An atom, raised or not."""

    def comparison(self) -> Formula:
        left = self.sum()
        sign = self.take(*self.comparisons)
        return left if sign is None else Apply(self.comparisons[sign], (left, self.sum()))

    def sum(self) -> Formula:
        left = self.product()
        while sign := self.take("+", "−"):
            left = Apply("add" if sign == "+" else "sub", (left, self.product()))
        return left

    def product(self) -> Formula:
        left = self.signed()
        while sign := self.take(*self.products):
            left = Apply(self.products[sign], (left, self.signed()))
        return left

    def signed(self) -> Formula:
        return Apply("neg", (self.signed(),)) if self.take("−") else self.power()
