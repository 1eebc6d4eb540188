"""A pipeline's recipe: what it needs, what a stage takes, and mistakes in words."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from heedful.errors import RecipeError
from heedful.pipeline.training import recipes_of
from heedful.prepare.pair_settings import Aggregation, PairSettings
from heedful.recipe import PipelineRecipe, load, load_any, to_yaml
from heedful.recipe.pipeline import AggregateKeys, PairKeys

DATA = ["data.demonstrations.train=demos.jsonl", "data.preferences.train=pairs.jsonl"]
BOTH = [*DATA, "sft.lora.rank=4", "dpo.lora.rank=8"]


def read(*overrides: str, path: Path | None = None) -> PipelineRecipe:
    found = load(path, overrides, stage="pipeline")
    assert isinstance(found, PipelineRecipe)
    return found


def complaint(*overrides: str, path: Path | None = None) -> str:
    with pytest.raises(RecipeError) as caught:
        read(*overrides, path=path)
    return str(caught.value)


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_stage_that_is_not_named_is_left_out(tmp_path: Path) -> None:
    assert list(read(*BOTH).parts) == ["sft", "dpo"]
    assert list(read(*BOTH, "sft=null").parts) == ["dpo"]
    text = "data: {preferences: {train: pairs.jsonl}}\nsft: null\ndpo: {}\n"
    assert list(read(path=write(tmp_path, text)).parts) == ["dpo"]
    assert read(path=write(tmp_path, text)).data.demonstrations is None


def test_a_stages_recipe_is_its_own_commands_on_its_part_of_the_split() -> None:
    recipe = read(*BOTH, "reward.data.max_length=99", "ppo.reward=[{length: -0.1}]", "output=runs/p")
    found = recipes_of(recipe, Path("split"))
    assert list(found) == ["sft", "dpo", "reward", "ppo"]
    own = [
        "model.name=runs/p/sft",
        "data.train=split/preferences-train.jsonl",
        "data.eval=split/preferences-held-out.jsonl",
        "data.format=heedful",
        "data.eval_fraction=0.0",
    ]
    assert found["dpo"] == load(None, [*own, "lora.rank=8", "output=runs/p/dpo"], stage="dpo")
    assert found["reward"] == load(None, [*own, "data.max_length=99", "output=runs/p/reward"], stage="reward")
    scored_by = "reward=[{model: runs/p/reward}, {length: -0.1}]"
    assert found["ppo"] == load(None, [*own, scored_by, "output=runs/p/ppo"], stage="ppo")
    assert found["sft"].model.name == "smollm2-135m"
    assert found["sft"].data.train == "split/demonstrations-train.jsonl"


def test_ppo_answers_prompts_and_else_those_of_the_best_labels_there_are() -> None:
    kinds = {
        "prompts": ["data.prompts.train=p.jsonl", *DATA],
        "preferences": DATA,
        "demonstrations": DATA[:1],
    }
    for kind, data in kinds.items():
        recipe = read(*data, "ppo.reward=[{length: -0.1}]")
        assert recipe.learns_from("ppo") == kind
        assert recipes_of(recipe, Path())["ppo"].data.train == f"{kind}-train.jsonl"


def test_a_stage_need_not_look_at_what_is_held_out() -> None:
    found = recipes_of(read(*BOTH, "dpo.data.judge=false"), Path())
    assert [found[name].data.eval for name in found] == ["demonstrations-held-out.jsonl", None]
    nothing = recipes_of(read(*BOTH, "split.held_out=0", "data.preferences.eval=held.jsonl"), Path())
    assert [nothing[name].data.eval for name in nothing] == [None, "preferences-held-out.jsonl"]


def test_pairs_are_made_as_the_command_makes_them_where_nothing_is_said() -> None:
    made = PairKeys().model_dump()
    assert made == {field.name: getattr(PairSettings(), field.name) for field in fields(PairSettings)}
    votes = AggregateKeys().model_dump()
    assert votes == {field.name: getattr(Aggregation(), field.name) for field in fields(Aggregation)}


def test_writing_and_reading_gives_the_same_recipe(tmp_path: Path) -> None:
    more = ["data.preferences.pairs.aggregate.min_votes=3", "evaluate.judges=[{function: 'a.py:b'}]"]
    recipe = read(*BOTH, *more, "ppo.reward=[{length: 1}]")
    path = write(tmp_path, to_yaml(recipe))
    assert read(path=path) == recipe
    assert load_any(path) == recipe


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (DATA, "there is nothing to train: name one of sft, dpo, reward, ppo."),
        (
            [DATA[1], "sft.lora.rank=2"],
            "sft learns from demonstrations, and there are none: set data.demonstrations.train, or leave the "
            "stage out by sft=null.",
        ),
        ([DATA[0], "dpo.lora.rank=2"], "dpo learns from preferences, and there are none: set data.pref"),
        ([DATA[0], "reward.lora.rank=2"], "reward learns from preferences, and there are none"),
        (["ppo.reward=[{length: 1}]"], "ppo learns from prompts, preferences or demonstrations, and there"),
        (
            [*DATA, "ppo.lora.rank=2"],
            "ppo has no reward to learn from: add a reward section, or set ppo.reward.",
        ),
        (
            [*DATA, "reward.lora.rank=2", "ppo.training.method=full"],
            "ppo.training.method full changes the weights that the reward model is an adapter over",
        ),
        ([*BOTH, "split.held_out=0"], "nothing is held out to judge by: set split.held_out above 0, or"),
        ([*BOTH, "evaluate.samples=2"], "evaluate: at temperature 0 all samples are the same"),
        ([*BOTH, "dpo.data.train=x"], "unknown key dpo.data.train."),
        ([*BOTH, "dpo.beta=1"], "unknown key dpo.beta. Did you mean dpo.objective.beta?"),
        ([*BOTH, "check=maybe"], 'check must be one of off, error, warning, not "maybe".'),
        ([*BOTH, "split.near=2"], "split.near must be a number above 0 and of at most 1 or null, not 2."),
    ],
)
def test_a_mistake_is_worded(overrides: list[str], words: str) -> None:
    assert words in complaint(*overrides)


def test_a_recipe_of_any_stage_is_read_by_what_it_says(tmp_path: Path) -> None:
    assert load_any(write(tmp_path, "stage: dpo\ndata: {train: a}\n")).stage == "dpo"
    for text, words in (
        ("data: {train: a}\n", "stage is missing: it must be one of sft, dpo, reward, ppo, rlhf, pipeline."),
        (
            "stage: dp0\n",
            'recipe.yaml:1: stage must be one of sft, dpo, reward, ppo, rlhf, pipeline, not "dp0".',
        ),
    ):
        with pytest.raises(RecipeError) as caught:
            load_any(write(tmp_path, text))
        assert words in str(caught.value)


def test_another_command_names_run(tmp_path: Path) -> None:
    path = write(tmp_path, to_yaml(read(*BOTH)))
    with pytest.raises(
        RecipeError, match=r"stage is pipeline, but this is the dpo command\. Run: heedful run$"
    ):
        load(path, stage="dpo")
