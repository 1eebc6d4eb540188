"""Resume is exact: a run killed at any moment and resumed ends bit for bit where a whole one ends."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.errors import RunError
from heedful.records import Demonstration, Ranking, Rating, assistant, user
from heedful.training import checkpoint
from heedful.training.job import Given
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import read_metrics
from tests import tiny
from tests.integration import victim
from tests.training import small

# Fresh processes without the seconds it takes to import torch: they are forked off one that has.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(
    ["tests.integration.victim", "peft", "transformers.models.llama.modeling_llama"]
)

COMMON: dict[str, Any] = {"batch_size": 3, "epochs": 4.0, "checkpoint_every": 3, "eval_every": 5}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "dpo": ("dpo", {**COMMON, "dropout": 0.2}),
    "sft": ("sft", {**COMMON, "dropout": 0.2}),
    "full": ("sft", {**COMMON, "method": "full"}),
    "reward": ("reward", COMMON),
    "ppo": (
        "ppo",
        {**COMMON, "max_steps": None, "epochs": 4.0, "kl_target": 1.0, "kl_horizon": 50.0, "scale": True},
    ),
}
STEPS = 24
KILLS = {"dpo": 4, "sft": 3, "full": 3, "reward": 2, "ppo": 4}
PATIENCE_SECONDS = 60.0
MOMENT_SECONDS = 0.03
TIMES = ("seconds", "tokens_per_second")

_CATS = (assistant("a cat"),), (assistant("two cats"),)
RANKED = (Ranking((user("what is it?"),), _CATS, (1, 2)), Rating((user("what is it?"),), _CATS[0], 4.5))


def start(name: str, folder: Path, die: tuple[str, int] | None = None) -> BaseProcess:
    stage, settings = RUNS[name]
    process = PROCESSES.Process(target=victim.run, args=(stage, str(folder), settings, die))
    process.start()
    return process


def finish(process: BaseProcess) -> int | None:
    process.join(PATIENCE_SECONDS)
    return process.exitcode


def lines(folder: Path) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    return read_metrics(path) if path.exists() else []


def strike(process: BaseProcess, folder: Path, at: int, moment: float, number: signal.Signals) -> bool:
    """Send a signal a moment after step `at` is in the log; whether it came in time."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.is_alive() and time.monotonic() < deadline:
        if any(line["step"] >= at for line in lines(folder)):
            time.sleep(moment)
            assert process.pid is not None
            os.kill(process.pid, number)
            break
        time.sleep(0.001)
    return finish(process) == (-number if number == signal.SIGKILL else 130)


def result(folder: Path) -> bytes:
    files = ("adapter/adapter_model.safetensors", "merged/model.safetensors")
    (file,) = (folder / name for name in files if (folder / name).exists())
    return file.read_bytes()


def log(folder: Path) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in line.items() if key.partition("/")[0] not in TIMES}
        for line in lines(folder)
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """An uninterrupted run of each name, made once."""
    made: dict[str, Path] = {}

    def run(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name) / "run"
            assert finish(start(name, made[name])) == 0
        return made[name]

    return run


def assert_same(folder: Path, whole: Path) -> None:
    trained = [line["step"] for line in lines(folder) if line["kind"] == "train"]
    assert trained == list(range(1, STEPS + 1)), "not every step is in the log exactly once"
    assert log(folder) == log(whole)
    assert result(folder) == result(whole)
    assert RunFolder(folder).info()["evaluation"] == RunFolder(whole).info()["evaluation"]
    assert not list(folder.rglob(".part-*"))


@pytest.mark.parametrize("name", RUNS)
def test_killed_at_random_moments_it_ends_where_it_would_have(
    name: str, whole: Callable[[str], Path], tmp_path: Path
) -> None:
    expected, folder = whole(name), tmp_path / "run"
    chance = random.Random(f"moments of {name}")
    killed = 0
    for at in sorted(chance.sample(range(1, STEPS - 2), KILLS[name])):
        killed += strike(start(name, folder), folder, at, chance.uniform(0, MOMENT_SECONDS), signal.SIGKILL)
    assert killed >= KILLS[name] - 1, "the run was over before it could be killed"
    assert finish(start(name, folder)) == 0
    assert_same(folder, expected)


def test_interrupted_by_a_signal_it_ends_where_it_would_have(
    whole: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    for at, number in ((4, signal.SIGINT), (11, signal.SIGTERM)):
        assert strike(start("dpo", folder), folder, at, 0.0, number)
        newest = checkpoint.newest(folder / "checkpoints")
        assert newest is not None
        assert newest.name == f"step-{lines(folder)[-1]['step']:06d}", "the step's work was lost"
        assert RunFolder(folder).info()["status"] == "interrupted"
    assert finish(start("dpo", folder)) == 0
    assert_same(folder, whole("dpo"))


# Checkpoints are written after steps 0, 3 and 6: two calls of torch.save and one renaming each, and one more
# renaming where an old one is put aside.
@pytest.mark.parametrize(
    ("die", "left"),
    [
        (("torch_save", 5), "step-000003"),  # only the weights of step 6 are written
        (("torch_save", 6), "step-000003"),  # the optimiser's state too
        (("rename", 3), "step-000003"),  # all is written and nothing is named
        (("remove", 1), "step-000006"),  # named, with one too many beside it
        (("rename", 4), "step-000006"),
    ],
)
def test_killed_while_a_checkpoint_is_written_the_older_one_stands(
    die: tuple[str, int], left: str, whole: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    assert finish(start("sft", folder, die)) == -signal.SIGKILL
    newest = checkpoint.newest(folder / "checkpoints")
    assert newest is not None
    assert newest.name == left
    assert checkpoint.load(newest).state["step"] == int(left[-6:])
    assert finish(start("sft", folder)) == 0
    assert_same(folder, whole("sft"))


@pytest.mark.parametrize(
    "die", [("generate", 9), ("reward", 12), ("judge", 20), ("update", 30), ("update", 33)]
)
def test_ppo_killed_in_the_middle_of_an_iteration_makes_it_again(
    die: tuple[str, int], whole: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    assert finish(start("ppo", folder, die)) == -signal.SIGKILL
    assert 0 < max(line["step"] for line in lines(folder)) < STEPS
    assert finish(start("ppo", folder)) == 0
    assert_same(folder, whole("ppo"))


def test_killed_before_the_first_checkpoint_it_starts_again(
    whole: Callable[[str], Path], tmp_path: Path
) -> None:
    assert finish(start("sft", tmp_path / "run", ("torch_save", 1))) == -signal.SIGKILL
    assert checkpoint.newest(tmp_path / "run" / "checkpoints") is None
    assert finish(start("sft", tmp_path / "run")) == 0
    assert_same(tmp_path / "run", whole("sft"))


def test_a_finished_run_resumed_is_the_same_run(whole: Callable[[str], Path], tmp_path: Path) -> None:
    for _ in range(2):
        assert finish(start("sft", tmp_path / "run")) == 0
    assert_same(tmp_path / "run", whole("sft"))


@pytest.mark.slow
def test_interpreters_that_order_their_sets_otherwise_agree(tmp_path: Path) -> None:
    def python(seed: str, folder: Path, die: tuple[str, int] | None) -> int:
        given = json.dumps({"stage": "dpo", "folder": str(folder), "settings": RUNS["dpo"][1], "die": die})
        environment = {**os.environ, "PYTHONHASHSEED": seed, "HEEDFUL_CACHE": str(tmp_path / "cache")}
        return subprocess.run(
            [sys.executable, "-m", "tests.integration.victim", given],
            env=environment,
            cwd=Path(__file__).parents[2],
        ).returncode

    assert python("1", tmp_path / "whole", None) == 0
    assert python("2", tmp_path / "killed", ("torch_save", 6)) == -signal.SIGKILL
    assert python("3", tmp_path / "killed", None) == 0
    assert_same(tmp_path / "killed", tmp_path / "whole")


class TestChanges:
    """What a run was started with is what it goes on with."""

    @pytest.fixture
    def started(self, tmp_path: Path) -> Path:
        small.train("sft", tmp_path / "run", given=self.given())
        return tmp_path / "run"

    @staticmethod
    def given(**changed: Any) -> Given:
        records = small.demonstrations(10)
        return Given(
            changed.get("train", records[:8]),
            changed.get("held_out", records[8:]),
            changed.get("backbone", tiny.backbone()),
        )

    def resume(self, folder: Path, given: Given, **settings: Any) -> str:
        with pytest.raises(RunError) as error:
            small.train("sft", folder, given=given, resume=True, **settings)
        return str(error.value)

    def test_another_word(self, started: Path) -> None:
        records = small.demonstrations(8)
        first = records[0]
        records[0] = Demonstration(
            first.prompt, small.demonstrations(8, seed=9)[0].response, first.weight, first.id
        )
        assert "what data.train names has changed" in self.resume(started, self.given(train=records))

    def test_another_weight(self, started: Path) -> None:
        records = small.demonstrations(8)
        first = records[0]
        records[0] = Demonstration(first.prompt, first.response, first.weight * 3, first.id)
        assert "what data.train names has changed" in self.resume(started, self.given(train=records))

    def test_another_order(self, started: Path) -> None:
        records = small.demonstrations(8)
        assert "data.train" in self.resume(started, self.given(train=[*records[1:], records[0]]))

    def test_other_rows_to_judge_by(self, started: Path) -> None:
        assert "data.eval" in self.resume(started, self.given(held_out=small.demonstrations(2, seed=5)))

    def test_other_weights(self, started: Path) -> None:
        assert "model.name" in self.resume(started, self.given(backbone=tiny.backbone(seed=1)))

    def test_another_recipe(self, started: Path) -> None:
        said = self.resume(started, self.given(), learning_rate=0.5)
        assert "started with training.learning_rate = 0.001, and now it is 0.5" in said

    @pytest.mark.parametrize(
        "changed",
        [
            {"probability": 0.7},
            {"margin": 0.5},
            {"ranks": (2, 1)},
            {"score": 1.5},
        ],
    )
    def test_another_label(self, changed: dict[str, Any], tmp_path: Path) -> None:
        """A reward model learns from more than tokens."""
        records: list[Any] = [*small.pairs(4), *RANKED]
        small.train("reward", tmp_path / "run", given=Given(records, None, tiny.backbone()))
        at = next(i for i, record in enumerate(records) if hasattr(record, next(iter(changed))))
        records[at] = replace(records[at], **changed)
        with pytest.raises(RunError, match=r"what data\.train names has changed"):
            small.train("reward", tmp_path / "run", given=Given(records, None, tiny.backbone()), resume=True)

    def test_a_label_that_is_not_learned_from_may_change(self, tmp_path: Path) -> None:
        records = small.pairs(4)
        small.train("dpo", tmp_path / "run", given=Given(records, None, tiny.backbone()))
        records[0] = replace(records[0], margin=0.5)
        given = Given(records, None, tiny.backbone())
        assert small.train("dpo", tmp_path / "run", given=given, resume=True).steps == 1
        records[0] = replace(records[0], probability=0.9)
        with pytest.raises(RunError, match=r"what data\.train names has changed"):
            small.train("dpo", tmp_path / "run", given=Given(records, None, tiny.backbone()), resume=True)

    def test_fingerprints_of_rows_without_labels_stay_as_they_were(self, tmp_path: Path) -> None:
        given = Given(small.pairs(4), None, tiny.backbone())
        runs = [
            RunFolder(small.train(stage, tmp_path / stage, given=given).run) for stage in ("dpo", "reward")
        ]
        dpo, reward = (run.info()["fingerprints"]["data.train"] for run in runs)
        assert dpo == reward

    def test_a_refused_resumption_spoils_nothing(self, started: Path) -> None:
        before = result(started), log(started)
        self.resume(started, self.given(backbone=tiny.backbone(seed=1)))
        small.train("sft", started, given=self.given(), resume=True)
        assert (result(started), log(started)) == before
        assert RunFolder(started).info()["status"] == "finished"


def test_a_damaged_checkpoint_is_said_and_the_one_before_it_serves(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    settings = {"checkpoint_every": 1, "dropout": 0.2}
    small.train("sft", folder, **settings)
    before = result(folder), log(folder)
    newest = folder / "checkpoints" / "step-000003"
    (newest / "optimizer.pt").write_bytes(b"")
    with pytest.raises(
        RunError, match=r"step-000003: the checkpoint cannot be read.*Remove this folder.*step-000002"
    ):
        small.train("sft", folder, resume=True, **settings)
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    small.train("sft", folder, resume=True, **settings)
    assert (result(folder), log(folder)) == before


def test_a_log_that_was_lost_does_not_stop_the_run(tmp_path: Path) -> None:
    small.train("sft", tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").unlink()
    small.train("sft", tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == b""


def test_randomness_outside_the_run_does_not_reach_it(tmp_path: Path) -> None:
    torch.manual_seed(1)
    small.train("sft", tmp_path / "a", dropout=0.2)
    torch.manual_seed(2)
    small.train("sft", tmp_path / "b", dropout=0.2)
    assert result(tmp_path / "a") == result(tmp_path / "b")
