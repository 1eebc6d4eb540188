"""The app over a project, without a server, and people signed in to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from heedful.collect.sampling.chat import Chats
from heedful.collect.settings import Settings
from heedful.collect.store.database import Database
from heedful.collect.store.model import Role
from heedful.collect.store.project import Project
from heedful.collect.team import people
from heedful.collect.web.app import create_app
from tests.collect.web.browser import browser_page, served  # noqa: F401  fixtures for all of them

SignIn = Callable[..., TestClient]
OWN = "http://localhost"  # a name that the app answers to


def csrf_of(html: str) -> str:
    """The token of the forms of a page."""
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', html)
    assert found is not None
    return found[1]


@pytest.fixture
def settings() -> Settings:
    """The project's; a test module with others overrides this fixture."""
    return Settings()


@pytest.fixture
def project(sqlite_url: str, settings: Settings) -> Iterator[Project]:
    """An empty project on SQLite."""
    database = Database(sqlite_url)
    yield Project.open(database, settings)
    database.close()


@pytest.fixture
def chats() -> Chats | None:
    """Models to talk to; a test module with some overrides this fixture."""
    return None


@pytest.fixture
def sign_in(project: Project, chats: Chats | None) -> SignIn:
    """Makes a person of a name and role and signs them in: `sign_in("ann", "reviewer")`."""
    app = create_app(project, chats=chats)

    def signed_in(name: str = "ann", role: Role = "annotator") -> TestClient:
        with project.database.write() as connection:
            _, token = people.add(connection, name, role)
        client = TestClient(app, OWN, follow_redirects=False)
        assert client.get(f"/join/{token}").status_code == 303
        return client

    return signed_in
