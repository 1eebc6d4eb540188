"""What a plan says a run computes is what it computes, token by token."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.models import roles, sampler
from heedful.models.rewards import FunctionReward
from heedful.recipe import RewardSource
from heedful.training import dpo, ppo, reward, sft
from heedful.training.job import Given
from heedful.training.work import Work, evaluations, work
from tests import tiny
from tests.training.small import QUIET, cats, demonstrations, pairs, recipe

NOWHERE = frozenset({-1})


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Tokens and targets that roles compute, with and without gradients, and tokens that are drawn."""
    found: Counter[str] = Counter()
    hidden_states, token_logprobs, choose = roles.hidden_states, roles.token_logprobs, sampler.choose_tokens

    def passes(model: Any, packed: Any, **options: Any) -> Any:
        tokens = packed.to_padded(0).input_ids.numel() if options["padded"] else packed.tokens
        found["learned" if torch.is_grad_enabled() else "passed"] += tokens
        return hidden_states(model, packed, **options)

    def heads(hidden: Any, targets: Any, *rest: Any, **options: Any) -> Any:
        found["taught" if torch.is_grad_enabled() else "read"] += len(targets)
        return token_logprobs(hidden, targets, *rest, **options)

    def draws(*arguments: Any) -> Any:
        found["drawn"] += 1
        return choose(*arguments)

    monkeypatch.setattr(roles, "hidden_states", passes)
    monkeypatch.setattr(roles, "token_logprobs", heads)
    monkeypatch.setattr(sampler, "choose_tokens", draws)
    return found


def summed(parts: tuple[Work, ...], *names: str) -> dict[str, float]:
    """What all phases come to."""
    return {name: sum(getattr(part, name) for part in parts) for name in names}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"eval_fraction": 0.25, "epochs": 2.0, "tokens_per_row": 30},
        {"eval_fraction": 0.25, "max_steps": 1, "eval_every": 1},
        {"eval_fraction": 0.25, "padded": True},
    ],
    ids=["plain", "epochs", "short", "padded"],
)
@pytest.mark.parametrize("stage", ["sft", "dpo", "reward"])
def test_rows_that_are_there(
    stage: str,
    settings: dict[str, Any],
    tmp_path: Path,
    counted: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(reward, "center", lambda *arguments: None)  # a few rows more, at the very end
    module: Any = {"sft": sft, "dpo": dpo, "reward": reward}[stage]
    chosen = recipe(stage, tmp_path / "run", **settings)
    given = Given(demonstrations(12) if stage == "sft" else pairs(12), None, tiny.backbone())

    said = work(module.prepare(chosen, given, reporter=QUIET))
    counted.clear()
    outcome = module.run(chosen, given, reporter=QUIET)

    kinds = ("passed", "learned", "read", "taught")
    assert summed(said, *kinds) == {kind: counted[kind] for kind in kinds}
    assert summed(said, "updates") == {"updates": outcome.steps}
    names = [part.phase for part in said]
    judged = ["evaluation"] if settings.get("eval_fraction") else []
    assert names == [*(["reference"] if stage == "dpo" else []), "training", *judged]


@pytest.mark.parametrize("critic", ["trunk", "adapter"])
@pytest.mark.parametrize("eval_fraction", [0.0, 0.5])
def test_answers_that_are_still_to_come(
    critic: str, eval_fraction: float, tmp_path: Path, counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = sampler.sample

    def endless(*positional: Any, stop_ids: Any, **named: Any) -> Any:
        return sample(*positional, stop_ids=NOWHERE, **named)

    monkeypatch.setattr("heedful.training.rollout.sample", endless)
    prompts = [pairs(1, seed=1)[0]] * 8  # of one length, since which are asked is a matter of chance
    settings = {"critic": critic, "eval_fraction": 0.0, "samples": 2, "eval_every": 2, "max_approx_kl": None}
    held_out = prompts[:4] if eval_fraction else None
    chosen = recipe("ppo", tmp_path / "run", **settings)
    given = Given(prompts, held_out, tiny.backbone())

    said = work(ppo.prepare(chosen, given, reporter=QUIET))
    ppo.run(chosen, given, reward=FunctionReward(cats), reporter=QUIET)

    kinds = ("passed", "learned", "read", "taught", "drawn")
    assert summed(said, *kinds) == {kind: counted[kind] for kind in kinds}
    assert summed(said, "updates") == {"updates": 3 * 2 * 2}  # iterations, passes, minibatches
    assert [part.phase for part in said] == ["rollout", "scoring", "training"]


def test_a_reward_model_takes_a_pass_of_its_own(tmp_path: Path) -> None:
    def passed(**reward: Any) -> float:
        chosen = recipe("ppo", tmp_path / "run").model_copy(update={"reward": [RewardSource(**reward)]})
        return work(ppo.prepare(chosen, Given(pairs(6), None, tiny.backbone()), reporter=QUIET))[1].passed

    assert passed(model="runs/to-come/reward") == pytest.approx(passed(length=1.0) * 3 / 2)


@pytest.mark.parametrize(
    ("steps", "every", "times"), [(10, None, 2), (10, 5, 3), (10, 4, 4), (3, 5, 2), (1, 1, 2)]
)
def test_held_out_rows_are_judged_so_often(steps: int, every: int | None, times: int) -> None:
    assert evaluations(steps, every) == times
