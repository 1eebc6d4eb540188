"""The rows of the list of reviews: what each item is about, why it is there, and who has it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from heedful.collect.store import log, schema
from heedful.collect.store.model import Assignment, Item, Person
from heedful.collect.store.project import now
from heedful.collect.web.numbers import percent
from heedful.collect.web.views import beginning
from heedful.collect.work import review
from heedful.collect.work.review import Case, Why

Filter = Literal["open", "agreement", "skipped", "flagged", "decided"]
FILTERS: dict[Filter, str] = {
    "open": "All open",
    "agreement": "Low agreement",
    "skipped": "Skipped",
    "flagged": "Flagged",
    "decided": "Decided",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One item in the list.

    Attributes:
        prompt: how its last turn begins.
        agreement: of the votes, in words; "" where there are too few.
        whys: why it is here, in words.
        state: who has it or who decided it; "" where it waits.
        token: of the page that shows it; None where there is none that this reviewer may see.
        takes: whether this reviewer can take it up.
    """

    item: int
    prompt: str
    agreement: str
    votes: int
    skips: int
    whys: tuple[str, ...]
    state: str
    token: str | None
    takes: bool


def is_in(case: Case, why: Filter) -> bool:
    """Whether the list shows the item under that filter."""
    if why == "decided":
        return case.decided_by is not None
    return case.decided_by is None and (why == "open" or why in case.whys)


def rows_of(connection: Connection, person: Person, cases: Sequence[Case]) -> list[Row]:
    """The rows of some items, as a reviewer sees them."""
    ids = [case.item for case in cases]
    rows = connection.execute(select(schema.items).where(schema.items.c.id.in_(ids)))
    found = {row.id: Item.of(row) for row in rows}
    held = review.held(connection, ids, now())
    decisions = review.decisions(connection, ids)
    voted = {entry.item for entry in log.standing(connection, items=ids, person=person.id)}
    known = names(connection)
    return [
        _row(case, found[case.item], person, held.get(case.item), decisions.get(case.item), known, voted)
        for case in cases
    ]


def _row(
    case: Case,
    item: Item,
    person: Person,
    hand: Assignment | None,
    decided: Assignment | None,
    known: Mapping[int, str],
    voted: Collection[int],
) -> Row:
    """One row. `hand` and `decided` are adjudications, open and given; `voted` are items one has voted on."""
    has = decided or hand
    mine = has is not None and has.person == person.id
    own_vote = item.id in voted
    state = "You have voted on it" if own_vote else ""
    if decided is not None:
        state = f"Decided by {known[decided.person]}"
    elif hand is not None:
        state = "You have begun" if mine else f"With {known[hand.person]}"
    # Whether an admin is the only one who could decide is found out when they try.
    able = not own_vote or person.may("admin")
    seen = mine or not (own_vote or item.open)  # as `review.may_see`
    return Row(
        item=item.id,
        prompt=beginning(item.prompt),
        agreement="" if case.agreement is None else f"{percent(case.agreement)} agree",
        votes=case.votes,
        skips=case.skips,
        whys=_whys(case),
        state=state,
        token=decided.token if decided is not None and seen else None,
        takes=decided is None and (mine if hand is not None else able),
    )


def _whys(case: Case) -> tuple[str, ...]:
    words: dict[Why, str] = {
        "agreement": "Low agreement",
        "skipped": f"Skipped by {case.skips}",
        "flagged": f"Flagged: {', '.join(case.flags)}",
    }
    return tuple(words[why] for why in case.whys)


def names(connection: Connection) -> dict[int, str]:
    """Everybody's name, by their id."""
    people = schema.people.c
    return {row.id: row.name for row in connection.execute(select(people.id, people.name))}
