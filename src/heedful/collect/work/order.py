"""Which of the main items comes next: a number for each, its priority, of which the lowest comes first.

    in-order      0 for all: as they were added
    random        a hash of the seed and the item
    uncertain     minus its uncertainty, which is handed in; an item without one comes last
    disagreement  minus how far the votes on it differ; see `disagreement`

Items of one priority come as they were added. Where an uncertainty comes from is for others to know.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Protocol

from sqlalchemy import Connection, bindparam, select, update

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.log import standing
from heedful.collect.store.model import Item

LAST = sys.float_info.max
"""The priority of an item of which nothing is known; a database need not know infinity."""

UNANIMOUS = 1.0
NO_VOTE = 0.0
AT_ONCE = 500  # items read, or asked about, together


class Uncertainty(Protocol):
    """How unsure something is which response of each item is best: higher is less sure, NaN cannot say."""

    def __call__(self, items: Sequence[Item]) -> Sequence[float]: ...


def reorder(connection: Connection, settings: Settings, uncertainty: Uncertainty | None = None) -> None:
    """Give all main items the priority that the settings' order gives them.

    Args:
        uncertainty: for the order `uncertain`. Without it that order stays as it was; items added since come
            last. A model takes its time, and nobody can write meanwhile: in a project that is being served
            ask it between two transactions, by `main_items` and `prioritise`.
    """
    items = schema.items.c
    if settings.order == "in-order":
        moved = update(schema.items).where(items.stage == "main", items.priority != 0)
        connection.execute(moved.values(priority=0.0))
    elif settings.order == "uncertain":
        if uncertainty is not None:
            prioritise(connection, uncertainties(main_items(connection), uncertainty))
    else:
        known = select(items.id, items.fingerprint, items.priority).where(items.stage == "main")
        rows = connection.execute(known).all()
        found = {row.id: first_priority(settings, row.fingerprint) for row in rows}
        if settings.order == "disagreement":
            answers: dict[int, list[Answer]] = {}
            for entry in standing(connection):
                answers.setdefault(entry.item, []).append(entry.given)
            found |= {item: _by_votes(said, settings) for item, said in answers.items() if item in found}
        _write(connection, {row.id: found[row.id] for row in rows if found[row.id] != row.priority})


def first_priority(settings: Settings, fingerprint: str) -> float:
    """Of an item without votes, when it is added."""
    if settings.order == "random":
        return _lot(settings.seed, fingerprint)
    return LAST if settings.order == "uncertain" else NO_VOTE


def main_items(connection: Connection) -> list[Item]:
    """The items that have an order, in the order they were added."""
    items = schema.items
    rows = connection.execute(select(items).where(items.c.stage == "main").order_by(items.c.id))
    return [Item.of(row) for row in rows]


def uncertainties(items: Sequence[Item], uncertainty: Uncertainty) -> dict[int, float]:
    """What is said of each item, by its id; asked in parts.

    Raises:
        ValueError: it said more or less than one number per item.
    """
    found: dict[int, float] = {}
    for begin in range(0, len(items), AT_ONCE):
        part = items[begin : begin + AT_ONCE]
        found.update(zip((item.id for item in part), map(float, uncertainty(part)), strict=True))
    return found


def prioritise(connection: Connection, uncertainties: Mapping[int, float]) -> None:
    """Put the most uncertain items first, by their ids."""
    found = {
        item: LAST if math.isnan(value) else min(max(-value, -LAST), LAST)
        for item, value in uncertainties.items()
    }
    _write(connection, found)


def after_vote(connection: Connection, item_id: int, settings: Settings) -> None:
    """Where votes decide on the order, let those on this item do so."""
    if settings.order != "disagreement":
        return
    answers = [entry.given for entry in standing(connection, items=[item_id])]
    items = schema.items.c
    changed = update(schema.items).where(items.id == item_id, items.stage == "main")
    connection.execute(changed.values(priority=_by_votes(answers, settings)))


def disagreement(answers: Sequence[Answer], settings: Settings) -> float:
    """How far two votes on an item lie apart, the mean over all twos of them: from 0, all alike, to 1.

    Two verdicts are alike or not. Rankings differ by the share of pairs of responses they put in another
    order, thumbs by the share of responses, scores by their mean distance as a share of the scale. Skips are
    no votes.
    """
    votes = [answer for answer in answers if not answer.skipped]
    return _mean(_apart(one, other, settings) for one, other in combinations(votes, 2))


def _by_votes(answers: Sequence[Answer], settings: Settings) -> float:
    """The most divided items first, then those without a vote, then those whose votes are alike (or one)."""
    if all(answer.skipped for answer in answers):
        return NO_VOTE
    split = disagreement(answers, settings)
    return -split if split > 0 else UNANIMOUS


def _apart(one: Answer, other: Answer, settings: Settings) -> float:
    if settings.task == "pairwise":
        return float(one.verdict != other.verdict)
    if settings.task == "thumbs":
        return _mean(float(up != too) for up, too in zip(one.thumbs or (), other.thumbs or (), strict=True))
    if settings.task == "ranking":
        return _mean(
            float(before != then)
            for before, then in zip(_orders(one.ranks or ()), _orders(other.ranks or ()), strict=True)
        )
    steps = settings.points - 1
    return _mean(
        abs(score - too[aspect]) / steps
        for scores, too in zip(one.scores or (), other.scores or (), strict=True)
        for aspect, score in scores.items()
        if aspect in too
    )


def _orders(ranks: Sequence[int]) -> list[int]:
    """Of each two responses: -1 where the first is better, 1 the second, 0 neither."""
    return [(first > second) - (first < second) for first, second in combinations(ranks, 2)]


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0


def _lot(seed: int, fingerprint: str) -> float:
    """A number in [0, 1) that is always the same."""
    digest = hashlib.sha256(f"{seed} {fingerprint}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _write(connection: Connection, priorities: Mapping[int, float]) -> None:
    rows = [{"of": item, "new": priority} for item, priority in priorities.items()]
    if rows:
        changed = update(schema.items).where(schema.items.c.id == bindparam("of"))
        connection.execute(changed.values(priority=bindparam("new")), rows)
