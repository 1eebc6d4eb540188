"""A run's metrics become the curves of its stage."""

from __future__ import annotations

from typing import Any

from heedful.report.curves import training_curves


def line(kind: str, step: int, **numbers: Any) -> dict[str, Any]:
    return {"kind": kind, "step": step, **numbers}


def test_a_reward_model_shows_loss_accuracy_and_margin() -> None:
    numbers = {"loss": 0.7, "accuracy": 0.5, "scores/margin": 0.1}
    metrics = [
        line("eval", 0, **numbers),
        line("train", 1, **numbers),
        line("guard", 1, event="skip"),
        line("train", 2, **(numbers | {"loss": 0.3})),
    ]
    curves = training_curves("reward", metrics)
    assert [curve.title for curve in curves] == [
        "Reward model: loss",
        "Reward model: pairs told apart",
        "Reward model: chosen above rejected",
    ]
    assert curves[0].series == {"training": [(1.0, 0.7), (2.0, 0.3)], "held out": [(0.0, 0.7)]}
    assert curves[2].series["held out"] == [(0.0, 0.1)]


def test_ratings_show_how_far_they_are_missed() -> None:
    (loss, error) = training_curves("reward", [line("train", 1, loss=4.0, error=2.0)])
    assert loss.series == {"training": [(1.0, 4.0)]}
    assert (error.title, error.series) == (
        "Reward model: distance from the rating",
        {"training": [(1.0, 2.0)]},
    )


def test_ppo_shows_reward_kl_entropy_and_length_by_iteration() -> None:
    numbers = {
        "reward": 0.5,
        "reward/q10": -1.0,
        "reward/q90": 2.0,
        "kl": 0.1,
        "entropy": 2.5,
        "length": 50.0,
    }
    held_out = {"reward": 0.4, "kl": 0.0, "entropy": 2.6, "length": 51.0}
    curves = training_curves("ppo", [line("eval", 0, **held_out), line("train", 1, **numbers)])
    assert {curve.title: curve.series["held out"] for curve in curves} == {
        "PPO: reward": [(0.0, 0.4)],
        "PPO: KL from the reference": [(0.0, 0.0)],
        "PPO: entropy": [(0.0, 2.6)],
        "PPO: length of the answers": [(0.0, 51.0)],
    }
    assert {curve.x_label for curve in curves} == {"iteration"}
    assert curves[0].series["lowest tenth below"] == [(1.0, -1.0)]
    assert curves[0].series["mean"] == [(1.0, 0.5)]
