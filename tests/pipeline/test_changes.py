"""What has changed since: refused where it counts, and made anew with just what follows from it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import heedful
from heedful import formats
from heedful.errors import RecipeError
from heedful.models.catalog import resolve
from heedful.pipeline import stages
from heedful.training import run_stage
from tests import pipelines
from tests.pipelines import base_of, go, refused


@pytest.mark.parametrize(
    ("override", "stage", "words"),
    [
        (
            "data.preferences.limit=12",
            "import",
            "it was made with data.preferences.limit = None, and now that is 12.",
        ),
        ("data.preferences.pairs.ties=drop", "import", "data.preferences.pairs.ties = 'keep'"),
        ("data.preferences.eval=pairs.jsonl", "import", "data.preferences.has_eval = False"),
        ("split.seed=1", "split", "it was made with split.seed = 0, and now that is 1."),
        ("sft.lora.rank=3", "sft", "the run was started with lora.rank = 2, and now it is 3."),
        (
            "dpo.objective.beta=0.5",
            "dpo",
            "the run was started with objective.beta = 0.1, and now it is 0.5.",
        ),
        ("dpo.data.judge=false", "dpo", "the run was started with data.eval = 'out/split/pref"),
        ("evaluate.prompts=3", "evaluate", "it was made with evaluate.prompts = 2, and now that is 3."),
        ("report.title=Mine", "report", "it was made with report.title = 'What came of the training', and"),
    ],
)
def test_another_setting_is_refused_where_it_counts_and_nothing_is_written(
    done: Path, override: str, stage: str, words: str
) -> None:
    before = pipelines.stamps(done / "out")
    message = refused(override)
    assert message.startswith(f"out/{stage}: stage {stage}: ")
    assert words in message
    assert message.endswith(f" Choose another output=FOLDER, or set aside what is there with --redo {stage}.")
    assert pipelines.stamps(done / "out") == before


@pytest.mark.parametrize(
    ("override", "redo", "again"),
    [
        ("report.title=Mine", "report", ["report"]),
        ("evaluate.prompts=3", "evaluate", ["evaluate", "report"]),
        ("dpo.objective.beta=0.5", "dpo", ["dpo", "evaluate", "report"]),
        ("split.held_out=0.2", "split", ["split", "sft", "dpo", "evaluate", "report"]),
    ],
)
def test_a_stage_is_made_anew_with_just_what_comes_out_otherwise_for_it(
    done: Path, override: str, redo: str, again: list[str]
) -> None:
    before = {name: pipelines.stamps(done / "out" / name) for name in ("import", "split", "sft", "dpo")}
    assert go(override, redo=(redo,)) == again
    assert {path.name for path in Path("out/set-aside-1").iterdir()} == set(again)
    for name in before.keys() - set(again):
        assert pipelines.stamps(done / "out" / name) == before[name]
    assert go(override) == []


def test_a_stage_less_or_a_judge_that_says_otherwise_is_another_evaluation(done: Path) -> None:
    assert "stage evaluate: it was made with stages = ['sft', 'dpo'], and now" in refused("dpo=null")
    judge = ("evaluate.judges=[{function: 'judge.py:judge'}]",)
    Path("judge.py").write_text("def judge(prompt, first, second):\n    return 'tie'\n")
    assert go(*judge, redo=("evaluate",)) == ["evaluate", "report"]
    Path("judge.py").write_text("def judge(prompt, first, second):\n    return 'first'\n")
    assert "stage evaluate: what evaluate.judges.0 names has changed since it was made." in refused(*judge)


def test_other_preferences_leave_sft_as_it_is(done: Path) -> None:
    sft = pipelines.stamps(done / "out/sft")
    formats.write(pipelines.pairs(20), "pairs.jsonl")
    message = refused()
    assert "stage import: what data.preferences.train names has changed since it was made." in message
    assert go(redo=("import",)) == ["import", "split", "dpo", "evaluate", "report"]
    assert pipelines.stamps(done / "out/sft") == sft


def test_another_name_for_the_same_data_changes_nothing(done: Path) -> None:
    Path("pairs.jsonl").rename("renamed.jsonl")
    assert go("data.preferences.train=renamed.jsonl") == []


def test_another_version_of_the_code_is_another_result(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(stages.CODE, "split", 2)
    words = "stage split: it is of version 1 of how it is computed, and now that is 2."
    assert words in refused()
    monkeypatch.setitem(stages.CODE, "split", 1)
    monkeypatch.setitem(run_stage.CODE, "dpo", 2)
    words = "stage dpo: the run is of version 1 of how dpo is computed, and now that is 2."
    assert words in refused()
    # It comes to the same, and what was built on it stays.
    assert go(redo=("dpo",)) == ["dpo"]
    assert go() == []


def test_what_is_only_written_or_shown_may_change(done: Path) -> None:
    assert go("sft.training.log_every=2", "dpo.training.keep_checkpoints=1") == []


@pytest.mark.slow
def test_runs_that_are_set_aside_load_as_what_they_were(done: Path) -> None:
    old = heedful.load("out/dpo").fingerprint("policy")
    go("sft.training.seed=5", redo=("sft",))
    assert base_of("out/set-aside-1/dpo") == str(done / "out/set-aside-1/sft/adapter")
    assert base_of("out/dpo") == str(done / "out/sft/adapter")
    assert heedful.load("out/set-aside-1/dpo").fingerprint("policy") == old
    assert heedful.load("out/dpo").fingerprint("policy") != old
    # And once more, past what lies there.
    go("sft.training.seed=6", redo=("sft",))
    assert resolve("out/set-aside-1/dpo").folded == (done / "out/set-aside-1/sft/adapter",)
    assert resolve("out/set-aside-2/dpo").folded == (done / "out/set-aside-2/sft/adapter",)


def test_what_is_made_anew_the_same_may_be_thrown_away_where_it_was_set_aside(done: Path) -> None:
    dpo = heedful.load("out/dpo").fingerprint("policy")
    assert go(redo=("sft",)) == ["sft"]
    assert base_of("out/dpo") == str(done / "out/sft/adapter")
    shutil.rmtree("out/set-aside-1")
    assert heedful.load("out/dpo").fingerprint("policy") == dpo
    assert go() == []


@pytest.mark.slow
def test_a_redo_that_was_cut_short_goes_on_and_is_not_begun_again(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(Exception):
        pass

    def crash(*_: Any, **__: Any) -> None:
        raise Crash

    other = ("sft.training.seed=5",)
    with monkeypatch.context() as patched:
        patched.setattr(stages.evaluate, "evaluate", crash)
        with pytest.raises(Crash):
            go(*other, redo=("sft",))
    trained = {name: pipelines.stamps(done / "out" / name) for name in ("sft", "dpo")}
    # With the option or without: what was asked is known.
    with monkeypatch.context() as patched:
        patched.setattr(stages.report, "write_report", crash)
        with pytest.raises(Crash):
            go(*other, redo=("sft",))
    assert go(*other) == ["report"]
    assert {name: pipelines.stamps(done / "out" / name) for name in trained} == trained
    assert [path.name for path in Path("out").glob("set-aside-*")] == ["set-aside-1"]
    assert not Path("out/redo.json").exists()


def test_a_stage_that_there_is_not_cannot_be_made_anew(work: Path) -> None:
    message = refused(redo=("ppo",), kind=RecipeError)
    assert message.startswith("--redo: there is no stage ppo in this recipe. Its stages: import, split, sft,")
