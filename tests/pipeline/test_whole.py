"""A pipeline from end to end: what comes out, and what is said before anything is trained."""

from __future__ import annotations

import io
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from heedful import pipeline
from heedful.errors import DataError, HeedfulError, Interrupted
from heedful.pipeline import stages
from heedful.training import weights
from heedful.training.run_folder import RunFolder
from heedful.training.sft import SFTStage
from heedful.training.tracking import Reporter
from tests import pipelines
from tests.pipelines import go, refused


def test_every_stage_leaves_a_folder_and_the_report_shows_every_model(finished: Path) -> None:
    assert {path.name for path in (finished / "out").iterdir()} == {
        ".lock",
        "recipe.yaml",
        *("import", "split", "sft", "dpo", "evaluate", "report"),
    }
    page = (finished / "out/report/report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    found = json.loads((finished / "out/report/summary.json").read_text(encoding="utf-8"))
    assert [model["name"] for model in found["models"]] == ["base", "SFT", "DPO"]
    assert list(found["behaviour"]) == ["base", "SFT", "DPO"]
    assert found["prompts"] == {"held_out": 4, "asked": 2}
    dpo = RunFolder(finished / "out/dpo").info()
    assert dpo["model"]["lineage"] == [str(finished / "out/sft/adapter")]
    assert dpo["counts"]["train"]["kept"] + dpo["counts"]["held_out"]["kept"] == 16


def test_a_second_call_loads_and_writes_nothing(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: pipelines.stamps(done / "out" / name) for name in ("sft", "dpo", "evaluate", "report")}
    monkeypatch.setattr(weights, "load", lambda *_, **__: pytest.fail("a model was loaded"))
    said = io.StringIO()
    assert pipeline.run(pipelines.recipe(), reporter=Reporter(stream=said)) == []
    assert {name: pipelines.stamps(done / "out" / name) for name in before} == before
    assert said.getvalue().splitlines() == [
        f"Stage {name}: nothing has changed, out/{name} is reused."
        for name in ("import", "split", "sft", "dpo", "evaluate", "report")
    ]


@pytest.mark.slow
def test_both_roads_from_one_sft_with_judges_and_a_reward(work: Path) -> None:
    Path("judge.py").write_text("def longer(p, a, b):\n    return 'first' if len(a) > len(b) else 'tie'\n")
    go("evaluate.judges=[{function: 'judge.py:longer'}]", stages=pipelines.STAGES)
    recipe = pipelines.recipe("evaluate.judges=[{function: 'judge.py:longer'}]", stages=pipelines.STAGES)
    page = pipeline.findings_of(recipe)
    assert page.stages == ["base", "SFT", "DPO", "PPO"]
    assert page.origins == {"SFT": "base", "DPO": "SFT", "PPO": "SFT"}
    assert [(one.model, one.baseline) for one in page.comparisons] == [
        ("DPO", "SFT"),
        ("PPO", "SFT"),
        ("PPO", "DPO"),
        ("SFT", "base"),
    ]
    assert len(page.examples) == 4 * 2
    assert list(page.diversity) == page.stages
    assert {name: len(own) for name, own in page.scores["Reward model"].items()} == dict.fromkeys(
        page.stages, 2
    )
    assert {curve.title.split(":")[0] for curve in page.curves} == {"SFT", "DPO", "Reward model", "PPO"}
    assert page.facts["Method"] == (
        "SFT (LoRA rank 2); over it DPO (LoRA rank 2), a reward model (LoRA rank 2), PPO (LoRA rank 2)"
    )
    assert page.facts["Data"] == (
        "12 of 14 demonstrations for SFT; 12 of 14 preferences for DPO; "
        "12 of 14 preferences for a reward model; 12 answers in PPO; 4 held out"
    )


@pytest.mark.slow
def test_stages_that_train_every_weight(work: Path) -> None:
    full = ("sft.training.method=full", "dpo.training.method=full")
    assert go(*full) == ["import", "split", "sft", "dpo", "evaluate", "report"]
    for name in ("sft", "dpo"):
        assert Path("out", name, "merged").is_dir()
    assert pipeline.findings_of(pipelines.recipe(*full)).stages == ["base", "SFT", "DPO"]
    assert go(*full) == []


@pytest.mark.slow
def test_without_sft_dpo_starts_from_the_model_as_it_is(work: Path) -> None:
    assert go("data.demonstrations=null", stages=("dpo",)) == ["import", "split", "dpo", "evaluate", "report"]
    assert RunFolder(Path("out/dpo")).info()["model"]["name"] == "model"


def test_a_dry_run_shows_every_stage_and_writes_nothing(work: Path) -> None:
    before = pipelines.stamps(work)
    told = pipeline.describe(pipelines.recipe("check=error", "readiness=check", stages=pipelines.STAGES))
    assert [line for line in told.splitlines() if line.startswith(("Stage", "Plan"))] == [
        "Stage import: would begin in out/import.",
        "Stage check: would begin in out/check.",
        "Stage split: would begin in out/split.",
        "Stage sft: would begin in out/sft.",
        "Plan (sft)",
        "Stage readiness: would begin in out/readiness.",
        "Stage dpo: would begin in out/dpo.",
        "Plan (dpo)",
        "Stage reward: would begin in out/reward.",
        "Plan (reward)",
        "Stage ppo: would begin in out/ppo.",
        "Plan (ppo)",
        "Stage evaluate: would begin in out/evaluate: base, SFT, DPO, PPO answer at most 2 prompts, "
        "up to 4 tokens.",
        "Stage report: would begin in out/report.",
    ]
    assert {path: stamp for path, stamp in pipelines.stamps(work).items() if "cache" not in path} == before


def test_a_dry_run_knows_what_is_there(done: Path) -> None:
    before = pipelines.stamps(done)
    told = pipeline.describe(pipelines.recipe("dpo.objective.beta=0.5"), redo=("dpo",)).splitlines()
    assert told[:3] == [
        f"Stage {name}: nothing has changed, out/{name} would be reused."
        for name in ("import", "split", "sft")
    ]
    assert "Stage dpo: would begin in out/dpo." in told
    unsure = "would be reused, if the stages before it come out as they did."
    assert told[-2:] == [
        f"Stage {name}: nothing has changed, out/{name} {unsure}" for name in ("evaluate", "report")
    ]
    assert pipelines.stamps(done) == before


def test_mistakes_of_later_stages_are_found_before_the_first(work: Path) -> None:
    own = {"stages": ("sft", "ppo")}
    for overrides, words in (
        (["ppo.reward=[{function: 'none.py:f'}]"], "none.py"),
        (
            ["ppo.reward=[{length: 1}]", "ppo.data.max_length=4"],
            "ppo.data.max_length: 4 new tokens leave no room",
        ),
        (
            ["ppo.reward=[{length: 1}]", "ppo.lora.dropout=0.1"],
            "ppo.lora.dropout: with dropout the policy is not",
        ),
    ):
        assert words in refused(*overrides, kind=HeedfulError, **own)
        assert not Path("out").exists()


def test_two_at_once_do_not_get_in_each_others_way(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner: list[str] = []

    def again(*_: Any, **__: Any) -> None:
        inner.append(refused())

    monkeypatch.setattr(stages.incoming, "bring_in", again)
    with pytest.raises(DataError):
        go()
    assert inner == [
        "out: another run is at work in this folder. Wait for it, or choose another output=FOLDER."
    ]


def test_ctrl_c_names_the_command_that_goes_on(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        loss, calls = SFTStage.loss, [0]

        def interrupted(*args: Any) -> Any:
            calls[0] += 1
            if calls[0] == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return loss(*args)

        patched.setattr(SFTStage, "loss", interrupted)
        message = refused(stages=("sft",), kind=Interrupted)
    assert message.endswith("Resume with: heedful run out/recipe.yaml")
    assert go(stages=("sft",)) == ["sft", "evaluate", "report"]


def test_folders_that_hold_something_else_are_left_alone(work: Path) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").touch()
    assert "mine: the output folder is not empty." in refused("output=mine")
    assert [path.name for path in Path("mine").iterdir()] == ["notes.txt"]
