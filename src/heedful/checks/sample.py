"""A few of many, kept while they stream by: examples that are not only the first ones."""

from __future__ import annotations

import random
from typing import Generic, TypeVar

from heedful.checks.finding import EXAMPLES

T = TypeVar("T")


class Sample(Generic[T]):
    """A uniform sample of what was offered (reservoir sampling, Vitter 1985), the same for the same input."""

    def __init__(self, size: int = EXAMPLES, seed: int = 0) -> None:
        self.size = size
        self.seen = 0
        self._random = random.Random(seed)
        self._held: list[tuple[int, T]] = []

    def offer(self, item: T) -> None:
        self.seen += 1
        if len(self._held) < self.size:
            self._held.append((self.seen, item))
        elif (place := self._random.randrange(self.seen)) < self.size:
            self._held[place] = (self.seen, item)

    def taken(self) -> tuple[T, ...]:
        """The sample, in the order it was offered."""
        return tuple(item for _, item in sorted(self._held, key=lambda held: held[0]))
