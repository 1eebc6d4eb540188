"""What people said as answers to questions with a few possible answers each, whatever the task.

A pair is one question: this response, that one, or neither. A ranking asks it of each two of its responses, a
rating of each response and aspect how many points, thumbs of each response whether it is up. Agreement is
counted over such questions. Knows no database and no figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from heedful.agreement import Scale
from heedful.checks.votes import CATEGORIES, ONE, OTHER, TIE, UNKNOWN, Votes
from heedful.collect.findings.tally import Ints, Said, Words
from heedful.collect.settings import Settings

SAID = {"a": ONE, "b": OTHER, "tie": TIE, "both_bad": TIE}
THUMBS = 2
MIRROR = np.array([OTHER, ONE, TIE])


@dataclass(frozen=True, slots=True)
class Questions:
    """Answers to questions of one kind, `[answers]` each.

    Attributes:
        name: of the kind: `verdict`, `strength`, `thumb`, or an aspect.
        words: whose answer it is: the place of the word among those given.
        items, asked: which item and which question it is about, whole numbers from 0.
        said: the answer, from 0 and below `categories`.
        scale: how far apart two answers are.
        mirror: each answer where a question's two sides are called the other way round; None where a question
            has no sides.
    """

    name: str
    words: Ints
    items: Ints
    asked: Ints
    said: Ints
    categories: int
    scale: Scale
    mirror: Ints | None = None

    def __len__(self) -> int:
        return len(self.said)


Asked = Callable[[Said], Iterable[tuple[Any, int]]]
"""From an answer to what it says of the questions of one kind: which question of the item, and what."""


def questions(words: Words, settings: Settings) -> list[Questions]:
    """The kinds of questions that were asked and answered, the first of them the one that the task is about.

    Args:
        words: without skips.
    """
    if settings.task == "pairwise":
        found = [_made("verdict", words, _verdict, CATEGORIES, "nominal", MIRROR)]
        if settings.strength is not None:
            levels = 2 * settings.strength + 1  # that many for either side is more than enough
            mirror = np.arange(levels)[::-1]
            found.append(
                _made("strength", words, partial(_strength, settings.strength), levels, "ordinal", mirror)
            )
    elif settings.task == "ranking":
        found = [_made("verdict", words, _order, CATEGORIES, "nominal", MIRROR)]
    elif settings.task == "thumbs":
        found = [_made("thumb", words, _thumbs, THUMBS, "nominal")]
    else:
        kinds: dict[str, tuple[str, ...]] = {aspect: (aspect,) for aspect in settings.aspects}
        if len(kinds) > 1:
            kinds = {"all aspects": settings.aspects} | kinds
        found = [
            _made(name, words, partial(_scores, aspects, settings.points), settings.points, "ordinal")
            for name, aspects in kinds.items()
        ]
    return [asked for asked in found if len(asked)]


def compared(words: Words, gold: Mapping[int, Said], names: Mapping[int, str]) -> Votes:
    """One comparison of each word, as the checks take votes: who said what, how fast, and for which place.

    Of more than two responses the first and the last are compared: answers about further ones hang together
    with it, and evidence must not be counted twice. A thumb compares the first response with none; where
    there is nothing to compare, it is as a tie, which has only its time. On items whose answer is known, what
    was said first counts: later the person may have been told.

    Args:
        words: without skips.
        gold: right answers, by item.
    """
    people, annotators = np.unique(words.people, return_inverse=True)
    ids, items = np.unique(words.items, return_inverse=True)
    right = np.array([better(gold[item]) if item in gold else TIE for item in ids.tolist()], dtype=np.int64)
    each = np.array([better(answer) for answer in words.said], dtype=np.int64)
    said = each[np.where(np.isin(words.items, list(gold)), words.firsts, words.answers)]
    return Votes(
        items=items,
        annotators=annotators,
        said=said,
        strength=np.ones(len(words)),
        seconds=words.seconds,
        shown=_places(words, said),
        gold=np.where(right == TIE, UNKNOWN, right)[items],
        records=np.arange(len(words)),
        names=[names[person] for person in people.tolist()],
        ids=[str(item) for item in ids.tolist()],
        skipped=0,
    )


def better(said: Said) -> int:
    """Which of an item's first and last response is the better one."""
    if "verdict" in said:
        return SAID.get(said["verdict"], TIE)
    if "ranks" in said:
        return _higher(-said["ranks"][0], -said["ranks"][-1])
    if "thumbs" in said:
        return ONE if said["thumbs"][0] else OTHER
    if "scores" in said:
        return _higher(sum(said["scores"][0].values()), sum(said["scores"][-1].values()))
    return TIE


def _higher(one: float, other: float) -> int:
    return ONE if one > other else OTHER if other > one else TIE


def _places(words: Words, said: Ints) -> Ints:
    """0 where the better one of the two stood before the other, 1 where behind it."""
    firsts = [
        UNKNOWN if len(order) < 2 else int(order.index(0) > order.index(len(order) - 1))
        for order in words.orders
    ]
    of_first = np.array(firsts, dtype=np.int64)[words.shown]  # where the item's first response stood
    compares = words.each(lambda answer: int("thumbs" not in answer)) == 1
    placed = (of_first != UNKNOWN) & (said != TIE) & compares
    return np.where(placed, np.where(said == ONE, of_first, 1 - of_first), UNKNOWN)


def _verdict(said: Said) -> Iterator[tuple[int, int]]:
    if said.get("verdict") in SAID:
        yield 0, SAID[said["verdict"]]


def _strength(most: int, said: Said) -> Iterator[tuple[int, int]]:
    """From "the other is much better" over a tie to "one is"; how much is 1 where that is not said."""
    for _, verdict in _verdict(said):
        sign = {ONE: 1, OTHER: -1, TIE: 0}[verdict]
        yield 0, most + sign * min(said.get("strength", 1), most)


def _order(said: Said) -> Iterator[tuple[tuple[int, int], int]]:
    ranks = said.get("ranks", ())
    for i, j in combinations(range(len(ranks)), 2):
        yield (i, j), _higher(-ranks[i], -ranks[j])


def _thumbs(said: Said) -> Iterator[tuple[int, int]]:
    for response, up in enumerate(said.get("thumbs", ())):
        yield response, int(up)


def _scores(aspects: Sequence[str], points: int, said: Said) -> Iterator[tuple[tuple[str, int], int]]:
    for response, scores in enumerate(said.get("scores", ())):
        for aspect in aspects:
            if 1 <= scores.get(aspect, 0) <= points:
                yield (aspect, response), scores[aspect] - 1


def _made(
    name: str, words: Words, asked: Asked, categories: int, scale: Scale, mirror: Ints | None = None
) -> Questions:
    """Every different answer is taken apart once, and that done for all who gave it."""
    numbers: dict[Any, int] = {}
    parts = [
        [(numbers.setdefault(question, len(numbers)), what) for question, what in asked(said)]
        for said in words.said
    ]
    sizes = np.array([len(part) for part in parts], dtype=np.int64)
    flat = np.array([row for part in parts for row in part], dtype=np.int64).reshape(-1, 2)
    begins = np.cumsum(sizes) - sizes
    times = sizes[words.answers]
    whose = np.repeat(np.arange(len(words)), times)
    within = np.arange(len(whose)) - np.repeat(np.cumsum(times) - times, times)
    questions, said = flat[begins[words.answers[whose]] + within].T
    _, items = np.unique(words.items[whose], return_inverse=True)
    _, dense = np.unique(items * max(len(numbers), 1) + questions, return_inverse=True)
    return Questions(name, whose, items, dense, said, categories, scale, mirror)
