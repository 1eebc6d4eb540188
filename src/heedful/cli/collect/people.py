"""`heedful collect people`: who takes part, and what lets them in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.cli.collect.opening import FOLDER, Address, Folder, open_project
from heedful.errors import DataError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from heedful.collect.store.model import Person, Role
    from heedful.collect.store.project import Project

app = typer.Typer(no_args_is_help=True, help="Who takes part in a project, and what lets them in.")

Name = Annotated[str, typer.Argument(help="Their name, in capitals or not.")]
TokenName = Annotated[str, typer.Option("--name", help="What the token is for.")]
At = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="Where people reach the app; the link begins with it.", show_default=False
    ),
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Up to 200 letters; nobody else has the name.")],
    role: Annotated[str, typer.Option(help="annotator, reviewer or admin.")] = "annotator",
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a password, to sign in by name with too.")
    ] = False,
    at: At = None,
    folder: Folder = FOLDER,
    database: Address = None,
) -> None:
    """Add somebody, and print the link that lets them in."""
    from heedful.collect.team import people

    kind = _role(role)
    project = open_project(folder, database)
    kept = _asked() if password else None
    with _changing(project) as connection:
        person, token = people.add(connection, name, kind)
        if kept is not None:
            people.set_password(connection, person, kept)
    _print_link(person, token, at)


@app.command("list")
def list_people(folder: Folder = FOLDER, database: Address = None) -> None:
    """Show everyone, what lets them in, and how much they have answered."""
    from heedful.collect.team.roster import roster

    with open_project(folder, database).database.read() as connection:
        everyone = roster(connection)
    for one in everyone:
        ways = [way for way, there in (("link", one.has_link), ("password", one.has_password)) if there]
        ways += [f"{one.tokens} API token{'s' if one.tokens > 1 else ''}"] if one.tokens else []
        state = f"by {', '.join(ways) or 'nothing yet'}" if one.person.active else "removed"
        answers = f"{one.answers} answer{'' if one.answers == 1 else 's'}"
        since = f", the last on {one.last:%Y-%m-%d at %H:%M} UTC" if one.last else ""
        typer.echo(f"{one.person.name}  {one.person.role}, {state}; {answers}{since}")


@app.command()
def link(name: Name, at: At = None, folder: Folder = FOLDER, database: Address = None) -> None:
    """Print a new link for somebody; the old one ends, and they are signed out everywhere."""
    from heedful.collect.team import people

    with _changing(open_project(folder, database)) as connection:
        person = _found(connection, name)
        token = people.new_link(connection, person)
    _print_link(person, token, at)


@app.command()
def password(name: Name, folder: Folder = FOLDER, database: Address = None) -> None:
    """Ask for a new password for somebody, which signs them out everywhere."""
    from heedful.collect.team import people

    project = open_project(folder, database)
    with project.database.read() as connection:
        person = _found(connection, name)
    kept = _asked()
    with _changing(project) as connection:
        people.set_password(connection, person, kept)
    typer.echo(f"{person.name} signs in by name and password now.")


@app.command()
def role(
    name: Name,
    role: Annotated[str, typer.Argument(help="annotator, reviewer or admin.")],
    folder: Folder = FOLDER,
    database: Address = None,
) -> None:
    """Let somebody do more or less."""
    from heedful.collect.team import people

    kind = _role(role)
    with _changing(open_project(folder, database)) as connection:
        person = _found(connection, name)
        people.set_role(connection, person, kind)
    typer.echo(f"{person.name} is {'an' if kind in ('annotator', 'admin') else 'a'} {kind} now.")


@app.command()
def remove(name: Name, folder: Folder = FOLDER, database: Address = None) -> None:
    """Let somebody in no more; their answers stay."""
    from heedful.collect.team import people

    with _changing(open_project(folder, database)) as connection:
        person = _found(connection, name)
        people.deactivate(connection, person)
    typer.echo(f"{person.name} is let in no more. Their answers stay.")


@app.command()
def restore(name: Name, folder: Folder = FOLDER, database: Address = None) -> None:
    """Let somebody in again who was removed."""
    from heedful.collect.team import people

    with _changing(open_project(folder, database)) as connection:
        person = _found(connection, name)
        people.activate(connection, person)
    typer.echo(f"{person.name} is let in again, by what let them in before.")


@app.command()
def token(name: Name, what: TokenName = "token", folder: Folder = FOLDER, database: Address = None) -> None:
    """Print a new API token that acts for somebody; it is shown this once."""
    from heedful.collect.team import people

    with _changing(open_project(folder, database)) as connection:
        issued = people.issue_token(connection, _found(connection, name), what)
    typer.echo(issued)


@app.command()
def revoke(name: Name, what: TokenName = "token", folder: Folder = FOLDER, database: Address = None) -> None:
    """End an API token of somebody's."""
    from heedful.collect.team import people

    with _changing(open_project(folder, database)) as connection:
        person = _found(connection, name)
        people.revoke(connection, person, what)
    typer.echo(f"{person.name}'s token called {what} is of no use any more.")


@contextmanager
def _changing(project: Project) -> Iterator[Connection]:
    """A transaction in which what is refused is a user's mistake."""
    from heedful.collect.team import people

    try:
        with project.database.write() as connection:
            yield connection
    except people.Refused as refused:
        raise DataError(str(refused)) from None


def _found(connection: Connection, name: str) -> Person:
    from heedful.collect.team import people

    person = people.by_name(connection, name)
    if person is None:
        mend = "heedful collect people list shows who there is."
        raise DataError(f"there is nobody called {name}.", mend=mend)
    return person


def _role(name: str) -> Role:
    from heedful.collect.store.model import ROLES

    for role in ROLES:
        if role == name:
            return role
    raise typer.BadParameter(f"{name} is none of {', '.join(ROLES)}.")


def _asked() -> str:
    """The hash of a password that is typed twice, unseen, or is a line of standard input."""
    from heedful.collect.team import passwords

    if sys.stdin.isatty():
        typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        typed = sys.stdin.readline().rstrip("\r\n")
    try:
        return passwords.hashed(typed)
    except passwords.Unfit as unfit:
        raise DataError(str(unfit)) from None


def _print_link(person: Person, token: str, at: str | None) -> None:
    from heedful.collect.web.serving import PORT

    root = (at or f"http://127.0.0.1:{PORT}").rstrip("/")
    typer.echo(f"{person.name} comes in by {root}/join/{token}\nThe link is shown this once.")
