"""Which response stands in each place: of two, balanced for each person and each item; of more, drawn."""

from __future__ import annotations

import random

from sqlalchemy import ColumnElement, Connection, Integer, Select, String, bindparam, cast, func, select

from heedful.collect import schema
from heedful.collect.model import Item, Person

_ASSIGNMENTS = schema.assignments
_STRAIGHT, _TURNED = "[0, 1]", "[1, 0]"


def _times_shown(among: ColumnElement[bool]) -> Select[str, int]:
    """How often two responses were shown in the item's order, and how often the other way round."""
    order = cast(_ASSIGNMENTS.c.shown, String)
    of_two = among, _ASSIGNMENTS.c.kind == "vote", order.in_([_STRAIGHT, _TURNED])
    return select(order, func.count()).where(*of_two).group_by(order)


_TO_PERSON = _times_shown(_ASSIGNMENTS.c.person == bindparam("by", type_=Integer))
_OF_ITEM = _times_shown(_ASSIGNMENTS.c.item == bindparam("of", type_=Integer))


def shown(connection: Connection, person: Person, item: Item, chance: random.Random) -> list[int]:
    """Which response stands in each place.

    Of two, each comes first equally often for every person, in blocks of two; where a block leaves the choice
    it is the one that came first less often on this item; where that does too it is drawn.
    """
    if len(item.responses) != 2:
        return chance.sample(range(len(item.responses)), len(item.responses))
    for times, among in ((_TO_PERSON, {"by": person.id}), (_OF_ITEM, {"of": item.id})):
        counted = {row[0]: row[1] for row in connection.execute(times, among)}
        straight, turned = counted.get(_STRAIGHT, 0), counted.get(_TURNED, 0)
        if straight != turned:
            return [1, 0] if straight > turned else [0, 1]
    return chance.choice([[0, 1], [1, 0]])
