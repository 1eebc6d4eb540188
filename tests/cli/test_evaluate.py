"""`heedful evaluate` and `heedful quickstart`: what a person types, sees, and finds in the folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from heedful.report import AccuracyRow, ReportData
from tests.cli.command import Command, demonstrations, pairs, quick

SHORTER = """
def shorter(prompt, first, second):
    return "tie" if len(first) == len(second) else "first" if len(first) < len(second) else "second"
"""


@pytest.fixture
def judge(tmp_path: Path) -> str:
    """A judge that prefers the shorter answer."""
    (tmp_path / "judge.py").write_text(SHORTER)
    return f"{tmp_path / 'judge.py'}:shorter"


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return found


def test_an_evaluation_says_who_won_and_fills_its_folder(
    heedful: Command, run: Path, model: Path, judge: str, tmp_path: Path
) -> None:
    data, folder = pairs(tmp_path / "pairs.jsonl"), tmp_path / "out"
    shown = demonstrations(tmp_path / "shown.jsonl", 3)
    options = ["--demonstrations", shown, "--max-new-tokens", 4, "--prompts", 5, "--output", folder]

    result = heedful("evaluate", run, "--data", data, "--baseline", model, "--judge", judge, *options)

    assert result.code == 0
    verdict = summary(folder)["verdict"]
    assert verdict in " ".join(result.out.split())
    assert "of 5 prompts (95% " in verdict
    assert f"judged by {judge}, in both orders." in verdict
    assert result.out.endswith(f"Report: {folder / 'report.html'}\n")
    assert "Held-out records: 8 read, 8 kept" in result.err
    names = ["answers.jsonl", "model_card.md", "report.html", "summary.json", "verdicts.jsonl"]
    assert sorted(file.name for file in folder.iterdir()) == names
    found = summary(folder)
    assert found["prompts"]["asked"] == 5
    assert found["drift"]["forgetting"]["change"]["n"] == 3
    assert len((folder / "verdicts.jsonl").read_text().splitlines()) == 5
    assert len((folder / "answers.jsonl").read_text().splitlines()) == 10
    assert verdict in (folder / "model_card.md").read_text()

    before = (folder / "answers.jsonl").read_text()
    again = heedful(
        "evaluate", run, "--data", data, "--baseline", model, "--judge", judge, *options, "--quiet"
    )
    assert (again.code, again.out, again.err) == (0, "", "")
    assert (folder / "answers.jsonl").read_text() == before


def test_people_are_waited_for_and_the_rest_is_written(
    heedful: Command, run: Path, judge: str, tmp_path: Path
) -> None:
    data, folder, people = pairs(tmp_path / "pairs.jsonl", 3), tmp_path / "out", tmp_path / "people"
    options = ["--temperature", 1, "--max-new-tokens", 8, "--output", folder, "--quiet"]

    result = heedful(
        "evaluate", run, "--data", data, "--judge", judge, "--judge", f"people:{people}", *options
    )

    assert result.code == 2
    assert result.err.startswith(f"error: {folder}: people {people} has not compared the answers yet, ")
    assert f"heedful collect serve --project {people}. Then run this again." in result.err
    found = summary(folder)
    assert [one["judge"] for one in found["comparisons"]] == [judge]
    assert [one["judge"] for one in found["waiting"]] == [f"people {people}"]
    assert (folder / "report.html").exists()


def test_an_evaluation_is_written_over_an_earlier_one_and_over_nothing_else(
    heedful: Command, run: Path, tmp_path: Path
) -> None:
    data = pairs(tmp_path / "pairs.jsonl", 2)
    result = heedful("evaluate", "no-such-model", "--data", data, "--output", tmp_path)
    assert (result.code, result.err) == (
        2,
        f"error: {tmp_path}: the folder holds something else than an evaluation. Name another folder by "
        "--output.\n",
    )
    result = heedful("evaluate", "no-such-model", "--data", data, "--output", data)
    assert (result.code, result.err) == (
        2,
        f"error: {data}: this is a file, and an evaluation is a folder. Name another folder by --output.\n",
    )
    folder = tmp_path / "out"
    for tokens in (2, 3):
        options = ["--output", folder, "--max-new-tokens", tokens, "--quiet"]
        assert heedful("evaluate", run, "--data", data, *options).code == 0
        assert summary(folder)["sampling"]["max_new_tokens"] == tokens


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--samples", "2"], "samples: at temperature 0 all samples are the same. Set a temperature above 0"),
        (["--judge", "nowhere.py:judge"], "nowhere.py"),
        (["--judge", "no-such-reward"], "there is no model called 'no-such-reward'"),
        (["--judge", "judge.yaml"], "judge.yaml"),
        (["--baseline", "no-such-model"], "there is no model called 'no-such-model'"),
        (["--demonstrations", "nowhere.jsonl"], "nowhere.jsonl: no such file."),
    ],
)
def test_what_is_mistaken_is_said_before_anything_is_asked(
    heedful: Command, run: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    data = pairs(tmp_path / "pairs.jsonl", 2)
    result = heedful("evaluate", run, "--data", data, "--output", tmp_path / "out", *options)
    assert result.code == 2
    assert message in result.err
    assert "answering" not in result.err
    assert not (tmp_path / "out").exists()


def test_evaluate_of_data_that_is_not_there(heedful: Command, model: Path, tmp_path: Path) -> None:
    missing = tmp_path / "held.jsonl"
    result = heedful("evaluate", model, "--data", missing, "--baseline", model, "--output", tmp_path / "out")
    assert (result.code, result.err) == (2, f"error: {missing}: no such file. Check the path.\n")


def test_a_reward_run_is_judged_by_itself(heedful: Command, model: Path, judge: str, tmp_path: Path) -> None:
    data, run, folder = pairs(tmp_path / "pairs.jsonl"), tmp_path / "run", tmp_path / "out"
    assert heedful("reward", *quick(model, data, run)).code == 0

    result = heedful("evaluate", run, "--data", data, "--output", folder)

    assert result.code == 0
    assert "Does it prefer what people prefer?" in result.out
    assert "Is it as often right as it is sure?" in result.out
    assert result.out.endswith(f"Report: {folder / 'report.html'}\n")
    assert "Reliability" in (folder / "report.html").read_text()
    found = summary(folder)
    assert (found["kind"], found["verdict"]) == ("reward", None)
    assert found["reward_model"]["pairs"] == found["data"]["held_out"]["kept"] == 8
    assert "| finds the better response |" in (folder / "model_card.md").read_text()

    alone = shutil.copytree(run / "adapter", tmp_path / "alone")
    assert heedful("evaluate", alone, "--data", data, "--output", tmp_path / "other", "--quiet").code == 0
    assert not (tmp_path / "other" / "model_card.md").exists()

    for option, value, mend in (("--baseline", model, "baseline"), ("--judge", judge, "judge")):
        result = heedful("evaluate", run, "--data", data, option, value, "--output", folder)
        assert result.code == 2
        assert result.err.endswith(f"Leave the {mend} out.\n")


def test_ctrl_c_says_that_the_same_command_goes_on(
    heedful: Command, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("heedful.evaluation.generation._ask", interrupted)
    data = pairs(tmp_path / "pairs.jsonl", 2)
    result = heedful("evaluate", run, "--data", data, "--seed", 77, "--output", tmp_path / "out", "--quiet")
    assert (result.code, result.err) == (
        130,
        "Interrupted. The same command goes on where it was stopped.\n",
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_evaluation_that_was_killed_goes_on_and_ends_with_the_same_answers(
    run: Path, tmp_path: Path
) -> None:
    data = pairs(tmp_path / "pairs.jsonl", 64)

    def evaluation(folder: str, cache: str) -> subprocess.Popen[bytes]:
        options = ["--data", data, "--temperature", "1", "--max-new-tokens", "24"]
        command = [sys.executable, "-m", "heedful", "evaluate", run, *options, "--output", tmp_path / folder]
        environment = {**os.environ, "HEEDFUL_CACHE": str(tmp_path / cache)}
        return subprocess.Popen(
            command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )

    def kept() -> list[bytes]:
        return [
            line for book in (tmp_path / "killed").rglob("*.jsonl") for line in book.read_bytes().splitlines()
        ]

    begun = evaluation("out", "killed")
    while not kept() and begun.poll() is None:
        time.sleep(0.01)
    begun.kill()
    begun.wait()
    lines = kept()
    assert 0 < len(lines) < 4  # of the two chunks of each model
    assert not (tmp_path / "out").exists()
    assert evaluation("out", "killed").wait() == 0
    assert set(lines) < set(kept())  # what was there was not asked for again
    assert evaluation("whole", "fresh").wait() == 0
    for name in ("answers.jsonl", "verdicts.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_quickstart_takes_a_folder_that_is_free_and_says_where_the_report_is(
    heedful: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def run(output: Path, reporter: Any) -> ReportData:
        asked.append(output)
        rows = [AccuracyRow("Prefers", "base", 0.5, 0.4, 0.6, 10)]
        return ReportData("tuned against base", stages=["base"], accuracy=rows)

    monkeypatch.setattr("heedful.quickstart.run", run)
    taken = pairs(tmp_path / "pairs.jsonl").parent
    result = heedful("quickstart", "--output", taken)
    free = taken.with_name(f"{taken.name}-2")
    assert asked == [free]
    assert f"Report: {free / 'report' / 'report.html'}\n" in result.out
    assert f"heedful chat --model {free / 'dpo'}\n" in result.out
