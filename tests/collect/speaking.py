"""What people said, made by hand: words that are in no database, and rows of the log that are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import count

from sqlalchemy import Connection

from heedful.collect.answer import Answer
from heedful.collect.exchange.words import Word
from heedful.collect.store import log
from heedful.collect.store.model import Action, Entry, Item, Kind, Person, Response
from heedful.records import assistant, user
from tests.collect.making import NOON

_numbers = count(1)


def item(*responses: str, key: str = "k", id: int = 1, gold: Answer | None = None, **more: object) -> Item:
    """An item whose responses are written by `by X`."""
    made = tuple(Response((assistant(text),), f"by {text}") for text in responses or ("red", "blue"))
    return Item(id, key, (user(f"Which of {key}?"),), made, gold, **more)  # type: ignore[arg-type]


def word(
    of: Item,
    annotator: str = "ann",
    *,
    shown: Sequence[int] | None = None,
    seconds: float | None = 3.5,
    kind: Kind = "vote",
    **answer: object,
) -> Word:
    number = next(_numbers)
    place = tuple(range(len(of.responses)) if shown is None else shown)
    entry = Entry(
        number, f"uid-{number}", of.id, sum(map(ord, annotator)), kind, "give", Answer(**answer), place,
        seconds, NOON,
    )  # type: ignore[arg-type]  # fmt: skip
    return Word(entry, of, annotator)


def say(
    connection: Connection,
    person: Person,
    of: Item,
    *,
    kind: Kind = "vote",
    action: Action = "give",
    shown: Sequence[int] | None = None,
    at: datetime = NOON,
    seconds: float | None = 3.5,
    **answer: object,
) -> Entry:
    """A row of the log; the answer is as the item counts."""
    return log.append(
        connection,
        uid=f"uid-{next(_numbers)}",
        item=of.id,
        person=person.id,
        kind=kind,
        action=action,
        answer=Answer(**answer) if action == "give" else None,  # type: ignore[arg-type]
        shown=tuple(range(len(of.responses)) if shown is None else shown),
        seconds=seconds,
        at=at,
    )
