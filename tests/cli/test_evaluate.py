"""`heedful evaluate` and `heedful quickstart` hand over to the pipeline and show what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from heedful.report import AccuracyRow, ReportData
from tests.cli.command import Command, pairs, quick


@dataclass
class Findings:
    """Stands for an evaluation."""

    data: ReportData = field(
        default_factory=lambda: ReportData(
            "tuned against base",
            stages=["base"],
            accuracy=[AccuracyRow("Prefers", "base", 0.5, 0.4, 0.6, 10)],
        )
    )

    def save(self, path: Path) -> Path:
        path.write_text("<html>")
        return path


def test_evaluate_hands_over_its_arguments_and_shows_the_findings(
    heedful: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def compare(model: str, **options: Any) -> Findings:
        asked.append((model, options))
        return Findings()

    monkeypatch.setattr("heedful.evaluating.evaluate", compare)
    page = tmp_path / "page.html"

    result = heedful("evaluate", "tuned", "--data", "held.jsonl", "--baseline", "base", "--output", page)

    assert result.code == 0
    assert asked == [("tuned", {"baseline": "base", "data": "held.jsonl"})]
    assert result.out.startswith("tuned against base\n")
    assert result.out.endswith(f"Report: {page}\n")
    assert page.read_text() == "<html>"


def test_evaluate_of_data_that_is_not_there(heedful: Command, model: Path, tmp_path: Path) -> None:
    missing = tmp_path / "held.jsonl"
    result = heedful(
        "evaluate", model, "--data", missing, "--baseline", model, "--output", tmp_path / "r.html"
    )
    assert (result.code, result.err) == (2, f"error: {missing}: no such file. Check the path.\n")


def test_a_report_that_cannot_be_written_is_found_before_anything_is_computed(
    heedful: Command, model: Path, tmp_path: Path
) -> None:
    data = pairs(tmp_path / "pairs.jsonl")
    result = heedful("evaluate", "no-such-model", "--data", data, "--output", tmp_path)
    assert (result.code, result.err) == (
        2,
        f"error: {tmp_path}: this is a folder. Name a file: --output report.html\n",
    )


def test_a_reward_run_is_judged_by_itself(heedful: Command, model: Path, tmp_path: Path) -> None:
    data, run, page = pairs(tmp_path / "pairs.jsonl"), tmp_path / "run", tmp_path / "page.html"
    assert heedful("reward", *quick(model, data, run)).code == 0

    result = heedful("evaluate", run, "--data", data, "--output", page)

    assert result.code == 0
    assert "Does it prefer what people prefer?" in result.out
    assert "Is it as often right as it is sure?" in result.out
    assert result.out.endswith(f"Report: {page}\n")
    assert "Reliability" in page.read_text()

    result = heedful("evaluate", run, "--data", data, "--baseline", model, "--output", page)
    assert result.code == 2
    assert result.err.endswith("Leave the baseline out.\n")


def test_quickstart_takes_a_folder_that_is_free_and_says_where_the_report_is(
    heedful: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def run(output: Path, reporter: Any) -> Findings:
        asked.append(output)
        return Findings()

    monkeypatch.setattr("heedful.quickstart.run", run)
    taken = pairs(tmp_path / "pairs.jsonl").parent
    result = heedful("quickstart", "--output", taken)
    free = taken.with_name(f"{taken.name}-2")
    assert asked == [free]
    assert f"Report: {free / 'report.html'}\n" in result.out
    assert f"heedful chat --model {free / 'dpo'}\n" in result.out
