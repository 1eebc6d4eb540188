"""What the guard makes of a step, and what the loop makes of the guard."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.errors import TrainingStopped
from heedful.recipe import GuardSettings
from heedful.training.guard import Guard
from heedful.training.loop import Loop
from heedful.training.tracking import read_metrics
from tests.training import small

NAN = math.nan


def guard(**settings: Any) -> Guard:
    return Guard(**GuardSettings(**settings).model_dump())


def settled(**settings: Any) -> Guard:
    """A guard that has seen enough steps to know the usual gradient norm, 1."""
    found = guard(**settings)
    for _ in range(10):
        assert found.judge(1.0, 1.0).action == "go"
    return found


@pytest.mark.parametrize(
    ("loss", "norm", "says"),
    [
        (NAN, 1.0, "the loss is nan"),
        (math.inf, 1.0, "the loss is inf"),
        (1.0, NAN, "the gradient norm is nan"),
        (1.0, math.inf, "the gradient norm is inf"),
    ],
)
def test_what_is_not_finite_is_skipped(loss: float, norm: float, says: str) -> None:
    decision = guard().judge(loss, norm)
    assert (decision.action, decision.reason) == ("skip", says)


def test_a_gradient_many_times_the_median_is_skipped() -> None:
    decision = settled(max_grad_ratio=20.0).judge(1.0, 20.5)
    assert decision.action == "skip"
    assert decision.reason == "the gradient norm is 20.5, 20 times the usual 1"


def test_a_gradient_below_the_ratio_goes() -> None:
    assert settled(max_grad_ratio=20.0).judge(1.0, 19.9).action == "go"


def test_a_gradient_that_is_not_even_clipped_goes_however_small_the_usual_one() -> None:
    quiet = Guard(harmless=1.0, **GuardSettings().model_dump())
    for _ in range(10):
        quiet.judge(0.0, 1e-3)
    assert quiet.judge(0.0, 1.0).action == "go"
    assert quiet.judge(0.0, 1.1).action == "skip"


def test_steps_with_nothing_to_learn_say_nothing_of_the_usual_gradient() -> None:
    found = guard()
    for _ in range(20):
        found.judge(0.0, 0.0)
    assert [found.judge(1.0, 5.0).action for _ in range(10)] == ["go"] * 10
    assert found.judge(1.0, 5.0 * 21).action == "skip"


def test_the_first_steps_of_a_run_are_not_judged_against_each_other() -> None:
    young = guard(max_grad_ratio=2.0)
    assert [young.judge(1.0, norm).action for norm in (1.0, 100.0, 1.0, 1000.0)] == ["go"] * 4


def test_a_skipped_gradient_does_not_move_the_median() -> None:
    found = settled(max_grad_ratio=20.0, patience=100)
    assert {found.judge(1.0, 50.0).action for _ in range(60)} == {"skip"}


def test_patience_ends_in_going_back_with_a_lower_rate() -> None:
    found = guard(patience=3, lr_cut=0.5)
    assert [found.judge(NAN, 1.0).action for _ in range(3)] == ["skip", "skip", "rollback"]
    assert found.lr_scale == 0.5
    assert [found.judge(NAN, 1.0).action for _ in range(3)] == ["skip", "skip", "rollback"]
    assert found.lr_scale == 0.25


def test_a_good_step_gives_new_patience() -> None:
    found = guard(patience=2)
    actions = [found.judge(loss, 1.0).action for loss in (NAN, 1.0, NAN, 1.0, NAN)]
    assert actions == ["skip", "go", "skip", "go", "skip"]
    assert found.lr_scale == 1.0
    assert not found.calm


def test_after_a_bounded_number_of_returns_it_stops() -> None:
    found = guard(patience=1, max_rollbacks=2)
    assert [found.judge(NAN, 1.0).action for _ in range(3)] == ["rollback", "rollback", "stop"]


def test_state_goes_round_through_json() -> None:
    before, after = settled(patience=2, max_grad_ratio=20.0), guard(patience=2, max_grad_ratio=20.0)
    for _ in range(3):
        before.judge(NAN, 1.0)
    after.load_state(json.loads(json.dumps(before.state())))
    assert after.state() == before.state()
    assert (after.lr_scale, after.skipped, after.rollbacks, after.calm) == (0.5, 3, 1, False)
    # The one bad step and the median are remembered too.
    assert after.judge(1.0, 50.0).action == before.judge(1.0, 50.0).action == "rollback"


def spoilt_loop(
    folder: Path, spoilt: set[int], *, guard: GuardSettings | None = None, **settings: Any
) -> tuple[Loop, small.SpoiltStage]:
    """A loop over twelve rows, one pack and so one call a step; the loss is NaN at the `spoilt` calls."""
    stage = small.SpoiltStage(small.rows([1.0] * 12, responses=1), spoilt)
    return small.loop(stage, folder, guard=guard, **{"epochs": 1.0, "checkpoint_every": 2, **settings}), stage


def events(folder: Path) -> list[tuple[str, int]]:
    return [
        (line["event"], line["step"])
        for line in read_metrics(folder / "metrics.jsonl")
        if line["kind"] == "guard"
    ]


def weights(loop: Loop) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in loop.parameters.items()}


def test_a_bad_step_moves_no_weight(tmp_path: Path) -> None:
    loop, _ = spoilt_loop(tmp_path, {1}, max_steps=1)
    before = weights(loop)
    outcome = loop.fit(resume=False)
    assert outcome.skipped == 1
    assert all(torch.equal(after, before[name]) for name, after in weights(loop).items())


def test_a_bad_step_leaves_the_rest_of_the_run_alone(tmp_path: Path) -> None:
    loop, _ = spoilt_loop(tmp_path, {3})
    before = weights(loop)
    outcome = loop.fit(resume=False)
    assert (outcome.steps, outcome.skipped) == (6, 1)
    assert events(tmp_path) == [("skip", 3)]
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines if line["kind"] == "train"] == [1, 2, 4, 5, 6]
    assert all(bool(parameter.isfinite().all()) for parameter in loop.parameters.values())
    assert any(not torch.equal(after, before[name]) for name, after in weights(loop).items())


def test_bad_steps_in_a_row_go_back_to_the_last_good_checkpoint(tmp_path: Path) -> None:
    # Steps 1 to 3 are good; 4 and 5 are not, and 4 is when a checkpoint would be due.
    loop, stage = spoilt_loop(
        tmp_path, {4, 5}, guard=GuardSettings(patience=2, lr_cut=0.25), schedule="constant"
    )
    outcome = loop.fit(resume=False)
    assert events(tmp_path) == [("skip", 4), ("rollback", 2)]
    trained = [line for line in read_metrics(tmp_path / "metrics.jsonl") if line["kind"] == "train"]
    assert [line["step"] for line in trained] == [1, 2, 3, 3, 4, 5, 6]
    assert [line["learning_rate"] for line in trained] == pytest.approx([1e-3] * 3 + [0.25e-3] * 4)
    assert trained[3]["loss"] == pytest.approx(trained[2]["loss"], abs=1e-6), (
        "step 3 was done from other weights"
    )
    assert outcome.steps == 6
    assert stage.calls == 9


def test_it_stops_with_a_plain_explanation(tmp_path: Path) -> None:
    loop, _ = spoilt_loop(tmp_path, set(range(4, 100)), guard=GuardSettings(patience=2, max_rollbacks=2))
    with pytest.raises(TrainingStopped) as stopped:
        loop.fit(resume=False)
    message = str(stopped.value)
    assert (
        "training stopped at step 4: the loss is nan, 2 steps in a row, after going back 2 times." in message
    )
    assert "lower training.learning_rate" in message
    assert stopped.value.exit_code == 3
    assert events(tmp_path)[-1][0] == "stop"
    assert all(bool(parameter.isfinite().all()) for parameter in loop.parameters.values())
