"""`heedful collect serve` up to the moment at which the server runs, and the server's start and stop."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from heedful.cli.collect.running import Serving
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.project import Project
from heedful.collect.web.serving import bind
from heedful.errors import DataError
from tests.cli.command import pair, write

PATIENCE = 60.0  # seconds for a process on a busy machine


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Project]:
    """The projects that would be served."""
    found: list[Project] = []
    monkeypatch.setattr(Serving, "run", lambda _, project: found.append(project))
    return found


def items(project: Project) -> list[tuple[str, str, int]]:
    columns = schema.items.c
    with project.database.read() as connection:
        rows = connection.execute(select(columns.key, columns.stage, columns.wanted).order_by(columns.id))
        return [tuple(row) for row in rows]


def priorities(project: Project) -> list[float]:
    with project.database.read() as connection:
        return list(connection.execute(select(schema.items.c.priority).order_by(schema.items.c.id)).scalars())


def test_a_stranger_is_asked_about_the_examples(heedful, tmp_path: Path, served: list[Project]) -> None:
    done = heedful("collect", "serve", "--project", tmp_path / "p")

    assert done.code == 0
    assert "Heedful's own examples" in done.out
    assert "220 read, 220 kept; 220 items added" in done.out
    assert len(items(served[0])) == 220


def test_the_same_command_goes_on_and_adds_only_what_is_new(heedful, tmp_path, served) -> None:
    data = write(tmp_path / "a.jsonl", [pair(0), pair(1)])
    heedful("collect", "serve", "--project", tmp_path / "p", "--data", data)
    write(data, [pair(0), pair(1), pair(2)])
    done = heedful("collect", "serve", "--project", tmp_path / "p", "--data", data)
    again = heedful("collect", "serve", "--project", tmp_path / "p")

    assert "3 read, 3 kept; 1 items added, 2 known already" in done.out
    assert again.out == ""
    assert len(items(served[-1])) == 3


def test_settings_come_from_a_file_and_overrides_and_are_kept(heedful, tmp_path, served) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("overlap: 2\nstrength: 7\n")
    folder = ("--project", tmp_path / "p")
    heedful("collect", "serve", *folder, "--settings", file, "rationale=required")
    heedful("collect", "serve", *folder, "overlap=3")

    settings = served[-1].settings
    assert (settings.overlap, settings.strength, settings.rationale) == (3, 7, "required")
    assert {wanted for _, _, wanted in items(served[-1])} == {3}


def test_gold_and_calibration_items_are_beside_the_others(heedful, tmp_path, served) -> None:
    files = {}
    for number, name in enumerate(("data", "gold", "calibration")):
        files[name] = write(tmp_path / f"{name}.jsonl", [pair(number)])
    given = [part for name, file in files.items() for part in (f"--{name}", file)]
    done = heedful("collect", "serve", "--project", tmp_path / "p", *given)

    assert done.code == 0
    assert [stage for _, stage, _ in items(served[0])] == ["main", "gold", "calibration"]


def test_a_reward_model_puts_first_what_it_is_least_sure_of(heedful, tmp_path, served, monkeypatch) -> None:
    def unsure(asked):
        return [0.5 if "1" in item.prompt[0].content else 0.1 for item in asked]

    monkeypatch.setattr("heedful.collecting.reward_uncertainty", lambda name: unsure)
    data = write(tmp_path / "a.jsonl", [pair(0), pair(1)])
    done = heedful("collect", "serve", "--project", tmp_path / "p", "--data", data, "--uncertainty", "mine")

    assert "2 items are ordered by mine" in done.out
    assert served[0].settings.order == "uncertain"
    assert priorities(served[0]) == [-0.1, -0.5]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["overlap=none"], "overlap must be a whole number of at least 1"),
        (["overlp=3"], "Did you mean overlap?"),
        (["task=ratings"], "task must be one of pairwise, ranking, rating, thumbs"),
        (["--data", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--database", "mysql://x/y"], "neither sqlite nor postgresql"),
    ],
)
def test_a_mistake_is_said_and_ends_with_2(heedful, tmp_path, served, arguments, said: str) -> None:
    done = heedful("collect", "serve", "--project", tmp_path / "p", *arguments)

    assert (done.code, served) == (2, [])
    assert said in done.err


def test_a_project_with_items_does_not_change_what_it_asks(heedful, tmp_path, served) -> None:
    heedful("collect", "serve", "--project", tmp_path / "p")
    done = heedful("collect", "serve", "--project", tmp_path / "p", "task=ranking")

    assert (done.code, len(served)) == (2, 1)
    assert "220 items are there for the task pairwise. Begin another project" in done.err


def test_other_commands_need_a_project(heedful, tmp_path) -> None:
    done = heedful("collect", "export", tmp_path / "out.jsonl", "--project", tmp_path / "p")

    assert done.code == 2
    assert "there is no project here" in done.err
    assert not (tmp_path / "p").exists()


def test_a_port_that_is_taken_is_said_and_without_one_the_next_is_taken() -> None:
    first = bind("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(DataError, match=f"port {port} is taken"):
        bind("127.0.0.1", port)
    one, other = bind("127.0.0.1", None), bind("127.0.0.1", None)
    assert one.getsockname()[1] != other.getsockname()[1]
    for sock in (first, one, other):
        sock.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_server_says_where_it_is_answers_and_stops_in_peace(tmp_path: Path, how: signal.Signals) -> None:
    command = [sys.executable, "-m", "heedful", "collect", "serve", "--project", str(tmp_path), "--no-open"]
    with subprocess.Popen(
        [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        link = next(
            found for line in process.stdout if (found := re.search(r"http://127.0.0.1:(\d+)(/\S+)", line))
        )
        with socket.create_connection(("127.0.0.1", int(link[1])), PATIENCE) as sock:
            sock.sendall(f"GET {link[2]} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert sock.recv(4096).startswith(b"HTTP/1.1 303")
        os.kill(process.pid, how)
        rest = process.stdout.read()
        begun = time.monotonic()
        while process.poll() is None and time.monotonic() - begun < PATIENCE:
            time.sleep(0.05)

    assert "Traceback" not in rest
    assert process.returncode in (0, -how)
    database = Database.in_folder(tmp_path)
    assert len(items(Project.open(database))) == 220
    database.close()
