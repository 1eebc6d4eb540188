"""Choices made in a chat, in the log that has every vote: an item of two answers, and what was said of it.

The item is nobody else's to judge. Where the project has the very same item already, the choice is one of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.model import Item, Response
from heedful.collect.store.project import now
from heedful.collect.work import items, queue
from heedful.collect.work.making import fingerprint
from heedful.collect.work.rules import check
from heedful.records import GENERATED_BY, Candidates, Messages

SOURCE = "chat"
CUT = "cut"
"""Metadata of an item with an answer that was cut at the limit."""


@dataclass(frozen=True, slots=True)
class Told:
    """A choice in the log, as its retraction names it."""

    item: int
    shown: tuple[int, ...]


def of_a_pair(settings: Settings) -> Settings:
    """What is asked in a chat: a pair of one person, whatever the project asks otherwise."""
    return settings.model_copy(update={"task": "pairwise", "overlap": 1})


def give(
    connection: Connection,
    settings: Settings,
    person: int,
    prompt: Messages,
    responses: Sequence[Response],
    shown: Sequence[int],
    answer: Answer,
    seconds: float,
    cut: bool,
) -> Told:
    """Add the item, if it is new, and the choice.

    Args:
        shown: which of the responses stood in each place.
        answer: in terms of what was shown.

    Raises:
        Refused: it does not fit what is asked; nothing is to be kept of the transaction.
    """
    asked = of_a_pair(settings)
    item = _item(connection, asked, prompt, responses, cut)
    fitting = check(answer, item, asked)
    ours = [response.turns for response in responses]
    theirs = [response.turns for response in item.responses]
    places = tuple(theirs.index(ours[index]) for index in shown)
    log.append(
        connection,
        uid=_uid(),
        item=item.id,
        person=person,
        kind="chat",
        action="give",
        answer=fitting.of_item(places),
        shown=places,
        seconds=seconds,
        at=now(),
    )
    queue.settle(connection, item.id)
    return Told(item.id, places)


def retract(connection: Connection, person: int, told: Told) -> None:
    """Take a choice back by a row of its own."""
    log.append(
        connection,
        uid=_uid(),
        item=told.item,
        person=person,
        kind="chat",
        action="retract",
        answer=None,
        shown=told.shown,
        seconds=None,
        at=now(),
    )
    queue.settle(connection, told.item)


def _item(
    connection: Connection,
    asked: Settings,
    prompt: Messages,
    responses: Sequence[Response],
    cut: bool,
) -> Item:
    turns = tuple(response.turns for response in responses)
    metadata = {GENERATED_BY: [response.generator for response in responses], **({CUT: True} if cut else {})}
    record = Candidates(prompt, turns, f"chat-{secrets.token_hex(8)}", SOURCE, metadata)
    items.add_records(connection, [record], asked, origin="chat")
    same = select(schema.items).where(schema.items.c.fingerprint == fingerprint(prompt, turns))
    return Item.of(connection.execute(same).one())


def _uid() -> str:
    return secrets.token_urlsafe(24)
