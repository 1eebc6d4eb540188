"""PPO learns, stops when it must, and leaves alone what is not there: padding, and what follows an end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.errors import RecipeError, RewardError, TrainingStopped
from heedful.models.backbone import Backbone
from heedful.models.rewards import FunctionReward
from heedful.models.roles import ActorCritic
from heedful.models.scoring import score_tokens
from heedful.objectives.ppo import advantages, token_rewards
from heedful.recipe import RolloutSettings
from heedful.records import Demonstration, assistant, user
from heedful.render.chat import Renderer
from heedful.render.prompts import render_prompts
from heedful.render.rows import Rows
from heedful.render.truncate import Limits
from heedful.training import ppo, rollout
from heedful.training.job import Given
from heedful.training.loop import Outcome
from heedful.training.ppo_loop import PPOLoop
from heedful.training.rollout import Rollout, collect
from heedful.training.tracking import read_metrics
from tests import tiny
from tests.training import small

PROMPTS = [Demonstration((user(f"{word} the?"),), (assistant("x"),), id=word) for word in small.WORDS[:10]]


def train(folder: Path, reward: Any = small.cats, *, given: Given | None = None, **settings: Any) -> Outcome:
    recipe = small.recipe("ppo", folder, **settings)
    given = given or Given(PROMPTS, None, tiny.backbone())
    return ppo.run(recipe, given, reward=FunctionReward(reward), reporter=small.QUIET)


def lines(outcome: Outcome, kind: str = "train") -> list[dict[str, Any]]:
    return [line for line in read_metrics(outcome.run / "metrics.jsonl") if line["kind"] == kind]


def rows(backbone: Backbone) -> Rows:
    return render_prompts(PROMPTS, Renderer(backbone.tokenizer), Limits(200))


def made(backbone: Backbone, *, seed: int = 0, **settings: Any) -> Rollout:
    """A rollout of a backbone whose roles all say something."""
    chosen = RolloutSettings(**{"max_new_tokens": 8, **settings})
    reward = FunctionReward(small.cats)
    renderer = Renderer(backbone.tokenizer)
    learner = ActorCritic(backbone, trunk=False, temperature=chosen.temperature)
    prompts = list(rows(backbone))
    return collect(
        backbone, renderer, prompts, reward, chosen, seed=seed, tokens_per_row=200, learner=learner
    )


def actors(**critic: Any) -> Backbone:
    backbone = small.adapted()
    backbone.train_lora("critic", rank=4, seed=1)
    backbone.add_head("critic", seed=2)
    return backbone


# ---- it learns


@pytest.mark.parametrize("critic", ["adapter", "trunk"])
def test_the_reward_rises(critic: str, tmp_path: Path) -> None:
    def letters(prompts: list[str], responses: list[str]) -> list[float]:
        return [sum(letter.isalpha() for letter in text) / 4 for text in responses]

    settings = {"max_steps": 12, "batch_size": 10, "samples": 8, "learning_rate": 1e-2, "max_new_tokens": 4}
    found = lines(train(tmp_path / "run", letters, critic=critic, beta=0.01, **settings))
    before, after = (sum(line["reward"] for line in part) / 2 for part in (found[:2], found[-2:]))
    # Of 160 responses each: three standard errors of their difference.
    assert after > before + 3 * found[0]["reward/std"] * (2 / 160) ** 0.5
    assert found[-1]["kl"] > found[0]["kl"]


def test_a_constant_reward_teaches_the_policy_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    found = lines(train(tmp_path / "run", lambda prompts, responses: [2.0] * len(responses)))
    assert [line["reward"] for line in found] == [2.0] * 3
    for name in ("advantages/std", "loss", "kl", "reward/length_correlation", "value/explained_variance"):
        assert [line[name] for line in found] == pytest.approx([0.0] * 3, abs=1e-6), name


def test_the_best_policy_by_held_out_reward_is_the_one_that_is_kept(tmp_path: Path) -> None:
    given = Given(PROMPTS[:8], PROMPTS[8:], tiny.backbone())
    outcome = train(tmp_path / "run", given=given, eval_every=1, max_steps=4, learning_rate=1e-2)
    judged = {line["step"]: line["reward"] for line in lines(outcome, "eval")}
    assert outcome.evaluation["best/reward"] == max(judged.values())
    assert judged[int(outcome.evaluation["best/step"])] == max(judged.values())


# ---- rollouts


def test_nothing_follows_the_end_and_nothing_is_padded() -> None:
    backbone = actors()
    found = made(backbone, max_new_tokens=40)
    renderer = Renderer(backbone.tokenizer)
    for row, ended in zip(found.rows, found.ended.tolist(), strict=True):
        (response,) = row.responses
        inside = [token for token in response[:-1] if token in renderer.stop_ids]
        assert not inside
        assert (response[-1] in renderer.stop_ids) == ended
        assert len(response) == 40 or ended
    assert len(found.logps) == len(found.values) == int(found.lengths.sum())


def test_every_tokens_log_prob_is_the_policys_own_at_the_sampling_temperature() -> None:
    backbone = actors()
    found = made(backbone, temperature=0.7, samples=2)
    for index, row in enumerate(found.rows):
        own = found.logps[found.tokens_of([index])].split([len(response) for response in row.responses])
        for response, logps in zip(row.responses, own, strict=True):
            with torch.no_grad(), backbone.active("policy") as model:
                logits = model(torch.tensor([row.prompt + response])).logits[0, len(row.prompt) - 1 : -1]
            expected = (logits / 0.7).log_softmax(-1)[torch.arange(len(response)), torch.tensor(response)]
            torch.testing.assert_close(logps, expected, atol=1e-4, rtol=0)


def test_the_roles_differ_and_the_reference_is_the_bare_model() -> None:
    backbone = actors()
    found = made(backbone)
    assert (found.logps != found.reference).any()
    bare = tiny.backbone()
    expected = score_tokens(bare.role("policy"), found.rows, device=bare.device)
    torch.testing.assert_close(expected, found.reference, atol=1e-5, rtol=0)


def test_a_rollout_is_a_function_of_its_seed() -> None:
    one, again, other = (made(actors(), seed=seed) for seed in (3, 3, 4))
    assert one.texts == again.texts
    assert torch.equal(one.logps, again.logps)
    assert one.texts != other.texts


def test_tokens_are_found_again_in_any_order_of_rows() -> None:
    found = made(actors(), samples=3)
    parts = found.logps.split([row.response_tokens for row in found.rows])
    order = [4, 0, 7]
    torch.testing.assert_close(found.logps[found.tokens_of(order)], torch.cat([parts[i] for i in order]))
    sums = torch.stack([part.sum() for part in found.logps.split(found.lengths.tolist())])
    torch.testing.assert_close(found.by_response(found.logps), sums)


# ---- responses of every kind


def forced(monkeypatch: pytest.MonkeyPatch, tokens: list[int], stop: int | None) -> None:
    """The policy says this and nothing else."""

    def always(model: Any, prompts: Any, *, samples: int = 1, **options: Any) -> list[Any]:
        return [rollout.Sample(list(tokens), stop) for _ in range(len(prompts) * samples)]

    monkeypatch.setattr(rollout, "sample", always)


def test_a_policy_that_ends_at_once_still_has_one_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    end = Renderer(tiny.tokenizer()).end_of_turn
    forced(monkeypatch, [], end)
    found = lines(train(tmp_path / "run"))
    assert [(line["length"], line["ended"]) for line in found] == [(1.0, 1.0)] * 3


def test_a_policy_that_never_ends_gets_the_score_of_a_missing_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forced(monkeypatch, [20, 21, 22], None)
    (first, *_) = lines(train(tmp_path / "run", missing_end=-1.0))
    assert (first["ended"], first["reward/shaped"]) == (0.0, -1.0)
    assert first["reward"] != -1.0  # what the reward itself said is shown as it is


def test_a_stop_token_in_the_prompt_says_nothing_of_the_response(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    forced(monkeypatch, [20, 21], None)
    end = tiny.tokenizer().eos_token
    given = Given([Demonstration((user(f"a{end}b"),), (assistant("x"),), id="1")], None, tiny.backbone())
    (line, *_) = lines(train(tmp_path / "run", given=given, batch_size=1))
    assert line["ended"] == 0.0


def test_a_batch_that_does_not_divide_evenly(tmp_path: Path) -> None:
    found = lines(train(tmp_path / "run", batch_size=7, minibatches=3, max_steps=4))
    assert [line["updates"] for line in found] == [12.0] * 4 or all(line["stopped_early"] for line in found)


def test_prompts_beyond_the_limit_are_cut_or_left_out() -> None:
    long = Demonstration((user("cat " * 60),), (assistant("x"),), id="long")
    renderer = Renderer(tiny.tokenizer())
    cut = render_prompts([*PROMPTS, long], renderer, Limits(40))
    assert (len(cut), cut.prompts_cut, max(len(row.prompt) for row in cut)) == (11, 1, 40)
    dropped = render_prompts([*PROMPTS, long], renderer, Limits(40, policy="drop"))
    assert (len(dropped), dropped.counts.quarantined) == (10, {"too_long": 1})


def test_the_same_prompt_is_asked_once() -> None:
    found = render_prompts([PROMPTS[0], *PROMPTS], Renderer(tiny.tokenizer()), Limits(200))
    assert (found.counts.read, len(found), found.counts.quarantined) == (11, 10, {"same_prompt": 1})


# ---- trouble


@pytest.mark.parametrize(
    ("scores", "said"),
    [(lambda n: [float("nan")] * n, "nan"), (lambda n: [1.0] * (n + 1), "3 scores for 2 responses")],
)
def test_a_reward_that_misbehaves_stops_the_run_and_loses_nothing(
    scores: Any, said: str, tmp_path: Path
) -> None:
    calls = [0]

    def spoilt(prompts: list[str], responses: list[str]) -> list[float]:
        calls[0] += 1
        return scores(len(responses)) if calls[0] == 3 else small.cats(prompts, responses)

    settings = {"checkpoint_every": 1, "max_steps": 4}
    with pytest.raises(RewardError, match=said):
        train(tmp_path / "run", spoilt, **settings)
    recipe = small.recipe("ppo", tmp_path / "run", **settings)
    given = Given(PROMPTS, None, tiny.backbone())
    resumed = ppo.run(recipe, given, reward=FunctionReward(small.cats), resume=True, reporter=small.QUIET)
    whole = train(tmp_path / "whole", **settings)
    names = ("reward", "kl", "loss", "grad_norm")
    assert [[line[name] for name in names] for line in lines(resumed)] == [
        [line[name] for name in names] for line in lines(whole)
    ]


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
    with pytest.raises(TrainingStopped, match=r"run away from the reference.*after going back 2 times"):
        train(tmp_path / "run", **settings)
    events = [line for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if line["kind"] == "guard"]
    assert [line["event"] for line in events] == ["rollback", "rollback", "stop"]


def test_no_reward_is_an_error_that_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no reward to learn from.*runs/reward"):
        ppo.run(small.recipe("ppo", tmp_path / "run"), Given(PROMPTS, None, tiny.backbone()))


def test_answers_leave_room_for_a_prompt(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="leave no room for a prompt"):
        train(tmp_path / "run", max_length=64, max_new_tokens=64)


# ---- what the loop does with a rollout


def test_an_iterations_rewards_and_advantages_are_those_of_the_objectives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}
    update = PPOLoop._updates

    def noted(loop: PPOLoop, found: Rollout, gains: torch.Tensor, returns: torch.Tensor) -> dict[str, float]:
        seen.update(found=found, gains=gains, returns=returns, beta=loop.beta, center=loop.center)
        return update(loop, found, gains, returns)

    monkeypatch.setattr(PPOLoop, "_updates", noted)
    train(tmp_path / "run", max_steps=2)
    found: Rollout = seen["found"]
    scores, penalties = found.scores - seen["center"], found.logps - found.reference
    rewards = token_rewards(scores, penalties, found.lengths, beta=seen["beta"])
    gains, returns = advantages(rewards, found.values, found.lengths, discount=1.0, decay=0.95)
    torch.testing.assert_close(seen["returns"], returns)
    torch.testing.assert_close(
        seen["gains"], (gains - gains.mean()) / gains.std(correction=0), atol=1e-4, rtol=0
    )
