"""Who needs a look: the check of annotators that `heedful check` makes, asked of votes as they stand now.

The same rules with the same thresholds; only of people with few votes nothing is said, because a page that is
looked at after every vote would find fault with somebody's first ones sooner or later.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from heedful.checks.annotators import FAULTS, MOST, Person, UnreliableAnnotators
from heedful.checks.votes import Votes

LEAST = 10  # votes of a person before anything is said of them


@dataclass(frozen=True, slots=True)
class Alarm:
    """A reason to look at somebody's votes.

    Attributes:
        code: of the fault, as in `heedful check`.
        said: what they do, in a few words.
        shows: the figure that shows it.
        why: why it matters.
    """

    name: str
    code: str
    said: str
    shows: str
    why: str


@dataclass(frozen=True, slots=True)
class Watch:
    """What can be said of everybody.

    Attributes:
        judged: people with votes enough to say something.
        few: the names of those with fewer.
        compared: whether anybody's votes could be held against others' on the same items.
    """

    judged: int = 0
    few: tuple[str, ...] = ()
    compared: bool = False
    alarms: tuple[Alarm, ...] = ()

    def of(self, name: str) -> list[Alarm]:
        return [alarm for alarm in self.alarms if alarm.name == name]


def watch(votes: Votes) -> Watch:
    """Everybody held against the others, the places, the time, and known answers."""
    if not len(votes):
        return Watch()
    check = UnreliableAnnotators()
    people = check.people(votes)
    few = sorted(person.name for person in people if len(person.votes) < LEAST)
    alarms = [
        Alarm(person.name, code, FAULTS[code].does, _SHOWS[code](person, check), FAULTS[code].why)
        for code, suspects in check.suspects(people).items()
        for person in suspects
        if person.name not in few
    ]
    compared = any(person.agree.n for person in people)
    return Watch(len(people) - len(few), tuple(few), compared, tuple(alarms))


def _at_random(person: Person, _: UnreliableAnnotators) -> str:
    rarely = math.exp(min(person.evidence, MOST))
    times = f"{rarely:,.0f}" if rarely < 1e6 else "a million"
    return (
        f"with the majority of the others in {person.agree}; an honest annotator comes to so little in at "
        f"most one of {times} projects"
    )


def _one_place(person: Person, check: UnreliableAnnotators) -> str:
    place, share = ("first", person.first) if person.first.low > check.side else ("second", person.second)
    return f"for the side shown {place} in {share}"


_SHOWS: dict[str, Callable[[Person, UnreliableAnnotators], str]] = {
    "random_votes": _at_random,
    "one_place": _one_place,
    "too_fast": lambda person, check: f"in under {check.seconds:g} seconds in {person.quick}",
    "fails_gold": lambda person, check: f"right in {person.gold} whose answer is known",
}
