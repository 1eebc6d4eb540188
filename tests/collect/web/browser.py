"""A real browser on the real app: the machine's Chromium, driven by Playwright, and the app served.

Tests that use `browser_page` are skipped with a reason where one of the two is missing. Its page fails the
test if a script failed, the policy was broken, or anything was asked of another host.
"""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from heedful.collect.sampling.chat import Chats
from heedful.collect.store.model import Role
from heedful.collect.store.project import Project
from heedful.collect.team import people
from heedful.collect.web.app import create_app

PATIENCE = 20.0  # seconds for anything to appear
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDE = {"width": 1200, "height": 900}
PHONE = {"width": 400, "height": 800}


def chromium() -> str | None:
    """Where the machine's own browser is."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Served:
    """The app of a project on a loopback port."""

    project: Project
    address: str

    def link(self, name: str = "ann", role: Role = "annotator") -> str:
        """The personal link of a new person."""
        with self.project.database.write() as connection:
            _, token = people.add(connection, name, role)
        return f"{self.address}/join/{token}"


@pytest.fixture
def served(project: Project, chats: Chats | None) -> Iterator[Served]:
    """The project's app, which a browser can reach."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(project, chats=chats), log_level="warning", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield Served(project, f"http://127.0.0.1:{sock.getsockname()[1]}")
    server.should_exit = True
    thread.join(PATIENCE)


@dataclass
class Watch:
    """What went wrong on a page, and what it asked for."""

    troubles: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def on(self, page: Any) -> None:
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _said(self, kind: str, text: str) -> None:
        # A form that was refused is shown again with the status 422, which the console calls an error.
        if kind in ("error", "warning") and "status of 422" not in text:
            self.troubles.append(text)


@pytest.fixture
def browser_page(browser: Any, served: Served) -> Iterator[Any]:
    """A page in a window of its own, 1200 wide; nothing may go wrong on it."""
    watch = Watch()
    context = browser.new_context(viewport=WIDE, base_url=served.address)
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    watch.on(page)
    yield page
    context.close()
    elsewhere = [url for url in watch.requests if not url.startswith((served.address, "data:"))]
    assert (watch.troubles, elsewhere) == ([], [])


def screenshot(page: Any, name: str, folder: Path, width: int, scheme: str) -> Path:
    """A picture of the whole page at a width, light or dark."""
    page.set_viewport_size({"width": width, "height": WIDE["height"]})
    page.emulate_media(color_scheme=scheme)
    file = folder / f"{name}-{width}-{scheme}.png"
    page.screenshot(path=file, full_page=True)
    return file
