"""Every road's recipe loads, holds what the data ask for, and says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from heedful.advice.facts import Facts
from heedful.advice.recipe_text import Inputs, max_length, new_tokens, recipes
from heedful.advice.rules import decide
from heedful.recipe import AnyRecipe, PipelineRecipe, PPORecipe, RLHFRecipe, load_any
from tests.advice import made
from tests.advice.made import facts, labels, reward
from tests.advice.situations import ROADS

INPUTS = Inputs("smollm2-135m", ["data.jsonl"], reward="score.py:right", output="runs/made")


def loaded(some: Facts, folder: Path, inputs: Inputs = INPUTS) -> list[AnyRecipe]:
    found = []
    for number, one in enumerate(recipes(decide(some), some, inputs)):
        path = folder / f"{number}.yaml"
        path.write_text(one.text, encoding="utf-8")
        found.append(load_any(path))
    return found


@pytest.mark.parametrize("situation", ROADS, ids=lambda one: one.name)
def test_every_road_has_recipes_that_load_with_its_stages(situation, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    found = decide(situation.facts)
    stages: list[str] = []
    for recipe in loaded(situation.facts, tmp_path, replace(INPUTS, shown="shown.jsonl")):
        assert recipe.model.name in ("smollm2-135m", "runs/made/dpo")
        if isinstance(recipe, PipelineRecipe):
            stages += recipe.parts
        elif isinstance(recipe, RLHFRecipe):
            stages += [name for name in ("sft", "reward", "ppo") if getattr(recipe, name) is not None]
        else:
            stages.append(recipe.stage)
    assert tuple(stages) == found.stages


def test_lengths_follow_the_datas_own(tmp_path: Path) -> None:
    (recipe,) = loaded(facts(), tmp_path)
    assert isinstance(recipe, PipelineRecipe)
    assert recipe.dpo is not None
    assert recipe.dpo.data.max_length == 192  # 99% have up to 170, and 60 + 128 new ones need 188
    assert recipe.evaluate.max_new_tokens == 128  # a quarter more than 90, in steps of 32
    assert max_length(replace(made.LENGTHS, context=100), 128) == 100
    assert new_tokens(replace(made.LENGTHS, response={0.95: 5000})) == 512


@pytest.mark.parametrize(("pairs", "epochs", "batch"), [(200, 3.0, 8), (5000, 2.0, 16), (60_000, 1.0, 64)])
def test_epochs_and_batch_follow_the_number_of_rows(
    pairs: int, epochs: float, batch: int, tmp_path: Path
) -> None:
    (recipe,) = loaded(facts(data=made.data(pairs=pairs)), tmp_path)
    assert isinstance(recipe, PipelineRecipe)
    assert recipe.dpo is not None
    assert (recipe.dpo.training.epochs, recipe.dpo.training.batch_size) == (epochs, batch)


def test_labels_are_smoothed_by_as_much_as_looks_flipped(tmp_path: Path) -> None:
    (recipe,) = loaded(facts(labels=labels(0.12)), tmp_path)
    assert isinstance(recipe, PipelineRecipe)
    assert recipe.dpo is not None
    assert (recipe.dpo.objective.label_smoothing, recipe.dpo.objective.beta) == (0.12, 0.1)
    (clean,) = loaded(facts(labels=labels(0.01, half=0.01)), tmp_path)
    assert isinstance(clean, PipelineRecipe)
    assert clean.dpo is not None
    assert clean.dpo.objective.label_smoothing == 0.0


def test_activations_are_recomputed_where_memory_asks_for_it(tmp_path: Path) -> None:
    (recipe,) = loaded(facts(recompute=True), tmp_path)
    assert isinstance(recipe, PipelineRecipe)
    assert recipe.dpo is not None
    assert recipe.dpo.training.gradient_checkpointing


def test_sft_imitates_what_it_is_told_to(tmp_path: Path) -> None:
    unable = facts(model=made.UNABLE)
    (chosen,) = loaded(unable, tmp_path, replace(INPUTS, shown="shown.jsonl"))
    assert isinstance(chosen, PipelineRecipe)
    assert chosen.data.demonstrations is not None
    assert chosen.data.demonstrations.train == "shown.jsonl"
    (own,) = loaded(facts(data=made.data(demonstrations=200), model=made.UNABLE), tmp_path)
    assert isinstance(own, PipelineRecipe)
    assert own.data.demonstrations is not None
    assert own.data.demonstrations.train == "data.jsonl"


def test_dpo_and_ppo_in_turn_are_two_recipes(tmp_path: Path) -> None:
    both = facts(data=made.data(pairs=5000, prompts=5000, unlabelled=3000))
    first, then = loaded(both, tmp_path, replace(INPUTS, prompts=["prompts.jsonl"]))
    assert isinstance(first, PipelineRecipe)
    assert list(first.parts) == ["dpo", "reward"]
    assert isinstance(then, PPORecipe)
    assert then.model.name == "runs/made/dpo"
    assert [one.model for one in then.reward] == ["runs/made/reward"]
    assert then.data.train == ["data.jsonl", "prompts.jsonl"]
    given, after = loaded(facts(reward=reward()), tmp_path)
    assert isinstance(given, PipelineRecipe)
    assert list(given.parts) == ["dpo"]
    assert isinstance(after, PPORecipe)
    assert [one.function for one in after.reward] == ["score.py:right"]


def test_a_weak_reward_keeps_the_policy_near(tmp_path: Path) -> None:
    _, weak = loaded(facts(reward=reward(agrees=0.6)), tmp_path)
    assert isinstance(weak, PPORecipe)
    assert weak.objective.kl_target == 6.0
    _, good = loaded(facts(reward=reward(agrees=0.9)), tmp_path)
    assert isinstance(good, PPORecipe)
    assert good.objective.kl_target is None


def test_how_files_are_read_goes_into_the_recipe(tmp_path: Path) -> None:
    reading = {
        "format": "trl",
        "columns": {"prompt": "question"},
        "encoding": "latin-1",
        "limit": 40,
        "bad_lines": "quarantine",
    }
    some = facts(data=made.data(aspect="mean", voted=True))
    (recipe,) = loaded(some, tmp_path, replace(INPUTS, reading=reading))
    assert isinstance(recipe, PipelineRecipe)
    source = recipe.data.preferences
    assert source is not None
    assert (source.format, source.columns, source.encoding) == ("trl", ["prompt=question"], "latin-1")
    assert (source.limit, source.bad_lines) == (40, "quarantine")
    assert source.pairs.aspect == "mean"
    assert source.pairs.aggregate is not None
    assert source.pairs.aggregate.method == "majority"


def test_the_recipe_says_why() -> None:
    some = facts(model=made.UNABLE, labels=labels(0.12))
    (one,) = recipes(decide(some), some, replace(INPUTS, shown="shown.jsonl"))
    plain = " ".join(one.text.replace("#", " ").split())
    assert plain.startswith("SFT, then DPO")
    for reason in decide(some).reasons:
        assert " ".join(reason.words.split()) in plain
    assert "So many labels look flipped: 12%" in plain
    assert "99% of prompts with a response have up to 170" in plain


def test_lone_ratings_of_several_aspects_are_learned_by_one(tmp_path: Path) -> None:
    alone = made.no_pairs(
        records={"rating": 3000}, unpaired=3000, prompts=3000, aspects=("overall", "tone"), aspect="overall"
    )
    (recipe,) = loaded(facts(data=alone, labels=None), tmp_path)
    assert isinstance(recipe, RLHFRecipe)
    assert recipe.reward is not None
    assert recipe.reward.objective.aspect == "overall"
    (one,) = loaded(facts(data=replace(alone, aspects=("tone",), aspect=None), labels=None), tmp_path)
    assert isinstance(one, RLHFRecipe)
    assert one.reward is not None
    assert one.reward.objective.aspect is None
