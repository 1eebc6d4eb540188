"""`heedful plan`: memory by phase and time of a recipe, for a person and for a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heedful import planning
from tests.cli.command import Command, demonstration, write


@pytest.fixture
def recipe(model: Path, tmp_path: Path) -> Path:
    data = write(tmp_path / "demos.jsonl", [demonstration(number) for number in range(8)])
    path = tmp_path / "recipe.yaml"
    path.write_text(
        f"stage: sft\nmodel: {{name: {model}, dtype: float32}}\ndata: {{train: {data}}}\n"
        "training: {batch_size: 4}\n",
        encoding="utf-8",
    )
    return path


def test_memory_is_told_by_phase(heedful: Command, recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "resident_bytes", lambda: 975_000_000)
    monkeypatch.setattr(planning, "room_of", lambda device: 4_000_000_000)
    found = heedful("plan", recipe, "--no-time", "lora.rank=4")
    assert found.code == 0
    assert found.out.splitlines() == [
        "Stage sft: 2 steps over 7 rows, 4,096 of 28,832 parameters, float32 on cpu",
        "  load          1.00 GB",
        "  training      1.00 GB                  peak",
        "  update        1.00 GB",
        "  evaluation    1.00 GB",
        "  saving        1.00 GB",
        "  at the peak: libraries 1.00 GB",
        "",
        "At most 1.00 GB of 4.0 GB, at sft. It fits.",
    ]
    assert found.err == "Reading the data, and the model's configuration.\n"


def test_what_does_not_fit_is_told_with_what_to_turn(
    heedful: Command, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "resident_bytes", lambda: 975_000_000)
    monkeypatch.setattr(planning, "room_of", lambda device: 900_000_000)
    found = heedful("plan", recipe, "--no-time", "--quiet", "training.method=full")
    assert found.out.endswith("At most 1.00 GB of 0.9 GB, at sft. It does not fit.\n")
    assert "  to need less:\n    " in found.out
    assert "    training.method=lora  " in found.out
    assert "  an adapter learns less\n" in found.out
    assert found.err == ""


def test_time_is_told_with_how_sure_it_is(
    heedful: Command, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = planning.measure
    monkeypatch.setattr(
        planning, "measure", lambda *arguments, **options: measure(*arguments, seconds=0.0, **options)
    )
    found = heedful("plan", recipe)
    assert found.code == 0
    (training,) = [line for line in found.out.splitlines() if line.startswith("  training")]
    assert " s ± " in training
    assert "  together " in found.out
    assert found.out.splitlines()[-1].startswith("About ")


def test_a_program_gets_one_object(heedful: Command, recipe: Path) -> None:
    found = heedful("plan", recipe, "--no-time", "--json")
    value = json.loads(found.out)
    assert [stage["stage"] for stage in value["stages"]] == ["sft"]
    assert value["stages"][0]["memory"]["peak_phase"] == "training"
    assert value["room_bytes"] > 0


def test_mistakes_are_told_without_a_traceback(heedful: Command, recipe: Path, tmp_path: Path) -> None:
    nothing = heedful("plan", "training.method=full")
    assert (nothing.code, nothing.out) == (2, "")
    assert "there is no recipe" in nothing.err
    wrong = heedful("plan", recipe, "--no-time", "training.metod=full")
    assert wrong.code == 2
    assert "Did you mean training.method?" in wrong.err
    missing = heedful("plan", recipe, "--no-time", f"data.train={tmp_path / 'none.jsonl'}")
    assert missing.code == 2
    assert "no such file" in missing.err
