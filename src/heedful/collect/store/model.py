"""What the rows of the database are to the rest of the room: people, items, assignments, log entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import Row

from heedful.collect.answer import Answer
from heedful.records import Message, Messages

Role = Literal["annotator", "reviewer", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the one who may least to the one who may all."""

Stage = Literal["main", "gold", "calibration"]
Origin = Literal["data", "import", "chat"]
Kind = Literal["vote", "adjudication", "import", "chat"]
Action = Literal["give", "retract"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who takes part; of hashes and passwords it says nothing."""

    id: int
    name: str
    role: Role
    epoch: int
    active: bool
    calibrated: bool
    created_at: datetime

    def may(self, role: Role) -> bool:
        """Whether they have this role, or one that may more."""
        return ROLES.index(self.role) >= ROLES.index(role)

    @classmethod
    def of(cls, row: Row[Any]) -> Person:
        return cls(row.id, row.name, row.role, row.epoch, row.active, row.calibrated, row.created_at)


@dataclass(frozen=True, slots=True)
class Response:
    """One response of an item; who wrote it is for admins alone."""

    turns: Messages
    generator: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A prompt with one or more responses that people are asked about.

    Attributes:
        key: what exports call it.
        gold: the right answer, where it is known.
        wanted: how many votes it is to get.
        votes, skips: people whose last word on it is one.
        open: whether the queue still gives it out.
    """

    id: int
    key: str
    prompt: Messages
    responses: tuple[Response, ...]
    gold: Answer | None = None
    stage: Stage = "main"
    origin: Origin = "data"
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)
    wanted: int = 1
    votes: int = 0
    skips: int = 0
    open: bool = True
    priority: float = 0.0

    @classmethod
    def of(cls, row: Any) -> Item:
        """From what has the columns of `schema.items` as attributes, as a row of it has."""
        return cls(
            row.id,
            row.key,
            messages(row.prompt),
            tuple(Response(messages(one["turns"]), one.get("generator", "")) for one in row.responses),
            None if row.gold is None else Answer.model_validate(row.gold),
            row.stage,
            row.origin,
            row.source,
            row.metadata,
            row.wanted,
            row.votes,
            row.skips,
            row.open,
            row.priority,
        )


@dataclass(frozen=True, slots=True)
class Assignment:
    """An item in somebody's hands, or one they have answered.

    Attributes:
        token: what a page's address names it by; drawn at random, and of use to this person alone.
        shown: which of the item's responses stands in each place.
        closed_at: when it was first answered.
    """

    id: int
    token: str
    item: int
    person: int
    kind: Literal["vote", "adjudication"]
    shown: tuple[int, ...]
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> Assignment:
        return cls(
            row.id,
            row.token,
            row.item,
            row.person,
            row.kind,
            tuple(row.shown),
            row.opened_at,
            row.expires_at,
            row.closed_at,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the log.

    Attributes:
        item, person: their ids.
        answer: as the item counts; None of a retraction.
        shown: which of the item's responses stood in each place.
        seconds: how long it took, where that is known.
    """

    id: int
    uid: str
    item: int
    person: int
    kind: Kind
    action: Action
    answer: Answer | None
    shown: tuple[int, ...]
    seconds: float | None
    at: datetime

    @property
    def given(self) -> Answer:
        """The answer, of an entry that is known to give one."""
        assert self.answer is not None
        return self.answer

    @classmethod
    def of(cls, row: Row[Any]) -> Entry:
        answer = None if row.answer is None else Answer.model_validate(row.answer)
        return cls(
            row.id,
            row.uid,
            row.item,
            row.person,
            row.kind,
            row.action,
            answer,
            tuple(row.shown),
            row.seconds,
            row.at,
        )


def messages(rows: Sequence[Mapping[str, str]]) -> Messages:
    """The turns of a JSON column."""
    return tuple(Message(row["role"], row["content"]) for row in rows)  # type: ignore[arg-type]


def turns(conversation: Messages) -> list[dict[str, str]]:
    """The turns for a JSON column."""
    return [{"role": message.role, "content": message.content} for message in conversation]
