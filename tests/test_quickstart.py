"""The quickstart and `evaluate`, whole, with a tiny model in the default model's place."""

from __future__ import annotations

import importlib
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import heedful
from heedful import data, quickstart
from heedful.errors import DataError, RunError
from heedful.evaluating import evaluate
from heedful.evaluating.examined import Examined
from heedful.evaluating.judged import score_answers
from heedful.evaluating.pages import IMPLICIT, PER_TOKEN
from heedful.evaluation.behaviour import Answer
from heedful.judges.scores import ScoreJudge
from heedful.models.backbone import Backbone
from heedful.models.rewards import FunctionReward, load_reward
from heedful.records import Message
from heedful.report import ReportData
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter
from tests import tiny

HELD_OUT = "everyday/preferences-held-out.jsonl"
CACHE = "HEEDFUL_CACHE"
REWARD = "Reward model"
MODELS = ["base", "SFT", "DPO", "PPO"]
# A few steps of each stage show that they fit together. So small a model cannot do the task.
LESS = (
    *(f"{stage}.training.max_steps=2" for stage in ("sft", "dpo", "reward", "ppo")),
    "ppo.training.batch_size=4",
    "readiness=skip",
)


@dataclass(frozen=True)
class Quickstart:
    """A whole quickstart, with a tiny model in a cache of its own, and the names of the models it loaded."""

    cache: Path
    output: Path
    found: ReportData
    loaded: list[str]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Quickstart:
    folder = tmp_path_factory.mktemp("quickstart")
    cache, output, loaded = folder / "cache", folder / "out", list[str]()
    tiny.save_default(cache)

    def counted(name: str, **options: Any) -> Backbone:
        loaded.append(name)
        return heedful.load(name, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE, str(cache))
        for module in ("heedful.training.weights", "heedful.models.rewards.build"):
            patch.setattr(importlib.import_module(module), "load", counted)
        found = quickstart.run(output, Reporter(stream=io.StringIO()), LESS)
    return Quickstart(cache, output, found, loaded)


@pytest.fixture
def ran(whole: Quickstart, monkeypatch: pytest.MonkeyPatch) -> Quickstart:
    monkeypatch.setenv(CACHE, str(whole.cache))
    return whole


def test_quickstart_shows_all_models_side_by_side(ran: Quickstart) -> None:
    found = ran.found
    assert found.stages == MODELS
    assert [row.stage for row in found.accuracy if row.label == PER_TOKEN] == MODELS
    assert {row.n for row in found.accuracy} == {44}
    assert list(found.behaviour) == list(found.scores[REWARD]) == MODELS
    assert {len(scores) for scores in found.scores[REWARD].values()} == {32}
    assert len(found.side_by_side) == 12
    assert all(list(item.answers) == MODELS for item in found.side_by_side)
    assert {curve.title.split(":")[0] for curve in found.curves} == {"SFT", "DPO", "Reward model", "PPO"}
    assert "n = 44 held-out pairs" in found.facts["Reward model"]
    page = (ran.output / "report" / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_quickstart_takes_both_roads_from_sft_over_weights_that_are_loaded_once(ran: Quickstart) -> None:
    # And once more for the report, which asks the model as it was before SFT.
    assert ran.loaded == ["smollm2-135m"] * 2
    runs = {name: RunFolder(ran.output / name).info() for name in ("sft", "dpo", "reward", "ppo")}
    assert {run["status"] for run in runs.values()} == {"finished"}
    # The reference of either road is the SFT model: its adapter was folded in before, and the runs say so.
    folded = [str((ran.output / "sft" / "adapter").absolute())]
    assert [run["model"]["lineage"] for run in runs.values()] == [[], folded, folded, folded]
    fingerprints = {runs[name]["model"]["fingerprint"] for name in ("dpo", "reward", "ppo")}
    assert len(fingerprints) == 1


def test_the_scores_are_those_of_the_reward_model_that_ppo_learned_from(ran: Quickstart) -> None:
    reward = load_reward(str(ran.output / "reward"))
    for model in MODELS:
        shown = {item.prompt: item.answers[model] for item in ran.found.side_by_side}
        scores = reward([(Message("user", prompt),) for prompt in shown], list(shown.values()))
        ended = [item.ended[model] for item in ran.found.side_by_side]
        expected = [score if whole else math.nan for score, whole in zip(scores, ended, strict=True)]
        found = ran.found.scores[REWARD][model].scores[:12].tolist()
        assert found == pytest.approx(expected, abs=1e-4, nan_ok=True)


def test_answers_that_were_cut_are_not_scored() -> None:
    def answers(*texts: str) -> list[Answer]:
        return [
            Answer((Message("user", f"Which {at}?"),), text, text != "cut", 3)
            for at, text in enumerate(texts)
        ]

    def by_length(prompts: list[str], responses: list[str]) -> list[float]:
        assert "cut" not in responses
        return [float(len(response)) for response in responses]

    models = {"base": ("cut", "one", "cut"), "SFT": ("two", "three", "four"), "DPO": ("cut",) * 3}
    stages = {name: Examined(None, (), (), answers(*texts), {}) for name, texts in models.items()}
    found = score_answers(ScoreJudge(FunctionReward(by_length)), stages, Reporter(quiet=True))
    assert {name: str(scores.scores.tolist()) for name, scores in found.items()} == {
        "base": "[nan, 3.0, nan]",
        "SFT": "[3.0, 5.0, 4.0]",
        "DPO": "[nan, nan, nan]",
    }


@pytest.mark.parametrize("road", ["dpo", "ppo"])
def test_a_run_of_a_quickstart_loads_by_its_folder(ran: Quickstart, road: str) -> None:
    backbone = heedful.load(str(ran.output / road))
    assert [Path(folder).parent.name for folder in backbone.lineage] == ["sft", road]


def test_quickstart_leaves_a_folder_in_use_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(RunError, match="not empty"):
        quickstart.run(tmp_path, Reporter(stream=io.StringIO()))
    assert quickstart.free_folder(tmp_path) == tmp_path.with_name(tmp_path.name + "-2")


def test_evaluate_compares_the_trained_policy_with_its_untrained_self(
    tiny_default: Path, tmp_path: Path
) -> None:
    backbone = heedful.load("smollm2-135m")
    pairs = heedful.read(data.path(HELD_OUT), limit=6)
    heedful.train.dpo(backbone, pairs, output=tmp_path / "run", max_steps=30, learning_rate=1e-2, quiet=True)
    found = evaluate(backbone, baseline=backbone, data=pairs, prompts=2, max_new_tokens=4, quiet=True)
    (implicit,) = [row for row in found.data.accuracy if row.label.startswith(IMPLICIT)]
    assert implicit.value > 0.6
    assert implicit.n == 6
    assert found.save(tmp_path / "out" / "report.html").exists()


def test_evaluate_on_demonstrations_shows_behaviour_and_no_accuracy(tmp_path: Path) -> None:
    one, other = tiny.backbone("llama"), tiny.backbone("llama", seed=1)
    demonstrations = heedful.read(data.path("everyday/demonstrations-held-out.jsonl"), limit=3)
    found = evaluate(one, baseline=other, data=demonstrations, max_new_tokens=4, quiet=True).data
    assert found.accuracy == []
    assert [behaviour.n for behaviour in found.behaviour.values()] == [3, 3]


def test_the_rulers_of_length_know_responses_as_they_were_before_they_were_cut() -> None:
    answer = "it is what it is " * 20
    sides = (heedful.Message("assistant", f"{name} {answer * n}") for name, n in (("short", 1), ("long", 2)))
    pair = heedful.Preference((heedful.Message("user", "What is it?"),), *((side,) for side in sides))
    one, other = tiny.backbone("llama"), tiny.backbone("llama", seed=1)
    found = evaluate(one, baseline=other, data=[pair], max_length=64, max_new_tokens=1, quiet=True).data
    assert {row.label: row.value for row in found.accuracy if row.stage == "ruler"} == {
        "Shorter wins": 1.0,
        "Longer wins": 0.0,
    }


def test_evaluate_without_usable_records_says_so() -> None:
    backbone: Backbone = tiny.backbone("llama")
    with pytest.raises(DataError, match="no preference and no demonstration and no prompt"):
        evaluate(backbone, baseline=backbone, data=[], quiet=True)
    with pytest.raises(DataError, match="nothing to compare"):
        evaluate(backbone, data=heedful.read(data.path(HELD_OUT), limit=1), quiet=True)


def test_rows_that_evaluation_leaves_out_are_counted_in_the_report() -> None:
    backbone = tiny.backbone("llama")
    pair = heedful.read(data.path(HELD_OUT), limit=1)[0]
    prompt = (heedful.Message("user", "Which?"),)
    same = heedful.Message("assistant", "the same start " * 400)
    cut_equal = heedful.Preference(
        prompt, (same,), (heedful.Message("assistant", same.content + "x"),), id="long"
    )
    thumb = heedful.Feedback(prompt, (heedful.Message("assistant", "Two."),), True, id="thumb")
    records = [pair, cut_equal, thumb]
    found = evaluate(
        backbone,
        baseline=tiny.backbone("llama", seed=1),
        data=records,
        max_length=64,
        max_new_tokens=2,
        quiet=True,
    ).data
    assert found.quarantine == {"equal_after_truncation": 1, "other_kind": 1}
    assert {row.n for row in found.accuracy} == {1}
