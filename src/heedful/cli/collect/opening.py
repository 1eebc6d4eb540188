"""Where a project is, as every command of `heedful collect` is told, and opening it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.errors import DataError

if TYPE_CHECKING:
    from heedful.collect.settings import Settings
    from heedful.collect.store.project import Project

FOLDER = Path("collect")

Folder = Annotated[
    Path, typer.Option("--project", metavar="FOLDER", help="Where the project's SQLite database is.")
]
Address = Annotated[
    str | None,
    typer.Option(
        "--database", metavar="URL", help="A database instead, as postgresql+psycopg://user@host/name."
    ),
]


def open_project(
    folder: Path, address: str | None, settings: Settings | None = None, *, make: bool = False
) -> Project:
    """The project of a folder or, where one is given, of a database's address.

    Args:
        make: make one where there is none.

    Raises:
        DataError: there is no project, or its database cannot be opened.
    """
    from heedful.collect.store.database import Database
    from heedful.collect.store.project import Project

    if address is None and not make and not (folder / "project.db").is_file():
        mend = "Name its folder by --project, or begin one with heedful collect serve."
        raise DataError("there is no project here.", where=str(folder), mend=mend)
    database = Database(address) if address is not None else Database.in_folder(folder)
    return Project.open(database, settings)
