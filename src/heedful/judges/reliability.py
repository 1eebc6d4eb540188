"""How far a judge can be believed: by itself, in the other order, asked again, and beside people's labels.

Takes what judges said; asks one only to say it again. Every share comes with its interval, in which duels on
one prompt count for what they tell together.
"""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from heedful.agreement import cohen, cohen_interval
from heedful.evaluation.duels import TIE, WIN, Choice, Duel
from heedful.evaluation.estimates import Estimate
from heedful.evaluation.win_rate import win_rate
from heedful.intervals import share
from heedful.judges.judge import AsksAgain, Judge, OnDone, Question, Verdict

CHOICES: tuple[Choice, ...] = get_args(Choice)

Repeated = tuple[Question, Verdict, Verdict]
"""A question with what was said to it the first and the second time."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many, and the 95% interval of the share."""

    count: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.count / self.of

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%}; {self.count} of {self.of})"


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """A judge's outcomes beside the labels of the same pairs.

    Attributes:
        same: pairs on which both came to the same: this answer, that one, or a tie.
        sided: of those on which both took a side, the share with the same side; None without any.
        kappa: Cohen's, over the three outcomes; nan where all are one.
    """

    same: Share
    sided: Share | None
    kappa: Estimate

    def __str__(self) -> str:
        text = (
            f"{self.same}, Cohen's κ {self.kappa.value:.2f} ({self.kappa.low:.2f} to {self.kappa.high:.2f})"
        )
        return f"{text}; where both take a side {self.sided}" if self.sided is not None else text


@dataclass(frozen=True, slots=True)
class Reliability:
    """What can be said of a judge from what it said.

    Attributes:
        undecided: duels without a verdict in one order or both.
        flips: decided duels whose verdict changed with the order, into a tie or out of one among them; None
            of a judge that was asked in one order.
        first_share: of its verdicts for one of the two answers the share for the first one shown, 0.5 where
            the place means nothing to it; None likewise.
        again: questions that it was asked again and said the same to; None where it was not.
        labels: beside labels, where there are any.
    """

    undecided: Share
    flips: Share | None = None
    first_share: Estimate | None = None
    again: Share | None = None
    labels: LabelAgreement | None = None


def reliability(
    duels: Sequence[Duel],
    *,
    symmetric: bool,
    repeated: Sequence[Repeated] = (),
    labels: Sequence[Choice | None] = (),
) -> Reliability:
    """How far the judge of these duels can be believed.

    Args:
        duels: at least one.
        symmetric: whether it was asked in one order only.
        repeated: questions with what it said to them, and said again; from `ask_again`.
        labels: which answer of each duel a label calls better, None where there is none; none at all by
            default.

    Raises:
        ValueError: there are labels, and not as many as duels.
    """
    decided = [duel for duel in duels if duel.decided]
    both_orders = bool(decided) and not symmetric
    both_times = [row for row in repeated if row[1].choice is not None and row[2].choice is not None]
    labelled: list[tuple[Duel, Choice]] = []
    if labels:
        given = zip(duels, labels, strict=True)
        labelled = [(duel, label) for duel, label in given if duel.decided and label is not None]
    return Reliability(
        undecided=_share([not duel.decided for duel in duels], duels),
        flips=_share([not duel.consistent for duel in decided], decided) if both_orders else None,
        first_share=win_rate(decided).first_share if both_orders else None,
        again=_share(
            [one.choice == other.choice for _, one, other in both_times],
            [question for question, _, _ in both_times],
        )
        if both_times
        else None,
        labels=_beside_labels(labelled) if labelled else None,
    )


def ask_again(
    judge: Judge,
    questions: Sequence[Question],
    verdicts: Sequence[Verdict],
    *,
    part: float,
    seed: int = 0,
    on_done: OnDone | None = None,
) -> list[Repeated]:
    """Ask a part of the questions a second time, drawn by seed, and show what was said both times.

    Args:
        part: of the questions, 0 to 1: as many as `part_of` says.

    Returns:
        Nothing of a judge that cannot be asked again: people, and what scores each answer for good.

    Raises:
        JudgeError: it cannot be asked now.
    """
    count = part_of(len(questions), part)
    if not isinstance(judge, AsksAgain) or not count:
        return []
    places = sorted(random.Random(seed).sample(range(len(questions)), count))
    said = judge.again(1)([questions[place] for place in places], on_done)
    return [
        (questions[place], verdicts[place], once_more) for place, once_more in zip(places, said, strict=True)
    ]


def part_of(count: int, part: float) -> int:
    """How many of so many questions are asked again: at least one of any, unless the part is 0."""
    return max(1, round(part * count)) if count and part > 0 else 0


def outcome_of(duel: Duel) -> Choice:
    """What both orders of a decided duel come to."""
    return {WIN: "first", TIE: "tie"}.get(duel.outcome, "second")  # type: ignore[return-value]


def _beside_labels(labelled: Sequence[tuple[Duel, Choice]]) -> LabelAgreement:
    pairs = [(outcome_of(duel), label) for duel, label in labelled]
    duels = [duel for duel, _ in labelled]
    sided = [place for place, pair in enumerate(pairs) if "tie" not in pair]
    table = np.zeros((len(CHOICES), len(CHOICES)), dtype=np.int64)
    for own, label in pairs:
        table[CHOICES.index(own), CHOICES.index(label)] += 1
    return LabelAgreement(
        same=_share([own == label for own, label in pairs], duels),
        sided=_share([pairs[at][0] == pairs[at][1] for at in sided], [duels[at] for at in sided])
        if sided
        else None,
        kappa=Estimate(cohen(table), *cohen_interval(table)),
    )


def _share(hits: Sequence[bool], of: Sequence[Duel | Question]) -> Share:
    prompts: list[Hashable] = [one.prompt for one in of]
    low, high = share(np.array(hits, dtype=np.float64), groups=prompts)
    return Share(sum(hits), len(hits), low, high)
