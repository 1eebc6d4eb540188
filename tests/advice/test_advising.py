"""From made data files and tiny models to the road that is right, and to a recipe that runs."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import heedful
from heedful.advising import Advice, advice, advise, asking, check_readiness, costs
from heedful.checks.off_distribution import START
from heedful.errors import DataError, ModelError, RewardError
from heedful.models.sampler import sample
from heedful.recipe import PipelineRecipe, PPORecipe, RLHFRecipe, load_any
from heedful.records import Demonstration, Preference, Prompt, Rating, Record, assistant, user
from tests.advice.conftest import question, reply
from tests.training import small

WORDS = ("what", "is", "on", "and")


def pairs(count: int, *, apart: bool = False) -> list[Preference]:
    """The better side is what the able model says; `apart`, it is something that it never would."""
    chance = random.Random(2)
    return [
        Preference(
            (user(question(number)),),
            (assistant(f"({number}) no, no: {number * 7919}!" if apart else reply(chance)),),
            (assistant(reply(chance, "no")),),
            id=f"pair-{number}",
        )
        for number in range(count)
    ]


def prompts(count: int, begin: int = 5000) -> list[Prompt]:
    return [Prompt((user(question(number)),)) for number in range(begin, begin + count)]


def demonstrations(count: int) -> list[Demonstration]:
    chance = random.Random(3)
    return [Demonstration((user(question(number)),), (assistant(reply(chance)),)) for number in range(count)]


def sums(count: int) -> list[Demonstration]:
    return [Demonstration((user(f"{n} + {n}?"),), (assistant(str(2 * n)),)) for n in range(count)]


def ask(folder: Path, model: str, records: Sequence[Record], **more: Any) -> Advice:
    heedful.write(records, folder / "data.jsonl")
    return advise(model, folder / "data.jsonl", quick=True, reporter=small.QUIET, **more)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a reward that counts cats; what roads cost is asked in a test of its own."""
    monkeypatch.setattr(advice, "costs", lambda *given, **more: ((), False))
    (tmp_path / "rewards.py").write_text(
        "def cats(prompts, responses):\n    return [float(text.count('cat')) for text in responses]\n"
        "def flat(prompts, responses):\n    return [1.0 for _ in responses]\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def near(able: str, tmp_path_factory: pytest.TempPathFactory) -> Advice:
    """What is advised on 120 pairs near a model that can do the task."""
    return ask(tmp_path_factory.mktemp("near"), able, pairs(120))


def test_pairs_near_an_able_model_go_straight_to_dpo(near: Advice) -> None:
    found = near
    assert found.recommendation.road == "dpo"
    assert found.facts.model.ended.value > 0.8
    assert found.chosen == ()


def test_pairs_for_an_unable_model_go_through_sft_on_the_chosen_ones(work: Path, unable: str) -> None:
    found = ask(work, unable, pairs(120))
    assert found.recommendation.road == "sft+dpo"
    (recipe,) = found.save("recipe.yaml")
    loaded = load_any(recipe)
    assert isinstance(loaded, PipelineRecipe)
    assert list(loaded.parts) == ["sft", "dpo"]
    shown = heedful.read("recipe-demonstrations.jsonl")
    assert [one.response for one in shown] == [pair.chosen for pair in pairs(120)]


def test_demonstrations_alone_are_imitated(work: Path, able: str) -> None:
    found = ask(work, able, demonstrations(80))
    assert found.recommendation.road == "sft"
    assert found.recommendation.reasons[0].rule == "demonstrations_alone"


def test_sums_are_imitated_too_but_for_another_reason(work: Path, able: str) -> None:
    found = ask(work, able, sums(80))
    assert found.recommendation.reasons[0].rule == "right_answer_alone"
    assert found.facts.task is not None
    assert found.facts.task.exact.value == 1.0
    assert found.facts.model.correct is not None
    assert found.facts.model.correct.value == 0.0


def test_prompts_and_a_reward_for_an_able_model_are_for_ppo(work: Path, able: str) -> None:
    found = ask(work, able, prompts(120), reward="rewards.py:cats")
    assert found.recommendation.road == "ppo"
    assert found.facts.reward is not None
    assert found.facts.reward.varies is not None
    assert found.facts.reward.varies.value > 0.5
    assert found.facts.reward.agrees is None
    (recipe,) = found.save("recipe.yaml")
    loaded = load_any(recipe)
    assert isinstance(loaded, PipelineRecipe)
    assert loaded.ppo is not None
    assert loaded.ppo.reward[0].function == "rewards.py:cats"


def test_prompts_and_a_reward_that_scores_all_alike_are_not(work: Path, able: str) -> None:
    found = ask(work, able, prompts(120), reward="rewards.py:flat")
    assert found.recommendation.road == "collect"
    assert "scores the model's own answers differently for 0%" in found.recommendation.reasons[0].words


def test_prompts_and_a_reward_for_an_unable_model_want_demonstrations(work: Path, unable: str) -> None:
    found = ask(work, unable, prompts(120), reward="rewards.py:cats")
    assert (found.recommendation.road, found.recommendation.reasons[0].rule) == ("collect", "cannot_be_shown")
    assert found.save("recipe.yaml") == []
    assert not Path("recipe.yaml").exists()


def test_pairs_and_a_reward_that_sides_with_them_are_for_both_in_turn(work: Path, able: str) -> None:
    liked = [
        Preference(pair.prompt, (assistant(f"{pair.chosen[0].content} cat"),), (assistant("the dog mat"),))
        for pair in pairs(120)
    ]
    found = ask(work, able, liked, reward="rewards.py:cats")
    assert found.recommendation.road == "dpo+ppo"
    assert found.facts.reward is not None
    assert found.facts.reward.agrees is not None
    assert found.facts.reward.agrees.value == 1.0
    first, then = found.save("recipe.yaml")
    assert isinstance(load_any(first), PipelineRecipe)
    second = load_any(then)
    assert isinstance(second, PPORecipe)
    assert second.model.name == "runs/pipeline/dpo"


def test_pairs_judged_both_ways_are_cleaned_first(work: Path, able: str) -> None:
    some = pairs(120)
    turned = [Preference(pair.prompt, pair.rejected, pair.chosen) for pair in some[:10]]
    found = ask(work, able, [*some, *turned])
    assert found.recommendation.road == "clean"
    assert "15% (10 to 23%, n = 130 records) are judged both ways" in found.recommendation.reasons[0].words


def test_a_few_pairs_are_too_few(work: Path, able: str) -> None:
    found = ask(work, able, pairs(30))
    assert found.recommendation.road == "collect"
    assert "30 pairs" in found.recommendation.reasons[0].words


@pytest.mark.slow
def test_many_lone_ratings_teach_a_reward_model(work: Path, able: str) -> None:
    chance = random.Random(4)
    rated = [
        Rating((user(question(number)),), (assistant(reply(chance)),), float(number % 5))
        for number in range(2000)
    ]
    found = ask(work, able, rated)
    assert found.recommendation.road == "reward+ppo"
    (recipe,) = found.save("recipe.yaml")
    loaded = load_any(recipe)
    assert isinstance(loaded, RLHFRecipe)
    assert loaded.sft is None
    assert loaded.reward is not None
    assert loaded.ppo.data.train == loaded.reward.data.train == str(work / "data.jsonl")


def test_pairs_that_the_model_would_never_say_are_far(work: Path, able: str) -> None:
    found = ask(work, able, pairs(120, apart=True))
    gap = found.facts.model.good_above_own
    assert gap is not None
    assert gap.low > 1.0
    assert found.recommendation.road == "sft+dpo"
    assert {one.rule for one in found.recommendation.cautions} >= {"pairs_of_own_answers"}


def test_files_of_prompts_are_asked_and_count_as_unlabelled(work: Path, able: str) -> None:
    heedful.write(prompts(40), work / "prompts.jsonl")
    found = ask(work, able, pairs(120), prompts=work / "prompts.jsonl")
    assert found.facts.data.unlabelled == 40
    assert found.facts.data.records == {"preference": 120, "prompt": 40}


@pytest.mark.slow
def test_the_same_question_has_the_same_answer(work: Path, unable: str) -> None:
    first, second = (ask(work, unable, pairs(120)) for _ in range(2))
    assert first.facts == second.facts
    assert first.recommendation == second.recommendation


@pytest.mark.slow
def test_flipped_labels_are_found_and_smoothed(work: Path, unable: str) -> None:
    from tests.checks.noise import flip
    from tests.training.test_cross_fit import cat_pairs

    noisy, _ = flip(cat_pairs(400), 0.15, seed=1)
    heedful.write(noisy, "noisy.jsonl")
    found = advise(unable, "noisy.jsonl", reporter=small.QUIET)
    assert found.facts.labels is not None
    assert found.facts.labels.flipped is not None
    assert found.facts.labels.low <= 0.15 <= found.facts.labels.high
    assert "some_labels_flipped" in {one.rule for one in found.recommendation.cautions}
    (recipe,) = found.save("recipe.yaml")
    loaded = load_any(recipe)
    assert isinstance(loaded, PipelineRecipe)
    assert loaded.dpo is not None
    assert loaded.dpo.objective.label_smoothing == pytest.approx(found.facts.labels.flipped.value, abs=0.006)


def test_readiness_is_told_for_a_pipeline(able: str, unable: str) -> None:
    ready = check_readiness(able, demonstrations(60), reporter=small.QUIET, quick=True)
    assert ready.ready
    other = check_readiness(unable, demonstrations(60), reporter=small.QUIET, quick=True)
    assert not other.ready
    assert "of its own answers end by themselves" in other.reasons[0]


def test_distance_is_told_by_what_the_model_finds_likely_at_whatever_temperature_it_answers(
    able: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, int]] = []

    def noted(*arguments: Any, **options: Any) -> Any:
        asked.append((options["temperature"], options["max_new_tokens"]))
        return sample(*arguments, **options)

    monkeypatch.setattr(asking, "sample", noted)
    sampled = check_readiness(able, demonstrations(60), reporter=small.QUIET, quick=True)
    greedy = check_readiness(able, demonstrations(60), reporter=small.QUIET, quick=True, temperature=0)
    words = [{one.question: one.words for one in found.judged} for found in (sampled, greedy)]
    assert "at temperature 1;" in words[0]["ends"]
    assert "at temperature 0;" in words[1]["ends"]
    assert words[0]["distance"] == words[1]["distance"]
    limit = asked[0][1]
    assert asked == [(1, limit), (0, limit), (1, min(START, limit))]


def test_what_was_sampled_is_said(near: Advice) -> None:
    found = near
    assert found.looked_at[0].startswith("16 of 120 prompts answered by the model itself")
    assert found.looked_at[1].startswith("losses of 32 of 120 pairs")
    assert "labels: not looked at" in found.looked_at[2]


def test_costs_are_predicted_for_every_road_that_the_data_allow(near: Advice) -> None:
    found = near
    assert [one.road for one in found.facts.costs] == ["sft", "dpo", "ppo", "dpo+ppo"]
    assert all(one.memory > 0 and one.fits for one in found.facts.costs)
    took = {one.road: one.seconds or 0.0 for one in found.facts.costs}
    assert all(took.values())
    assert took["dpo+ppo"] == pytest.approx(took["dpo"] + took["ppo"])


def test_bad_input_is_refused_with_a_mend(work: Path, able: str) -> None:
    heedful.write(pairs(3), "pairs.jsonl")
    with pytest.raises(DataError, match="no such file"):
        advise(able, "absent.jsonl", reporter=small.QUIET)
    with pytest.raises(ModelError):
        advise("no such model", "pairs.jsonl", reporter=small.QUIET)
    with pytest.raises(RewardError):
        advise(able, "pairs.jsonl", reward="rewards.py:absent", reporter=small.QUIET)
    Path("empty.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(DataError):
        advise(able, "empty.jsonl", reporter=small.QUIET)


def test_a_reward_that_fails_is_named(work: Path, able: str) -> None:
    code = "def bad(prompts, responses):\n    return [float('nan') for _ in responses]\n"
    Path("bad_rewards.py").write_text(code, encoding="utf-8")
    with pytest.raises(RewardError, match="not a finite number"):
        ask(work, able, prompts(120), reward="bad_rewards.py:bad")


def test_each_stage_is_given_the_files_that_hold_its_kind(work: Path, unable: str) -> None:
    heedful.write(demonstrations(60), "shown.jsonl")
    heedful.write(pairs(120), "pairs.jsonl")
    found = advise(unable, ["shown.jsonl", "pairs.jsonl"], quick=True, reporter=small.QUIET)
    (recipe,) = found.save("recipe.yaml")
    loaded = load_any(recipe)
    assert isinstance(loaded, PipelineRecipe)
    assert loaded.data.demonstrations is not None
    assert loaded.data.demonstrations.train == "shown.jsonl"
    assert loaded.data.preferences is not None
    assert loaded.data.preferences.train == "pairs.jsonl"


def test_the_values_for_programs_are_json(near: Advice) -> None:
    from heedful.advice.measured import as_json

    found = near
    told = json.loads(
        json.dumps(as_json(found.recommendation, found.facts, found.looked_at), allow_nan=False)
    )
    assert told["road"] == "dpo"
    assert told["facts"]["data"]["pairs"] == 120
    assert told["facts"]["model"]["ended"]["n"] == 16
    assert told["readiness"]["ready"] is True
    assert told["facts"]["costs"][0]["fits"] is True


def test_what_does_not_fit_plainly_is_recomputed_and_what_fits_in_no_way_is_said(
    near: Advice, able: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is between what DPO takes with gradient checkpointing and without, or below both."""
    sizes = {False: 3 * 10**9, True: 10**9}
    monkeypatch.setattr(
        costs, "predicted", lambda job, recomputed=False: SimpleNamespace(total=sizes[recomputed])
    )
    for room, road, recompute in ((2 * 10**9, "dpo", True), (10**8, "smaller", False)):
        monkeypatch.setattr(costs, "room_of", lambda device, room=room: room)
        found = ask(tmp_path, able, pairs(120))
        assert (found.recommendation.road, found.facts.recompute) == (road, recompute)


def test_the_face_stays_a_function_whatever_was_loaded_before() -> None:
    """A room of the same name would take its place once it is imported."""
    assert heedful.advise is advise
    assert heedful.advise is advise
