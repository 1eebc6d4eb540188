"""Running the app: a port that is free, a link that signs one in, and a server that stops politely."""

from __future__ import annotations

import errno
import gc
import socket
import threading
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from heedful.errors import DataError

PORT = 8765
LOOPBACK = ("127.0.0.1", "::1", "localhost")
TRIES = 20  # ports after the first, where none was asked for
GRACE = 5  # seconds that requests under way have when the server is stopped


def bind(host: str, port: int | None) -> socket.socket:
    """A listening socket; without a port, on the first free one from `PORT` on.

    Raises:
        DataError: the port is taken, or the host is not this machine's.
    """
    for candidate in range(PORT, PORT + TRIES) if port is None else (port,):
        try:
            return _listen(host, candidate)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and port is None:
                continue
            if error.errno == errno.EADDRINUSE:
                what, mend = f"port {port} is taken.", "Name another by --port, or leave it out."
            else:
                what, mend = f"cannot listen there: {error.strerror}.", "127.0.0.1 is this machine alone."
            raise DataError(what, where=host, mend=mend) from None
    raise DataError(f"ports {PORT} to {PORT + TRIES - 1} are taken.", where=host, mend="Name one by --port.")


def run_server(
    app: FastAPI,
    sock: socket.socket,
    *,
    ready: Callable[[], None] | None = None,
    open_page: str | None = None,
    behind_proxy: bool = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM; requests under way are finished first.

    Args:
        ready: called once the server answers.
        open_page: an address that is then opened in the user's browser.
        behind_proxy: believe what `X-Forwarded-For` and `X-Forwarded-Proto` say, as anybody could say it
            where no proxy on this machine sets them.
    """
    # No access log: addresses hold personal links, which nobody else is to read.
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE,
        server_header=False,
        proxy_headers=behind_proxy,
        forwarded_allow_ips=["127.0.0.1", "::1"],
    )
    server = uvicorn.Server(config)

    def watch() -> None:
        while not server.started:
            if server.should_exit:
                return
            time.sleep(0.01)
        # What is there by now is there to stay, and has next to no garbage in it. To look through it for some
        # would hold everybody up for a tenth of a second each time, and first when the first page is due.
        gc.freeze()
        if ready is not None:
            ready()
        if open_page is not None:
            webbrowser.open(open_page)

    threading.Thread(target=watch, daemon=True).start()
    with suppress(KeyboardInterrupt):  # the usual way to stop it, which uvicorn hands on when it is done
        server.run(sockets=[sock])


def address(sock: socket.socket, host: str) -> str:
    """How a browser on this machine reaches the server."""
    port = sock.getsockname()[1]
    name = "127.0.0.1" if host in ("0.0.0.0", "") else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(place)
        sock.listen(1024)
    except OSError:
        sock.close()
        raise
    return sock
