"""What every command does that serves a project: where it is served, and a link that signs its user in."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from heedful.collect.chat import Chats
    from heedful.collect.project import Project

_SERVER = "Where it is served"
LOOPBACK = "127.0.0.1"

Host = Annotated[str, typer.Option(help="0.0.0.0 lets other machines in.", rich_help_panel=_SERVER)]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Left out, the first free one.", rich_help_panel=_SERVER)
]
OpenBrowser = Annotated[
    bool, typer.Option("--open/--no-open", help="Open it in the browser.", rich_help_panel=_SERVER)
]

AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        metavar="NAME",
        help="A name by which people reach it, besides localhost and addresses in digits; several times for "
        "several.",
        rich_help_panel=_SERVER,
    ),
]
BehindProxy = Annotated[
    bool,
    typer.Option(
        "--behind-proxy",
        help="A proxy on this machine says by X-Forwarded-For and X-Forwarded-Proto who asks, and how.",
        rich_help_panel=_SERVER,
    ),
]


def run(
    project: Project,
    host: str,
    port: int | None,
    open_browser: bool,
    *,
    chats: Chats | None = None,
    hosts: Sequence[str] = (),
    behind_proxy: bool = False,
) -> None:
    """Serve a project until Ctrl-C; prints, and opens, a link that signs in as its admin.

    Args:
        hosts: names by which people may reach it, besides `host`, localhost and addresses in digits.
        behind_proxy: see `serving.run_server`.
    """
    from heedful.collect.web.app import create_app
    from heedful.collect.web.serving import address, bind, run_server

    sock = bind(host, port)
    with project.database.write() as connection:
        token = _admin_link(connection)
    link = f"{address(sock, host)}/join/{token}"

    def ready() -> None:
        typer.echo(f"Open {link}\nStop with Ctrl-C; nothing is lost.")

    app = create_app(project, hosts=(host, *hosts), chats=chats)
    page = link if open_browser else None
    run_server(app, sock, ready=ready, open_page=page, behind_proxy=behind_proxy)


def _admin_link(connection: Connection) -> str:
    """A link that signs in as the first admin, who is made where there is none."""
    from heedful.collect import people

    for person in people.everyone(connection):
        if person.active and person.role == "admin":
            return people.new_link(connection, person, end_sessions=False)
    _, token = people.add(connection, _own_name(), "admin")
    return token


def _own_name() -> str:
    try:
        return getpass.getuser()
    except OSError:  # no such user is known to the machine, as in some containers
        return "admin"
