"""What can go wrong in a PPO run: rewards, policies, single updates and recipes; and what is made of it."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from heedful import formats
from heedful.errors import RecipeError, RewardError, TrainingStopped
from heedful.models.rewards import HttpReward
from heedful.records import Demonstration, assistant, user
from heedful.training import ppo, ppo_loop, ppo_updates, rollout
from heedful.training.job import Given
from heedful.training.ppo_scores import Shaping
from heedful.training.ppo_watch import Watch
from heedful.training.run_folder import RunFolder
from tests import tiny
from tests.training import small
from tests.training.ppo_runs import PROMPTS, events, lines, told, train


def raising(responses: list[str]) -> list[float]:
    raise KeyError("gone")


def nobody_there(responses: list[str]) -> list[float]:
    prompts = [(user("a"),)] * len(responses)
    return HttpReward("http://127.0.0.1:1/score", retries=0)(prompts, responses)


def noisy(prompts: list[str], responses: list[str]) -> list[float]:
    """Asks for randomness, which a resumed run has to find as it was."""
    return [score + 0.1 * float(torch.rand(())) for score in small.cats(prompts, responses)]


# With held-out prompts the reward is asked at steps 0, 2 and 4 too: the fifth call scores iteration 3, the
# fourth the held-out prompts after iteration 2.
@pytest.mark.parametrize(
    ("spoilt", "said", "call"),
    [
        (lambda responses: [float("nan")] * len(responses), "nan", 5),
        (lambda responses: [1.0] * (len(responses) + 1), "scores for", 5),
        (raising, "failed with KeyError", 5),
        (nobody_there, "connection failed", 5),
        (raising, "failed with KeyError", 4),
    ],
)
def test_a_reward_that_fails_stops_the_run_and_loses_nothing(
    spoilt: Any, said: str, call: int, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {"checkpoint_every": 5, "eval_every": 2, "max_steps": 5, "scale": True}
    calls = [0]

    def reward(prompts: list[str], responses: list[str]) -> list[float]:
        calls[0] += 1
        scores = noisy(prompts, responses)
        return spoilt(responses) if calls[0] >= call else scores

    for name, prompts in (("train", PROMPTS[:8]), ("eval", PROMPTS[8:])):
        formats.write(prompts, tmp_path / f"{name}.jsonl")
        settings[name] = str(tmp_path / f"{name}.jsonl")

    def given() -> Given:
        return Given(backbone=tiny.backbone())

    # A command could read the prompts, but has no such reward.
    saved = "after iteration 2 of 5 is saved. Run it again with resume=True.$"
    with pytest.raises(RewardError, match=rf"(?s){said}.*{saved}"):
        train(tmp_path / "run", reward, given=given(), **settings)
    resumed = train(tmp_path / "run", noisy, given=given(), resume=True, **settings)
    whole = train(tmp_path / "whole", noisy, given=given(), **settings)
    assert told(resumed) == told(whole)
    assert resumed.evaluation == whole.evaluation
    files = [one.run / "adapter" / "adapter_model.safetensors" for one in (resumed, whole)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_reward_that_fails_at_once_leaves_no_run_in_the_way(tmp_path: Path) -> None:
    given = Given(PROMPTS[:8], PROMPTS[8:], tiny.backbone())
    with pytest.raises(RewardError, match=r'response: "[^\n]*"$'):
        train(tmp_path / "run", lambda prompts, responses: [float("nan")] * len(responses), given=given)
    assert train(tmp_path / "run", given=given, beta=0.2).steps == 3


def test_a_policy_other_than_the_one_that_sampled_is_noticed_before_it_learns(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    judged = rollout.score_tokens
    monkeypatch.setattr(rollout, "score_tokens", lambda *given, **options: judged(*given, **options) - 0.1)
    with pytest.raises(TrainingStopped, match="differs from the one that sampled"):
        train(tmp_path / "run")


def test_a_run_away_policy_goes_back_with_a_stronger_pull_and_then_stops(tmp_path: Path) -> None:
    settings = {
        "max_kl": 1e-6,
        "bad_iterations": 1,
        "max_rollbacks": 2,
        "max_steps": 20,
        "learning_rate": 1e-2,
    }
    stopped = r"run away from the reference.*after going back 2 times.*higher objective\.beta"
    with pytest.raises(TrainingStopped, match=stopped):
        train(tmp_path / "run", beta=0.1, **settings)
    told = events(tmp_path / "run")
    assert [line["event"] for line in told] == ["rollback", "rollback", "stop"]
    conceded = [line["reason"].partition("back to step 0, ")[2] for line in told[:2]]
    assert conceded == ["learning rate × 0.5, beta 0.2", "learning rate × 0.25, beta 0.4"]


def test_a_reward_that_is_earned_late_for_the_first_time_is_no_trouble(tmp_path: Path) -> None:
    calls = [0]

    def late(prompts: list[str], responses: list[str]) -> list[float]:
        calls[0] += 1
        return [float(calls[0] > 7 and number == 0) for number in range(len(responses))]

    assert train(tmp_path / "run", late, max_steps=10, minibatches=2).steps == 10
    assert events(tmp_path / "run") == []


def test_a_policy_that_was_undone_is_not_kept_as_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Held-out answers score best while the watch sees trouble, and the run goes back."""
    judge, calls = Watch.judge, [0]

    def bad(watch: Watch, numbers: dict[str, float]) -> Any:
        calls[0] += 1
        return judge(watch, {**numbers, "kl": 99.0} if calls[0] in (2, 3) else numbers)

    def reward(prompts: list[str], responses: list[str]) -> list[float]:
        return [float(calls[0] == 2)] * len(responses)

    monkeypatch.setattr(Watch, "judge", bad)
    given = Given(PROMPTS[:8], PROMPTS[8:], tiny.backbone())
    settings = {"eval_every": 1, "checkpoint_every": 1, "bad_iterations": 2, "max_steps": 4}
    outcome = train(tmp_path / "run", reward, given=given, **settings)
    assert [line["event"] for line in events(tmp_path / "run")] == ["rollback"]
    assert max(line["reward"] for line in lines(outcome, "eval")) == 1.0
    assert outcome.evaluation["best/reward"] == 0.0


def test_a_policy_too_far_from_the_reference_is_not_kept(tmp_path: Path) -> None:
    given = Given(PROMPTS[:8], PROMPTS[8:], tiny.backbone())
    settings = {"eval_every": 1, "max_steps": 3, "learning_rate": 1e-2, "best_kl": 1e-9}
    outcome = train(tmp_path / "run", given=given, **settings)
    assert {line["step"]: line["kl"] > 1e-9 for line in lines(outcome, "eval")} == {
        0: False,
        1: True,
        2: True,
        3: True,
    }
    assert outcome.evaluation["best/step"] == 0.0


def test_an_answer_needs_room_in_the_models_context(tmp_path: Path) -> None:
    reach = tiny.backbone().context_length
    assert reach is not None
    long = [Demonstration((user("cat " * reach),), (assistant("x"),), id="long")]
    given = Given([*PROMPTS, *long], None, tiny.backbone())
    with pytest.raises(RecipeError, match=rf"at most {reach}\. Set data\.max_length={reach}\."):
        train(tmp_path / "run", given=given, max_length=reach + 4, max_new_tokens=8)
    assert train(tmp_path / "run", given=given, max_length=reach, max_new_tokens=8, max_steps=1).steps == 1


def test_answers_that_are_paid_for_their_length_are_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = [0]

    def longer(model: Any, prompts: Any, **options: Any) -> list[Any]:
        calls[0] += 1
        return [rollout.Sample([20] * (calls[0] + number), 2) for number in range(len(prompts))]

    def length(prompts: list[str], responses: list[str]) -> list[float]:
        return [float(len(text)) for text in responses]

    monkeypatch.setattr(rollout, "sample", longer)
    settings = {"max_steps": 20, "max_rollbacks": 0, "learning_rate": 1e-6}
    with pytest.raises(TrainingStopped, match=r"step 8: length is rewarded.*correlation 1\.00.*length term"):
        train(tmp_path / "run", length, **settings)


def test_a_negative_mean_kl_is_explained_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    judged = rollout.score_tokens

    def likelier(judge: Any, *given: Any, **options: Any) -> torch.Tensor:
        found = judged(judge, *given, **options)
        is_reference = getattr(judge, "name", "") == "reference"
        return found + torch.linspace(0.05, 0.15, len(found)) if is_reference else found

    monkeypatch.setattr(rollout, "score_tokens", likelier)
    assert train(tmp_path / "run").steps == 3
    (told,) = events(tmp_path / "run")
    assert (told["event"], told["step"]) == ("warning", 1)
    assert "a true one is never negative" in told["reason"]


def spoil_updates(monkeypatch: pytest.MonkeyPatch, calls: set[int]) -> None:
    """The policy's loss is NaN in these updates, counted from 1."""
    surrogate, made = ppo_updates.surrogate, [0]

    def spoilt(*given: Any, **options: Any) -> Any:
        made[0] += 1
        losses, metrics = surrogate(*given, **options)
        return (losses * float("nan") if made[0] in calls else losses), metrics

    monkeypatch.setattr(ppo_updates, "surrogate", spoilt)


def test_a_single_bad_update_is_skipped_and_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spoil_updates(monkeypatch, {10})
    found = train(tmp_path / "run", max_approx_kl=None)
    assert (found.steps, found.skipped) == (3, 1)
    assert [line["updates"] for line in lines(found)] == [4.0, 4.0, 3.0]
    assert all(isfinite(line["loss"]) and isfinite(line["grad_norm"]) for line in lines(found))
    assert [(line["event"], line["step"], line["reason"]) for line in events(found.run)] == [
        ("skip", 3, "the loss is nan")
    ]


@pytest.mark.parametrize("updates", [{}, {"inner_epochs": 1, "minibatches": 1}])
def test_bad_updates_that_do_not_end_undo_the_iteration_and_stop_the_run(
    updates: dict[str, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoil_updates(monkeypatch, set(range(2, 200)))
    settings = {"max_steps": 9, "max_rollbacks": 1, "max_approx_kl": None, **updates}
    with pytest.raises(TrainingStopped, match=r"the loss is nan.*, after going back 1 times"):
        train(tmp_path / "run", **settings)
    assert [line["event"] for line in events(tmp_path / "run")] == ["rollback", "stop"]


def test_a_run_that_is_stopped_leaves_the_best_policy_it_has_seen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = [0]

    def reward(prompts: list[str], responses: list[str]) -> list[float]:
        calls[0] += 1
        # The first call scores the held-out prompts before training, the third those after iteration 1.
        return [float(calls[0] == 3) + 0.1 * len(text) / (1 + len(text)) for text in responses]

    spoil_updates(monkeypatch, {4})
    run, given = tmp_path / "run", Given(PROMPTS[:8], PROMPTS[8:], tiny.backbone())
    settings = {"max_steps": 9, "eval_every": 1, "checkpoint_every": 1, "patience": 1, "max_rollbacks": 0}
    settings |= {"inner_epochs": 1, "minibatches": 1}  # an update an iteration
    with pytest.raises(TrainingStopped, match=rf"{run} can be used: it holds the weights of step 1 of 9\."):
        train(run, reward, given=given, **settings)
    info = RunFolder(run).info()
    assert (info["status"], info["steps"], info["evaluation"]["best/step"]) == ("trainingstopped", 1, 1.0)
    last = load_file(run / "checkpoints" / "step-000003" / "trainable.safetensors")
    policy = small.policy_of(run)
    assert all(torch.equal(weight, last[f"own:{name}"]) for name, weight in policy.items())
    assert not any(torch.equal(weight, last[name]) for name, weight in policy.items())


def spoil_weights(monkeypatch: pytest.MonkeyPatch, rollouts: set[int]) -> None:
    """The policy's weights are NaN when these rollouts begin, counted from 1."""
    collect, made = ppo_loop.PPOLoop._collect, [0]

    def spoilt(loop: ppo_loop.PPOLoop, members: Any) -> rollout.Rollout:
        made[0] += 1
        if made[0] in rollouts:
            for weight in loop.parameters.values():
                weight.data.fill_(float("nan"))
        return collect(loop, members)

    monkeypatch.setattr(ppo_loop.PPOLoop, "_collect", spoilt)


def test_a_policy_without_finite_logits_goes_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spoil_weights(monkeypatch, {2})
    found = train(tmp_path / "run", checkpoint_every=1)
    assert (found.steps, [line["event"] for line in events(found.run)]) == (3, ["rollback"])
    assert all(isfinite(line["loss"]) for line in lines(found))


def test_a_policy_that_stays_without_finite_logits_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoil_weights(monkeypatch, set(range(2, 99)))
    stopped = r"step 1: the policy's logits are not finite, after going back 1 times.*model\.dtype=.*lower"
    with pytest.raises(TrainingStopped, match=stopped):
        train(tmp_path / "run", checkpoint_every=1, max_rollbacks=1)
    assert [line["event"] for line in events(tmp_path / "run")] == ["rollback", "stop"]


@pytest.mark.parametrize("held_out", [None, PROMPTS[:2]])
def test_a_state_whose_logits_are_not_finite_is_not_gone_back_to(
    held_out: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    learn, learned = ppo_loop.PPOLoop._learn_from, [0]

    def spoiling(loop: ppo_loop.PPOLoop, found: rollout.Rollout) -> dict[str, float]:
        numbers = learn(loop, found)
        learned[0] += 1
        if learned[0] == 2:
            for weight in loop.parameters.values():
                weight.data.fill_(float("nan"))
        return numbers

    monkeypatch.setattr(ppo_loop.PPOLoop, "_learn_from", spoiling)
    given = Given(PROMPTS, held_out, tiny.backbone())
    found = train(tmp_path / "run", given=given, checkpoint_every=1, eval_every=1)
    assert [(line["event"], "back to step 1" in line["reason"]) for line in events(found.run)] == [
        ("rollback", True)
    ]
    assert (found.steps, learned[0]) == (3, 4)


def test_scores_of_iterations_that_are_undone_leave_no_trace_in_the_scale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counts: list[int] = []
    shape = Shaping.__call__

    def noted(shaping: Shaping, scores: torch.Tensor, ended: torch.Tensor) -> Any:
        found = shape(shaping, scores, ended)
        counts.append(shaping.state()["moments"][0])
        return found

    monkeypatch.setattr(Shaping, "__call__", noted)
    settings = {"max_kl": 1e-6, "bad_iterations": 1, "max_rollbacks": 1, "learning_rate": 1e-2}
    with pytest.raises(TrainingStopped):
        train(tmp_path / "run", scale=True, max_steps=20, **settings)
    assert counts == [4, 8, 4, 8]  # the second iteration runs away, and both are made again


def test_no_reward_is_an_error_that_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no reward to learn from.*runs/reward"):
        ppo.run(small.recipe("ppo", tmp_path / "run"), Given(PROMPTS, None, tiny.backbone()))


def test_an_adapter_that_drops_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"lora\.dropout: .*ratio.*Set lora\.dropout=0"):
        train(tmp_path / "run", dropout=0.1)


def test_answers_leave_room_for_a_prompt(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="leave no room for a prompt"):
        train(tmp_path / "run", max_length=64, max_new_tokens=64)
