"""The steps by which a database comes to the current schema, run by Alembic without a file of its own."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

HERE = Path(__file__).parent


def config(connection: Connection) -> Config:
    found = Config()
    found.set_main_option("script_location", str(HERE).replace("%", "%%"))
    found.set_main_option("path_separator", "os")
    found.attributes["connection"] = connection
    return found


def upgrade(connection: Connection) -> None:
    """Run what is missing, in the connection's transaction."""
    command.upgrade(config(connection), "head")
