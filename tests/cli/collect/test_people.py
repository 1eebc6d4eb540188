"""`heedful collect people`: letting people in and out from the command line."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from heedful.collect.store.database import Database
from heedful.collect.store.project import Project
from heedful.collect.team import passwords, people
from tests.cli.command import Command, Result

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
def empty_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    project = Project.open(Database.in_folder(folder))
    with project.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    project.database.close()
    return folder


@pytest.fixture
def folder(empty_project: Path, tmp_path: Path) -> Path:
    """A project's folder."""
    return Path(shutil.copytree(empty_project, tmp_path / "project"))


@pytest.fixture
def run(heedful: Command, folder: Path):
    """Runs `heedful collect people ...` in the project."""

    def called(*arguments: str) -> Result:
        return heedful("collect", "people", *arguments, "--project", folder)

    return called


@pytest.fixture
def database(folder: Path):
    found = Database.in_folder(folder)
    yield found
    found.close()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch):
    """What stands on standard input."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def link_of(result: Result) -> str:
    """The token of the link that a command printed."""
    found = re.search(r"http://127\.0\.0\.1:8765/join/([\w-]{43})\n", result.out)
    assert found is not None, result
    return found[1]


def whose_link(database: Database, token: str) -> str | None:
    with database.read() as connection:
        person = people.by_link(connection, token)
    return person and person.name


def test_somebody_added_comes_in_by_the_link_that_is_printed(run, database) -> None:
    result = run("add", "Ann", "--role", "reviewer")

    assert result.code == 0
    assert whose_link(database, link_of(result)) == "Ann"
    with database.read() as connection:
        assert people.by_name(connection, "ann").role == "reviewer"


def test_a_link_begins_with_the_address_that_was_said(run) -> None:
    assert "https://votes.example.org/join/" in run("add", "Ann", "--at", "https://votes.example.org/").out


def test_a_new_link_ends_the_old_one(run, database) -> None:
    old = link_of(run("add", "Ann"))

    new = link_of(run("link", "ANN"))

    assert (whose_link(database, old), whose_link(database, new)) == (None, "Ann")


def test_a_password_is_read_from_standard_input_and_lets_its_person_in(run, database, typed) -> None:
    typed(PASSWORD + "\n")
    assert run("add", "Ann", "--password").code == 0
    assert people.check_password(database, "Ann", PASSWORD) is not None

    typed("another password\n")
    result = run("password", "Ann")

    assert (result.code, "another" in result.out) == (0, False)
    assert people.check_password(database, "Ann", "another password") is not None
    assert people.check_password(database, "Ann", PASSWORD) is None


def test_a_password_that_does_not_do_leaves_all_as_it_was(run, typed) -> None:
    typed("short\n")

    result = run("add", "Ann", "--password")

    assert (result.code, "10 letters or more" in result.err) == (2, True)
    assert run("list").out == ""


def test_the_list_says_who_there_is_and_what_lets_them_in(run, typed) -> None:
    typed(PASSWORD)
    run("add", "Zed", "--password")
    run("add", "ann", "--role", "admin")
    run("add", "Gone")
    run("remove", "Gone")
    run("token", "ann")

    assert run("list").out.splitlines() == [
        "ann  admin, by link, 1 API token; 0 answers",
        "Zed  annotator, by link, password; 0 answers",
        "Gone  annotator, removed; 0 answers",
    ]


def test_a_token_is_printed_alone_and_ends_when_it_is_revoked(run, database) -> None:
    run("add", "Ann")

    token = run("token", "Ann", "--name", "nightly").out.strip()

    with database.read() as connection:
        assert people.by_token(connection, token).name == "Ann"
    assert run("revoke", "Ann", "--name", "nightly").code == 0
    with database.read() as connection:
        assert people.by_token(connection, token) is None


def test_removed_people_can_be_let_in_again_and_roles_changed(run, database) -> None:
    token = link_of(run("add", "Ann"))

    assert run("remove", "Ann").code == 0
    assert whose_link(database, token) is None
    assert run("restore", "Ann").code == 0
    assert whose_link(database, token) == "Ann"
    assert "Ann is a reviewer now" in run("role", "Ann", "reviewer").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "root"), "There is somebody called root already."),
        (("add", "a\nb"), "A name has no control characters."),
        (("add", "Ann", "--role", "owner"), "owner is none of annotator, reviewer, admin."),
        (
            ("link", "Nobody"),
            "there is nobody called Nobody. heedful collect people list shows who there is.",
        ),
        (("remove", "Root"), "Root is the only admin. Make somebody else an admin first."),
        (("role", "Root", "annotator"), "Root is the only admin."),
        (("revoke", "Root", "--name", "x"), "Root has no token called x."),
    ],
)
def test_what_cannot_be_is_refused_in_plain_words(run, arguments: tuple[str, ...], said: str) -> None:
    run("add", "Root", "--role", "admin")

    result = run(*arguments)

    assert result.code == 2
    assert said in " ".join(result.err.replace("│", "").split())


def test_where_there_is_no_project_nothing_is_made(heedful: Command, tmp_path: Path) -> None:
    result = heedful("collect", "people", "list", "--project", tmp_path / "none")

    assert (result.code, "there is no project here" in result.err) == (2, True)
    assert not (tmp_path / "none").exists()
