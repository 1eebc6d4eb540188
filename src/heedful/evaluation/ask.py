"""Ask one model: how likely it finds held-out responses, and how it answers held-out prompts itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from heedful.evaluation.behaviour import Answer
from heedful.evaluation.preference_accuracy import PairScores
from heedful.models.backbone import Backbone
from heedful.models.sampler import answer
from heedful.records import Messages
from heedful.render.chat import Renderer
from heedful.render.rows import Row


def pair_scores(logps: Tensor, rows: Sequence[Row]) -> PairScores:
    """The log-probs of rendered pairs (`[pairs, 2]`, nats) and how many tokens they are of."""
    numbers = logps.double().numpy()
    lengths = np.array([[len(response) for response in row.responses] for row in rows])
    return PairScores(numbers[:, 0], numbers[:, 1], lengths[:, 0], lengths[:, 1])


def answers(
    backbone: Backbone,
    renderer: Renderer,
    prompts: Sequence[Messages],
    *,
    role: str = "policy",
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    batch_size: int = 32,
    on_done: Callable[[int], None] | None = None,
) -> list[Answer]:
    """A role's answers to prompts; the likeliest token each time unless `temperature` says otherwise."""
    found = answer(
        backbone,
        renderer,
        prompts,
        role=role,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
        batch_size=batch_size,
        on_done=on_done,
    )
    return [
        Answer(prompt, text, sample.ended, len(sample.tokens))
        for prompt, (text, sample) in zip(prompts, found, strict=True)
    ]
