"""`heedful collect serve`: the annotation app, from nothing to the first item in one command."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from heedful.cli.collect.opening import FOLDER, Address, Folder, open_project
from heedful.cli.collect.running import Serving
from heedful.cli.data_options import Reading
from heedful.errors import DataError

if TYPE_CHECKING:
    from heedful.collect.settings import Settings
    from heedful.collect.store.model import Stage
    from heedful.collect.store.project import Project

EMBEDDED = "everyday/preferences-train.jsonl"

_ITEMS = "What is asked"


def serve(
    reading: Reading,
    serving: Serving,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Settings, as overlap=3 or task=ranking.", show_default=False
        ),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Prompts with responses, in any layout; several times for several files. Without any a new "
            "project asks about Heedful's own examples.",
            rich_help_panel=_ITEMS,
        ),
    ] = None,
    gold: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Pairs whose answer is known.", rich_help_panel=_ITEMS),
    ] = None,
    calibration: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Pairs that everyone judges first.", rich_help_panel=_ITEMS),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings in YAML; kept from then on.", rich_help_panel=_ITEMS),
    ] = None,
    uncertainty: Annotated[
        str | None,
        typer.Option(
            metavar="REWARD",
            help="A reward model: the pairs it is least sure of come first.",
            rich_help_panel=_ITEMS,
        ),
    ] = None,
    folder: Folder = FOLDER,
    database: Address = None,
) -> None:
    """Serve the annotation app: people compare answers in their browsers, their votes are kept in a project.

    The link that is printed signs you in as the project's admin. Stop it with Ctrl-C; the same command goes
    on where it stopped.
    """
    gc.disable()  # what is loaded from here on stays; it is enabled again when the server is ready
    try:
        project = open_project(folder, database, make=True)
        project = _settled(project, settings, overrides or [], uncertainty)
        files: list[tuple[Path, Stage]] = [(path, "main") for path in data or ()]
        files += [(path, "gold") for path in gold or ()]
        files += [(path, "calibration") for path in calibration or ()]
        _add(project, files or _examples(project), reading)
        _order(project, uncertainty)
        serving.run(project)
    finally:
        gc.enable()


def _settled(
    project: Project, file: Path | None, overrides: Sequence[str], uncertainty: str | None
) -> Project:
    """The project with the settings that were given, which it keeps."""
    from heedful.collect.settings import Settings
    from heedful.collect.store.project import Project
    from heedful.collect.work import queue

    if file is None and not overrides and uncertainty is None:
        return project
    from heedful.recipe import load_keys

    known: dict[str, Any] = project.settings.model_dump(mode="json")
    if uncertainty is not None:
        known["order"] = "uncertain"
    given = load_keys(file, overrides, Settings, known)
    _same_task(project, given)
    with project.database.write() as connection:
        queue.set_overlap(connection, given)
    return Project.open(project.database, given)


def _same_task(project: Project, given: Settings) -> None:
    """Refuse to ask something else of items whose votes answer the first question."""
    from sqlalchemy import func, select

    from heedful.collect.store import schema

    if given.task == project.settings.task:
        return
    with project.database.read() as connection:
        n_items = connection.execute(select(func.count()).select_from(schema.items)).scalar_one()
    if n_items:
        what = f"the project's {n_items} items are there for the task {project.settings.task}."
        raise DataError(what, where="task", mend="Begin another project: --project OTHER_FOLDER.")


def _examples(project: Project) -> list[tuple[Path, Stage]]:
    """What a new project that was given no data asks about."""
    from sqlalchemy import select

    from heedful import data
    from heedful.collect.store import schema

    with project.database.read() as connection:
        if connection.execute(select(schema.items.c.id).limit(1)).first() is not None:
            return []
    typer.echo("No --data was given: the project asks about Heedful's own examples.")
    return [(data.path(EMBEDDED), "main")]


def _add(project: Project, files: Sequence[tuple[Path, Stage]], reading: Reading) -> None:
    """Add what is new in the files, and say what became of every row."""
    from heedful.collect.work import items

    for path, stage in files:
        records = reading.read(path)
        with project.database.write() as connection:
            loaded = items.add_records(connection, records, project.settings, stage=stage)
        typer.echo(f"{path.name}: {loaded}")


def _order(project: Project, uncertainty: str | None) -> None:
    """Put the items in the order that the settings say."""
    from heedful.collect.work import order

    if uncertainty is None:
        with project.database.write() as connection:
            order.reorder(connection, project.settings)
        return
    from heedful.collecting import reward_uncertainty

    with project.database.read() as connection:
        asked = order.main_items(connection)
    found = order.uncertainties(asked, reward_uncertainty(uncertainty))
    with project.database.write() as connection:
        order.prioritise(connection, found)
    typer.echo(f"{len(asked)} items are ordered by {uncertainty}: what it is least sure of comes first.")
