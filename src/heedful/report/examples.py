"""Which examples a page shows and in which lists: clearest wins and losses, most changed, random, all others.

Every example stands once on the page; a later list that it belongs to as well names it. Knows nothing of
HTML.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from heedful.evaluation.duels import TIE, Duel
from heedful.report.data import Example
from heedful.report.wording import Tone

MOST_EXAMPLES = 500  # on the page
PER_LIST = 5  # of each baseline
PER_LIST_OF_SEVERAL = 3  # of each, where there are several baselines
SEED = 0  # of the random ones


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one judge said of an example: in a word, order by order, by how much, and why."""

    judge: str
    word: str
    tone: Tone
    orders: str
    margin: str
    why: str


@dataclass(frozen=True, slots=True)
class Numbered:
    """An example with its number in the evaluation, from 1, and how much the two answers differ, 0 to 1."""

    number: int
    example: Example
    changed: float


@dataclass(frozen=True, slots=True)
class Listed:
    """One list.

    Attributes:
        key: for anchors.
        title, explanation: in words.
        items: examples that stand nowhere above.
        above: numbers of those that do.
        folded: whether it is shown only when asked for.
    """

    key: str
    title: str
    explanation: str
    items: list[Numbered]
    above: list[int] = field(default_factory=list)
    folded: bool = False

    @property
    def n(self) -> int:
        return len(self.items) + len(self.above)


@dataclass(frozen=True, slots=True)
class Chosen:
    """All lists that hold anything, how many examples they show, and how many are left out."""

    lists: list[Listed]
    shown: int
    left_out: int


def choose(examples: Sequence[Example], *, most: int = MOST_EXAMPLES) -> Chosen:
    """Put examples into lists, at most so many of them."""
    numbered = [
        Numbered(at + 1, one, changed(one.own.text, one.other.text)) for at, one in enumerate(examples)
    ]
    shown: set[int] = set()
    lists: list[Listed] = []
    for key, title, explanation, wanted in _wanted(numbered):
        some = wanted[: most - len(shown)] if key != "others" else wanted
        above = [one.number for one in some if one.number in shown]
        items = [one for one in some if one.number not in shown][: most - len(shown)]
        shown.update(one.number for one in items)
        if items or (above and key != "others"):
            own = [] if key == "others" else above
            lists.append(Listed(key, title, explanation, items, own, folded=key == "others"))
    return Chosen(lists, len(shown), len(examples) - len(shown))


def _wanted(numbered: Sequence[Numbered]) -> list[tuple[str, str, str, list[Numbered]]]:
    """The lists in their order, with what belongs into each."""
    groups: dict[str, list[Numbered]] = {}
    for one in numbered:
        groups.setdefault(one.example.baseline, []).append(one)
    per = PER_LIST if len(groups) < 2 else PER_LIST_OF_SEVERAL
    best: list[Numbered] = []
    worst: list[Numbered] = []
    most_changed: list[Numbered] = []
    for group in groups.values():
        strength = _strengths(group)
        decided = [one for one in group if one.number in strength]
        wins = [one for one in decided if strength[one.number][0] > TIE]
        losses = [one for one in decided if strength[one.number][0] < TIE]
        best += sorted(wins, key=lambda one: (*_down(strength[one.number]), -one.changed))[:per]
        worst += sorted(losses, key=lambda one: (*strength[one.number], -one.changed))[:per]
        most_changed += sorted((one for one in group if one.changed), key=lambda one: -one.changed)[:per]
    drawn = np.random.default_rng(SEED).permutation(len(numbered))[: per * len(groups)]
    random = [numbered[at] for at in sorted(drawn.tolist())]
    return [
        ("best", "Clearest wins", "By what judges agree on, then by how far apart they find the two.", best),
        ("worst", "Clearest losses", "The same the other way.", worst),
        (
            "changed",
            "Most changed",
            "The fewest words in common with the baseline\u2019s answer.",
            most_changed,
        ),
        ("random", "At random", f"Drawn from all examples with seed {SEED}: what is usual.", random),
        ("others", "All others", "In the order of the data.", list(numbered)),
    ]


def _strengths(group: Sequence[Numbered]) -> dict[int, tuple[float, float]]:
    """By number, of what has a verdict: the mean outcome over judges, and the mean margin, each judge's in
    units of its own spread.
    """
    margins: dict[str, list[float]] = {}
    for one in group:
        for judge, duel in one.example.duels.items():
            if duel.margin is not None and math.isfinite(duel.margin):
                margins.setdefault(judge, []).append(duel.margin)
    scale = {judge: float(np.sqrt(np.square(values).mean())) or 1.0 for judge, values in margins.items()}
    found: dict[int, tuple[float, float]] = {}
    for one in group:
        duels = {judge: duel for judge, duel in one.example.duels.items() if duel.decided}
        if duels:
            outcome = sum(duel.outcome for duel in duels.values()) / len(duels)
            apart = [(duel.margin or 0.0) / scale.get(judge, 1.0) for judge, duel in duels.items()]
            found[one.number] = outcome, sum(apart) / len(apart)
    return found


def _down(strength: tuple[float, float]) -> tuple[float, float]:
    outcome, apart = strength
    return -outcome, -apart


def changed(own: str, other: str) -> float:
    """How much two texts differ, 0 to 1: one less Dice's share of the pairs of words that both have."""
    one, two = _pairs(own), _pairs(other)
    total = one.total() + two.total()
    return 1 - 2 * (one & two).total() / total if total else 0.0


def _pairs(text: str) -> Counter[tuple[str, str]]:
    words = ["", *text.split(), ""]
    return Counter(pairwise(words)) if len(words) > 2 else Counter()


def ruling(judge: str, duel: Duel, both_orders: bool = True) -> Ruling:
    """What a judge said of an example, in words; of one that was not asked in both orders, no orders."""
    margin = "" if duel.margin is None else f"margin {duel.margin:+.2f}".replace("-", "\u2212")
    word, tone = _word(duel)
    return Ruling(judge, word, tone, _orders(duel) if both_orders else "", margin, duel.why)


def _word(duel: Duel) -> tuple[str, Tone]:
    if not duel.decided:
        return "no verdict", "unclear"
    if not duel.consistent:
        return "changes its mind with the order", "unclear"
    if duel.outcome == TIE:
        return "tie", "plain"
    return ("wins", "good") if duel.outcome > TIE else ("loses", "bad")


def _orders(duel: Duel) -> str:
    """The verdicts in both orders, as the model's answer fared."""
    forward = {"first": "wins", "second": "loses", "tie": "tie", None: "no verdict"}[duel.forward]
    backward = {"first": "loses", "second": "wins", "tie": "tie", None: "no verdict"}[duel.backward]
    return f"shown first: {forward}; shown second: {backward}"
