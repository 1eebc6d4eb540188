"""PPO learns, takes answers of every kind, and leaves alone what is not there: padding, what follows ends."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from heedful.models.backbone import Backbone
from heedful.models.loading import load
from heedful.models.rewards import ClassifierReward, FunctionReward
from heedful.models.roles import ActorCritic
from heedful.models.scoring import score_tokens
from heedful.objectives.ppo import advantages, token_rewards
from heedful.recipe import RolloutSettings
from heedful.records import Demonstration, Prompt, assistant, user
from heedful.render.chat import Renderer
from heedful.render.prompts import render_prompts
from heedful.render.rows import Rows
from heedful.render.truncate import Limits
from heedful.training.job import Given
from heedful.training.ppo_loop import PPOLoop, asked
from heedful.training.ppo_updates import Updates
from heedful.training.rollout import Rollout, collect
from heedful.training.run_folder import RunFolder
from tests import tiny
from tests.models.classifiers import encoder
from tests.training import small
from tests.training.ppo_runs import PROMPTS, forced, lines, told, train


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


def test_iterations_between_two_lines_of_the_log_are_made_and_not_told(tmp_path: Path) -> None:
    found = train(tmp_path / "run", log_every=2)
    assert (found.steps, [line["step"] for line in lines(found)]) == (3, [2, 3])


def test_the_best_policy_by_held_out_reward_is_the_one_that_is_kept(tmp_path: Path) -> None:
    given = Given(PROMPTS[:8], PROMPTS[8:], tiny.backbone())
    judgements = [0]

    def third_is_best(prompts: list[str], responses: list[str]) -> list[float]:
        if len(prompts) > 2:
            return small.cats(prompts, responses)
        judgements[0] += 1
        return [float(judgements[0] == 3)] * 2

    settings = {"eval_every": 1, "checkpoint_every": 1, "keep_checkpoints": 9, "learning_rate": 1e-2}
    outcome = train(tmp_path / "run", third_is_best, given=given, max_steps=4, **settings)
    judged = {line["step"]: line["reward"] for line in lines(outcome, "eval")}
    assert [judged[step] for step in range(5)] == [0.0, 0.0, 1.0, 0.0, 0.0]
    best = {name: outcome.evaluation[f"best/{name}"] for name in ("step", "reward")}
    assert best == {"step": 2.0, "reward": 1.0}
    own, last = (
        load_file(outcome.run / "checkpoints" / f"step-00000{step}" / "trainable.safetensors")
        for step in (2, 4)
    )
    kept = load_file(outcome.run / "adapter" / "adapter_model.safetensors")
    assert {tuple(weight.flatten().tolist()) for weight in kept.values()} == {
        tuple(weight.flatten().tolist()) for name, weight in own.items() if ".policy." in name
    }
    assert any(not torch.equal(weight, last[name]) for name, weight in own.items())


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


def test_a_policy_that_ends_at_once_still_has_one_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    end = Renderer(tiny.tokenizer()).end_of_turn
    forced(monkeypatch, [], end)
    for name, reward in (("function", small.cats), ("classifier", encoder(tmp_path / "encoder"))):
        found = lines(train(tmp_path / name, reward))
        assert [(line["length"], line["ended"]) for line in found] == [(1.0, 1.0)] * 3
        assert all(isfinite(line["loss"]) for line in found)


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


def test_a_critic_with_an_adapter_starts_as_the_reward_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = str(tiny.save(tmp_path / "base"))
    given = Given(small.pairs(12), None, load(base, dtype="float32", device="cpu"))
    judge = small.train("reward", tmp_path / "reward", given=given).run
    copied: list[tuple[str, str]] = []
    plain = Backbone.copy_role
    monkeypatch.setattr(Backbone, "copy_role", lambda *roles: copied.append(roles[1:]) or plain(*roles))
    for critic in ("trunk", "adapter"):
        given = Given(PROMPTS, None, load(base, dtype="float32", device="cpu"))
        train(tmp_path / critic, str(judge), given=given, max_steps=1, critic=critic)
    assert copied == [("reward", "critic")]


def test_no_step_is_taken_by_a_policy_that_has_moved_far_enough(tmp_path: Path) -> None:
    def weights(name: str, **settings: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
        outcome = train(tmp_path / name, minibatches=1, max_steps=1, **settings)
        (line,) = lines(outcome)
        return line, load_file(outcome.run / "adapter" / "adapter_model.safetensors")

    stopped, after = weights("stopped", max_approx_kl=1e-9)
    assert (stopped["updates"], stopped["stopped_early"]) == (1.0, 1.0)
    once, expected = weights("once", inner_epochs=1)
    assert (once["updates"], once["stopped_early"]) == (1.0, 0.0)
    assert all(torch.equal(after[name], weight) for name, weight in expected.items())


def test_a_batch_that_does_not_divide_evenly(tmp_path: Path) -> None:
    # Ten prompts are seven, and then three with four of the next epoch; seven answers are three minibatches.
    settings = {"batch_size": 7, "minibatches": 3, "inner_epochs": 4, "max_steps": 4, "max_approx_kl": None}
    found = lines(train(tmp_path / "run", **settings))
    assert [(line["updates"], line["stopped_early"]) for line in found] == [(12.0, 0.0)] * 4
    assert [line["epoch"] for line in found] == pytest.approx([0.7, 1.4, 2.1, 2.8])


@pytest.mark.parametrize(("rows", "count"), [(10, 7), (10, 10), (3, 8), (1, 4)])
def test_every_iteration_asks_as_many_prompts_and_every_epoch_asks_each_once(rows: int, count: int) -> None:
    iterations = [asked(step, rows, count, seed=5) for step in range(rows)]
    assert [len(one) for one in iterations] == [count] * rows
    whole = [row for one in iterations for row in one]
    epochs = [whole[start : start + rows] for start in range(0, len(whole), rows)]
    assert all(sorted(epoch) == list(range(rows)) for epoch in epochs)
    assert rows < 10 or len({tuple(epoch) for epoch in epochs}) > 1


@pytest.mark.parametrize("policy", ["keep_end", "drop"])
def test_a_prompt_leaves_room_for_its_answer_and_both_for_the_reward(
    policy: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The reward closes the turn of an answer that has not ended, and so reads more than was allowed."""
    forced(monkeypatch, [20] * 8, None)
    base = str(tiny.save(tmp_path / "base"))
    given = Given(small.pairs(12), None, load(base, dtype="float32", device="cpu"))
    judge = small.train("reward", tmp_path / "reward", given=given).run
    longest = max(len(row.prompt) for row in rows(tiny.backbone()))
    long = Demonstration((user("cat " * 60),), (assistant("x"),), id="long")
    left_out = {"too_long": 1} if policy == "drop" else {}
    asked = 11 - len(left_out)
    given = Given([*PROMPTS, long], None, load(base, dtype="float32", device="cpu"))
    found = train(
        tmp_path / "run", str(judge), given=given, max_length=longest + 8, truncation=policy, batch_size=asked
    )
    counts = RunFolder(found.run).info()["counts"]["train"]
    assert counts == {"read": 11, "kept": 11 - len(left_out), "quarantined": left_out}
    assert [line["length"] for line in lines(found)] == [8.0] * 3
    full = sum(len(row.prompt) == longest for row in rows(tiny.backbone())) + (policy != "drop")
    assert [line["reward/cut"] for line in lines(found)] == [full] * 3


def test_a_reward_with_a_tokenizer_of_its_own_reads_the_answers_as_text(tmp_path: Path) -> None:
    folder = encoder(tmp_path / "encoder")
    found = train(tmp_path / "run", folder, learning_rate=1e-2)
    reward, asked = ClassifierReward(folder), {record.id: record.prompt for record in PROMPTS}
    assert reward.tokenizer.get_vocab() != tiny.tokenizer().get_vocab()
    for line in lines(found, "sample"):
        for name in ("best", "median", "worst"):
            (score,) = reward([asked[line[name]["id"]]], [line[name]["response"]])
            assert line[name]["score"] == pytest.approx(score, abs=1e-4)
    assert len({line["reward"] for line in lines(found)}) == 3


def test_what_stands_in_padding_changes_no_number_and_no_weight(tmp_path: Path) -> None:
    """Prompts and answers of unequal length, each in a padded row of its own, over two ids that pad."""

    def trained(pad: str, folder: Path) -> tuple[list[dict[str, Any]], bytes]:
        backbone = Backbone(tiny.model(), tiny.tokenizer(pad_token=pad), name="tiny")
        settings = {"padded": True, "max_new_tokens": 40, "critic": "trunk"}
        found = train(folder, given=Given(PROMPTS, None, backbone), **settings)
        return told(found), (found.run / "adapter" / "adapter_model.safetensors").read_bytes()

    one, other = (
        trained(pad, tmp_path / str(number)) for number, pad in enumerate(("<|im_end|>", "<|endoftext|>"))
    )
    assert any(0 < line["ended"] < 1 for line in one[0] if line["kind"] == "train")
    assert one == other


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


def test_a_prompt_without_any_answer_is_enough() -> None:
    bare = [Prompt(record.prompt, record.id) for record in PROMPTS]
    renderer = Renderer(tiny.tokenizer())
    one, other = (render_prompts(records, renderer, Limits(200)) for records in (bare, PROMPTS))
    assert [row.prompt for row in one] == [row.prompt for row in other]


# ---- what the loop does with a rollout


def test_an_iterations_rewards_and_advantages_are_those_of_the_objectives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}
    learn, update = PPOLoop._learn_from, Updates.__call__

    def noted_loop(loop: PPOLoop, found: Rollout) -> dict[str, float]:
        numbers = learn(loop, found)
        seen.update(found=found, beta=loop.beta, center=loop.shaping.center)
        return numbers

    def noted(updates: Updates, found: Rollout, *given: torch.Tensor, step: int) -> dict[str, float]:
        seen["gains"], seen["returns"] = given
        return update(updates, found, *given, step=step)

    monkeypatch.setattr(PPOLoop, "_learn_from", noted_loop)
    monkeypatch.setattr(Updates, "__call__", noted)
    train(tmp_path / "run", max_steps=2, discount=0.99, decay=0.9)
    found: Rollout = seen["found"]
    scores, penalties = found.scores - seen["center"], found.logps - found.reference
    rewards = token_rewards(scores, penalties, found.lengths, beta=seen["beta"])
    gains, returns = advantages(rewards, found.values, found.lengths, discount=0.99, decay=0.9)
    torch.testing.assert_close(seen["returns"], returns)
    torch.testing.assert_close(
        seen["gains"], (gains - gains.mean()) / gains.std(correction=0), atol=1e-4, rtol=0
    )
