"""Annotators whose votes say nothing: at random, always the same side, too fast to have read, plainly wrong.

Each annotator is held against the majority of the others on the same items (`evidence`), the place of the
sides they vote for, the seconds they take, and items whose answer is known (`records.GOLD`). Where four
others vote on each item and most are right in three of four, one who clicks at random is found in some 250
votes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.agreement import count_votes, others, percent
from heedful.checks.evidence import RANDOM, accuracy_of, honest, strongest
from heedful.checks.finding import EXAMPLES, Example, Finding, Outcome, Table
from heedful.checks.votes import ONE, OTHER, TIE, UNKNOWN, Ints, VoteCollector, Votes
from heedful.intervals import wilson
from heedful.records import Record

ALPHA = 0.05
ACCURACY = 0.7
SIDE = 0.8
SECONDS = 2.0
FAST = 0.2
GOLD_RIGHT = 0.7
ROWS = 30  # annotators shown: those with the most evidence against them
NAMED = 5  # annotators named in a title
MOST = 700.0  # the largest evidence, as a logarithm, that is shown: e^710 is no number


class UnreliableAnnotators:
    """Who votes at random, for one place, in no time, or against the answers that are known."""

    name = "annotators"
    asks = "Does every annotator look at what they vote on?"

    def __init__(
        self,
        *,
        alpha: float = ALPHA,
        accuracy: float = ACCURACY,
        side: float = SIDE,
        seconds: float = SECONDS,
        fast: float = FAST,
        gold: float = GOLD_RIGHT,
    ) -> None:
        """`alpha`: the chance, at most, to call any honest annotator random.
        `accuracy`: how often an honest annotator is right, at least; less where all are right less often.
        `side`: of votes that may go to the side shown in one place.
        `seconds`: a vote that took fewer is too fast.
        `fast`: of an annotator's votes that may be too fast.
        `gold`: of votes on items whose answer is known that must be right.
        """
        self.alpha, self.accuracy, self.side = alpha, accuracy, side
        self.seconds, self.fast, self.gold = seconds, fast, gold
        self._collector = VoteCollector()

    def see(self, record: Record, index: int) -> None:
        self._collector.see(record, index)

    def outcome(self) -> Outcome:
        votes = self._collector.votes()
        if not len(votes):
            return Outcome(skipped="no record names an annotator")
        people = self.people(votes)
        suspects = self.suspects(people)
        figures: dict[str, Any] = {
            "annotators": len(people),
            "votes": len(votes),
            "evidence_needed": math.exp(self._evidence_needed(people)),
            **{code: [person.name for person in found] for code, found in suspects.items()},
        }
        findings = [self._finding(code, found, votes) for code, found in suspects.items() if found]
        return Outcome(findings, figures, (_table(people),))

    def people(self, votes: Votes) -> list[Person]:
        """Everyone who voted, those with the most evidence against them first."""
        held = _against_others(votes, self.accuracy)
        by_annotator = np.split(
            np.argsort(votes.annotators, kind="stable"), np.cumsum(np.bincount(votes.annotators))[:-1]
        )
        people = [
            self._person(name, own, votes, held) for name, own in zip(votes.names, by_annotator, strict=True)
        ]
        return sorted(people, key=lambda person: (-person.evidence, person.name))

    def suspects(self, people: Sequence[Person]) -> dict[str, list[Person]]:
        """Those who are unreliable, by the code of their fault: each is one of `FAULTS`."""
        least = self._evidence_needed(people)
        return {
            "random_votes": [person for person in people if person.evidence >= least],
            "one_place": [
                person for person in people if max(person.first.low, person.second.low) > self.side
            ],
            "too_fast": [person for person in people if person.quick.low > self.fast],
            "fails_gold": [person for person in people if person.gold.high < self.gold],
        }

    def _evidence_needed(self, people: Sequence[Person]) -> float:
        """Its logarithm; the more people there are, the more of it (Bonferroni)."""
        return math.log(max(sum(person.agree.n > 0 for person in people), 1) / self.alpha)

    def _person(self, name: str, own: Ints, votes: Votes, held: Held) -> Person:
        compared = own[held.led[own]]
        places = votes.shown[own]
        places = places[places != UNKNOWN]
        timed = own[np.isfinite(votes.seconds[own])]
        fast = timed[votes.seconds[timed] < self.seconds]
        known = own[(votes.gold[own] != UNKNOWN) & (votes.said[own] != TIE)]
        first = int((places == 0).sum())
        return Person(
            name,
            own,
            fast,
            evidence=strongest(held.agrees[compared], held.expected[compared]),
            agree=Share.of(int(held.agrees[compared].sum()), len(compared)),
            first=Share.of(first, len(places)),
            second=Share.of(len(places) - first, len(places)),
            quick=Share.of(len(fast), len(timed)),
            gold=Share.of(int((votes.said[known] == votes.gold[known]).sum()), len(known)),
        )

    def _finding(self, code: str, suspects: Sequence[Person], votes: Votes) -> Finding:
        fault = FAULTS[code]
        too_fast = code == "too_fast"
        of_them = np.concatenate([person.fast if too_fast else person.votes for person in suspects])
        names = [person.name for person in suspects[:NAMED]]
        more = [f"{len(suspects) - NAMED} more"] if len(suspects) > NAMED else []
        held_against = {
            "random_votes": f"The chance to say so of any honest annotator is at most {self.alpha:.0%}.",
            "one_place": f"Surely more than {self.side:.0%} of theirs go there.",
            "too_fast": f"Surely more than {self.fast:.0%} of theirs took under {self.seconds:g} seconds.",
            "fails_gold": f"Surely fewer than {self.gold:.0%} of theirs are right.",
        }
        one = len(suspects) == 1
        return Finding(
            check=self.name,
            code=code,
            severity="warning",
            title=f"{len(suspects)} of {len(votes.names)} annotators {fault.does if one else fault.do}: "
            + ", ".join([*names, *more]),
            count=len(of_them),
            of=len(votes),
            why=f"{fault.why} {held_against[code]}",
            mend="Look at a few of their votes first, and talk to the people. Take the votes out with "
            "heedful check FILE --fix OUT, or let heedful pairs --aggregate dawid-skene weigh them.",
            examples=tuple(
                Example(votes.ids[votes.items[person.votes[0]]], f"{person.name}: {fault.shows(person)}")
                for person in suspects[:EXAMPLES]
            ),
            removes=frozenset(votes.records[of_them].tolist()),
        )


@dataclass(frozen=True, slots=True)
class Share:
    """Some of `n`, with Wilson's interval; NaN of none."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, some: int, n: int) -> Share:
        return cls(some / n if n else math.nan, *wilson(some, n), n)

    def __str__(self) -> str:
        return f"{self.value:.0%} of {self.n} votes"


@dataclass(frozen=True, slots=True)
class Person:
    """An annotator.

    Attributes:
        votes, fast: which of all votes are theirs, and which of those are too fast.
        evidence: the logarithm of that against their honesty.
        agree: with the majority of the others.
        first, second: for the side that was shown there.
        quick: that were too fast.
        gold: right, where the answer is known.
    """

    name: str
    votes: Ints
    fast: Ints
    evidence: float
    agree: Share
    first: Share
    second: Share
    quick: Share
    gold: Share


@dataclass(frozen=True, slots=True)
class Fault:
    """How a finding speaks of one annotator and of several, why it matters, and what shows it."""

    does: str
    do: str
    why: str
    shows: Callable[[Person], str]


FAULTS = {
    "random_votes": Fault(
        "votes at random",
        "vote at random",
        "They are with the majority of the others hardly more often than a coin is: their votes are noise, "
        "and each costs the weight of a real one.",
        lambda person: (
            f"with the majority in {person.agree}, evidence {math.exp(min(person.evidence, MOST)):.3g}"
        ),
    ),
    "one_place": Fault(
        "votes for one place",
        "vote for one place",
        "Whoever votes for the left side, whatever stands there, has not compared. Where the sides were not "
        "shuffled this favours one model.",
        lambda person: f"for the side shown first in {person.first}",
    ),
    "too_fast": Fault(
        "votes too fast",
        "vote too fast",
        "Nobody reads two responses in so short a time.",
        lambda person: f"too fast in {person.quick}",
    ),
    "fails_gold": Fault(
        "fails items whose answer is known",
        "fail items whose answer is known",
        "Where the answer is known they miss it; where it is not, nobody would notice.",
        lambda person: f"right in {person.gold} whose answer is known",
    ),
}


@dataclass(frozen=True, slots=True)
class Held:
    """Each vote held against the others on its item, `[votes]`.

    Attributes:
        led: whether there is anything to hold it against: it is no tie, and the others have a majority.
        agrees: whether it is with that.
        expected: how often an honest one would be.
    """

    led: NDArray[np.bool_]
    agrees: NDArray[np.bool_]
    expected: NDArray[np.float64]


def _against_others(votes: Votes, accuracy: float) -> Held:
    """Ties say nothing here. Where all are right less often than `accuracy`, no more is asked of anybody."""
    decided = np.flatnonzero(votes.said != TIE)
    items, said = votes.items[decided], votes.said[decided]
    rest = others(items, said, TIE)
    lead = np.abs(rest[:, ONE] - rest[:, OTHER])
    agreement = percent(count_votes(items, said, TIE))
    typical = RANDOM if math.isnan(agreement) else accuracy_of(agreement)
    led = np.zeros(len(votes), dtype=bool)
    agrees = np.zeros(len(votes), dtype=bool)
    expected = np.full(len(votes), RANDOM)
    led[decided] = lead > 0
    agrees[decided] = np.where(rest[:, ONE] > rest[:, OTHER], ONE, OTHER) == said
    expected[decided] = honest(lead, min(accuracy, typical))
    return Held(led, agrees, expected)


def _table(people: Sequence[Person]) -> Table:
    def shown(share: Share) -> float | str:
        return share.value if share.n else ""

    return Table(
        "Annotators",
        ("annotator", "votes", "with the majority", "evidence", "first place", "too fast", "gold right"),
        tuple(
            (
                person.name,
                len(person.votes),
                shown(person.agree),
                math.exp(min(person.evidence, MOST)),
                shown(person.first),
                shown(person.quick),
                shown(person.gold),
            )
            for person in people[:ROWS]
        ),
    )
