"""`compare` on tiny models: who meets whom, what each point is measured on, and where best of n lies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import heedful
from heedful.comparing import compare
from heedful.comparing.optimising import choices
from heedful.errors import DataError, JudgeError, ModelError, RecipeError, RunError
from heedful.evaluation import best_of_n
from heedful.judges import Question, Verdict
from heedful.judges.scores import ScoreJudge
from heedful.models.loading import load
from heedful.models.rewards import FunctionReward
from heedful.records import Prompt, user
from heedful.training.job import Given
from tests import tiny
from tests.training import ppo_runs, small

PROMPTS = [Prompt((user(f"{a} and {b}?"),), id=f"{a}-{b}") for a in small.WORDS[:4] for b in small.WORDS[4:8]]
HOW: dict[str, Any] = {"data": PROMPTS, "max_new_tokens": 6, "quiet": True}


def letters(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    return [sum(letter in "cat" for letter in text) for text in responses]


def brevity(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    return [-float(len(text)) for text in responses]


def proxy() -> ScoreJudge:
    return ScoreJudge(FunctionReward(letters))


def gold() -> ScoreJudge:
    return ScoreJudge(FunctionReward(brevity))


class First:
    """Prefers what it is shown first, whatever that is."""

    name, symmetric = "first", False

    def __init__(self) -> None:
        self.asked: list[Question] = []

    def __call__(self, questions: Sequence[Question], on_done: Any = None) -> list[Verdict]:
        self.asked += questions
        return [Verdict("first")] * len(questions)


class Nobody:
    name, symmetric = "nobody", True

    def __call__(self, questions: Sequence[Question], on_done: Any = None) -> list[Verdict]:
        raise JudgeError("nobody is there.", mend="Wait.")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("compared") / "model")


@pytest.fixture(scope="module")
def run(model: Path) -> Path:
    """A PPO run of four iterations, with the checkpoints of the second and the fourth."""
    folder = model.parent / "ppo"
    settings = {"checkpoint_every": 2, "keep_checkpoints": 9, "max_steps": 4, "beta": 0.02}
    given = Given(ppo_runs.PROMPTS, None, load(str(model)))
    ppo_runs.train(folder, given=given, learning_rate=1e-2, **settings)
    return folder


@pytest.fixture(scope="module")
def another(model: Path) -> Path:
    folder = model.parent / "another"
    ppo_runs.train(folder, given=Given(ppo_runs.PROMPTS, None, load(str(model))), max_steps=1, seed=3)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path_factory.getbasetemp() / "comparing-cache"))


def test_every_two_models_meet_on_every_prompt_in_both_orders(model: Path, run: Path, another: Path) -> None:
    judge = First()
    found = compare([str(run), str(another), str(model)], judges=[judge], temperature=1.0, **HOW)

    (ranked,) = found.data.ranked
    names = [str(run), str(another), str(model)]
    assert list(ranked.duels) == list(combinations(names, 2))
    assert [len(own) for own in ranked.duels.values()] == [16, 16, 16]
    different = sum(duel.answer != duel.baseline for own in ranked.duels.values() for duel in own)
    assert len(judge.asked) == 2 * different > 0
    # A judge that always takes the first contradicts itself in the other order: all is tied.
    assert [model.rank for model in ranked.standings.models] == ["1-3"] * 3
    assert {wins.value for wins in ranked.wins.values()} == {0.5}
    assert found.data.frontiers == []


def test_a_point_has_reward_and_kl_of_the_same_samples(model: Path, run: Path) -> None:
    found = compare([str(run), str(model)], judges=[proxy()], samples=2, temperature=1.0, **HOW)

    (frontier,) = found.data.frontiers
    (placed,) = frontier.placed
    drawn = found.samples[str(run)]
    assert (placed.point.name, placed.point.step, placed.point.beta) == (str(run), None, 0.02)
    assert placed.point.reward.value == pytest.approx(np.mean(letters([], [one.text for one in drawn])))
    assert len(drawn) == 32
    assert placed.point.kl.value > 0
    # The model that the run started from is where KL is measured from, and no point beside it.
    assert found.data.reference == str(model)
    own = found.samples[str(model)]
    assert frontier.start.value == pytest.approx(np.mean(letters([], [one.text for one in own])))


def test_reward_and_kl_are_of_samples_whatever_judges_compare(model: Path, run: Path) -> None:
    found = compare([str(run), str(model)], judges=[proxy()], **HOW)
    assert {one.text for one in found.answers[str(run)]} != {one.text for one in found.samples[str(run)]}
    drawn = compare([str(run), str(model)], judges=[proxy()], temperature=1.0, **HOW)
    assert drawn.samples == found.samples
    assert drawn.answers[str(run)] == drawn.samples[str(run)]


def test_checkpoints_are_points_and_the_last_one_is_what_the_run_is(model: Path, run: Path) -> None:
    found = compare([str(run)], judges=[proxy()], gold=gold(), checkpoints=True, temperature=1.0, **HOW)

    first, second = found.data.frontiers
    assert [placed.point.step for placed in first.placed] == [None, 2, 4]
    assert [one.judge for one in (first, second)] == [proxy().name, gold().name]
    assert first.reached[str(run)].same_as == 4
    assert first.placed[0].point == first.placed[2].point.__class__(
        str(run), None, 0.02, first.placed[2].point.kl, first.placed[2].point.reward
    )
    assert first.placed[1].point.kl.value != first.placed[2].point.kl.value
    assert found.data.ranked == []
    # The start, and each checkpoint once.
    (way,) = found.data.optimised
    assert (way.form, way.proxy, way.gold) == ("rl", proxy().name, gold().name)
    assert {*way.labels} == {str(model), f"{run}, step 2", f"{run}, step 4"}
    assert [point.kl for point in way.found.points] == sorted(point.kl for point in way.found.points)
    assert way.found.points[way.labels.index(str(model))].kl == 0


def test_checkpoints_of_full_fine_tuning_are_points(model: Path, tmp_path: Path) -> None:
    settings = {"checkpoint_every": 2, "keep_checkpoints": 9, "max_steps": 4, "method": "full"}
    given = Given(ppo_runs.PROMPTS, None, load(str(model), full=True))
    ppo_runs.train(tmp_path / "full", given=given, learning_rate=1e-2, **settings)

    found = compare([str(tmp_path / "full")], judges=[proxy()], checkpoints=True, temperature=1.0, **HOW)

    (frontier,) = found.data.frontiers
    assert [placed.point.step for placed in frontier.placed] == [None, 2, 4]
    last, middle, final = (placed.point for placed in frontier.placed)
    assert frontier.reached[last.name].same_as == 4
    assert (last.kl, last.reward) == (final.kl, final.reward)
    assert 0 < middle.kl.value != final.kl.value


def test_merged_weights_have_no_checkpoints_of_their_own(model: Path, tmp_path: Path) -> None:
    given = Given(ppo_runs.PROMPTS, None, load(str(model)))
    run = ppo_runs.train(tmp_path / "run", given=given, max_steps=1, merged=True).run
    with pytest.raises(RunError, match="adapter folded in: name its run"):
        compare([str(run / "merged")], judges=[proxy()], checkpoints=True, **HOW)


def test_best_of_n_is_the_references_and_is_chosen_by_the_proxy(model: Path, run: Path) -> None:
    found = compare([str(run), str(model)], judges=[proxy()], gold=gold(), best_of=6, temperature=1.0, **HOW)

    drawn = found.samples[str(model)]
    assert len(drawn) == 16 * 6
    scored = np.array(letters([], [one.text for one in drawn])).reshape(16, 6)
    true = np.array(brevity([], [one.text for one in drawn])).reshape(16, 6)
    by_proxy, by_gold = found.data.frontiers
    assert [best.n for best in by_proxy.best_of] == choices(6) == [1, 2, 4, 6]
    for best, read in zip(by_proxy.best_of, by_gold.best_of, strict=True):
        assert best.kl == pytest.approx(np.log(best.n) - (best.n - 1) / best.n)
        assert best.reward.value == pytest.approx(best_of_n.expected(scored, best.n).value)
        assert read.gold is not None
        assert read.gold.value == pytest.approx(best_of_n.expected(scored, best.n, gold=true).value)
    assert by_proxy.best_of[-1].reward.value == pytest.approx(scored.max(axis=1).mean())
    (way,) = found.data.optimised
    assert (way.form, way.labels) == ("best of n", ("best of 1", "best of 2", "best of 4", "best of 6"))
    assert [point.gold for point in way.found.points] == pytest.approx(
        [read.gold.value for read in by_gold.best_of if read.gold]
    )


def test_nothing_is_asked_for_twice(model: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compare([str(run)], judges=[proxy()], checkpoints=True, best_of=2, **HOW)

    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("a model was sampled again")

    monkeypatch.setattr("heedful.evaluation.generation.answer", refused)
    again = compare([str(run)], judges=[proxy()], checkpoints=True, best_of=2, **HOW)
    assert again.samples == first.samples


def test_a_model_that_is_named_under_two_names_draws_anew_and_is_no_better(model: Path, run: Path) -> None:
    """What differs between a model and itself is chance."""
    copy = f"{run}/adapter"
    found = compare([str(run), copy], judges=[gold()], samples=4, temperature=1.0, **HOW)

    (ranked,) = found.data.ranked
    assert found.answers[str(run)] != found.answers[copy]
    assert [model.rank for model in ranked.standings.models] == ["1-2", "1-2"]


def test_models_of_two_origins_have_no_common_reference(run: Path, tmp_path: Path) -> None:
    other = tiny.save(tmp_path / "other", seed=5)
    given = Given(ppo_runs.PROMPTS, None, load(str(other)))
    ppo_runs.train(tmp_path / "far", given=given, max_steps=1)
    named = [str(run), str(tmp_path / "far")]

    found = compare(named, judges=[proxy()], **HOW)
    assert found.data.reference is None
    assert found.data.frontiers == []
    assert "trained from different models" in found.data.notes[0]
    with pytest.raises(DataError, match="different models"):
        compare(named, judges=[proxy()], best_of=2, **HOW)
    told = compare(named, judges=[proxy()], reference=str(other), **HOW)
    assert [placed.point.name for placed in told.data.frontiers[0].placed] == named


def test_runs_from_a_run_are_measured_from_that_one(run: Path, tmp_path: Path) -> None:
    """As DPO and PPO after SFT: what SFT itself was trained from is nobody's reference."""
    given = Given(ppo_runs.PROMPTS, None, load(str(run)))
    ppo_runs.train(tmp_path / "further", given=given, max_steps=1)

    found = compare([str(run), str(tmp_path / "further")], judges=[proxy()], **HOW)

    assert found.data.reference == str(run)
    assert [placed.point.name for placed in found.data.frontiers[0].placed] == [str(tmp_path / "further")]


def test_a_reward_model_is_none_to_compare(model: Path, run: Path, tmp_path: Path) -> None:
    small.train(
        "reward", tmp_path / "reward", given=Given(small.pairs(8), None, load(str(model))), max_steps=1
    )
    with pytest.raises(ModelError, match="is a reward model, and answers nothing"):
        compare([str(run), str(tmp_path / "reward")], judges=[proxy()], **HOW)


def test_a_judge_that_is_not_there_keeps_nobody_waiting(model: Path, run: Path) -> None:
    found = compare([str(run), str(model)], judges=[Nobody(), gold()], **HOW)
    assert [one.judge for one in found.data.ranked] == [gold().name]
    assert [(one.judge, one.why) for one in found.data.waiting] == [("nobody", "nobody is there. Wait.")]


def test_what_cannot_be_compared_is_refused_in_words(model: Path, run: Path) -> None:
    name = str(run)
    with pytest.raises(DataError, match="not two models"):
        compare([name], judges=[proxy()], **HOW)
    with pytest.raises(ModelError, match="named twice"):
        compare([name, name], judges=[proxy()], **HOW)
    with pytest.raises(JudgeError, match="nobody to compare"):
        compare([name, str(model)], **HOW)
    with pytest.raises(JudgeError, match="no judge scores answers"):
        compare([name], checkpoints=True, **HOW)
    with pytest.raises(JudgeError, match="no judge scores answers"):
        compare([name], judges=[First()], checkpoints=True, **HOW)
    with pytest.raises(JudgeError, match="gold judge scores"):
        compare([name], judges=[proxy()], gold=First(), checkpoints=True, **HOW)
    with pytest.raises(JudgeError, match="no second judge"):
        compare([name], gold=gold(), checkpoints=True, **HOW)
    with pytest.raises(RecipeError, match="best_of"):
        compare([name, str(model)], judges=[proxy()], best_of=1, **HOW)
    with pytest.raises(RunError, match="none of these has a checkpoint"):
        compare([str(model)], judges=[proxy()], checkpoints=True, **HOW)


def test_the_folder_holds_page_numbers_answers_and_verdicts(model: Path, run: Path, tmp_path: Path) -> None:
    found = heedful.compare([str(run), str(model)], judges=[proxy()], gold=gold(), checkpoints=True, **HOW)
    folder = found.write(tmp_path / "out")

    names = ["answers.jsonl", "report.html", "summary.json", "verdicts.jsonl"]
    assert sorted(file.name for file in folder.iterdir()) == names
    told = json.loads((folder / "summary.json").read_text())
    assert (told["version"], told["made_by"]) == (1, "heedful compare")
    assert {one["part"] for one in told["models"]} == {"model", "checkpoint"}
    points = told["frontiers"][proxy().name]["points"]
    assert [(point["step"], point["beta"]) for point in points] == [(None, 0.02), (2, 0.02), (4, 0.02)]
    assert told["over_optimisation"][0]["turn_established"] is found.data.optimised[0].found.established
    verdicts = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text().splitlines()]
    assert len(verdicts) == 2 * 16
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert {one["for"] for one in answers} == {"judges", "reward and kl"}
    assert len(answers) == 2 * 16 + 4 * 16
    assert found.data.facts["Answers that judges compare"].startswith("the likeliest token each time")
    assert found.data.facts["Samples for reward and KL"].startswith("temperature 1")
    found.write(folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("")
    with pytest.raises(RunError, match="something else than a comparison"):
        found.write(tmp_path / "mine")
