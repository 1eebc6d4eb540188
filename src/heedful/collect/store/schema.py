"""The tables of a project's database, for SQLite and PostgreSQL alike.

One database is one project. `judgements` is a log: rows are only ever added to it, triggers of the migration
refuse anything else, and what somebody's vote is *now* is their last row on the item. All that can be worked
out from the log is kept elsewhere only where the queue needs it fast (`items.votes`, `items.open`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """A moment, always in UTC and always aware; SQLite, which knows no zones, keeps it without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _leads(context: Any) -> int | None:
    """What an assignment's `leads` is, by its `shown`."""
    shown: Sequence[int] = context.get_current_parameters()["shown"]
    return shown[0] if len(shown) == 2 else None


project = Table(
    "project",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one"), primary_key=True),
    Column("settings", JSON, nullable=False),
    Column("secret", String(64), nullable=False),  # signs cookies
    Column("created_at", Instant, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("folded", String(200), nullable=False, unique=True),  # the name, whatever its capitals
    Column("role", String(20), nullable=False),  # annotator, reviewer, admin
    Column("password_hash", Text),
    Column("link_hash", String(64), unique=True),  # SHA-256 of the token in a personal link
    Column("epoch", Integer, nullable=False, default=0),  # raised to end all sessions
    Column("active", Boolean, nullable=False, default=True),
    Column("calibrated", Boolean, nullable=False, default=False),  # let through by hand
    Column("created_at", Instant, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("person", ForeignKey("people.id"), nullable=False),  # whom it acts for
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("nonce", String(32), primary_key=True),
    Column("until", Instant, nullable=False),  # when its cookie would have expired by itself
)

# What the queue looks at stands before the texts: SQLite would go through those to get to it.
items = Table(
    "items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("stage", String(20), nullable=False),  # main, gold, calibration
    Column("open", Boolean, nullable=False, default=True),  # whether the queue still gives it out
    Column("wanted", Integer, nullable=False),  # votes
    Column("votes", Integer, nullable=False, default=0),  # people whose last word on it is a vote
    Column("skips", Integer, nullable=False, default=0),  # people whose last word on it is a skip
    Column("priority", Float, nullable=False, default=0.0),  # the lowest comes first
    Column("origin", String(20), nullable=False),  # data, import, chat
    Column("created_at", Instant, nullable=False),
    Column("key", String(300), nullable=False, unique=True),  # the record's id, for exports
    Column("fingerprint", String(64), nullable=False, unique=True),  # of prompt and responses
    Column("prompt", JSON, nullable=False),  # [{role, content}, ...]
    Column("responses", JSON, nullable=False),  # [{turns: [{role, content}, ...], generator}, ...]
    Column("gold", JSON(none_as_null=True)),  # the right Answer, as the item counts
    Column("source", Text, nullable=False, default=""),
    Column("metadata", JSON, nullable=False),
    Index("ix_items_queue", "open", "stage", "priority", "id"),
    Index("ix_items_state", "id", "open", "stage"),  # to count items without going through their texts
)

assignments = Table(
    "assignments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", String(43), nullable=False, unique=True),  # what a page's address names it by
    Column("item", ForeignKey("items.id"), nullable=False),
    Column("person", ForeignKey("people.id"), nullable=False),
    Column("kind", String(20), nullable=False),  # vote, adjudication
    Column("shown", JSON, nullable=False),  # which of the item's responses stands in each place
    Column("leads", Integer, default=_leads),  # of two responses the one that stands first
    Column("opened_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("closed_at", Instant),  # when it was first answered
    UniqueConstraint("person", "item", "kind"),
    Index("ix_assignments_item_kind", "item", "kind"),
    Index("ix_assignments_person_kind_closed_at_item", "person", "kind", "closed_at", "item"),
    Index("ix_assignments_person_kind_leads", "person", "kind", "leads"),
    # Of the few that are in somebody's hands now.
    Index(
        "ix_assignments_unanswered",
        "item",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
)

judgements = Table(
    "judgements",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("uid", String(64), nullable=False, unique=True),  # the sender's: sent twice, it counts once
    Column("item", ForeignKey("items.id"), nullable=False),
    Column("person", ForeignKey("people.id"), nullable=False),
    Column("kind", String(20), nullable=False),  # vote, adjudication, import, chat
    Column("action", String(20), nullable=False),  # give, retract
    Column("answer", JSON(none_as_null=True)),  # of a give: an Answer, as the item counts
    Column("shown", JSON, nullable=False),
    Column("seconds", Float),
    Column("at", Instant, nullable=False),
    Index("ix_judgements_item_person", "item", "person"),
    Index("ix_judgements_person_id", "person", "id"),
)

drafts = Table(
    "drafts",
    metadata,
    Column("assignment", ForeignKey("assignments.id", ondelete="CASCADE"), primary_key=True),
    Column("answer", JSON, nullable=False),  # as shown
    Column("at", Instant, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("person", ForeignKey("people.id")),
    Column("what", String(100), nullable=False),
    Column("detail", JSON, nullable=False),
)
