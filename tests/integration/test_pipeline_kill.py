"""A pipeline that is killed in any of its stages and run again comes to what a whole one comes to."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from heedful.training.folder_stage import RECORD
from heedful.training.tracking import read_metrics
from tests import pipelines
from tests.integration import pipeline_victim

# Fresh processes without the seconds it takes to import torch: they are forked off one that has.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["tests.integration.pipeline_victim", "peft", "transformers.models.llama.modeling_llama"]
)
PATIENCE_SECONDS = 150.0

# All there is, and the gate before DPO, which a model that can do its task passes.
STAGES = (
    "import",
    "check",
    "split",
    "sft",
    "readiness",
    "dpo",
    "reward",
    "ppo",
    "evaluate",
    "report",
)
ALL = [
    "model.name=model",
    "output=out",
    "data.demonstrations.train=demos.jsonl",
    "data.preferences.train=pairs.jsonl",
    "split.near=null",
    "evaluate.prompts=2",
    "evaluate.max_new_tokens=4",
    *pipelines.keys(*pipelines.STAGES),
]
# What is quick enough to be killed each time that tests run.
SHORT = [key for key in ALL if not key.startswith(("data.preferences", "dpo", "reward", "ppo"))]

# In which stage a process dies, where, and at which call. A checkpoint is two calls of torch.save, one comes
# before the first step, and the process that dies in the reward model's has DPO's last two to write before.
KILLS = [
    ("import", "records", 2),
    ("check", "page of a check", 2),
    ("split", "account of the split", 1),
    ("sft", "checkpoint", 5),
    ("readiness", "verdict on readiness", 1),
    ("dpo", "checkpoint", 6),
    ("reward", "checkpoint", 9),
    ("reward", "report of a reward model", 1),
    ("ppo", "checkpoint", 5),
    ("evaluate", "a model's answers", 3),
    ("report", "report", 1),
]


@dataclass(frozen=True)
class Whole:
    """A pipeline that nothing happened to, and the folder it was run in."""

    folder: Path
    results: dict[str, bytes]


def start(folder: Path, recipe: list[str], log: str, die: tuple[str, int] | None = None) -> BaseProcess:
    process = PROCESSES.Process(target=pipeline_victim.run, args=(str(folder), recipe, log, die))
    process.start()
    return process


def finish(process: BaseProcess) -> int | None:
    process.join(PATIENCE_SECONDS)
    return process.exitcode


def numbers(output: Path) -> dict[str, object]:
    """What the report says, without when it was made."""
    found = json.loads((output / "report" / "summary.json").read_text(encoding="utf-8"))
    return {key: value for key, value in found.items() if key != "at"}


def log_of(folder: Path, name: str) -> list[str]:
    text = (folder / name).read_text(encoding="utf-8")
    return re.findall(r"^Stage (\w+): (nothing|goes|begins)", text, re.MULTILINE)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Of all stages."""
    folder = tmp_path_factory.mktemp("whole")
    pipelines.furnish(folder)
    shutil.rmtree(folder / "model")
    pipelines.make_able(folder / "model")
    assert finish(start(folder, ALL, "whole.log")) == 0
    return Whole(folder, pipelines.results(folder / "out"))


@pytest.fixture
def again(whole: Whole, tmp_path: Path) -> Path:
    """A folder with the same model and data, and no output yet."""
    folder = tmp_path / "work"
    shutil.copytree(whole.folder, folder, ignore=shutil.ignore_patterns("out", "cache", "*.log"))
    return folder


def assert_same(output: Path, whole: Whole) -> None:
    found = pipelines.results(output)
    assert found.keys() == whole.results.keys()
    assert [path for path in found if found[path] != whole.results[path]] == []
    assert numbers(output) == numbers(whole.folder / "out")
    assert not list(output.glob(".*.part"))


def finished(output: Path) -> list[str]:
    """The stages that are finished, by their folders."""
    found = []
    for name in STAGES:
        run = output / name / "run.json"
        if run.exists():
            done = json.loads(run.read_text(encoding="utf-8")).get("done", False)
        else:
            done = (output / name / RECORD).exists()
        found += [name] if done else []
    return found


def test_killed_in_the_middle_of_training_it_goes_on_there(tmp_path: Path) -> None:
    for name in ("whole", "work"):
        (tmp_path / name).mkdir()
        pipelines.furnish(tmp_path / name)
    assert finish(start(tmp_path / "whole", SHORT, "log")) == 0
    folder, output = tmp_path / "work", tmp_path / "work" / "out"
    assert finish(start(folder, SHORT, "first.log", ("checkpoint", 5))) == -signal.SIGKILL
    assert finished(output) == ["import", "check", "split"]
    kept = {name: pipelines.stamps(output / name) for name in finished(output)}
    assert finish(start(folder, SHORT, "second.log", ("a model's answers", 2))) == -signal.SIGKILL
    assert "Resuming at step 1 of 3." in (folder / "second.log").read_text(encoding="utf-8")
    assert finish(start(folder, SHORT, "third.log")) == 0
    assert_same(output, Whole(tmp_path / "whole", pipelines.results(tmp_path / "whole" / "out")))
    assert {name: pipelines.stamps(output / name) for name in kept} == kept
    assert [log_of(folder, f"{name}.log")[3:] for name in ("first", "second", "third")] == [
        [("sft", "begins")],
        [("sft", "goes"), ("evaluate", "begins")],
        [("sft", "nothing"), ("evaluate", "goes"), ("report", "begins")],
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_in_every_stage_it_comes_to_the_same_and_repeats_no_finished_stage(
    whole: Whole, again: Path
) -> None:
    output = again / "out"
    for number, (stage, place, call) in enumerate(KILLS):
        before = finished(output)
        kept = {name: pipelines.stamps(output / name) for name in before}
        log = f"{number}.log"
        assert finish(start(again, ALL, log, (place, call))) == -signal.SIGKILL, (stage, place)
        assert stage not in finished(output)
        assert finished(output)[: STAGES.index(stage)] == list(STAGES[: STAGES.index(stage)])
        assert {name: pipelines.stamps(output / name) for name in before} == kept
        assert [name for name, how in log_of(again, log) if how == "nothing"] == before
    before = finished(output)
    kept = {name: pipelines.stamps(output / name) for name in before}
    assert finish(start(again, ALL, "last.log")) == 0
    assert {name: pipelines.stamps(output / name) for name in before} == kept
    assert_same(output, whole)
    for name in pipelines.STAGES:
        steps = [
            line["step"] for line in read_metrics(output / name / "metrics.jsonl") if line["kind"] == "train"
        ]
        assert steps == [1, 2, 3], name


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_from_outside_while_a_stage_shows_progress(whole: Whole, again: Path) -> None:
    output = again / "out"
    for stage in ("sft", "dpo", "reward", "ppo"):
        process = start(again, ALL, f"{stage}.log")
        metrics = output / stage / "metrics.jsonl"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.is_alive() and time.monotonic() < deadline:
            if metrics.exists() and any(line["step"] >= 1 for line in read_metrics(metrics)):
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.001)
        assert finish(process) == -signal.SIGKILL
    assert finish(start(again, ALL, "last.log")) == 0
    assert_same(output, whole)
