"""`heedful collect candidates` and `heedful collect chat` from the command line, on tiny models."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from heedful import formats
from heedful.cli.collect.running import Serving
from heedful.collect.sampling.chat import Chats
from heedful.collect.sampling.journal import SUFFIX
from heedful.collect.store.project import Project
from heedful.records import GENERATED_BY, Candidates, Preference
from tests import tiny
from tests.cli.command import Command, pairs, write

PATIENCE = 120.0  # seconds for a process on a busy machine


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    return write(tmp_path / "prompts.jsonl", [{"prompt": f"what is {number}?"} for number in range(3)])


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("other") / "model", seed=1)


@pytest.fixture
def chatted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Project, Chats, list[str]]]:
    """What would be served: the project, the conversations, and the speakers' names."""
    found: list[tuple[Project, Chats, list[str]]] = []

    def run(_: Serving, project: Project, *, chats: Chats) -> None:
        found.append((project, chats, [speaker.name for speaker in chats.speakers]))

    monkeypatch.setattr(Serving, "run", run)
    return found


def short(*more: object) -> tuple[object, ...]:
    return ("--max-new-tokens", 6, "--keep-cut", *more)


def test_candidates_of_two_models_are_written_and_counted(
    heedful: Command, model: Path, other: Path, prompts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ("collect", "candidates", prompts, out, "--model", model, "--model", other, *short())

    options = ("--temperature", 1.0, "--count", 2, "--system", "Be brief.")

    done = heedful(*arguments, *options)

    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "3 read, 3 kept"
    assert lines[1] == f"3 written to {out}"
    assert lines[2].startswith("6 answers: 6 kept")
    assert lines[3] == f"Next: heedful collect serve --data {out}"
    records = formats.read(out)
    assert all(isinstance(record, Candidates) for record in records)
    assert {tuple(sorted(r.metadata[GENERATED_BY])) for r in records} == {
        tuple(sorted((f"{model} t=1", f"{other} t=1")))
    }
    assert {record.prompt[0].content for record in records} == {"Be brief."}
    assert [path.name for path in tmp_path.iterdir() if SUFFIX in path.name] == []

    again = tmp_path / "again.jsonl"
    heedful("collect", "candidates", prompts, again, *arguments[4:], *options, "--quiet")
    assert again.read_bytes() == out.read_bytes()


def test_the_datas_own_responses_are_candidates_too(heedful: Command, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    data = pairs(tmp_path / "pairs.jsonl", 2)
    done = heedful(
        "collect", "candidates", data, out, "--model", model, "--keep-responses", "--temperature", 1, *short()
    )
    assert done.code == 0
    for number, record in enumerate(formats.read(out)):
        texts = {response[-1].content for response in record.responses}
        assert {f"the answer is {number}", f"the cat and the dog {number}"} <= texts
        assert len(record.responses) == 4


def test_a_stopped_run_goes_on_by_resume_and_asks_only_for_what_is_missing(
    heedful: Command, model: Path, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from heedful.collecting import ModelSampler

    asked: list[float] = []
    sample = ModelSampler.__call__

    def interrupted(self: Any, conversations: Any, *, temperature: float, **options: Any) -> Any:
        asked.append(temperature)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return sample(self, conversations, temperature=temperature, **options)

    monkeypatch.setattr(ModelSampler, "__call__", interrupted)
    out = tmp_path / "out.jsonl"
    arguments = ("collect", "candidates", prompts, out, "--model", model, *short())

    stopped = heedful(*arguments)
    assert (stopped.code, stopped.err) == (130, "Interrupted. Go on by the same command with --resume.\n")
    refused = heedful(*arguments)
    assert (refused.code, "--resume" in refused.err) == (2, True)
    changed = heedful(*arguments, "--resume", "--seed", 1)
    assert "begun with other seed" in changed.err
    assert heedful(*arguments, "--resume").code == 0

    assert asked == [0.7, 1.0, 1.0]
    assert len(formats.read(out)) == 3


def test_a_model_that_is_not_there_leaves_nothing_behind(
    heedful: Command, prompts: Path, tmp_path: Path
) -> None:
    done = heedful("collect", "candidates", prompts, tmp_path / "out.jsonl", "--model", "no-such-model")
    assert done.code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["prompts.jsonl"]


@pytest.mark.parametrize(("option", "value", "said"), [("--near", 0, "over 0"), ("--count", 1, "--count")])
def test_numbers_that_make_no_sense_are_refused(
    heedful: Command, prompts: Path, tmp_path: Path, option: str, value: int, said: str
) -> None:
    done = heedful("collect", "candidates", prompts, tmp_path / "out.jsonl", option, value)
    assert (done.code, said in done.err) == (2, True)


def test_chat_takes_two_models_or_one_and_closes_what_it_opened(
    heedful: Command, model: Path, other: Path, tmp_path: Path, chatted: list
) -> None:
    project = ("--project", tmp_path / "p")
    assert heedful("collect", "chat", "--models", model, other, *project, "--temperature", 0).code == 0
    assert heedful("collect", "chat", "--model", model, *project).code == 0

    assert [names for _, _, names in chatted] == [[f"{model} t=0", f"{other} t=0"], [f"{model} t=0.9"]]
    assert "speakers" not in [thread.name for thread in threading.enumerate()]


def test_chat_refuses_what_leads_nowhere(heedful: Command, model: Path, tmp_path: Path) -> None:
    both = heedful("collect", "chat", "--model", model, "--models", model, model)
    assert (both.code, "--models and --model are both given" in both.err) == (2, True)
    same = heedful("collect", "chat", "--models", model, model, "--temperature", 0)
    assert (same.code, "gives the same answer twice" in same.err) == (2, True)
    missing = heedful("collect", "chat", "--model", "no-such-model", "--project", tmp_path / "p")
    assert missing.code == 2


@pytest.mark.slow
def test_a_chat_with_the_default_model_becomes_preferences(heedful: Command, tmp_path: Path) -> None:
    """From the command to an exported preference, over HTTP."""
    folder = tmp_path / "p"
    options = ["--project", str(folder), "--no-open", "--port", "0", "--max-new-tokens", "12"]
    command = [sys.executable, "-m", "heedful", "collect", "chat", *options]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        link = ""
        while not link:
            line = process.stdout.readline()
            assert line, "the server did not come up"
            link = line.removeprefix("Open ").strip() if line.startswith("Open ") else ""
        address = link.partition("/join/")[0]
        with httpx2.Client(base_url=address, follow_redirects=True, timeout=PATIENCE) as client:
            page = client.get(link)
            assert page.url.path == "/chat"
            csrf = re.search(r'name="csrf" value="(\w+)"', page.text)[1]
            client.post("/chat/say", data={"csrf": csrf, "text": "Tell me something about the sea."})
            live = until(lambda: client.get("/chat/live").text, 'data-state="ready"')
            token = re.search(r'name="turn" value="([^"]+)"', live)[1]
            assert "smollm2" not in live
            page = client.post("/chat/pick", data={"csrf": csrf, "turn": token, "choice": "a"})
            assert "You chose A." in page.text
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
    out = tmp_path / "preferences.jsonl"
    done = heedful("collect", "export", out, "--project", folder)
    assert done.code == 0, done.err
    (record,) = formats.read(out)
    assert isinstance(record, Preference)
    assert record.prompt[-1].content == "Tell me something about the sea."
    assert record.metadata["generator_chosen"] == "smollm2-135m t=0.9"


def until(look: Callable[[], str], wanted: str) -> str:
    begun = time.monotonic()
    while wanted not in (found := look()):
        assert time.monotonic() - begun < PATIENCE, found
        time.sleep(0.1)
    return found
