"""A pipeline whole: what is reused, what is refused and how to go on, the gates, and what comes out."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

import heedful
from heedful import formats, pipeline
from heedful.advise.readiness import Readiness
from heedful.errors import DataError, HeedfulError, Interrupted, RecipeError, RunError
from heedful.models.catalog import resolve
from heedful.pipeline import incoming, ready, stages
from heedful.quarantine import Quarantined
from heedful.records import Demonstration, Preference, user
from heedful.training import run_stage, weights
from heedful.training.run_folder import RunFolder
from heedful.training.sft import SFTStage
from heedful.training.tracking import Reporter
from tests import pipelines
from tests.training import small


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model and data, and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "cache"))
    pipelines.furnish(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a finished pipeline of SFT and DPO in it."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("HEEDFUL_CACHE", str(folder / "cache"))
        pipelines.furnish(folder)
        pipeline.run(pipelines.recipe(), reporter=small.QUIET)
    return folder


@pytest.fixture
def done(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder like `finished`, to spoil."""
    folder = tmp_path / "work"
    shutil.copytree(finished, folder, copy_function=shutil.copy2)
    for config in folder.rglob("adapter_config.json"):  # which name their base by its path
        config.write_text(config.read_text().replace(str(finished), str(folder)))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HEEDFUL_CACHE", str(folder / "cache"))
    return folder


def go(*overrides: str, redo: tuple[str, ...] = (), **options: Any) -> list[str]:
    """Run it; which stages were run."""
    return pipeline.run(pipelines.recipe(*overrides, **options), redo=redo, reporter=small.QUIET)


def refused(*overrides: str, kind: type[HeedfulError] = RunError, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        go(*overrides, **options)
    return str(caught.value)


def prepare(*overrides: str) -> None:
    """The stages before any training, into `out`."""
    recipe = pipelines.recipe(*overrides)
    for name in ("import", "split"):
        Path("out", name).mkdir(parents=True)
    incoming.bring_in(recipe, Path("out/import"), small.QUIET)
    incoming.part(recipe, Path("out/import"), Path("out/split"), small.QUIET)


def base_of(run: str) -> str:
    config = json.loads(Path(run, "adapter", "adapter_config.json").read_text(encoding="utf-8"))
    return str(config["base_model_name_or_path"])


# ---- from end to end


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
        ("SFT", "base"),
        ("DPO", "SFT"),
        ("PPO", "SFT"),
        ("PPO", "DPO"),
    ]
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


# ---- what has changed


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


# ---- gates


def test_a_model_that_is_not_ready_is_not_aligned_unless_told_to(work: Path) -> None:
    message = refused("readiness=check")
    assert message.startswith("stage readiness: out/sft cannot do the task well enough to be aligned: 0%")
    assert "of its own answers end by themselves within 32 tokens; at least 80% should" in message
    assert message.endswith("Give SFT more to learn from, or align it all the same with readiness=skip.")
    assert not Path("out/dpo").exists()
    # It is known now, and said at once.
    before = pipelines.stamps(work / "out")
    assert refused("readiness=check") == message
    assert pipelines.stamps(work / "out") == before
    assert go() == ["dpo", "evaluate", "report"]


def test_a_model_that_is_ready_is_aligned(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def check(model: Any, records: list[Any], **options: Any) -> Any:
        asked.append((model.name, [type(one) for one in records], options["max_length"]))
        return Readiness(())

    monkeypatch.setattr(ready, "check_readiness", check)
    assert go("readiness=check", "dpo.data.max_length=99")[2:4] == ["sft", "readiness"]
    # On what is held out, which SFT has not seen.
    assert asked == [("out/sft", [Preference, Preference, Demonstration, Demonstration], 99)]


@pytest.mark.slow
def test_without_sft_the_model_itself_has_to_be_ready(work: Path) -> None:
    message = refused("readiness=check", "data.demonstrations=null", stages=("dpo",))
    assert message.startswith("stage readiness: model cannot do the task")
    assert message.endswith("Show it the task first, by sft, or align it all the same with readiness=skip.")


def test_sft_alone_passes_no_gate(work: Path) -> None:
    assert "readiness" not in go("readiness=check", stages=("sft",))


def test_data_that_are_not_clean_are_refused_and_shown(work: Path) -> None:
    clean = pipelines.pairs(16)
    broken = Preference(clean[0].prompt, clean[0].rejected, clean[0].chosen, id="turned")
    formats.write([*clean, broken], "pairs.jsonl")
    message = refused("check=error", kind=DataError)
    assert message.startswith("data.preferences: the data are not clean. error: ")
    assert "See out/check/preferences.html; mend the data, or train all the same with check=off." in message
    assert Path("out/check/preferences.html").exists()
    assert not Path("out/sft").exists()
    assert refused("check=error", kind=DataError) == message


# ---- data


def test_a_prompt_is_never_learned_from_and_judged_by_in_whatever_file_it_stands(work: Path) -> None:
    # Demonstrations and pairs share prompts, and the pairs bring rows to judge by.
    shared = pipelines.pairs(16, seed=0)
    formats.write(shared, "pairs.jsonl")
    formats.write(shared[:3], "held.jsonl")
    prepare("data.preferences.eval=held.jsonl")
    learned, judged = set[Any](), set[Any]()
    for path in Path("out/split").glob("*.jsonl"):
        if path.name != incoming.LEFT_OUT:
            side = judged if "held-out" in path.name else learned
            side |= {record.prompt for record in formats.read(path)}
    assert {pair.prompt for pair in shared[:3]} <= judged
    assert not learned & judged
    counts = json.loads(Path("out/split/counts.json").read_text())
    assert counts["preferences-train"] == {
        "read": 16,
        "kept": counts["preferences-train"]["rows"],
        "quarantined": {incoming.HELD_OUT: 16 - counts["preferences-train"]["rows"]},
        "rows": counts["preferences-train"]["rows"],
    }
    left_out = Path("out/split/left-out.jsonl").read_text().splitlines()
    assert len(left_out) == counts["preferences-train"]["quarantined"][incoming.HELD_OUT] >= 3


def test_near_prompts_stay_on_one_side(work: Path) -> None:
    words = "please tell me in a few words what the weather in the north of the country is like in early may"
    demos = [
        Demonstration((user(f"{words} of {year}?"),), pipelines.ANSWER, id=str(year))
        for year in range(2000, 2010)
    ]
    formats.write([*demos, *pipelines.demonstrations(10)], "demos.jsonl")
    prepare("split.near=0.8")
    sides = {
        name: {record.id for record in formats.read(f"out/split/demonstrations-{name}.jsonl")}
        for name in ("train", "held-out")
    }
    of_the_weather = {demo.id for demo in demos}
    assert of_the_weather <= sides["train"] or of_the_weather <= sides["held-out"]


def test_pairs_are_made_of_ratings_as_they_are_imported(work: Path) -> None:
    rows = [
        {"prompt": f"What is {n}?", "response": reply, "score": score}
        for n in range(16)
        for reply, score in (("a cat", 5), ("a dog", 1))
    ]
    Path("ratings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prepare("data.preferences.train=ratings.jsonl")
    made = formats.read("out/import/preferences-train.jsonl")
    assert len(made) == 16
    assert {pair.chosen for pair in made} == {pipelines.ANSWER}
    assert json.loads(Path("out/import/counts.json").read_text())["preferences-train"]["read"] == 32


def test_data_without_what_a_stage_needs_are_refused_before_anything_is_trained(work: Path) -> None:
    for overrides, words in (
        (
            ["data.preferences.train=demos.jsonl"],
            "nothing in it that can be taken for preferences (16 read, 0 kept",
        ),
        (["data.demonstrations.train=pairs.jsonl"], "nothing in it that can be taken for demonstrations"),
        (["data.preferences.train=pears.jsonl"], "no such file. Did you mean"),
        (["data.preferences.train=heedful:everyday/none.jsonl"], "Heedful ships no data named"),
    ):
        assert words in refused(*overrides, kind=DataError)
        assert not Path("out/split").exists()
        shutil.rmtree("out", ignore_errors=True)


def test_too_few_prompts_to_hold_any_out_are_said(work: Path) -> None:
    formats.write(pipelines.demonstrations(1) * 3, "demos.jsonl")
    with pytest.raises(DataError, match=r"data\.demonstrations: of 3 records none can be held out"):
        prepare()


def test_what_is_left_out_is_kept_with_its_reason(work: Path) -> None:
    mixed = [*pipelines.demonstrations(12), *pipelines.pairs(2)]
    formats.write(mixed, "demos.jsonl")
    prepare()
    rows = [json.loads(line) for line in Path("out/import/left-out.jsonl").read_text().splitlines()]
    assert [row["reason"] for row in rows] == ["other_kind"] * 2
    assert set(rows[0]) == set(Quarantined.__slots__)


# ---- before anything is trained


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
