"""`heedful compare`: what a person types, sees, and finds in the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Command, pairs

REWARDS = """
def brevity(prompts, responses):
    return [-float(len(response)) for response in responses]


def letters(prompts, responses):
    return [float(response.count("a")) for response in responses]
"""


@pytest.fixture
def rewards(tmp_path: Path) -> str:
    (tmp_path / "rewards.py").write_text(REWARDS)
    return str(tmp_path / "rewards.py")


def test_a_comparison_says_who_answers_best_and_fills_its_folder(
    heedful: Command, run: Path, model: Path, rewards: str, tmp_path: Path
) -> None:
    data, folder = pairs(tmp_path / "pairs.jsonl"), tmp_path / "out"
    asked = ["--judge", f"reward:{rewards}:brevity", "--gold", f"{rewards}:letters"]
    options = ["--best-of", 4, "--max-new-tokens", 4, "--prompts", 5, "--output", folder]

    result = heedful("compare", run, model, "--data", data, *asked, *options)

    assert result.code == 0, result.err
    told = json.loads((folder / "summary.json").read_text())
    assert result.out.splitlines()[: len(told["verdicts"])] == told["verdicts"]
    assert "on 5 prompts" in told["verdicts"][0]
    assert f"Reward by {rewards}:brevity and KL from {model}" in result.out
    assert "best of 4" in result.out
    assert result.out.endswith(f"Report: {folder / 'report.html'}\n")
    assert "Held-out records: 8 read, 8 kept" in result.err

    again = heedful("compare", run, model, "--data", data, *asked, *options, "--quiet")
    assert (again.code, again.out, again.err) == (0, "", "")


def test_ctrl_c_says_that_the_same_command_goes_on(
    heedful: Command, run: Path, model: Path, rewards: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("heedful.evaluation.generation._ask", interrupted)
    asked = ["--judge", f"reward:{rewards}:brevity", "--seed", 78, "--output", tmp_path / "out", "--quiet"]
    result = heedful("compare", run, model, "--data", pairs(tmp_path / "pairs.jsonl", 2), *asked)
    assert (result.code, result.err) == (
        130,
        "Interrupted. The same command goes on where it was stopped.\n",
    )


def test_one_model_alone_and_a_folder_in_the_way_are_refused(
    heedful: Command, run: Path, model: Path, rewards: str, tmp_path: Path
) -> None:
    data, judge = pairs(tmp_path / "pairs.jsonl"), ["--judge", f"reward:{rewards}:brevity"]

    alone = heedful("compare", run, "--data", data, *judge, "--output", tmp_path / "out")
    assert alone.code == 2
    assert alone.err.endswith("error: there are not two models to compare. Name at least two.\n")

    taken = heedful("compare", run, model, "--data", data, *judge, "--output", tmp_path)
    assert taken.code == 2
    assert "the folder holds something else than a comparison" in taken.err
    assert not (tmp_path / "out").exists()


def test_people_are_waited_for_and_the_rest_is_written(
    heedful: Command, run: Path, model: Path, rewards: str, tmp_path: Path
) -> None:
    data, folder, people = pairs(tmp_path / "pairs.jsonl", 3), tmp_path / "out", tmp_path / "people"
    judges = ["--judge", f"people:{people}", "--judge", f"reward:{rewards}:brevity"]
    options = ["--temperature", 1, "--max-new-tokens", 8, "--output", folder, "--quiet"]

    result = heedful("compare", run, model, "--data", data, *judges, *options)

    assert result.code == 2
    assert result.err.startswith(f"error: {folder}: people {people} has not compared the answers yet, ")
    told = json.loads((folder / "summary.json").read_text())
    assert list(told["standings"]) == [f"{rewards}:brevity"]
    assert [one["judge"] for one in told["waiting"]] == [f"people {people}"]
