"""Sampling with a KV cache: a batch of prompts in, responses out, each ending at its end of turn or at the
limit.

Works on any `transformers` causal model in any role; never assumes who trains it. Prompts are padded on the
left with explicit position ids, and rows that have ended leave the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from heedful.models.backbone import Backbone
from heedful.records import Message
from heedful.render.chat import Renderer

# Rows that have ended are computed along until they are this share of the batch: each removal copies the
# cache.
_COMPACT_AT = 0.25


@dataclass(frozen=True, slots=True)
class Sample:
    """One response: its token ids without the stop token, and whether it ended by itself."""

    tokens: list[int]
    ended: bool


def sample(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: frozenset[int],
    pad_id: int = 0,
    max_new_tokens: int = 256,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
    batch_size: int = 32,
    on_done: Callable[[int], None] | None = None,
    on_token: Callable[[int, int], None] | None = None,
) -> list[Sample]:
    """Sample one response per prompt, in the prompts' order.

    Args:
        prompts: token ids, none empty.
        stop_ids: sampling of a row stops at the first of these.
        temperature: 0 takes the likeliest token.
        top_p: sample from the smallest set of tokens that holds this much probability.
        batch_size: prompts at a time; of similar lengths, so that little is padded.
        on_done: called with the number of prompts that are answered, as they end.
        on_token: called with (prompt index, token id) as tokens come; a stop token is not passed on.

    Raises:
        ValueError: an empty prompt, or numbers out of range.
    """
    if any(not prompt for prompt in prompts):
        raise ValueError("a prompt has no tokens")
    if temperature < 0 or not 0 < top_p <= 1 or max_new_tokens < 1:
        raise ValueError("temperature must be at least 0, top_p in (0, 1], max_new_tokens at least 1")
    generator = torch.Generator(device=model.device).manual_seed(seed)

    def choose(logits: Tensor) -> Tensor:
        return _choose(logits, temperature, top_p, generator)

    found: dict[int, Sample] = {}
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    with torch.no_grad():
        for start in range(0, len(order), batch_size):
            members = order[start : start + batch_size]
            batch = _Batch(model, [list(prompts[index]) for index in members], pad_id)
            before, relay = len(found), None if on_token is None else _relay(on_token, members)
            for ended in batch.run(choose, stop_ids, max_new_tokens, relay):
                if on_done is not None:
                    on_done(before + ended)
            found |= zip(members, batch.samples, strict=True)
    return [found[index] for index in range(len(prompts))]


def answer(
    backbone: Backbone,
    renderer: Renderer,
    conversations: Sequence[Sequence[Message]],
    *,
    role: str = "policy",
    **options: Any,
) -> list[tuple[str, Sample]]:
    """Answer conversations as text; `options` are those of `sample`."""
    prompts = renderer.encode_prompts([renderer.prompt_text(conversation) for conversation in conversations])
    with backbone.active(role) as model:
        training = model.training
        model.eval()
        try:
            samples = sample(model, prompts, stop_ids=renderer.stop_ids, pad_id=backbone.pad_id, **options)
        finally:
            model.train(training)
    return [(renderer.decode(found.tokens), found) for found in samples]


class _Batch:
    """Rows that are sampled together, with their cache."""

    def __init__(self, model: PreTrainedModel, prompts: list[list[int]], pad_id: int) -> None:
        width = max(len(prompt) for prompt in prompts)
        device = model.device
        self.model: Any = model
        self.pad_id = pad_id
        padding = [width - len(prompt) for prompt in prompts]
        rows = [[pad_id] * pad + prompt for pad, prompt in zip(padding, prompts, strict=True)]
        self.input_ids = torch.tensor(rows, device=device)
        self.mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding], device=device)
        self.positions = (self.mask.cumsum(1) - 1).clamp(min=0)
        self.cache = DynamicCache(config=model.config)
        # Which response each row of the tensors is, as rows that have ended leave.
        self.alive = list(range(len(prompts)))
        self.samples: list[Sample] = []

    def run(
        self,
        choose: Callable[[Tensor], Tensor],
        stop_ids: frozenset[int],
        max_new_tokens: int,
        on_token: Callable[[int, int], None] | None,
    ) -> Iterator[int]:
        """Fill `samples`; yields the number of ended rows after each token, and all of them at last."""
        tokens: list[list[int]] = [[] for _ in self.alive]
        ended = [False] * len(self.alive)
        for _ in range(max_new_tokens):
            chosen = choose(self._logits())
            for row, token in zip(self.alive, chosen.tolist(), strict=True):
                if ended[row]:
                    continue
                if token in stop_ids:
                    ended[row] = True
                else:
                    tokens[row].append(token)
                    if on_token is not None:
                        on_token(row, token)
            yield sum(ended)
            if all(ended):
                break
            self._next(chosen, [not ended[row] for row in self.alive])
        self.samples = [Sample(ids, done) for ids, done in zip(tokens, ended, strict=True)]
        yield len(ended)

    def _logits(self) -> Tensor:
        out = self.model(
            input_ids=self.input_ids,
            attention_mask=self.mask,
            position_ids=self.positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = out.logits[:, -1]
        return logits.float()

    def _next(self, chosen: Tensor, running: list[bool]) -> None:
        """Make the chosen tokens the next input; drop ended rows once enough have gathered."""
        if running.count(False) > _COMPACT_AT * len(running):
            keep = torch.tensor([row for row, runs in enumerate(running) if runs], device=chosen.device)
            self.cache.batch_select_indices(keep)
            self.mask, self.positions, chosen = self.mask[keep], self.positions[keep], chosen[keep]
            self.alive = [row for row, runs in zip(self.alive, running, strict=True) if runs]
        self.input_ids = chosen[:, None]
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        self.positions = self.positions[:, -1:] + 1


def _choose(logits: Tensor, temperature: float, top_p: float, generator: torch.Generator) -> Tensor:
    """`[rows, vocabulary]` logits to `[rows]` token ids."""
    if temperature == 0:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits / temperature, dim=-1)
    if top_p < 1:
        ordered, ids = probabilities.sort(dim=-1, descending=True)
        # A token stays while the probability before it is below top_p, so the first one always stays.
        ordered[ordered.cumsum(-1) - ordered >= top_p] = 0.0
        picked = torch.multinomial(ordered, 1, generator=generator)
        return ids.gather(1, picked)[:, 0]
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def _relay(on_token: Callable[[int, int], None], members: list[int]) -> Callable[[int, int], None]:
    return lambda row, token: on_token(members[row], token)
