"""One iteration's experience: prompts answered by the policy, scored, and judged token by token.

Responses end with the stop token that was drawn, or at the limit without one; there is no padding and nothing
after the end, so nothing has to be masked later. Everything is a function of the weights, the prompts and
the seed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from heedful.models.backbone import Backbone
from heedful.models.rewards import Reward, checked, cut_by, prompt_text
from heedful.models.roles import ActorCritic, LanguageModel, Role
from heedful.models.sampler import Sample, sample
from heedful.models.scoring import score_tokens
from heedful.recipe import RolloutSettings
from heedful.records import Judgement, Messages
from heedful.render.chat import Renderer
from heedful.render.rows import Row


@dataclass
class Rollout:
    """Responses to prompts, and what every role says of their tokens. All tensors are on the CPU.

    Attributes:
        rows: one per prompt, with all its responses as they were sampled, stop tokens included.
        texts: the responses as text, prompt by prompt.
        ended: `[responses]`, whether each ended by itself.
        scores: `[responses]`, what the reward said.
        logps: `[tokens]`, of the policy that sampled; nats.
        reference: `[tokens]`, of the reference; nats.
        values: `[tokens]`, of the critic; empty where nothing is learned from the rollout.
        cut: conversations that were too long for the reward and lost a part.
        seconds: by phase.
    """

    rows: list[Row]
    texts: list[str]
    ended: Tensor
    scores: Tensor
    logps: Tensor
    reference: Tensor
    values: Tensor
    cut: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @cached_property
    def lengths(self) -> Tensor:
        """`[responses]`, in tokens."""
        return torch.tensor([len(response) for row in self.rows for response in row.responses])

    @cached_property
    def prompts(self) -> list[str]:
        """What each row asks, as text."""
        return [prompt_text(_messages(row)) for row in self.rows]

    @cached_property
    def starts(self) -> list[int]:
        """Where each row's tokens begin in the flat tensors."""
        counts = torch.tensor([row.response_tokens for row in self.rows])
        return [int(start) for start in counts.cumsum(0) - counts]

    def tokens_of(self, members: Sequence[int]) -> Tensor:
        """Indices into the flat tensors of these rows' tokens, in the order of a pack of them."""
        return torch.cat(
            [
                torch.arange(self.starts[index], self.starts[index] + self.rows[index].response_tokens)
                for index in members
            ]
        )

    def by_response(self, values: Tensor) -> Tensor:
        """`[tokens]` summed to `[responses]`."""
        owners = torch.arange(len(self.lengths)).repeat_interleave(self.lengths)
        return values.new_zeros(len(self.lengths)).index_add(0, owners, values)


def collect(
    backbone: Backbone,
    renderer: Renderer,
    prompts: Sequence[Row],
    reward: Reward,
    settings: RolloutSettings,
    *,
    seed: int,
    tokens_per_row: int | None,
    padded: bool = False,
    learner: ActorCritic | None = None,
) -> Rollout:
    """Answer `prompts` with the policy and judge the answers.

    Args:
        padded: judge each response in a padded row of its own.
        learner: who will learn from it; without one there are no values.

    Raises:
        RewardError: the reward raised, or gave something else than one finite number per response.
    """
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(phase: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[phase] = now - clock
        clock = now

    samples = _answers(backbone, renderer, prompts, settings, seed)
    lap("generate")
    per_prompt = [samples[i : i + settings.samples] for i in range(0, len(samples), settings.samples)]
    rows = [
        replace(prompt, responses=tuple(one.actions for one in own))
        for prompt, own in zip(prompts, per_prompt, strict=True)
    ]
    texts = [renderer.decode(one.tokens) for one in samples]
    conversations = [_messages(row) for row in prompts for _ in range(settings.samples)]
    cut_before = cut_by(reward)
    scores = checked(reward, conversations, texts)
    cut = cut_by(reward) - cut_before
    lap("reward")

    def language(name: str) -> Role:
        role = backbone.role(name)
        assert isinstance(role, LanguageModel)
        role.temperature, role.force_padded = settings.temperature, padded
        return role

    judging: dict[str, Any] = {"device": backbone.device, "tokens_per_row": tokens_per_row}
    if learner is not None:
        logps, values = score_tokens(learner.judge, rows, **judging).unbind(1)
    else:
        logps, values = score_tokens(language("policy"), rows, **judging), torch.empty(0)
    reference = score_tokens(language("reference"), rows, **judging)
    lap("judge")
    ended = torch.tensor([one.ended for one in samples])
    return Rollout(rows, texts, ended, scores, logps, reference, values, cut, seconds)


def _answers(
    backbone: Backbone, renderer: Renderer, prompts: Sequence[Row], settings: RolloutSettings, seed: int
) -> list[Sample]:
    with (backbone.merged if settings.merge else backbone.active)("policy") as model:
        training = model.training
        model.eval()
        try:
            return sample(
                model,
                [row.prompt for row in prompts],
                stop_ids=renderer.stop_ids,
                pad_id=backbone.pad_id,
                max_new_tokens=settings.max_new_tokens,
                temperature=settings.temperature,
                top_p=settings.top_p,
                seed=seed,
                samples=settings.samples,
                batch_size=settings.at_once,
            )
        finally:
            model.train(training)


def _messages(row: Row) -> Messages:
    assert row.record is not None
    assert not isinstance(row.record, Judgement)
    return row.record.prompt
