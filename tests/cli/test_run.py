"""`heedful run`: the whole pipeline of a recipe, or its one stage; called again, it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from heedful.recipe import load_any, to_yaml
from heedful.training.run_folder import RunFolder
from tests import pipelines
from tests.cli.command import Command


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A quick pipeline's recipe in a working folder with all it needs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "cache"))
    pipelines.furnish(tmp_path)
    path = tmp_path / "recipe.yaml"
    path.write_text(to_yaml(pipelines.recipe(stages=("sft",))), encoding="utf-8")
    return path


def test_a_pipeline_is_shown_then_run_then_reused_then_made_anew(heedful: Command, recipe: Path) -> None:
    planned = heedful("run", recipe, "--dry-run", "sft.lora.rank=3")
    assert planned.code == 0
    assert "Stage sft: would begin in out/sft." in planned.err
    told = f"How long they take on this machine: heedful plan {recipe} sft.lora.rank=3\n"
    assert planned.err.endswith(told)
    kept = Path("kept.yaml")
    kept.write_text(planned.out)
    assert load_any(kept) == pipelines.recipe("sft.lora.rank=3", stages=("sft",))
    assert not Path("out").exists()

    first = heedful("run", recipe)
    assert first.code == 0
    assert "What came of the training" in first.out
    assert first.out.endswith("Report: out/report/report.html\n")
    again = heedful("run", "out/recipe.yaml")
    assert again.err.count("nothing has changed") == 5
    assert again.out == first.out

    changed = heedful("run", recipe, "sft.lora.rank=3")
    assert changed.code == 2
    assert changed.err == (
        "error: out/sft: stage sft: the run was started with lora.rank = 2, and now it is 3. Choose another "
        "output=FOLDER, or set aside what is there with --redo sft.\n"
    )
    anew = heedful("run", recipe, "sft.lora.rank=3", "--redo", "sft", "--quiet")
    assert (anew.code, anew.out, anew.err) == (0, "", "")
    assert RunFolder(Path("out/sft")).info()["recipe"]["lora.rank"] == 3
    assert RunFolder(Path("out/set-aside-1/sft")).info()["recipe"]["lora.rank"] == 2


def test_a_recipe_of_one_stage_is_run_and_gone_on_with(heedful: Command, recipe: Path) -> None:
    own = {
        "stage": "sft",
        "model": {"name": "model"},
        "data": {"train": "demos.jsonl"},
        "training": {"max_steps": 2, "batch_size": 4},
        "output": "alone",
    }
    recipe.write_text(yaml.safe_dump(own))
    assert "Plan (sft)" in heedful("run", recipe, "--dry-run").err
    assert heedful("run", recipe).code == 0
    metrics = Path("alone/metrics.jsonl").read_bytes()
    run = RunFolder(Path("alone"))
    run.update(status="running")  # as a kill leaves it
    result = heedful("run", recipe)
    assert result.code == 0
    assert "Resuming at step 2 of 2." in result.err
    assert run.info()["status"] == "finished"
    assert Path("alone/metrics.jsonl").read_bytes() == metrics
    redo = heedful("run", recipe, "--redo", "sft")
    assert redo.code == 2
    assert redo.err.startswith("error: --redo: a recipe of sft has one stage. Choose another output=FOLDER,")


def test_rlhf_is_one_of_them(heedful: Command, recipe: Path) -> None:
    own = {
        "stage": "rlhf",
        "model": {"name": "model"},
        "sft": None,
        "reward": None,
        "ppo": {
            "data": {"train": "pairs.jsonl"},
            "reward": [{"length": -0.1}],
            "rollout": {"max_new_tokens": 4},
            "training": {"max_steps": 1, "batch_size": 2},
        },
        "output": "rlhf",
    }
    recipe.write_text(yaml.safe_dump(own))
    assert "Plan (ppo)" in heedful("run", recipe, "--dry-run").err
    assert heedful("run", recipe, "--quiet").code == 0
    assert "Stage ppo: nothing has changed" in heedful("run", recipe).err
    assert heedful("run", recipe, "ppo.objective.beta=0.2", "--redo", "ppo", "--quiet").code == 0
    assert Path("rlhf/set-aside-1/ppo").is_dir()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sft.lora.rank=2"], "there is no recipe. Name one: heedful run recipes/quickstart.yaml"),
        (["resipe.yaml"], "resipe.yaml: no such file. Did you mean recipe.yaml?"),
        (["pairs.jsonl"], "pairs.jsonl: this is a data file, and a recipe is YAML."),
        (["recipe.yaml", "--redo", "ppo"], "--redo: there is no stage ppo in this recipe."),
        (["recipe.yaml", "sft.lora.rnk=2"], "unknown key sft.lora.rnk. Did you mean sft.lora.rank?"),
        (["recipe.yaml", "sft=null"], "there is nothing to train: name one of sft, dpo, reward, ppo."),
    ],
)
def test_a_mistake_is_worded(heedful: Command, recipe: Path, arguments: list[str], words: str) -> None:
    result = heedful("run", *arguments)
    assert result.code == 2
    assert words in result.err
    assert "Traceback" not in result.err
