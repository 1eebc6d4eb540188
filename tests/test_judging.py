"""A reward model is judged by held-out rows, at the end of its training and by other data later."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import heedful
from heedful import judging
from heedful.errors import DataError, ModelError, RewardError
from heedful.models import rewards
from heedful.records import Preference, Ranking, Rating, assistant, user
from heedful.report import ReportData
from heedful.training.loop import Outcome
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter
from tests import tiny
from tests.training import small

QUICK: dict[str, Any] = {"max_length": 200, "epochs": 4, "learning_rate": 1e-2}


# Trained in fp32, a model is judged in bf16 where the machine has it.
ROUNDING = 5e-3


def answers(*texts: str) -> tuple[Any, ...]:
    return tuple((assistant(text),) for text in texts)


def mix() -> list[Preference | Ranking | Rating]:
    """Held-out records of all kinds: ten pairs, one of them soft, a ranking of three and three ratings."""
    pairs = small.pairs(10, seed=7)
    pairs[0] = replace(pairs[0], probability=0.3, margin=2.0)
    question = (user("what is the cat?"),)
    ratings = [
        Rating(question, response, score)
        for response, score in zip(answers("a cat", "no cat", "cat"), (4.0, 1.0, 4.0), strict=True)
    ]
    return [*pairs, Ranking((user("who ran?"),), answers("the dog", "no dog", "no"), (1, 2, 2)), *ratings]


def trained(
    folder: Path, held_out: list[Any], reporter: Reporter = small.QUIET, **settings: Any
) -> tuple[Outcome, ReportData | None]:
    """A reward run over a model folder, judged."""
    base = tiny.save(folder.with_name("base"))
    recipe = small.recipe("reward", folder, **{**QUICK, **settings})
    model = recipe.model.model_copy(update={"name": str(base), "dtype": "float32"})
    given = small.Given(small.pairs(24), held_out)
    return judging.train(recipe.model_copy(update={"model": model}), given, reporter=reporter)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, ReportData]:
    outcome, found = trained(tmp_path_factory.mktemp("judged") / "run", mix())
    assert found is not None
    return outcome, found


def test_a_run_is_judged_by_its_held_out_rows(judged: tuple[Outcome, ReportData]) -> None:
    outcome, found = judged
    assert found.reward is not None
    quality = found.reward.quality
    # Ten pairs, two of the ranking and two of the ratings.
    assert (quality.n, quality.groups, quality.soft) == (14, 12, 1)
    assert quality.accuracy.value > 0.7  # every rejected response begins with "no"
    assert outcome.evaluation["accuracy"] == quality.accuracy.value
    assert outcome.evaluation["rulers/longer wins"] == quality.longer_wins.value
    assert outcome.evaluation["calibration/ece"] == quality.calibration.ece
    assert outcome.evaluation["loss"] > 0
    assert found.curves[0].title == "Reward model: loss"
    assert found.facts["Trained on"] == f"24 rows in {outcome.steps} steps"
    assert found.facts["Judged by"] == "14 pairs of 12 prompts"


def test_what_was_found_stands_in_the_run_folder(judged: tuple[Outcome, ReportData]) -> None:
    outcome, found = judged
    assert found.reward is not None
    quality = found.reward.quality
    info = RunFolder(outcome.run).info()
    assert info["evaluation"] == outcome.evaluation
    assert (info["status"], info["steps"]) == ("finished", outcome.steps)
    json.loads((outcome.run / "run.json").read_text(), parse_constant=pytest.fail)
    card = (outcome.run / "model_card.md").read_text()
    for number in (quality.calibration.brier, quality.calibration.ece, quality.longer_wins.value):
        assert f"| {number:.4g} |" in card
    page = (outcome.run / "report.html").read_text()
    assert "How good is the reward model?" in page
    assert "Reward model: chosen above rejected" in page


def test_judged_again_by_the_same_rows_it_gets_the_same_numbers(
    judged: tuple[Outcome, ReportData], tmp_path: Path
) -> None:
    outcome, found = judged
    assert found.reward is not None
    for model in (outcome, str(outcome.run / "adapter")):
        again = heedful.evaluate(model, data=mix(), quiet=True)
        assert again.data.reward is not None
        numbers, before = (judging.main_numbers(one.reward.quality) for one in (again.data, found))  # type: ignore[union-attr]
        assert numbers == pytest.approx(before, abs=ROUNDING)
        assert again.data.facts["Trained on"] == found.facts["Trained on"]
    page = again.save(tmp_path / "pages" / "report.html").read_text()
    assert "Is it as often right as it is sure?" in page


def test_texts_are_rendered_and_cut_as_in_training(tmp_path: Path) -> None:
    outcome, _ = trained(tmp_path / "run", [], template="plain", max_length=30, truncation="keep_start")
    model = rewards.load_reward(str(outcome.run))
    assert model.renderer.template == "plain"
    assert (model.limits.max_length, model.limits.policy) == (30, "keep_start")
    assert rewards.load_reward(str(outcome.run), max_length=50).limits.max_length == 50
    context = model.backbone.context_length
    assert rewards.load_reward(str(outcome.run), max_length=10**6).limits.max_length == context
    found = heedful.evaluate(str(outcome.run), data=mix(), quiet=True).data
    assert any(note.startswith("Cut to fit: ") for note in found.notes)


def test_a_mistake_shows_what_people_preferred_and_what_the_model_did(
    judged: tuple[Outcome, ReportData],
) -> None:
    outcome, _ = judged
    right = small.pairs(1, seed=3)[0]
    wrong = replace(right, chosen=right.rejected, rejected=right.chosen)
    doubted = replace(right, probability=0.2)
    for record in (wrong, doubted):
        found = heedful.evaluate(outcome, data=[record], quiet=True).data.reward
        assert found is not None
        (mistake,) = found.mistakes
        assert mistake.prompt == right.prompt[0].content
        assert (mistake.better, mistake.worse) == (right.rejected[0].content, right.chosen[0].content)
        assert mistake.better_score < mistake.worse_score


def test_what_takes_no_part_is_counted(judged: tuple[Outcome, ReportData]) -> None:
    outcome, _ = judged
    lone = Rating((user("alone?"),), (assistant("yes"),), 3.0)
    records = [*small.pairs(3, seed=2), lone, *small.demonstrations(2)]
    found = heedful.evaluate(outcome, data=records, quiet=True).data
    assert found.quarantine == {"other_kind": 2, "nothing_to_compare": 1}


def test_a_file_is_read_as_anywhere(judged: tuple[Outcome, ReportData], tmp_path: Path) -> None:
    outcome, _ = judged
    heedful.write(small.pairs(4, seed=1), tmp_path / "held.jsonl")
    found = heedful.evaluate(outcome, data=tmp_path / "held.jsonl", quiet=True).data
    assert found.facts["Judged by"] == "4 pairs of 4 prompts"


def test_without_held_out_rows_nothing_is_judged(tmp_path: Path) -> None:
    outcome, found = trained(tmp_path / "run", [])
    assert found is None
    assert outcome.evaluation == {}
    assert not (outcome.run / "report.html").exists()


def test_a_run_that_cannot_be_judged_is_trained_all_the_same(tmp_path: Path) -> None:
    undecided = [replace(pair, probability=0.5) for pair in small.pairs(3, seed=4)]
    said = io.StringIO()
    outcome, found = trained(tmp_path / "run", undecided, Reporter(quiet=True, stream=said))
    assert found is None
    assert "trained and not judged: The label of every pair is one half" in said.getvalue()
    assert RunFolder(outcome.run).info()["status"] == "finished"
    assert set(outcome.evaluation) >= {"loss", "rows"}


def test_python_training_judges_too(judged: tuple[Outcome, ReportData], tmp_path: Path) -> None:
    base = str(tiny.save(tmp_path / "base"))
    run = heedful.train.reward(
        base,
        small.pairs(8),
        held_out=small.pairs(4, seed=1),
        output=tmp_path / "run",
        quiet=True,
        max_steps=1,
    )
    assert run.evaluation["pairs"] == 4
    assert (run.run / "report.html").is_file()


def test_a_temperature_without_end_is_no_number() -> None:
    from heedful.evaluation.reward_quality import reward_quality

    quality = reward_quality([0.0, 0.0], [0.0, 0.0], chosen_lengths=[1, 1], rejected_lengths=[1, 2])
    assert math.isinf(quality.temperature.value)
    assert "calibration/temperature" not in judging.main_numbers(quality)


# What does not fit


def test_a_baseline_is_refused(judged: tuple[Outcome, ReportData], tmp_path: Path) -> None:
    outcome, _ = judged
    with pytest.raises(ModelError, match=r"judged by itself.*Leave the baseline out"):
        heedful.evaluate(outcome, data=mix(), baseline=tiny.backbone(), quiet=True)


def test_demonstrations_alone_are_refused(judged: tuple[Outcome, ReportData]) -> None:
    outcome, _ = judged
    with pytest.raises(DataError, match=r"no preference and no ranking and no rating .*other_kind 3"):
        heedful.evaluate(outcome, data=small.demonstrations(3), quiet=True)


def test_ratings_of_different_prompts_compare_nothing(judged: tuple[Outcome, ReportData]) -> None:
    outcome, _ = judged
    lone = [Rating((user(text),), (assistant("yes"),), 3.0) for text in "abc"]
    with pytest.raises(DataError, match=r"no two responses can be compared \(3 read, 3 kept\).*several rat"):
        heedful.evaluate(outcome, data=lone, quiet=True)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(json.dumps({"stage": "reward", "status": "interrupted"}))
    with pytest.raises(RewardError, match=r"no finished weights\. Resume the run first\."):
        heedful.evaluate(str(tmp_path / "run"), data=mix(), quiet=True)


def test_merged_weights_alone_are_refused(tmp_path: Path) -> None:
    outcome, _ = trained(tmp_path / "run", [], method="full", max_steps=1)
    for name in (outcome.run, outcome.run / "merged"):
        with pytest.raises(RewardError, match=r"merged weights only.*training\.method=lora"):
            heedful.evaluate(str(name), data=mix(), quiet=True)


def test_a_reward_model_is_no_language_model(judged: tuple[Outcome, ReportData], tmp_path: Path) -> None:
    outcome, _ = judged
    base = str(outcome.run.with_name("base"))
    merged, _ = trained(tmp_path / "run", [], method="full", max_steps=1)
    for name in (outcome.run, outcome.run / "adapter", merged.run):
        with pytest.raises(ModelError, match="a reward model, and no language model"):
            heedful.load(str(name))
    with pytest.raises(ModelError, match="a reward model, and no language model"):
        heedful.load(base, adapter=str(outcome.run))
    with pytest.raises(ModelError, match="a reward model, and no language model"):
        heedful.evaluate(base, data=small.pairs(2), baseline=str(outcome.run), quiet=True)


def test_the_scores_are_those_of_training_to_the_last_digits(
    judged: tuple[Outcome, ReportData],
) -> None:
    """Not a model that was loaded without its adapter, its head or its mean."""
    outcome, _ = judged
    model = rewards.load_reward(str(outcome.run))
    pairs = small.pairs(24)
    scores = torch.tensor(model([pair.prompt for pair in pairs], [pair.chosen[0].content for pair in pairs]))
    assert float(scores.mean()) == pytest.approx(0.0, abs=ROUNDING)
    assert float(scores.std()) > 0.01
