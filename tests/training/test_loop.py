"""The order of the rows, interruption, evaluation and what goes into the log."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from heedful.errors import Interrupted
from heedful.training.averages import evaluate
from heedful.training.interrupt import Interrupt
from heedful.training.loop import batch
from heedful.training.sft import SFTStage
from heedful.training.tracking import read_metrics
from tests.training import small


def epoch(number: int, rows: int, batch_size: int, seed: int) -> list[int]:
    steps = -(-rows // batch_size)
    return [row for step in range(steps) for row in batch(number * steps + step, rows, batch_size, seed)]


def test_every_row_comes_once_an_epoch() -> None:
    for number in range(3):
        assert sorted(epoch(number, 11, 4, seed=0)) == list(range(11))


def test_epochs_and_seeds_have_their_own_order() -> None:
    orders = [tuple(epoch(number, 50, 4, seed)) for number in range(3) for seed in range(3)]
    assert len(set(orders)) == 9


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    wanted = batch(5, 50, 4, seed=3)
    torch.manual_seed(123)
    batch(1, 50, 4, seed=1)
    assert batch(5, 50, 4, seed=3) == wanted


def test_a_batch_draws_nothing_from_the_common_randomness() -> None:
    before = torch.get_rng_state()
    batch(5, 50, 4, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_last_batch_of_an_epoch_is_what_is_left() -> None:
    assert [len(batch(step, 11, 4, seed=0)) for step in range(4)] == [4, 4, 3, 4]


def test_evaluation_uses_no_dropout_and_draws_no_randomness(tmp_path: Path) -> None:
    stage = SFTStage(small.rows([1.0, 2.0, 1.0], responses=1))
    backbone = small.adapted(dropout=0.5)
    backbone.model.train()
    loop = small.loop(stage, tmp_path, backbone=backbone)
    before = torch.get_rng_state()
    found = [evaluate(stage, loop.scorer, loop.settings, small.QUIET, backbone.device) for _ in range(2)]
    assert found[0] == found[1]
    assert torch.equal(torch.get_rng_state(), before)
    assert backbone.model.training, "training went on without dropout"
    plain = small.loop(stage, tmp_path / "plain", backbone=small.adapted())
    expected, _, _ = plain.backward(range(3))
    assert found[0]["loss"] == pytest.approx(expected, abs=1e-5)


def test_evaluation_comes_before_every_so_often_and_at_the_end(tmp_path: Path) -> None:
    stage = SFTStage(small.rows([1.0] * 10, responses=1))
    loop = small.loop(stage, tmp_path, held_out=SFTStage(stage.rows), eval_every=2)
    outcome = loop.fit(resume=False)
    judged = [line for line in read_metrics(tmp_path / "metrics.jsonl") if line["kind"] == "eval"]
    assert [line["step"] for line in judged] == [0, 2, 4, 5]
    assert judged[-1]["loss"] < judged[0]["loss"]
    assert outcome.evaluation == {key: judged[-1][key] for key in ("loss", "rows", "nll")}


def test_log_every_thins_the_log_and_keeps_the_last_step(tmp_path: Path) -> None:
    loop = small.loop(SFTStage(small.rows([1.0] * 10, responses=1)), tmp_path, log_every=3)
    loop.fit(resume=False)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines] == [3, 5]
    assert lines[-1]["epoch"] == pytest.approx(1.0)
    assert {"loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "nll"} <= lines[0].keys()


class InterruptingStage(SFTStage):
    """SFT during whose third loss somebody presses Ctrl-C."""

    calls = 0

    def loss(self, logps, packed, members):  # type: ignore[no-untyped-def]
        self.calls += 1
        if self.calls == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return super().loss(logps, packed, members)


def test_ctrl_c_finishes_the_step_and_its_checkpoint(tmp_path: Path) -> None:
    loop = small.loop(InterruptingStage(small.rows([1.0] * 12, responses=1)), tmp_path)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted) as stopped:
        loop.fit(resume=False)
    assert str(stopped.value).endswith(
        "interrupted at step 3 of 6; the checkpoint is written. Resume with: again"
    )
    assert stopped.value.exit_code == 130
    assert (tmp_path / "checkpoints" / "step-000003" / "state.json").exists()
    assert signal.getsignal(signal.SIGINT) is handler


class SpoiltThenInterrupted(InterruptingStage):
    """The loss of the step that is interrupted is NaN."""

    def loss(self, logps, packed, members):  # type: ignore[no-untyped-def]
        total, metrics = super().loss(logps, packed, members)
        return (total * float("nan") if self.calls == 3 else total), metrics


def test_ctrl_c_in_a_bad_step_names_the_checkpoint_before_it(tmp_path: Path) -> None:
    stage = SpoiltThenInterrupted(small.rows([1.0] * 12, responses=1))
    loop = small.loop(stage, tmp_path, checkpoint_every=2)
    said = r"interrupted at step 3 of 6; the newest checkpoint is that of step 2\. Resume with: again$"
    with pytest.raises(Interrupted, match=said):
        loop.fit(resume=False)


def test_a_second_ctrl_c_insists() -> None:
    # A shell has its background commands ignore Ctrl-C, and these tests may be one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
            assert interrupt.asked
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
