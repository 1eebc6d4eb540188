"""PPO learns, stops when it must, and leaves alone what is not there: padding, and what follows an end."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.errors import RecipeError, RewardError, TrainingStopped
from heedful.models.backbone import Backbone
from heedful.models.loading import load
from heedful.models.rewards import ClassifierReward, FunctionReward, HttpReward
from heedful.models.roles import ActorCritic
from heedful.models.scoring import score_tokens
from heedful.objectives.ppo import advantages, token_rewards
from heedful.recipe import RewardSource, RolloutSettings
from heedful.records import Demonstration, assistant, user
from heedful.render.chat import Renderer
from heedful.render.prompts import render_prompts
from heedful.render.rows import Rows
from heedful.render.truncate import Limits
from heedful.training import ppo, rollout
from heedful.training.job import Given
from heedful.training.loop import Outcome
from heedful.training.ppo_loop import PPOLoop
from heedful.training.ppo_scores import Shaping
from heedful.training.rollout import Rollout, collect
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import read_metrics
from tests import tiny
from tests.models.classifiers import encoder
from tests.training import small

PROMPTS = [Demonstration((user(f"{word} the?"),), (assistant("x"),), id=word) for word in small.WORDS[:10]]


def train(
    folder: Path,
    reward: Any = small.cats,
    *,
    given: Given | None = None,
    resume: bool = False,
    **settings: Any,
) -> Outcome:
    """`reward` is a function, or the name of a model."""
    recipe = small.recipe("ppo", folder, **settings)
    given = given or Given(PROMPTS, None, tiny.backbone())
    if isinstance(reward, str):
        recipe = recipe.model_copy(update={"reward": [RewardSource(model=reward)]})
    scored_by = None if isinstance(reward, str) else FunctionReward(reward)
    return ppo.run(recipe, given, reward=scored_by, resume=resume, reporter=small.QUIET)


def lines(outcome: Outcome, kind: str = "train") -> list[dict[str, Any]]:
    return [line for line in read_metrics(outcome.run / "metrics.jsonl") if line["kind"] == kind]


def events(folder: Path) -> list[dict[str, Any]]:
    return [line for line in read_metrics(folder / "metrics.jsonl") if line["kind"] == "guard"]


def told(outcome: Outcome) -> list[dict[str, Any]]:
    """All that the log says, apart from how long it took."""
    timed = ("seconds", "tokens_per_second")
    return [
        {name: value for name, value in line.items() if name.partition("/")[0] not in timed}
        for line in read_metrics(outcome.run / "metrics.jsonl")
    ]


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


def test_the_critic_is_the_reward_models_copy_where_there_is_one_and_else_the_policys_head(
    tmp_path: Path,
) -> None:
    base = str(tiny.save(tmp_path / "base"))
    given = Given(small.pairs(12), None, load(base, dtype="float32", device="cpu"))
    judge = small.train("reward", tmp_path / "reward", given=given).run
    for reward, adapters in ((small.cats, {"policy"}), (str(judge), {"policy", "critic"})):
        backbone = load(base, dtype="float32", device="cpu")
        train(tmp_path / f"run-{len(adapters)}", reward, given=Given(PROMPTS, None, backbone), max_steps=1)
        learning = {name.split(".")[-2] for name in backbone.trainable() if "lora_" in name}
        assert learning == adapters


def test_a_batch_that_does_not_divide_evenly(tmp_path: Path) -> None:
    # Ten prompts are seven and then three; seven answers are three minibatches of 3, 3 and 1.
    settings = {"batch_size": 7, "minibatches": 3, "max_steps": 4, "max_approx_kl": None}
    found = lines(train(tmp_path / "run", **settings))
    assert [(line["updates"], line["stopped_early"]) for line in found] == [(12.0, 0.0)] * 4
    assert [line["epoch"] for line in found] == pytest.approx([0.7, 1.4, 2.1, 2.8])


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
    given = Given([*PROMPTS, long], None, load(base, dtype="float32", device="cpu"))
    found = train(
        tmp_path / "run", str(judge), given=given, max_length=longest + 8, truncation=policy, batch_size=11
    )
    counts = RunFolder(found.run).info()["counts"]["train"]
    left_out = {"too_long": 1} if policy == "drop" else {}
    assert counts == {"read": 11, "kept": 11 - len(left_out), "quarantined": left_out}
    assert [line["length"] for line in lines(found)] == [8.0] * 3


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


# ---- trouble


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
@pytest.mark.parametrize("call", [4, 5])
@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (lambda responses: [float("nan")] * len(responses), "nan"),
        (lambda responses: [1.0] * (len(responses) + 1), "scores for"),
        (raising, "failed with KeyError"),
        (nobody_there, "connection failed"),
    ],
)
def test_a_reward_that_fails_stops_the_run_and_loses_nothing(
    spoilt: Any, said: str, call: int, tmp_path: Path
) -> None:
    settings = {"checkpoint_every": 5, "eval_every": 2, "max_steps": 5, "scale": True}
    calls = [0]

    def reward(prompts: list[str], responses: list[str]) -> list[float]:
        calls[0] += 1
        scores = noisy(prompts, responses)
        return spoilt(responses) if calls[0] >= call else scores

    def given() -> Given:
        return Given(PROMPTS[:8], PROMPTS[8:], tiny.backbone())

    with pytest.raises(RewardError, match=rf"(?s){said}.*after iteration 2 of 5 is saved. Resume with: "):
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


# ---- what the loop does with a rollout


def test_an_iterations_rewards_and_advantages_are_those_of_the_objectives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}
    update = PPOLoop._updates

    def noted(loop: PPOLoop, found: Rollout, gains: torch.Tensor, returns: torch.Tensor) -> dict[str, float]:
        seen.update(found=found, gains=gains, returns=returns, beta=loop.beta, center=loop.shaping.center)
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
