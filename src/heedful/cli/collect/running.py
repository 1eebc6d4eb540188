"""What every command does that serves a project: where it is served, and a link that signs its user in.

Such a command declares a parameter `serving: Serving` and is registered through `serves`, which puts
`--host`, `--port`, `--allow-host`, `--behind-proxy` and `--open` in its place.
"""

from __future__ import annotations

import functools
import gc
import getpass
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from heedful.cli.data_options import option, options_for

if TYPE_CHECKING:
    import inspect

    from sqlalchemy import Connection

    from heedful.collect.sampling.chat import Chats
    from heedful.collect.store.project import Project

_GROUP = "Where it is served"
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Serving:
    """Where a project is served, and to whom."""

    host: str = LOOPBACK
    port: int | None = None
    allow_host: list[str] | None = None
    behind_proxy: bool = False
    open_browser: bool = True

    def run(self, project: Project, *, chats: Chats | None = None) -> None:
        """Serve a project until Ctrl-C; prints, and opens, a link that signs in as its admin."""
        from heedful.collect.web.app import create_app
        from heedful.collect.web.serving import address, bind, run_server

        sock = bind(self.host, self.port)
        with project.database.write() as connection:
            token = _admin_link(connection)
        link = f"{address(sock, self.host)}/join/{token}"

        def ready() -> None:
            gc.enable()
            typer.echo(f"Open {link}\nStop with Ctrl-C; nothing is lost.")

        app = create_app(project, hosts=(self.host, *(self.allow_host or ())), chats=chats)
        page = link if self.open_browser else None
        run_server(app, sock, ready=ready, open_page=page, behind_proxy=self.behind_proxy)


def serves(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of where it is served in place of its parameter `serving`."""
    return options_for(command, "serving", _options(), Serving)


def _options() -> list[inspect.Parameter]:
    own = functools.partial(option, group=_GROUP)
    return [
        own("host", str, LOOPBACK, help="0.0.0.0 lets other machines in."),
        own("port", int | None, None, min=0, max=65535, help="Left out, the first free one."),
        own(
            "allow_host",
            list[str] | None,
            None,
            metavar="NAME",
            help="A name by which people reach it, besides localhost and addresses in digits; several times "
            "for several.",
        ),
        own(
            "behind_proxy",
            bool,
            False,
            "--behind-proxy",
            help="A proxy on this machine says by X-Forwarded-For and X-Forwarded-Proto who asks, and how.",
        ),
        own("open_browser", bool, True, "--open/--no-open", help="Open it in the browser."),
    ]


def _admin_link(connection: Connection) -> str:
    """A link that signs in as the first admin, who is made where there is none."""
    from heedful.collect.team import people

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
