"""The commands that train: arguments become a recipe, and a dry run shows it and does nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from heedful.cli.train import split_arguments
from heedful.recipe import RewardSource, load
from tests.cli.command import Command, demonstrations, pairs, quick


@pytest.mark.parametrize(
    ("arguments", "path", "overrides"),
    [
        ([], None, []),
        (["a.yaml"], "a.yaml", []),
        (["a.yaml", "output=x"], "a.yaml", ["output=x"]),
        (["output=x", "lora.rank=2"], None, ["output=x", "lora.rank=2"]),
        (["runs/beta=0.1/recipe.yaml", "output=x"], "runs/beta=0.1/recipe.yaml", ["output=x"]),
    ],
)
def test_a_first_argument_that_sets_no_key_is_the_recipe(
    arguments: list[str], path: str | None, overrides: list[str]
) -> None:
    assert split_arguments(arguments) == (path, overrides)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_dry_run_shows_recipe_and_plan_and_writes_nothing(
    heedful: Command, model: Path, tmp_path: Path
) -> None:
    arguments = quick(model, pairs(tmp_path / "pairs.jsonl"), tmp_path / "run", "objective.beta=0.3")
    before = snapshot(tmp_path)

    result = heedful("dpo", "--dry-run", *arguments)

    assert result.code == 0
    assert snapshot(tmp_path) == before
    kept = tmp_path / "kept.yaml"
    kept.write_text(result.out)
    assert load(kept, stage="dpo") == load(None, arguments, stage="dpo")
    assert "8 read, 8 kept" in result.err
    assert "2 of 4 rows" in result.err
    assert "peak memory" in result.err


def test_a_dry_run_writes_the_quarantine_it_was_asked_for(
    heedful: Command, model: Path, tmp_path: Path
) -> None:
    data = pairs(tmp_path / "pairs.jsonl")
    data.write_text(data.read_text() + json.dumps({"prompt": "a", "chosen": "b", "rejected": "b"}) + "\n")
    asked = f"data.quarantine={tmp_path / 'left-out.jsonl'}"

    result = heedful("dpo", "--dry-run", *quick(model, data, tmp_path / "run", asked))

    assert result.code == 0
    assert json.loads((tmp_path / "left-out.jsonl").read_text())["reason"] == "equal_sides"
    assert "equal_sides 1" in result.err


def test_a_dry_run_refuses_a_folder_that_is_taken(heedful: Command, run: Path, tmp_path: Path) -> None:
    result = heedful("dpo", "--dry-run", f"output={run}", f"data.train={pairs(tmp_path / 'pairs.jsonl')}")
    assert result.code == 2
    assert "already holds a run" in result.err


def test_everyday_options_stand_for_keys_and_keys_win(heedful: Command, model: Path, tmp_path: Path) -> None:
    first, second, held_out = (demonstrations(tmp_path / f"{name}.jsonl") for name in ("1", "2", "held"))
    result = heedful(
        *("sft", "--model", "no-such-model", "--train", first, "--train", second, "--eval", held_out),
        *("--output", tmp_path / "run=1", "--dry-run", f"model.name={model}"),
    )
    assert result.code == 0
    kept = tmp_path / "kept.yaml"
    kept.write_text(result.out)
    recipe = load(kept, stage="sft")
    assert (recipe.model.name, recipe.output) == (str(model), str(tmp_path / "run=1"))
    assert (recipe.data.train, recipe.data.eval) == ([str(first), str(second)], str(held_out))


def test_rewards_are_given_by_name(heedful: Command, model: Path, tmp_path: Path) -> None:
    function = tmp_path / "rewards.py"
    function.write_text("def short(prompts, responses):\n    return [-len(text) for text in responses]\n")
    arguments = quick(model, pairs(tmp_path / "pairs.jsonl"), tmp_path / "run", "rollout.max_new_tokens=4")
    names = ("--reward", f"{function}:short", "--reward", "runs/reward")
    result = heedful("ppo", *names, "--dry-run", *arguments)
    assert result.code == 0
    kept = tmp_path / "kept.yaml"
    kept.write_text(result.out)
    assert load(kept, stage="ppo").reward == [
        RewardSource(function=f"{function}:short"),
        RewardSource(model="runs/reward"),
    ]


def test_training_writes_a_run_and_says_how_to_try_it(heedful: Command, model: Path, tmp_path: Path) -> None:
    data = demonstrations(tmp_path / "demos.jsonl")
    result = heedful("sft", *quick(model, data, tmp_path / "run", "data.eval_fraction=0.25"))
    assert result.code == 0
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").is_file()
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "finished"
    assert "Held out: loss" in result.err
    assert f"heedful chat --model {tmp_path / 'run'}" in result.err


def test_a_reward_run_judges_itself_and_says_how_good_it_is(
    heedful: Command, model: Path, tmp_path: Path
) -> None:
    data = pairs(tmp_path / "pairs.jsonl", 12)
    result = heedful("reward", *quick(model, data, tmp_path / "run", "data.eval_fraction=0.25"))
    assert result.code == 0
    for words in (
        "longer wins",
        "shorter wins",
        "Calibration error (ECE)",
        "Brier score",
        "Best temperature",
    ):
        assert words in result.out
    assert result.out.endswith(f"Report: {tmp_path / 'run' / 'report.html'}\n")
    assert "<html" in (tmp_path / "run" / "report.html").read_text()
    assert f"heedful evaluate {tmp_path / 'run'} --data FILE" in result.err
    assert "heedful chat" not in result.err


def test_a_reward_run_without_held_out_rows_shows_no_findings(
    heedful: Command, model: Path, tmp_path: Path
) -> None:
    result = heedful("reward", *quick(model, pairs(tmp_path / "pairs.jsonl"), tmp_path / "run"))
    assert (result.code, result.out) == (0, "")
    assert not (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize("stage", ["sft", "reward"])
def test_a_quiet_run_says_nothing(stage: str, heedful: Command, model: Path, tmp_path: Path) -> None:
    data = {"sft": demonstrations, "reward": pairs}[stage](tmp_path / "data.jsonl")
    result = heedful(stage, "--quiet", *quick(model, data, tmp_path / "run", "data.eval_fraction=0.25"))
    assert (result.code, result.out, result.err) == (0, "", "")


def rlhf(model: Path, folder: Path, *more: str) -> list[str]:
    """Arguments of a pipeline of two steps a stage."""
    quick = ["data.eval_fraction=0.25", "training.batch_size=4", "training.max_steps=2", "lora.rank=2"]
    return [
        f"model.name={model}",
        f"output={folder / 'out'}",
        f"sft.data.train={demonstrations(folder / 'demos.jsonl')}",
        f"reward.data.train={pairs(folder / 'pairs.jsonl')}",
        *(f"{stage}.{key}" for stage in ("sft", "reward", "ppo") for key in quick),
        "ppo.rollout.max_new_tokens=4",
        *more,
    ]


def test_rlhf_goes_through_its_stages_and_then_reuses_them(
    heedful: Command, model: Path, tmp_path: Path
) -> None:
    arguments = rlhf(model, tmp_path)
    before = snapshot(tmp_path)

    planned = heedful("rlhf", "--dry-run", *arguments)

    assert planned.code == 0
    assert snapshot(tmp_path) == before
    kept = tmp_path / "kept.yaml"
    kept.write_text(planned.out)
    assert load(kept, stage="rlhf") == load(None, arguments, stage="rlhf")
    assert [f"Plan ({stage})" in planned.err for stage in ("sft", "reward", "ppo")] == [True] * 3

    first = heedful("rlhf", kept)

    assert first.code == 0
    assert "Held out, reward: " in first.err
    assert f"heedful chat --model {tmp_path / 'out' / 'ppo'}" in first.err

    again, shown = heedful("rlhf", kept, "--resume"), heedful("rlhf", kept, "--dry-run")

    assert again.err.count("nothing has changed") == shown.err.count("would be reused") == 3
    assert heedful("rlhf", kept, "--quiet").err == ""
    changed = heedful("rlhf", kept, "ppo.training.max_steps=3")
    assert changed.code == 2
    assert "stage ppo: the run was started with training.max_steps = 2, and now it is 3" in changed.err
