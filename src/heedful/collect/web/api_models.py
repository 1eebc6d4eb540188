"""What the REST API takes and gives, as pydantic models; the OpenAPI document is made of them.

What an annotator may be given (`Next`, `Accepted`, `Progress`) has no place for what blinding hides. Text
that a database cannot hold is refused where it enters: NUL, and half of a surrogate pair.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from heedful.collect.answer import Answer
from heedful.collect.settings import Rationale, Scale, Settings, Task
from heedful.collect.store import model
from heedful.records import Messages
from heedful.records import Role as Speaker

MOST_ROWS = 1000  # of a page of results, and of records in one request
ROWS = 100  # of a page of results, where none is said
LARGEST_ID = 2**31 - 1  # that a database's integer holds
LONGEST_SECONDS = 10_000_000.0  # on one item

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Uid = Annotated[
    str,
    StringConstraints(pattern=r"^[!-~]{1,64}$"),
    Field(
        description="Drawn by you, such as a UUID. Sent again with the same uid, it counts once.",
        examples=["1f0e4a52-6a0b-4d6b-9a57-0d3c0c2a9a11"],
    ),
]
Seconds = Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False)]

Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,43}$", description="The assignment's, from `/next`.")]
PersonId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
After = Annotated[int, Query(ge=0, le=LARGEST_ID, description="Those whose id is greater.")]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="At most so many.")]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(Model):
    """Why a request was not carried out."""

    detail: str


class Turn(Model):
    """One turn of a conversation."""

    role: Speaker
    content: str

    @classmethod
    def several(cls, conversation: Messages) -> list[Turn]:
        return [cls(role=message.role, content=message.content) for message in conversation]


class Asks(Model):
    """What may be answered.

    `strength` is the scale of a pair's strength: 4 steps for the winner (1 to 4), 7 over both sides (1 to 3
    for the winner), or null where it is not asked. Ratings go from 1 to `points` for each aspect.
    """

    task: Task
    tie: bool
    both_bad: bool
    strength: Scale | None
    aspects: list[str]
    points: int
    rationale: Rationale
    flags: list[str]
    skip_reasons: list[str]

    @classmethod
    def of(cls, settings: Settings) -> Asks:
        return cls.model_validate(settings.model_dump(include=set(cls.model_fields)))


class Next(Model):
    """An item to judge, as it is shown to you: answers count its responses in this order."""

    token: str = Field(
        description="Names this item in your hands; answers go to /assignments/{token}/answer."
    )
    prompt: list[Turn]
    responses: list[list[Turn]]
    asks: Asks
    expires_at: datetime = Field(description="Until then it is kept for you.")


class Vote(Model):
    """Your answer to an assignment. A second one, under another uid, takes the place of the first."""

    answer: Answer = Field(
        description='As shown: verdict "a" is the first of the responses.',
        examples=[{"verdict": "a", "rationale": "It answers the question."}],
    )
    uid: Uid
    seconds: Seconds | None = Field(default=None, description="How long it took.")


class Undo(Model):
    """Takes your answer back."""

    uid: Uid


class Accepted(Model):
    """What was sent is in the log, on the disk."""

    new: bool = Field(description="False where this uid was in the log before.")


class Progress(Model):
    """How far you are."""

    done: int
    left: int
    seconds_each: float | None = Field(
        description="How long one took you of late; null where nothing is known."
    )


class LogEntry(Model):
    """A row of the log; rows are only ever added."""

    id: int
    uid: str
    item: int
    person: int
    kind: model.Kind
    action: model.Action
    answer: Answer | None = Field(description='As the item counts: verdict "a" is its first response.')
    shown: list[int] = Field(description="Which of the item's responses stood in each place.")
    seconds: float | None
    at: datetime

    @classmethod
    def of(cls, entry: model.Entry) -> LogEntry:
        return cls(
            id=entry.id,
            uid=entry.uid,
            item=entry.item,
            person=entry.person,
            kind=entry.kind,
            action=entry.action,
            answer=entry.answer,
            shown=list(entry.shown),
            seconds=entry.seconds,
            at=entry.at,
        )


class Log(Model):
    entries: list[LogEntry]


class Hidden(Model):
    """What those who judge are not to know."""

    gold: Answer | None
    generators: list[str] = Field(description="Who wrote each response.")
    source: str
    metadata: dict[str, Any]


class Item(Model):
    """An item and how far it is."""

    id: int
    key: str
    prompt: list[Turn]
    responses: list[list[Turn]]
    stage: model.Stage
    origin: model.Origin
    wanted: int = Field(description="Votes.")
    votes: int
    skips: int
    open: bool = Field(description="Whether it is still given out.")
    hidden: Hidden | None = Field(description="For admins; null for reviewers, who may judge it too.")

    @classmethod
    def of(cls, item: model.Item, *, hidden: bool) -> Item:
        return cls(
            id=item.id,
            key=item.key,
            prompt=Turn.several(item.prompt),
            responses=[Turn.several(response.turns) for response in item.responses],
            stage=item.stage,
            origin=item.origin,
            wanted=item.wanted,
            votes=item.votes,
            skips=item.skips,
            open=item.open,
            hidden=_hidden(item) if hidden else None,
        )


def _hidden(item: model.Item) -> Hidden:
    return Hidden(
        gold=item.gold,
        generators=[response.generator for response in item.responses],
        source=item.source,
        metadata=dict(item.metadata),
    )


class Items(Model):
    items: list[Item]


class NewItems(Model):
    """Records in Heedful's own rows, as in a file that `heedful convert` writes."""

    records: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=MOST_ROWS,
        examples=[
            [
                {
                    "heedful": 1,
                    "kind": "candidates",
                    "id": "greeting",
                    "prompt": [{"role": "user", "content": "Hello!"}],
                    "responses": [
                        [{"role": "assistant", "content": "Hello, how can I help?"}],
                        [{"role": "assistant", "content": "What?"}],
                    ],
                }
            ]
        ],
    )
    stage: model.Stage = "main"


class LeftOut(Model):
    """A record that did not become an item."""

    where: str
    reason: str
    detail: str


class Loaded(Model):
    """What became of the records: `read` is `used` plus the number of `left_out`."""

    read: int
    used: int = Field(description="Records of which there is an item, new or known.")
    added: int = Field(description="Items that are new.")
    known: int = Field(description="Items that were in the project before.")
    left_out: list[LeftOut]


class Person(Model):
    id: int
    name: str
    role: model.Role
    active: bool
    calibrated: bool
    created_at: datetime

    @classmethod
    def of(cls, person: model.Person) -> Person:
        return cls(
            id=person.id,
            name=person.name,
            role=person.role,
            active=person.active,
            calibrated=person.calibrated,
            created_at=person.created_at,
        )


class People(Model):
    people: list[Person]


class NewPerson(Model):
    name: Name
    role: model.Role = "annotator"


class Invited(Model):
    """A person and their personal link. It is shown this once; anybody who has it is let in as them."""

    person: Person
    link: str
