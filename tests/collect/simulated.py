"""Annotators whose habits are known, and the votes that such people would give.

Each item has a right answer; an annotator meets it as often as they are said to. The votes can be counted at
once, or written to a project's log as if they had been given one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, insert, select

from heedful.collect.findings.tally import Tally
from heedful.collect.store import schema

BEGAN = datetime(2026, 3, 2, 9, tzinfo=UTC)
EVERY = timedelta(seconds=30)  # a vote
READING = 25.0  # seconds, the median
SKIP = {"verdict": "skip", "reason": "I cannot judge this"}


@dataclass(frozen=True)
class Vote:
    """A row of the log; ids begin with 1."""

    id: int
    person: int
    item: int
    answer: dict[str, Any]
    shown: tuple[int, ...]
    seconds: float

    @property
    def at(self) -> datetime:
        return BEGAN + (self.id - 1) * EVERY

    def row(self) -> dict[str, Any]:
        """As `schema.judgements` has it."""
        names = ("id", "person", "item", "answer", "seconds", "at")
        own = {name: getattr(self, name) for name in names}
        return own | {"uid": f"vote-{self.id}", "kind": "vote", "action": "give", "shown": list(self.shown)}


@dataclass(frozen=True)
class Habits:
    """How somebody votes.

    Attributes:
        accuracy: how often they meet what is right, where they compare.
        left: how often they choose the side shown first, whatever it is.
        fast: of their votes, given in under two seconds.
        skips: of the items they get, skipped.
    """

    name: str
    accuracy: float = 0.8
    left: float = 0.0
    fast: float = 0.0
    skips: float = 0.0


def team(size: int, accuracy: float = 0.8) -> list[Habits]:
    """Annotators who are alike."""
    return [Habits(f"annotator {n + 1}", accuracy) for n in range(size)]


def right(item: int) -> dict[str, str]:
    """The right answer to a pair."""
    return {"verdict": "ab"[item % 2]}


def verdicts(people: Sequence[Habits], *, items: int, overlap: int, seed: int) -> list[Vote]:
    """Votes on pairs, by different people drawn for each item, shown in a drawn order."""
    rng = np.random.default_rng(seed)
    votes: list[Vote] = []
    for item in range(1, items + 1):
        for person in rng.permutation(len(people))[:overlap].tolist():
            habits = people[person]
            shown = (0, 1) if rng.random() < 0.5 else (1, 0)
            chosen = item % 2 if rng.random() < habits.accuracy else 1 - item % 2
            if rng.random() < habits.left:
                chosen = shown[0]
            answer = SKIP if rng.random() < habits.skips else {"verdict": "ab"[chosen]}
            fast = rng.random() < habits.fast
            seconds = 1.0 if fast else READING * float(np.exp(0.5 * rng.standard_normal()))
            votes.append(Vote(len(votes) + 1, person + 1, item, answer, shown, seconds))
    return votes


def of_many(
    people: Sequence[Habits], kind: str, *, items: int, overlap: int, seed: int, responses: int = 3
) -> list[Vote]:
    """Rankings, ratings or thumbs by people who see what each response is worth with an error.

    Args:
        kind: `ranks`, `scores` or `thumbs`. Whoever is less accurate errs more.
    """
    rng = np.random.default_rng(seed)
    votes: list[Vote] = []
    for item in range(1, items + 1):
        worth = rng.normal(size=responses)
        for person in rng.permutation(len(people))[:overlap].tolist():
            seen = worth + 2.0 * (1 - people[person].accuracy) * rng.normal(size=responses)
            shown = tuple(rng.permutation(responses).tolist())
            votes.append(Vote(len(votes) + 1, person + 1, item, _answer(kind, seen), shown, READING))
    return votes


def tallied(votes: Sequence[Vote]) -> Tally:
    """What a log of these votes comes to."""
    tally = Tally()
    for vote in votes:
        texts = json.dumps(vote.answer), json.dumps(vote.shown)
        tally.see(vote.id, vote.person, vote.item, "vote", "give", vote.seconds, vote.at, *texts)
    return tally


def fill(
    connection: Connection,
    people: Sequence[Habits],
    votes: Sequence[Vote],
    *,
    wanted: int = 1,
    gold: Callable[[int], dict[str, Any] | None] = lambda item: None,
) -> None:
    """Write people, items and votes to a project without items, as the queue would leave them.

    Args:
        wanted: votes on each item.
        gold: the right answer to an item, where it is known.
    """
    there = connection.execute(select(func.max(schema.people.c.id))).scalar() or 0
    connection.execute(insert(schema.people), [_person(there + n, one) for n, one in enumerate(people, 1)])
    by_item: dict[int, list[Vote]] = {}
    for vote in votes:
        by_item.setdefault(vote.item, []).append(vote)
    rows = [_item(n, own, wanted, gold(n)) for n, own in sorted(by_item.items())]
    connection.execute(insert(schema.items), rows)
    log = [vote.row() | {"person": there + vote.person} for vote in votes]
    connection.execute(insert(schema.judgements), log)


def _answer(kind: str, seen: Any) -> dict[str, Any]:
    if kind == "ranks":
        return {"ranks": (1 + np.argsort(np.argsort(-seen))).tolist()}
    if kind == "thumbs":
        return {"thumbs": (seen > 0).tolist()}
    points = np.clip(np.round(3 + seen), 1, 5).astype(int).tolist()
    return {"scores": [{"helpful": point} for point in points]}


def _person(id: int, habits: Habits) -> dict[str, Any]:
    folded = habits.name.casefold()
    return {"id": id, "name": habits.name, "folded": folded, "role": "annotator", "created_at": BEGAN}


def _item(id: int, votes: Sequence[Vote], wanted: int, gold: dict[str, Any] | None) -> dict[str, Any]:
    skips = sum(vote.answer == SKIP for vote in votes)
    responses = [
        {"turns": [{"role": "assistant", "content": f"response {place}"}], "generator": ""}
        for place in range(len(votes[0].shown))
    ]
    return {
        "id": id,
        "key": f"item {id}",
        "fingerprint": str(id),
        "prompt": [{"role": "user", "content": f"prompt {id}"}],
        "responses": responses,
        "gold": gold,
        "stage": "main",
        "origin": "data",
        "metadata": {},
        "wanted": wanted,
        "votes": len(votes) - skips,
        "skips": skips,
        "open": len(votes) - skips < wanted,
        "created_at": BEGAN,
    }
