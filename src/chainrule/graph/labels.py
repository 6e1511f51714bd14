"""The names of entries, made when they are asked for: `fc1.weight[3,2]`.

An array of a hundred million entries has as many names, and none is stored.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import eq
from typing import Any, Generic, TypeVar

from chainrule.errors import Fault, InputError

__all__ = ["Directory", "Labels"]

Key = TypeVar("Key")


class Labels(Sequence[str]):
    """The names of the entries of an array called `name`, row-major; of a scalar its name."""

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.shape = name, shape

    def __len__(self) -> int:
        return math.prod(self.shape)

    def __iter__(self) -> Iterator[str]:
        indices = itertools.product(*(map(str, range(size)) for size in self.shape))
        return (self._label(index) for index in indices)

    def __getitem__(self, flat: Any) -> Any:
        if isinstance(flat, slice):
            return tuple(self[place] for place in range(*flat.indices(len(self))))
        rest = flat + len(self) if flat < 0 else flat
        if not 0 <= rest < len(self):
            raise IndexError(flat)
        index = []
        for size in reversed(self.shape):
            rest, place = divmod(rest, size)
            index.append(str(place))
        return self._label(reversed(index))

    def _label(self, index: Iterable[str]) -> str:
        return f"{self.name}[{','.join(index)}]" if self.shape else self.name

    def find(self, label: str) -> int | None:
        """The flat index of the entry of that name, or None."""
        if not self.shape:
            return 0 if label == self.name else None
        name, _, written = label.rpartition("[")
        index = written.removesuffix("]").split(",")
        if name != self.name or len(index) != len(self.shape):
            return None
        if not all(place.isascii() and place.isdecimal() for place in index):
            return None
        flat = 0
        for place, size in zip(map(int, index), self.shape, strict=True):
            if place >= size:
                return None
            flat = flat * size + place
        return flat if self[flat] == label else None

    def __eq__(self, other: object) -> bool:
        """Whether the names are the same, however they are kept."""
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __contains__(self, label: object) -> bool:
        return isinstance(label, str) and self.find(label) is not None

    def index(self, label: str, *args: Any) -> int:
        """The flat index of that name. Raises: ValueError where it is none of them."""
        flat = self.find(label)
        if flat is None:
            raise ValueError(label)
        return flat

    def renamed(self, name: str) -> Labels:
        """The names of the same entries of an array called `name`."""
        return Labels(name, self.shape)


class Directory(Mapping[str, tuple[Key, int]], Generic[Key]):
    """Where each name leads: to an array, by its key, and to the flat index of an entry.

    Raises: InputError when two entries have one name.
    """

    def __init__(self, rows: Iterable[tuple[Key, Sequence[str]]]) -> None:
        self._rows = list(rows)
        self._arrays: dict[str, tuple[Key, Labels]] = {}
        self._single: dict[str, tuple[Key, int]] = {}
        for key, labels in self._rows:
            if isinstance(labels, Labels) and labels.shape:
                self._check(labels.name not in self._arrays, labels.name)
                self._arrays[labels.name] = (key, labels)
                continue
            for flat, label in enumerate(labels):
                self._check(label not in self._single, label)
                self._single[label] = (key, flat)
        for label in self._single:
            self._check(self._indexed(label) is None, label)

    @staticmethod
    def _check(is_new: bool, label: str) -> None:
        if not is_new:
            raise InputError(Fault("NameError", f'two numbers are called "{label}"'))

    def array(self, name: str) -> Labels | None:
        """The names of the entries of the array of that name, where they are numbered."""
        found = self._arrays.get(name)
        return None if found is None else found[1]

    @property
    def names(self) -> list[str]:
        """The names of arrays whose entries are numbered, and of all other entries."""
        return [*self._arrays, *self._single]

    def _indexed(self, label: str) -> tuple[Key, int] | None:
        found = self._arrays.get(label.rpartition("[")[0])
        flat = None if found is None else found[1].find(label)
        return None if found is None or flat is None else (found[0], flat)

    def __getitem__(self, label: str) -> tuple[Key, int]:
        found = self._single.get(label) or self._indexed(label)
        if found is None:
            raise KeyError(label)
        return found

    def __iter__(self) -> Iterator[str]:
        return itertools.chain.from_iterable(labels for _, labels in self._rows)

    def __len__(self) -> int:
        return sum(len(labels) for _, labels in self._rows)
