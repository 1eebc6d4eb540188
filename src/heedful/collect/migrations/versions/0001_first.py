"""The first schema, with the triggers that make logs append-only."""

from __future__ import annotations

from alembic import op

from heedful.collect.schema import APPEND_ONLY, metadata

revision = "0001"
down_revision = None

REFUSAL = "rows of this table are only ever added"


def upgrade() -> None:
    connection = op.get_bind()
    # Until something is released the first schema is the current one; then this spells its own tables out.
    metadata.create_all(connection)
    for table in APPEND_ONLY:
        if connection.dialect.name == "sqlite":
            _sqlite(table.name)
        else:
            _postgresql(table.name)


def _sqlite(table: str) -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )


def _postgresql(table: str) -> None:
    op.execute(
        "CREATE OR REPLACE FUNCTION heedful_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION heedful_append_only()"
    )
