"""`heedful collect export` and `import`: what people said, out to files and in from other tools."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from heedful.cli.collect.opening import FOLDER, Address, Folder, open_project
from heedful.cli.data_options import Reading
from heedful.cli.data_output import Writing
from heedful.cli.vote_options import Votes, flag
from heedful.collect.exchange.wish import AGGREGATED, What, Wish
from heedful.errors import DataError
from heedful.prepare.pair_settings import PairSettings, Ties

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heedful.collect.store.project import Project

_WHAT = "What is exported"
_PREFERENCES = "How preferences are made"


def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file; its name says how it is wrapped.")],
    votes: Votes,
    writing: Writing,
    what: Annotated[
        What,
        typer.Option(
            help="What the votes come to, the votes themselves, items with raw judgements, or the whole log "
            "with edits and retractions.",
            rich_help_panel=_WHAT,
        ),
    ] = "preferences",
    until: Annotated[
        str | None,
        typer.Option(
            metavar="ROW|TIME",
            help="Take the log as it was then: a row's id, or a time as 2026-03-01T12:00 (UTC).",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    pseudonyms: Annotated[
        bool, typer.Option("--pseudonyms", help="Name nobody.", rich_help_panel=_WHAT)
    ] = False,
    without_flagged: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FLAG",
            help="Leave out items that somebody flagged so; several times for several flags.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    with_gold: Annotated[
        bool,
        typer.Option("--with-gold", help="Keep gold and calibration items.", rich_help_panel=_WHAT),
    ] = False,
    ties: Annotated[
        Ties | None,
        typer.Option(help="Keep ties, with probability 0.5, or not.", rich_help_panel=_PREFERENCES),
    ] = None,
    both_bad: Annotated[
        Literal["tie", "drop"] | None,
        typer.Option(help="What a verdict of two bad responses is.", rich_help_panel=_PREFERENCES),
    ] = None,
    aspect: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which aspect ratings are compared by; left out, the mean of all.",
            rich_help_panel=_PREFERENCES,
        ),
    ] = None,
    folder: Folder = FOLDER,
    database: Address = None,
) -> None:
    """Write what people said to a file: preferences to train on, the votes, or the raw log.

    An adjudicated item is as the adjudicator said. What the file was made of is written beside it, to
    NAME.export.json; with --until and the row named there, the same file can be made again at any time.
    """
    pairs = _pairs(what, votes, ties=ties, both_bad=both_bad, aspect=aspect)
    from heedful.collect.exchange.export import beside
    from heedful.collect.exchange.export import export as write

    writing.check([out, beside(out)])
    project = open_project(folder, database)
    wish = Wish(
        what=what,
        layout=writing.to,
        pairs=pairs,
        pseudonyms=pseudonyms,
        until=None if until is None else _row(project, until),
        without_flagged=tuple(without_flagged or ()),
        with_gold=with_gold,
    )
    made = write(project, out, wish)
    writing.report(made, (out, made.written))
    writing.say(f"made of the log up to row {made.until}; how, stands in {beside(out)}")


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Votes: an export of Label Studio, Argilla, ...")
    ],
    reading: Reading,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...", help="Settings of a new project, as task=ranking.", show_default=False
        ),
    ] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the rows that were left out, and why."),
    ] = None,
    folder: Folder = FOLDER,
    database: Address = None,
) -> None:
    """Go on with what was begun in another tool: its items, its people and their votes come into the project.

    Records of any layout will do that say who judged. The same file again adds nothing, or what is missing
    yet. Nobody who comes in so can sign in before they are let in: heedful collect people restore NAME, then
    link NAME.
    """
    from heedful.collect.exchange.importing import import_votes
    from heedful.collect.store.project import now
    from heedful.quarantine import write_quarantine

    records = reading.read(file)
    project = _begun(open_project(folder, database, make=True), overrides or [])
    done = import_votes(project.database, records, project.settings, now())
    typer.echo(f"{file.name}: {done}")
    if quarantine is not None:
        write_quarantine(done.quarantined, quarantine)
        typer.echo(f"{len(done.quarantined)} left-out rows written to {quarantine}")


def _pairs(what: What, votes: Votes, **others: Any) -> PairSettings:
    """How preferences are made.

    Raises:
        DataError: none are, and something is said about how.
    """
    given = {name: value for name, value in others.items() if value is not None}
    if what == "preferences":
        return replace(AGGREGATED, aggregate=votes.aggregation(), **given)
    if said := votes.given() | given:
        mend = "Say --what preferences."
        raise DataError("is about preferences.", where=flag(next(iter(said))), mend=mend)
    return AGGREGATED


def _row(project: Project, until: str) -> int:
    """The last row of the log that counts, given by its id or by a time."""
    from heedful.collect.exchange.export import row_at

    if until.isdecimal():
        return int(until)
    try:
        at = datetime.fromisoformat(until)
    except ValueError:
        mend = "Say a row's id, or a time as 2026-03-01T12:00."
        raise DataError(f'"{until}" is neither.', where="--until", mend=mend) from None
    with project.database.read() as connection:
        return row_at(connection, at if at.tzinfo is not None else at.replace(tzinfo=UTC))


def _begun(project: Project, overrides: Sequence[str]) -> Project:
    """The project, with the settings that were given if it is a new one."""
    from sqlalchemy import select

    from heedful.collect.settings import Settings
    from heedful.collect.store import schema
    from heedful.collect.store.project import Project
    from heedful.recipe import load_keys

    if not overrides:
        return project
    with project.database.read() as connection:
        if connection.execute(select(schema.items.c.id).limit(1)).first() is not None:
            mend = "Change them by heedful collect serve."
            raise DataError("the project has its settings already.", where=overrides[0], mend=mend)
    return Project.open(
        project.database, load_keys(None, overrides, Settings, project.settings.model_dump(mode="json"))
    )
