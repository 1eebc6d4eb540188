"""RLHF's recipe: its stages' keys are those of their own recipes, and a stage may be left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.errors import RecipeError
from heedful.recipe import RLHFRecipe, load, to_yaml
from heedful.rlhf import stages_of

RECIPES = Path(__file__).resolve().parents[1] / "recipes"
DATA = ["sft.data.train=demos.jsonl", "reward.data.train=pairs.jsonl"]


def read(*overrides: str, path: Path | None = None) -> RLHFRecipe:
    found = load(path, overrides, stage="rlhf")
    assert isinstance(found, RLHFRecipe)
    return found


def complaint(*overrides: str, path: Path | None = None) -> str:
    with pytest.raises(RecipeError) as caught:
        read(*overrides, path=path)
    return str(caught.value)


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_it_needs_nothing_but_the_data_of_two_stages() -> None:
    recipe = read(*DATA)
    assert recipe.sft is not None
    assert recipe.reward is not None
    rates = [stage.training.learning_rate for stage in (recipe.sft, recipe.reward, recipe.ppo)]
    assert rates == [2e-4, 1e-4, 1e-3]
    assert (recipe.ppo.data.train, recipe.output) == ("pairs.jsonl", "runs/rlhf")


@pytest.mark.parametrize(("stage", "name"), [("sft", "sft"), ("reward", "reward"), ("ppo", "ppo")])
def test_a_stages_defaults_are_those_of_its_own_recipe(stage: str, name: str) -> None:
    (found,) = [found for key, found in stages_of(read(*DATA)).items() if key == stage]
    model: Any = found.model.name
    own = [f"data.train={found.data.train}", f"output=runs/rlhf/{name}", f"model.name={model}"]
    if stage == "ppo":
        own.append("reward=[{model: runs/rlhf/reward}]")
    assert found == load(None, own, stage=stage)


def test_each_stage_starts_from_what_sft_made() -> None:
    names = {name: stage.model.name for name, stage in stages_of(read(*DATA)).items()}
    assert names == {"sft": "smollm2-135m", "reward": "runs/rlhf/sft", "ppo": "runs/rlhf/sft"}
    adapted = stages_of(read(*DATA, "model.adapter=mine", "model.dtype=float32"))
    assert [stage.model.adapter for stage in adapted.values()] == ["mine", None, None]
    assert {stage.model.dtype for stage in adapted.values()} == {"float32"}
    names = {name: stage.model.name for name, stage in stages_of(read(*DATA, "sft=null")).items()}
    assert names == {"reward": "smollm2-135m", "ppo": "smollm2-135m"}


def test_ppo_takes_prompts_from_the_reward_stage_where_it_names_none() -> None:
    theirs = ["reward.data.eval=held.jsonl", "reward.data.format=trl", "reward.data.limit=5"]
    data = read(*DATA, *theirs, "reward.data.max_length=99").ppo.data
    assert (data.train, data.eval, data.format, data.limit, data.max_length) == (
        "pairs.jsonl",
        "held.jsonl",
        "trl",
        5,
        1024,
    )
    data = read(*DATA, *theirs, "ppo.data.limit=3", "ppo.data.max_length=50").ppo.data
    assert (data.train, data.limit, data.max_length) == ("pairs.jsonl", 3, 50)
    data = read(*DATA, *theirs, "ppo.data.train=prompts.jsonl").ppo.data
    assert (data.train, data.eval, data.format, data.limit) == ("prompts.jsonl", None, None, None)


def test_null_leaves_a_stage_out_in_a_file_and_in_an_override(tmp_path: Path) -> None:
    path = write(tmp_path, "sft: null\nreward:\n  data:\n    train: pairs.jsonl\n")
    assert read(path=path).sft is None
    opened = read("sft.data.train=demos.jsonl", "sft.lora.rank=3", path=path)
    assert opened.sft is not None
    assert (opened.sft.data.train, opened.sft.lora.rank) == ("demos.jsonl", 3)
    assert read(*DATA, "sft=null").sft is None


def test_a_section_within_a_stage_with_everything_commented_out_keeps_its_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, "sft: null\nreward: {data: {train: a.jsonl}}\nppo:\n  data:\n    # train: b\n")
    assert read("ppo.data.limit=2", path=path).ppo.data.train == "a.jsonl"


def test_writing_and_reading_gives_the_same_recipe(tmp_path: Path) -> None:
    for more in ([], ["sft=null"], ["reward=null", "ppo.data.train=a", "ppo.reward=[{url: 'http://here'}]"]):
        recipe = read(*DATA[: 1 if more[:1] == ["reward=null"] else 2], *more)
        assert read(path=write(tmp_path, to_yaml(recipe))) == recipe


def test_the_shipped_recipe_is_all_defaults() -> None:
    files = ["sft.data.train=data/demonstrations.jsonl", "reward.data.train=data/pairs.jsonl"]
    assert read(path=RECIPES / "rlhf-lora.yaml") == read(*files)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (
            "ppo.training.max_stps=2",
            "unknown key ppo.training.max_stps. Did you mean ppo.training.max_steps?",
        ),
        ("ppo.beta=2", "unknown key ppo.beta. Did you mean ppo.objective.beta?"),
        ("sft.batch_size=2", "unknown key sft.batch_size. Did you mean sft.training.batch_size?"),
        ("rwd.lora.rank=2", "unknown key rwd.lora.rank. Did you mean sft.lora.rank or reward.lora.rank or "),
        ("sft=3", "sft is a section. Set one of its keys, such as sft.data.train."),
        ("ppo=null", "ppo is a section. Set one of its keys, such as ppo.data.train."),
        ("ppo.reward.weight=2", "ppo.reward.weight stands within a list"),
        ("sft.lora.rank=0", "sft.lora.rank must be a whole number of at least 1, not 0."),
    ],
)
def test_a_mistake_in_an_override_names_the_stage(override: str, words: str) -> None:
    assert complaint(*DATA, override).startswith(f"override {override!r}: {words}")


def test_missing_data_is_asked_for_by_its_stage() -> None:
    assert complaint().startswith("recipe: sft.data.train is missing: it must be text or a list of texts.")
    assert complaint("sft=null").startswith("recipe: reward.data.train is missing")
    assert "ppo.data.train is missing" in complaint("sft=null", "reward=null")


def test_a_mistake_in_a_file_names_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "sft: 3\nreward:\n  data:\n    train: a\nppo:\n  objective:\n    beta: -1\n")
    assert complaint(path=path) == (
        f"{path}:1: sft must be a section of keys or null, not 3. (1 more key needs mending.)"
    )
    assert complaint("sft=null", path=path).startswith(f"{path}:7: ppo.objective.beta must be a number of")


def test_something_must_score() -> None:
    message = complaint("sft=null", "reward=null", "ppo.data.train=prompts.jsonl")
    assert message == (
        "recipe: there is no reward to learn from: give it a reward section, or set ppo.reward."
    )


def test_ppo_of_every_weight_wants_a_reward_model_that_stays_where_it_is() -> None:
    full = [*DATA, "ppo.training.method=full"]
    assert "set reward.training.method to full as well" in complaint(*full)
    assert read(*full, "reward.training.method=full").ppo.training.method == "full"


def test_another_commands_recipe_names_its_command() -> None:
    assert complaint(path=RECIPES / "ppo-lora.yaml").endswith(
        "stage is ppo, but this is the rlhf command. Run: heedful ppo"
    )
