"""Pairs from responses that have a score, a rank or a thumb each: which are compared, and which is better.

One prompt's responses at a time; what they are made of (ratings, a ranking, thumbs) is the caller's to gather
and a pair's to remember. Knows no votes and no policies but that for ties.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise, product
from typing import Any

from heedful.formats.sound import alike
from heedful.prepare.pair_settings import Mode
from heedful.records import GENERATOR, GENERATORS, LANGUAGE, SCORES, Messages

ROUNDING = 1e-9
"""What decimal fractions lose in binary: 3.4 - 3.1 is no more than 0.3."""


@dataclass(slots=True)
class Answer:
    """A response and what it was given.

    Attributes:
        order: which of its prompt's responses it is, in order of appearance.
        score: higher is better; of several ratings the mean.
        places: of the records that say so, among all.
        name: what the pair's id is made of.
        source, metadata: of the first of those records.
        weight: of a pair with a response of weight 1.
    """

    order: int
    response: Messages
    score: float
    places: list[int]
    name: str
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers to one prompt, the better first; of a tie the one that came first."""

    better: Answer
    worse: Answer
    tie: bool

    @property
    def margin(self) -> float:
        return self.better.score - self.worse.score

    @property
    def places(self) -> list[int]:
        return [*self.better.places, *self.worse.places]

    @property
    def in_order(self) -> tuple[Answer, Answer]:
        """The two as they came."""
        pair = (self.better, self.worse)
        return pair if self.better.order < self.worse.order else pair[::-1]

    @property
    def id(self) -> str:
        """The two names in the order in which the answers came, so that a changed score changes no id."""
        first, second = self.in_order
        return f"{first.name}+{second.name}"

    def metadata(self) -> dict[str, Any]:
        """What the two sides' metadata say of a pair: the writers, and the language where it is one."""
        found: dict[str, Any] = {}
        for name, answer in zip(GENERATORS, (self.better, self.worse), strict=True):
            if GENERATOR in answer.metadata:
                found[name] = answer.metadata[GENERATOR]
        language = self.better.metadata.get(LANGUAGE)
        if language is not None and language == self.worse.metadata.get(LANGUAGE):
            found[LANGUAGE] = language
        return found

    def scores(self) -> dict[str, Any]:
        return dict(zip(SCORES, (self.better.score, self.worse.score), strict=True))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was compared, and which answers were not and why: a reason of `ledger.LEFT_OUT`."""

    comparisons: list[Comparison]
    idle: list[tuple[Answer, str]]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many pairs, drawn at random; all of them where `count` is None."""

    count: int | None
    draw: random.Random

    @classmethod
    def of_prompt(cls, prompt: Messages, of: str, *, count: int | None, seed: int) -> Limit:
        """The limit of one prompt's pairs, drawn as seed and prompt say; `of` tells its draws apart."""
        text = "\x1e".join(f"{message.role}\x1f{message.content}" for message in prompt)
        # A lone surrogate, which only a record made in Python can hold, has no UTF-8 form to be a seed.
        start = f"{seed}\x1d{of}\x1d{text}".encode("utf-8", "backslashreplace")
        return cls(count, random.Random(start))

    def of(self, pairs: list[Comparison]) -> list[Comparison]:
        """Some of them, in the order they had."""
        if self.count is None or len(pairs) <= self.count:
            return pairs
        return [pairs[number] for number in sorted(self.draw.sample(range(len(pairs)), self.count))]


def compare(
    answers: Sequence[Answer], *, mode: Mode, epsilon: float, keep_ties: bool, limit: Limit
) -> Chosen:
    """Compare a prompt's answers; two that are alike but for spacing are not compared.

    Args:
        mode: each two (`all`), the best with the worst (`best-worst`), or neighbours by score (`adjacent`).
        epsilon: scores that differ by no more are a tie.
        keep_ties: or leave them out, before any pairs are drawn.
    """
    if len(answers) < 2:
        return Chosen([], [(answer, "one_response") for answer in answers])
    ranked = sorted(answers, key=lambda answer: -answer.score)  # stable: of equal ones the first comes first
    pairs: list[Comparison] = []
    why: dict[int, str] = {}
    for better, worse in _MODES[mode](ranked):
        tie = better.score - worse.score <= epsilon + ROUNDING
        if alike(better.response, worse.response):
            why |= {better.order: "equal_sides", worse.order: "equal_sides"}
        elif tie and not keep_ties:
            why |= {better.order: "tie", worse.order: "tie"}
        elif tie and worse.order < better.order:
            pairs.append(Comparison(worse, better, tie))
        else:
            pairs.append(Comparison(better, worse, tie))
    kept = limit.of(pairs)
    return Chosen(kept, _idle(answers, kept, why))


def oppose(good: Sequence[Answer], bad: Sequence[Answer], *, limit: Limit) -> Chosen:
    """Each good answer against each bad one."""
    answers = [*good, *bad]
    if not good or not bad:
        return Chosen(
            [], [(answer, "one_sided" if len(answers) > 1 else "one_response") for answer in answers]
        )
    pairs: list[Comparison] = []
    why: dict[int, str] = {}
    for better, worse in product(good, bad):
        if alike(better.response, worse.response):
            why |= {better.order: "equal_sides", worse.order: "equal_sides"}
        else:
            pairs.append(Comparison(better, worse, tie=False))
    kept = limit.of(pairs)
    return Chosen(kept, _idle(answers, kept, why))


_MODES: dict[Mode, Callable[[Sequence[Answer]], Iterable[tuple[Answer, Answer]]]] = {
    "all": lambda ranked: combinations(ranked, 2),
    "best-worst": lambda ranked: [(ranked[0], ranked[-1])],
    "adjacent": pairwise,
}


def _idle(
    answers: Sequence[Answer], kept: Sequence[Comparison], why: Mapping[int, str]
) -> list[tuple[Answer, str]]:
    busy = {answer.order for pair in kept for answer in (pair.better, pair.worse)}
    return [(answer, why.get(answer.order, "not_compared")) for answer in answers if answer.order not in busy]
