"""The calibration round: items that everyone judges first, and whether somebody may go on after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.model import Item, Person
from heedful.collect.work import items

_ASSIGNMENTS = schema.assignments.c
_ITEMS = schema.items.c


def calibration_round(connection: Connection, settings: Settings) -> dict[int, dict[str, Any] | None]:
    """The items of the calibration round in order, with the right answer of each, where it is known."""
    first = (
        select(_ITEMS.id, _ITEMS.gold)
        .where(_ITEMS.open, _ITEMS.stage == "calibration")
        .order_by(_ITEMS.id)  # as they were added, so that items added later change no round
        .limit(settings.calibration)
    )
    return {row.id: row.gold for row in connection.execute(first)}


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where a person is in the calibration round.

    Attributes:
        next: the item that comes now.
        left: items of the round they have not answered.
        failed: they have been through, and met too few of the known answers.
    """

    next: Item | None = None
    left: int = 0
    failed: bool = False


def state(connection: Connection, person: Person, settings: Settings) -> Calibration:
    """Where a person is. Whoever was let through by hand has nothing to do with the round."""
    if not settings.calibration or person.calibrated:
        return Calibration()
    golds = calibration_round(connection, settings)
    given = select(_ASSIGNMENTS.item, _ASSIGNMENTS.closed_at).where(
        _ASSIGNMENTS.person == person.id, _ASSIGNMENTS.item.in_(golds)
    )
    had = {row.item: row.closed_at is not None for row in connection.execute(given)}
    left = sum(not had.get(item, False) for item in golds)
    coming = [item for item in golds if item not in had]
    if coming:
        return Calibration(items.get(connection, coming[0]), left)
    if left or settings.calibration_pass is None:
        return Calibration(left=left)
    known = {item: Answer.model_validate(gold) for item, gold in golds.items() if gold is not None}
    met = _met(connection, person, known)
    return Calibration(failed=met < settings.calibration_pass * len(known))


def _met(connection: Connection, person: Person, known: dict[int, Answer]) -> int:
    """How many known answers a person met, by what they said first: later they may have been told."""
    said = schema.judgements
    rows = (
        select(said.c.item, said.c.answer)
        .where(said.c.item.in_(known), said.c.person == person.id)
        .where(said.c.kind == "vote", said.c.action == "give")
        .order_by(said.c.id.desc())
    )
    first = {row.item: Answer.model_validate(row.answer) for row in connection.execute(rows)}
    return sum(answer.meets(known[item]) is True for item, answer in first.items())
