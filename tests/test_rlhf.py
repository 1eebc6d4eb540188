"""RLHF whole: what follows from what, what is reused, and what is refused rather than written over."""

from __future__ import annotations

import importlib
import io
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import heedful
from heedful import formats, rlhf
from heedful.errors import (
    DataError,
    HeedfulError,
    Interrupted,
    RecipeError,
    RewardError,
    RunError,
    TrainingStopped,
)
from heedful.recipe import RLHFRecipe, load
from heedful.training import ppo, reward, sft
from heedful.training.ppo_updates import Updates
from heedful.training.reward import RewardStage
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter
from tests import tiny
from tests.training import small

STAGES = ("sft", "reward", "ppo")
REWARD = "def short(prompts, responses):\n    return [-len(text) for text in responses]\n"


def furnish(folder: Path) -> None:
    """A model, a file for each stage, and a reward."""
    tiny.save(folder / "model")
    formats.write(small.demonstrations(10), folder / "demos.jsonl")
    formats.write(small.pairs(12), folder / "pairs.jsonl")
    (folder / "my_rewards.py").write_text(REWARD)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with all that is needed."""
    monkeypatch.chdir(tmp_path)
    furnish(tmp_path)
    return tmp_path


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the models that are loaded from here on."""
    found: list[str] = []
    for name in ("heedful.training.weights", "heedful.models.rewards.build"):
        module = importlib.import_module(name)
        whole = module.load

        def counted(name: str, whole: Callable[..., Any] = whole, **options: Any) -> Any:
            found.append(name)
            return whole(name, **options)

        monkeypatch.setattr(module, "load", counted)
    return found


def recipe(*overrides: str, output: str = "out") -> RLHFRecipe:
    """Two quick steps of every stage."""
    common = ("data.eval_fraction=0.25", "training.batch_size=4", "training.max_steps=2", "lora.rank=2")
    asked = [
        "model.name=model",
        f"output={output}",
        "sft.data.train=demos.jsonl",
        "reward.data.train=pairs.jsonl",
        *(f"{stage}.{key}" for stage in STAGES for key in common),
        *(f"{stage}.training.checkpoint_every=1" for stage in STAGES),
        *(f"{stage}.training.learning_rate=1e-3" for stage in STAGES),
        "ppo.rollout.max_new_tokens=4",
    ]
    found = load(None, [*asked, *overrides], stage="rlhf")
    assert isinstance(found, RLHFRecipe)
    return found


def go(*overrides: str, output: str = "out", **options: Any) -> str:
    """Run it; what it said."""
    said = io.StringIO()
    rlhf.run(recipe(*overrides, output=output), reporter=Reporter(stream=said), **options)
    return said.getvalue()


def refused(kind: type[HeedfulError], *overrides: str, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        go(*overrides, **options)
    return str(caught.value)


def adapters(output: str = "out") -> dict[str, bytes]:
    files = {stage: Path(output, stage, "adapter", "adapter_model.safetensors") for stage in STAGES}
    return {stage: file.read_bytes() for stage, file in files.items() if file.exists()}


def stamps(folder: str) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


# ---- one after the other


def test_the_stages_follow_each_other_over_weights_that_are_loaded_once(work: Path, loads: list[str]) -> None:
    said = go()
    assert loads == ["model"]
    assert [line for line in said.splitlines() if line.startswith("Stage")] == [
        f"Stage {stage}: begins in out/{stage}." for stage in STAGES
    ]
    lineages = [RunFolder(Path("out", stage)).info()["model"]["lineage"] for stage in STAGES]
    assert lineages == [[], *[[str(work / "out" / "sft" / "adapter")]] * 2]


def test_shared_weights_teach_what_weights_loaded_by_each_stage_teach(work: Path) -> None:
    go()
    whole, infos = adapters(), [RunFolder(Path("out", stage)).info() for stage in STAGES]
    stages = rlhf.stages_of(recipe())
    shutil.rmtree("out")
    modules: dict[str, Any] = {"sft": sft, "reward": reward, "ppo": ppo}
    for name, stage in stages.items():
        modules[name].run(stage, reporter=small.QUIET)
    assert adapters() == whole
    for name, info in zip(STAGES, infos, strict=True):
        alone = RunFolder(Path("out", name)).info()
        assert alone["fingerprints"] == info["fingerprints"]
        assert alone["model"] == info["model"]


def test_ppo_asks_the_reward_models_prompts(work: Path) -> None:
    go()
    fingerprint = {stage: RunFolder(Path("out", stage)).info()["counts"] for stage in STAGES}
    assert fingerprint["ppo"]["read"]["pairs.jsonl"] == fingerprint["reward"]["read"]["pairs.jsonl"]
    for rows in ("train", "held_out"):
        assert fingerprint["ppo"][rows]["kept"] == fingerprint["reward"][rows]["kept"]


def test_without_sft_the_others_start_from_the_model_as_it_is(work: Path, loads: list[str]) -> None:
    go("sft=null")
    assert loads == ["model"]
    assert not Path("out/sft").exists()
    for stage in ("reward", "ppo"):
        info = RunFolder(Path("out", stage)).info()["model"]
        assert (info["name"], info["lineage"]) == ("model", [])


def test_without_a_reward_model_a_function_scores(work: Path) -> None:
    go("reward=null", "ppo.reward=[{function: 'my_rewards.py:short'}]", "ppo.data.train=pairs.jsonl")
    assert not Path("out/reward").exists()
    assert RunFolder(Path("out/ppo")).info()["status"] == "finished"


def test_further_rewards_are_added_to_the_reward_models(work: Path) -> None:
    stages = rlhf.stages_of(recipe("ppo.reward=[{function: 'my_rewards.py:short', weight: 0.5}]"))
    found: Any = stages["ppo"]
    assert [(source.model, source.function) for source in found.reward] == [
        (os.path.join("out", "reward"), None),
        (None, "my_rewards.py:short"),
    ]


@pytest.mark.parametrize("full", [("sft",), ("reward",), STAGES])
def test_stages_that_train_every_weight(work: Path, loads: list[str], full: tuple[str, ...]) -> None:
    keys = [f"{stage}.training.method=full" for stage in full]
    go(*keys)
    for stage in STAGES:
        assert Path("out", stage, "merged" if stage in full else "adapter").is_dir()
    assert RunFolder(Path("out/ppo")).info()["model"]["lineage"] == (
        [] if "sft" in full else [str(work / "out" / "sft" / "adapter")]
    )
    del loads[:]
    go(*keys)
    assert loads == []


# ---- reuse


def test_a_second_call_loads_and_writes_nothing(work: Path, loads: list[str]) -> None:
    first = rlhf.run(recipe(), reporter=small.QUIET)
    before = stamps("out")
    del loads[:]
    again = rlhf.run(recipe(), reporter=small.QUIET)
    assert loads == []
    assert again == first
    assert {path: stamp for path, stamp in stamps("out").items() if path.parent != Path("out")} == {
        path: stamp for path, stamp in before.items() if path.parent != Path("out")
    }
    assert go().splitlines() == [
        f"Stage {stage}: nothing has changed, out/{stage} is reused." for stage in STAGES
    ]


def test_what_a_run_only_writes_or_shows_may_change(work: Path) -> None:
    go()
    assert "begins" not in go("sft.training.log_every=5", "ppo.training.keep_checkpoints=1")


def test_another_key_of_ppo_is_refused_and_with_its_run_moved_away_only_ppo_runs(
    work: Path, loads: list[str]
) -> None:
    go()
    before, kept = adapters(), stamps("out/ppo")
    message = refused(RunError, "ppo.objective.beta=0.5")
    assert message == (
        "out/ppo: stage ppo: the run was started with objective.beta = 0.05, and now it is 0.5. "
        "Choose another output=FOLDER, or set aside what is there with --redo ppo."
    )
    assert stamps("out/ppo") == kept

    Path("out/ppo").rename("ppo-before")
    del loads[:]
    said = go("ppo.objective.beta=0.5")
    assert [line for line in said.splitlines() if line.startswith("Stage")] == [
        "Stage sft: nothing has changed, out/sft is reused.",
        "Stage reward: nothing has changed, out/reward is reused.",
        "Stage ppo: begins in out/ppo.",
    ]
    assert loads == [os.path.join("out", "sft")]
    after = adapters()
    assert (after["sft"], after["reward"]) == (before["sft"], before["reward"])
    assert RunFolder(Path("out/ppo")).info()["recipe"]["objective.beta"] == 0.5


def test_a_stage_that_is_made_again_the_same_keeps_what_was_built_on_it(work: Path) -> None:
    go()
    before = adapters()
    shutil.rmtree("out/sft")
    said = go()
    assert "Stage sft: begins" in said
    assert "out/reward is reused" in said
    assert "out/ppo is reused" in said
    assert adapters() == before


def test_a_stage_that_is_made_anew_takes_what_was_built_on_it_out_of_use(work: Path) -> None:
    go()
    shutil.rmtree("out/sft")
    message = refused(RunError, "sft.training.seed=1")
    assert "out/reward: stage reward: what model.name names has changed since the run was started" in message
    assert message.endswith("set aside what is there with --redo reward.")


def test_what_has_changed_is_named(work: Path) -> None:
    formats.write(small.pairs(3, seed=1), "held-out.jsonl")
    formats.write(small.pairs(5, seed=2), "other-pairs.jsonl")
    formats.write(small.demonstrations(5), "other-demos.jsonl")
    tiny.save(Path("other-model"), seed=1)
    Path("other_rewards.py").write_text(REWARD.replace("-len", "len"))
    keys = ("reward.data.eval=held-out.jsonl", "ppo.reward=[{function: 'my_rewards.py:short'}]")
    go(*keys)
    kept = stamps("out")
    for file, other, stage, key in (
        ("demos.jsonl", "other-demos.jsonl", "sft", "data.train"),
        ("pairs.jsonl", "other-pairs.jsonl", "reward", "data.train"),
        ("held-out.jsonl", "other-pairs.jsonl", "reward", "data.eval"),
        ("my_rewards.py", "other_rewards.py", "ppo", "reward.1.function"),
        ("model/model.safetensors", "other-model/model.safetensors", "sft", "model.name"),
    ):
        before = Path(file).read_bytes()
        shutil.copy(other, file)
        message = refused(RunError, *keys)
        what = f"stage {stage}: what {key} names has changed since the run was started."
        assert f"out/{stage}: {what}" in message
        Path(file).write_bytes(before)
    assert stamps("out") == kept
    assert go(*keys).count("nothing has changed") == len(STAGES)


def test_a_run_that_does_not_say_what_it_was_made_from_is_not_trusted(work: Path) -> None:
    stages = rlhf.stages_of(recipe())
    assert isinstance(stages["sft"], heedful.recipe.SFTRecipe)
    Path("out").mkdir()
    Path("out/recipe.yaml").touch()
    sft.run(stages["sft"], reporter=small.QUIET)
    assert "stage sft: what data.train names has changed" in refused(RunError)


# ---- stopped half-way


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("whole"))
        furnish(Path())
        go()
        return adapters()


@pytest.fixture
def whole(uninterrupted: dict[str, bytes], work: Path) -> dict[str, bytes]:
    """What a pipeline in a folder like this one comes to, when nothing happens to it."""
    return uninterrupted


def at_call(number: int, of: Any, do: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name = of
    function, calls = getattr(owner, name), [0]

    def counted(*args: Any, **keywords: Any) -> Any:
        calls[0] += 1
        if calls[0] == number:
            do()
        return function(*args, **keywords)

    monkeypatch.setattr(owner, name, counted)


class Crash(Exception):
    pass


def crash() -> None:
    raise Crash


# Calls of the loss: the held-out rows before the first step, a step, a second step.
@pytest.mark.parametrize(
    ("stage", "of", "number"),
    [("sft", "SFTStage", 3), ("reward", "RewardStage", 3), ("ppo", "Updates", 2)],
)
def test_what_crashed_goes_on_where_it_was(
    whole: dict[str, bytes], stage: str, of: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = {"SFTStage": sft.SFTStage, "RewardStage": RewardStage, "Updates": Updates}[of]
    with monkeypatch.context() as patched:
        at_call(number, (owner, "__call__" if of == "Updates" else "loss"), crash, patched)
        with pytest.raises(Crash):
            go()
    begun = [name for name in STAGES if Path("out", name).exists()]
    assert begun == list(STAGES[: STAGES.index(stage) + 1])
    said = go(resume=True)
    for name in begun[:-1]:
        assert f"Stage {name}: nothing has changed" in said
    assert f"Stage {stage}: goes on in out/{stage}." in said
    assert "Resuming at step 1 of 2." in said
    assert adapters() == whole


def test_a_reward_that_failed_is_mended_and_the_run_goes_on(work: Path) -> None:
    source = "ppo.reward=[{function: 'my_rewards.py:short'}]"
    # Asked for the held-out prompts, for the first iteration, and no further.
    failing = f"calls = []\n{REWARD.replace('[-len', 'calls.append(1) or len(calls) < 3 and [-len')}"
    Path("my_rewards.py").write_text(failing)
    message = refused(RewardError, source)
    assert "a list of numbers was expected, not bool" in message
    assert message.endswith("Resume with: heedful rlhf out/recipe.yaml --resume")
    Path("my_rewards.py").write_text(REWARD)
    assert "Resuming at step 1 of 2." in go(source)
    Path("my_rewards.py").write_text(REWARD + "\n")
    assert "stage ppo: what reward.1.function names has changed" in refused(RunError, source)


def test_ctrl_c_names_the_command_that_goes_on(
    whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        ask = lambda: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
        at_call(2, (RewardStage, "loss"), ask, patched)
        message = refused(Interrupted)
    assert message.endswith("Resume with: heedful rlhf out/recipe.yaml --resume")
    kept = load("out/recipe.yaml", stage="rlhf")
    assert kept == recipe()
    go(resume=True)
    assert adapters() == whole


def test_a_stage_that_the_guard_stopped_is_not_taken_for_finished(
    whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = ("sft.guard.patience=1", "sft.guard.max_rollbacks=0")
    with monkeypatch.context() as patched:
        patched.setattr(sft, "SFTStage", lambda rows: small.SpoiltStage(rows, {2}))
        assert "holds the weights of step 1 of 2" in refused(TrainingStopped, *hasty)
    assert adapters().keys() == {"sft"}
    assert "Stage sft: goes on in out/sft." in go(*hasty)
    assert adapters() == whole


def test_an_unfinished_stage_does_not_go_on_with_another_recipe(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        at_call(3, (RewardStage, "loss"), crash, patched)
        with pytest.raises(Crash):
            go()
    assert "stage reward: the run was started with lora.rank = 2" in refused(RunError, "reward.lora.rank=3")


# ---- before anything is trained


@pytest.mark.parametrize(
    ("kind", "override", "words"),
    [
        (DataError, "reward.data.train=pears.jsonl", "no such file. Did you mean"),
        (
            RecipeError,
            "ppo.data.max_length=4",
            "ppo.data.max_length: 4 new tokens leave no room for a prompt",
        ),
        (RewardError, "ppo.reward=[{function: 'my_rewards.py:long'}]", "it has no function long"),
    ],
)
def test_a_later_stages_mistake_is_found_before_the_first_one_begins(
    work: Path, kind: type[HeedfulError], override: str, words: str
) -> None:
    assert words in refused(kind, override)
    assert not Path("out").exists()


def test_folders_that_hold_something_else_are_left_alone(work: Path) -> None:
    Path("file").touch()
    Path("mine").mkdir()
    Path("mine/notes.txt").touch()
    stages = rlhf.stages_of(recipe())
    assert isinstance(stages["sft"], heedful.recipe.SFTRecipe)
    sft.run(stages["sft"], reporter=small.QUIET)
    for output, words in (
        ("file", "this is a file, not a folder"),
        ("mine", "the output folder is not empty"),
        ("out/sft", "the output folder holds a run of one stage"),
    ):
        assert words in refused(RunError, output=output)
    assert os.listdir("mine") == ["notes.txt"]


def test_there_must_be_something_to_resume(work: Path) -> None:
    assert "there is nothing to resume. Start it without --resume." in refused(RunError, resume=True)


# ---- a plan


def test_a_plan_says_what_each_stage_would_do_and_writes_nothing(work: Path, loads: list[str]) -> None:
    before = stamps(".")
    described = rlhf.describe(recipe())
    assert [line for line in described.splitlines() if line.startswith("Plan")] == [
        f"Plan ({stage})" for stage in STAGES
    ]
    assert loads == []
    assert stamps(".") == before
    go()
    shutil.rmtree("out/ppo")
    assert rlhf.describe(recipe()).split("\n\n")[:2] == [
        f"Stage {stage}: nothing has changed, out/{stage} would be reused." for stage in ("sft", "reward")
    ]
    assert "Plan (ppo)" in rlhf.describe(recipe())
    shutil.rmtree("out/sft")
    unsure = "out/reward would be reused, if the stages before it come out as they did."
    assert unsure in rlhf.describe(recipe())


# ---- from Python


def test_records_from_python_are_told_apart_by_what_they_say(work: Path) -> None:
    quick = {"max_steps": 2, "batch_size": 4, "rank": 2}

    def train(**changed: Any) -> Any:
        return heedful.train.rlhf(
            "model",
            sft={"data": "demos.jsonl", **quick},
            reward={"data": small.pairs(8), "held_out": small.pairs(2, seed=1), **quick, **changed},
            ppo={"max_new_tokens": 4, "beta": 0.1, **quick},
            output="out",
            quiet=True,
        )

    runs = train()
    assert list(runs) == list(STAGES)
    assert runs["ppo"].run == Path("out/ppo")
    assert RunFolder(Path("out/ppo")).info()["counts"]["train"]["kept"] == 8
    assert train() == runs
    with pytest.raises(RunError, match=r"stage reward: what data\.train names has changed"):
        train(data=small.pairs(8, seed=3))
    with pytest.raises(RunError, match=r"stage reward: what data\.eval names has changed"):
        train(held_out=small.pairs(2, seed=3))


def test_no_command_is_named_that_would_miss_the_records_from_python(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = lambda: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
    at_call(2, (sft.SFTStage, "loss"), ask, monkeypatch)
    own = {"data": small.demonstrations(6), "batch_size": 2}
    with pytest.raises(Interrupted, match=r"Run it again with resume=True\.$"):
        heedful.train.rlhf("model", sft=own, reward={"data": "pairs.jsonl"}, ppo={}, output="out", quiet=True)


def test_a_misspelt_key_from_python_is_sent_to_its_stage(work: Path) -> None:
    with pytest.raises(RecipeError, match=r"heedful\.train\.rlhf, ppo: unknown key bta"):
        heedful.train.rlhf(
            "model", sft=None, reward={"data": "pairs.jsonl"}, ppo={"bta": 0.1}, output="out", quiet=True
        )
