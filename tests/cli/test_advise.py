"""`heedful advise`: a recommendation, a table, a recipe; and what it says to a slip."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import Command, pair, write


def pairs(path: Path, count: int) -> None:
    """Pairs of better and worse answers, none of which is the right one."""
    told = "you will find the cat on the mat behind house"
    write(path, [pair(number, chosen=f"{told} {number}") for number in range(count)])


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pairs(tmp_path / "pairs.jsonl", 120)
    return tmp_path


def test_the_recommendation_comes_first_then_figures_roads_and_a_recipe_that_runs(
    heedful: Command, model: Path, work: Path
) -> None:
    Path("recipe.yaml").write_text("mine", encoding="utf-8")
    result = heedful("advise", "--model", model, "--data", "pairs.jsonl", "--quick")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0] == "SFT, then DPO"
    assert lines[2] == "Why"
    order = [
        "[pairs]",
        "[not_ready]",
        "What was measured",
        "Roads, over an adapter",
        "Looked at:",
        "Recipe: ",
    ]
    assert [result.out.index(part) for part in order] == sorted(result.out.index(part) for part in order)
    assert "pairs with a preferred side  120" in result.out
    assert lines[-1] == "  heedful run recipe-2.yaml"  # what was there is left as it is
    assert Path("recipe.yaml").read_text(encoding="utf-8") == "mine"
    assert "answering prompts" in result.err
    dry = heedful("run", "recipe-2.yaml", "--dry-run", "--quiet")
    assert dry.code == 0
    assert "stage: pipeline" in dry.out


def test_json_is_one_object_with_the_recipe(heedful: Command, model: Path, work: Path) -> None:
    result = heedful("advise", "--model", model, "--data", "pairs.jsonl", "--quick", "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    told = json.loads(result.out)
    assert told["road"] == "sft+dpo"
    assert told["stages"] == ["sft", "dpo"]
    assert [one["rule"] for one in told["reasons"]] == ["pairs", "not_ready"]
    assert told["recipes"][0]["path"] == "recipe.yaml"
    assert told["recipes"][0]["text"] == Path("recipe.yaml").read_text(encoding="utf-8")
    assert told["facts"]["data"]["records"] == {"preference": 120}


def test_a_recipe_that_is_named_and_there_is_replaced_only_when_asked(
    heedful: Command, model: Path, work: Path
) -> None:
    Path("mine.yaml").write_text("mine", encoding="utf-8")
    options = ("--model", model, "--data", "pairs.jsonl", "--quick", "--quiet", "--output", "mine.yaml")
    refused = heedful("advise", *options)
    assert refused.code == 2
    assert "mine.yaml: this file is there already. Name another by --output" in refused.err
    assert Path("mine.yaml").read_text(encoding="utf-8") == "mine"
    assert heedful("advise", *options, "--overwrite").code == 0
    assert "stage: pipeline" in Path("mine.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "absent.jsonl"], "absent.jsonl: no such file"),
        (["--data", "pairs.jsonl", "--output", "."], "this is a folder"),
        (["--data", "pairs.jsonl", "--reward", "absent.py:score"], "absent.py"),
        (["--data", "pairs.jsonl", "--prompts", "absent.jsonl"], "absent.jsonl: no such file"),
        (["--data", "broken.jsonl"], "broken.jsonl"),
    ],
)
def test_a_slip_is_explained(
    arguments: list[str], said: str, heedful: Command, model: Path, work: Path
) -> None:
    write(work / "broken.jsonl", [{"nothing": "known"}])
    result = heedful("advise", "--model", model, *arguments, "--quiet")
    assert result.code == 2
    assert said in result.err
    assert not list(work.glob("recipe*"))


def test_nothing_to_train_on_leaves_no_recipe(heedful: Command, model: Path, work: Path) -> None:
    pairs(work / "few.jsonl", 12)
    result = heedful("advise", "--model", model, "--data", "few.jsonl", "--quick", "--quiet")
    assert result.code == 0
    assert result.out.splitlines()[0] == "Collect more first"
    assert "12 pairs of at least 100" in result.out
    assert not list(work.glob("recipe*"))
