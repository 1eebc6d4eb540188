"""Which response stands in each place: of two, balanced for each person and each item; of more, drawn."""

from __future__ import annotations

import random

from sqlalchemy import ColumnElement, Connection, Integer, Select, bindparam, func, select

from heedful.collect.store import schema
from heedful.collect.store.model import Item, Person

_ASSIGNMENTS = schema.assignments


def _times_first(among: ColumnElement[bool]) -> Select[int, int]:
    """How often each of two responses was shown first."""
    leads = _ASSIGNMENTS.c.leads
    counted = select(leads, func.count()).where(among, _ASSIGNMENTS.c.kind == "vote", leads.is_not(None))
    return counted.group_by(leads)


_TO_PERSON = _times_first(_ASSIGNMENTS.c.person == bindparam("by", type_=Integer))
_OF_ITEM = _times_first(_ASSIGNMENTS.c.item == bindparam("of", type_=Integer))


def shown(connection: Connection, person: Person, item: Item, chance: random.Random) -> list[int]:
    """Which response stands in each place.

    Of two, each comes first equally often for every person, in blocks of two; where a block leaves the choice
    it is the one that came first less often on this item; where that does too it is drawn.
    """
    if len(item.responses) != 2:
        return chance.sample(range(len(item.responses)), len(item.responses))
    for times, among in ((_TO_PERSON, {"by": person.id}), (_OF_ITEM, {"of": item.id})):
        counted = {row[0]: row[1] for row in connection.execute(times, among)}
        first, second = counted.get(0, 0), counted.get(1, 0)
        if first != second:
            return [1, 0] if first > second else [0, 1]
    return chance.choice([[0, 1], [1, 0]])
