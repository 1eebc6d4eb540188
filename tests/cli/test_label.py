"""`heedful label`: candidates in, preferences out; stopped, killed and begun again without asking twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.formats import read
from tests.cli.command import Command, write
from tests.judges.endpoint import Asked, Endpoint, Sent, completion, honest, says

WAIT = 60.0


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "cache"))
    running = Endpoint()
    yield running
    running.close()


def turn(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def candidates(number: int, *texts: str) -> dict[str, Any]:
    row = {"heedful": 1, "kind": "candidates", "id": f"c{number}", "prompt": turn("user", f"q{number}")}
    return {**row, "responses": [turn("assistant", text) for text in texts]}


def file_of(path: Path, count: int) -> Path:
    return write(path, [candidates(number, "short", "rather long") for number in range(count)])


def test_candidates_are_judged_in_both_orders_and_all_is_said(
    heedful: Command, endpoint: Endpoint, tmp_path: Path
) -> None:
    data = write(tmp_path / "in.jsonl", [candidates(0, "a", "bb", "ccc"), candidates(1, "a"), {"heedful": 1}])
    out, left = tmp_path / "out.jsonl", tmp_path / "left.jsonl"
    key = ("endpoint.price_in=1.0", "endpoint.price_out=2.0")

    done = heedful(
        "label", data, *key, "--judge", endpoint.named, "--output", out, "--quarantine", left, "--again", 0.4,
        "--bad-lines", "quarantine",
    )  # fmt: skip

    assert done.code == 0
    lines = done.out.splitlines()
    assert lines.pop(5).startswith("verdicts for whichever answer comes first: 50.0% (")
    assert lines == [
        "3 read, 1 kept, 2 quarantined (missing_field 1, one_response 1)",
        f"3 written to {out}",
        f"2 left-out rows written to {left}",
        "tiny: 3 pairs, 3 preferences made of them, 0 ties",
        "verdicts that change with the order of the answers: 0.0% (0.0% to 79.3%; 0 of 3)",
        "asked again, it says the same: 100.0% (20.7% to 100.0%; 1 of 1)",
        "7 questions, 0 of them answered before; 7 requests, 700 tokens sent, 70 written, cost 0.00084",
    ]
    assert [pair.id for pair in read(out)] == ["c0:1+2", "c0:1+3", "c0:2+3"]
    assert len(endpoint.asked) == 7


def test_a_second_time_nothing_is_asked_and_another_seed_asks_anew(
    heedful: Command, endpoint: Endpoint, tmp_path: Path
) -> None:
    data = file_of(tmp_path / "in.jsonl", 5)
    command = ("label", data, "--judge", endpoint.named, "--again", 0)
    assert heedful(*command, "--output", tmp_path / "one.jsonl").code == 0
    done = heedful(*command, "--output", tmp_path / "two.jsonl")
    assert "10 questions, 10 of them answered before; 0 requests" in done.out
    assert len(endpoint.asked) == 10
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert heedful(*command, "--output", tmp_path / "three.jsonl", "--seed", 7, "--quiet").out == ""
    assert len(endpoint.asked) == 20
    assert endpoint.asked[-1].body["seed"] == 7


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_run_that_was_stopped_goes_on_where_it_was(
    heedful: Command, endpoint: Endpoint, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """With answers under way, for which Ctrl-C waits no more than a kill: what had been answered is kept."""
    data, out = file_of(tmp_path / "in.jsonl", 20), tmp_path / "out.jsonl"
    answered, over = 9, threading.Event()

    def slow(asked: Asked) -> Sent:
        over.wait(WAIT)
        return Sent(closed=True)

    endpoint.answers_by(*[honest()] * answered, slow)
    arguments = ["label", str(data), "endpoint.at_once=2", "--judge", endpoint.named, "--output", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "heedful", *arguments],
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.default_int_handler
        ),  # tests in the background
    )
    until = time.monotonic() + WAIT
    while len(endpoint.asked) < answered + 2 and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, number)
    assert process.wait(WAIT / 2) == code
    over.set()
    assert len(endpoint.asked) == answered + 2
    assert not out.exists()

    endpoint.answers_by(honest())
    endpoint.asked.clear()
    done = heedful(*arguments)
    assert done.code == 0
    assert f"42 questions, {answered} of them answered before; {42 - answered} requests" in done.out
    assert len(endpoint.asked) == 42 - answered
    assert len(list(read(out))) == 20


def test_a_budget_leaves_what_was_done_and_says_how_much_is_missing(
    heedful: Command, endpoint: Endpoint, tmp_path: Path
) -> None:
    data, out = file_of(tmp_path / "in.jsonl", 5), tmp_path / "out.jsonl"
    limits = "endpoint.max_requests=6", "endpoint.at_once=1"
    done = heedful("label", data, *limits, "--judge", endpoint.named, "--output", out)
    assert "5 read, 3 kept, 2 quarantined (budget 2)" in done.out
    assert "5 pairs, 3 preferences made of them, 0 ties; 2 left out (budget 2)" in done.out
    assert len(list(read(out))) == 3


def test_an_endpoint_in_trouble_is_an_error_with_its_address_and_nothing_is_written(
    heedful: Command, endpoint: Endpoint, tmp_path: Path
) -> None:
    data, out = file_of(tmp_path / "in.jsonl", 2), tmp_path / "out.jsonl"
    endpoint.answers_by(says(401, "who?"))
    done = heedful("label", data, "--judge", endpoint.named, "--output", out)
    assert done.code == 2
    assert f"judge tiny at {endpoint.url}/chat/completions: it answered 401 who?." in done.err
    assert "endpoint.key_env" in done.err
    assert not out.exists()


def test_a_judge_that_cannot_be_read_makes_nothing_and_adds_up(
    heedful: Command, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.answers_by(lambda asked: completion("The first one, I think."))
    data, out = file_of(tmp_path / "in.jsonl", 3), tmp_path / "out.jsonl"
    done = heedful("label", data, "endpoint.tries=2", "--judge", endpoint.named, "--output", out)
    assert done.code == 0
    assert "3 read, 0 kept, 3 quarantined (unreadable 3)" in done.out
    assert "7 questions, 0 of them answered before; 14 requests" in done.out


def test_a_judge_in_yaml(heedful: Command, endpoint: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "judge.yaml"
    file.write_text(f"endpoint:\n  url: {endpoint.url}\n  model: tiny\n  rubric: The longer one.\n")
    data = file_of(tmp_path / "in.jsonl", 1)
    assert heedful("label", data, "--judge", file, "--output", tmp_path / "out.jsonl").code == 0
    assert endpoint.asked[0].body["messages"][0]["content"].startswith("The longer one.")
    file.write_text("endpoint:\n  url: http://host\n")
    done = heedful("label", data, "--judge", file, "--output", tmp_path / "other.jsonl")
    assert done.code == 2
    assert "endpoint.model is missing" in done.err


def test_a_reward_and_its_margin(heedful: Command, tmp_path: Path) -> None:
    rewards = tmp_path / "rewards.py"
    rewards.write_text("def lengths(prompts, responses): return [len(r) for r in responses]\n")
    data = write(tmp_path / "in.jsonl", [candidates(0, "a", "bb", "cccc")])
    out = tmp_path / "out.jsonl"
    done = heedful(
        "label", data, "--judge", f"reward:{rewards}:lengths", "--output", out, "--min-margin", 2,
        "--pairs", "all",
    )  # fmt: skip
    assert "3 pairs, 2 preferences made of them, 0 ties; 1 left out (small_margin 1)" in done.out
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["margin"] for row in rows] == [3.0, 2.0]


def test_people_are_asked_for_what_is_missing(heedful: Command, tmp_path: Path) -> None:
    data = file_of(tmp_path / "in.jsonl", 2)
    done = heedful(
        "label", data, "--judge", f"people:{tmp_path / 'votes'}", "--output", tmp_path / "out.jsonl"
    )
    assert done.code == 2
    assert f"heedful collect serve --project {tmp_path / 'votes'}" in done.err


def test_what_is_there_is_kept_and_nothing_is_asked_for_it(
    heedful: Command, endpoint: Endpoint, tmp_path: Path
) -> None:
    data = file_of(tmp_path / "in.jsonl", 1)
    out = write(tmp_path / "out.jsonl", [{"mine": 1}])
    done = heedful("label", data, "--judge", endpoint.named, "--output", out)
    assert done.code == 2
    assert "--overwrite" in done.err
    assert not endpoint.asked


def test_only_so_many_rows_are_judged(heedful: Command, endpoint: Endpoint, tmp_path: Path) -> None:
    data, out = file_of(tmp_path / "in.jsonl", 9), tmp_path / "out.jsonl"
    assert heedful("label", data, "--judge", endpoint.named, "--output", out, "--limit", 2).code == 0
    assert len(list(read(out))) == 2
