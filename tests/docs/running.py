"""Running what a page says as it says it, in this process and on a tiny model.

Training and sampling are cut short by further settings, for a page's numbers are a real model's; everything
else is the command as it stands. What only a machine's owner can do (`make`, `pip`, `git`) is held against
what there is.
"""

from __future__ import annotations

import io
import re
import socket
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from heedful.cli import main
from heedful.collect.team import people
from tests.docs.blocks import CHECKOUT, split
from tests.docs.world import ROLLOUT, STEPS

SHORTER: dict[str, Sequence[str]] = {
    "sft": STEPS,
    "dpo": STEPS,
    "reward": STEPS,
    "ppo": (*STEPS, *ROLLOUT),
    "rlhf": [f"{stage}.{key}" for stage in ("sft", "reward", "ppo") for key in STEPS]
    + [f"ppo.{key}" for key in ROLLOUT],
    # Of the quickstart; so small a model is not ready to be aligned.
    "run": [f"{stage}.{key}" for stage in ("sft", "dpo", "reward", "ppo") for key in STEPS]
    + [f"ppo.{key}" for key in ROLLOUT]
    + ["readiness=skip", "evaluate.prompts=2", "evaluate.max_new_tokens=8"],
    "advise": ("--quick",),
    "compare": ("--max-new-tokens", "8"),
    "evaluate": ("--max-new-tokens", "8"),
    "collect candidates": ("--max-new-tokens", "64"),
}
# Who votes on a project before the next command, and on how many items at most.
ANNOTATORS, VOTES = ("Ann", "Bo", "Cem"), 12
NUMBERS_OF_FINDINGS = (0, 1)  # `heedful check` leaves with 1 where it finds an error


# A chat endpoint that pages speak of; here it judges by length.
ENDPOINT = "http://localhost:8000/v1"


class Page:
    """One page's commands, in their order.

    Args:
        endpoint: the address of what stands in for `ENDPOINT`.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
        self._monkeypatch, self._endpoint = monkeypatch, endpoint
        self._app: FastAPI | None = None
        monkeypatch.setattr("heedful.collect.web.serving.run_server", self._serve)

    def run(self, command: str) -> None:
        """Run a command; an assertion fails where it does not do what a page says of it."""
        words = split(command.replace(ENDPOINT, self._endpoint))
        runs: dict[str, Callable[[list[str]], None]] = {
            "heedful": self._heedful,
            "accelerate": self._accelerate,
            "make": _make,
            "pip": _pip,
            "python": _python,
            "curl": self._curl,
        }
        while "=" in words[0]:  # OMP_NUM_THREADS=1
            words = words[1:]
        if words[:2] == ["git", "clone"]:
            return
        assert words[0] in runs, f"nothing here runs {words[0]}"
        runs[words[0]](words[1:])

    def _heedful(self, words: list[str]) -> None:
        name = " ".join(words[:2]) if words[0] in ("collect", "models") else words[0]
        typed = "/quit\n" if name == "chat" else "a long password\n" * 2
        self._monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        shorter = () if "--dry-run" in words else SHORTER.get(name, ())
        code = main([*words, *shorter])
        assert code in (NUMBERS_OF_FINDINGS if name == "check" else (0,)), (
            f"{' '.join(words)} left with {code}"
        )

    def _accelerate(self, words: list[str]) -> None:
        """What each process of a launch does, in this one; that several are one run is tested elsewhere."""
        assert words[0] == "launch"
        module = words.index("-m")
        assert words[module + 1] == "heedful"
        self._heedful(words[module + 2 :])

    def _serve(self, app: FastAPI, sock: socket.socket, *, ready: Callable[[], None], **_: Any) -> None:
        """In place of waiting for people: some vote, and the app is stopped."""
        sock.close()
        ready()
        self._app = app
        if app.state.chats is not None:
            return
        for name in ANNOTATORS:
            headers = self._token(name)
            client = TestClient(app, "http://localhost")
            for _ in range(VOTES):
                found = client.get("/api/v1/next", headers=headers)
                if found.status_code == 204:
                    break
                where = f"/api/v1/assignments/{found.json()['token']}/answer"
                vote = {"answer": {"verdict": "a"}, "uid": f"{name}-{where}"[:64], "seconds": 5}
                assert client.post(where, json=vote, headers=headers).status_code == 200

    def _token(self, name: str) -> dict[str, str]:
        assert self._app is not None, "no app was served before"
        with self._app.state.project.database.write() as connection:
            person, _ = people.add(connection, f"{name} {id(self._app)}")
            token = people.issue_token(connection, person, "pages")
        return {"Authorization": f"Bearer {token}"}

    def _curl(self, words: list[str]) -> None:
        assert words[:2] == ["-H", "Authorization: Bearer $TOKEN"]
        address = re.fullmatch(r"http://127\.0\.0\.1:8765(/.*)", words[2])
        assert address is not None
        assert self._app is not None, "no app was served before"
        answered = TestClient(self._app, "http://localhost").get(address[1], headers=self._token("Reader"))
        assert answered.status_code in (200, 204)


def _make(words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert words[0] in targets


def _pip(words: list[str]) -> None:
    """Extras exist; the rest is pip's business."""
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    for named in re.findall(r"\[([\w,]+)\]", " ".join(words)):
        assert set(named.split(",")) <= extras.keys()


def _python(words: list[str]) -> None:
    """A benchmark takes hours: that there is one of that name, which knows these options."""
    assert words[0] == "-m", words
    folder = CHECKOUT.joinpath(*words[1].split("."))
    file = folder / "__main__.py" if folder.is_dir() else folder.with_suffix(".py")
    assert file.exists(), file
    source = file.read_text(encoding="utf-8")
    for option in (word for word in words[2:] if word.startswith("--")):
        assert f'"{option}"' in source, f"{file.name} knows no {option}"
