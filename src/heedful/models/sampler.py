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
from torch.nn import functional
from transformers import PreTrainedModel

from heedful.errors import NotFinite
from heedful.models.backbone import Backbone
from heedful.models.cache import roomy_cache
from heedful.models.decoding import decoding
from heedful.records import Message
from heedful.render.chat import Renderer

# Rows that have ended are computed along until they are this share of the batch: each removal copies the
# cache.
_COMPACT_AT = 0.25
# Tokens whose weights are added up together when one is drawn: about the root of a vocabulary.
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Sample:
    """One response: its token ids without the stop token, and that token where one ended it."""

    tokens: list[int]
    stop: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it ended by itself, and not at the limit."""
        return self.stop is not None

    @property
    def actions(self) -> list[int]:
        """Every token that was chosen: the response and, where one was drawn, its stop token."""
        return self.tokens if self.stop is None else [*self.tokens, self.stop]


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
    samples: int = 1,
    batch_size: int = 32,
    on_done: Callable[[int], None] | None = None,
    on_token: Callable[[int, int], None] | None = None,
) -> list[Sample]:
    """Sample responses, in the prompts' order; those of one prompt stand together.

    Args:
        prompts: token ids, none empty.
        stop_ids: sampling of a row stops at the first of these.
        temperature: 0 takes the likeliest token.
        top_p: sample from the smallest set of tokens that holds this much probability.
        samples: responses per prompt; the prompt is computed once for all of them.
        batch_size: responses at a time, of prompts of similar lengths, so that little is padded; all those of
            one prompt where `samples` is more.
        on_done: called with the number of responses that are whole, as they end.
        on_token: called with (response index, token id) as tokens come; a stop token is not passed on.

    Raises:
        ValueError: an empty prompt, or numbers out of range.
        NotFinite: the model's logits are NaN or infinite.
    """
    if any(not prompt for prompt in prompts):
        raise ValueError("a prompt has no tokens")
    if temperature < 0 or not 0 < top_p <= 1 or max_new_tokens < 1 or samples < 1:
        raise ValueError(
            "temperature must be at least 0, top_p in (0, 1], max_new_tokens and samples at least 1"
        )
    generator = torch.Generator(device=model.device).manual_seed(seed)

    def choose(logits: Tensor) -> Tensor:
        return choose_tokens(logits, temperature, top_p, generator)

    found: dict[int, Sample] = {}
    order = sorted(range(len(prompts)), key=lambda index: -len(prompts[index]))
    prompts_at_once = max(batch_size // samples, 1)
    with torch.no_grad(), decoding(model):
        for start in range(0, len(order), prompts_at_once):
            chosen = order[start : start + prompts_at_once]
            members = [index * samples + number for index in chosen for number in range(samples)]
            batch = _Batch(model, [prompts[index] for index in chosen], samples, pad_id, room=max_new_tokens)
            before, relay = len(found), None if on_token is None else _relay(on_token, members)
            for ended in batch.run(choose, stop_ids, max_new_tokens, relay):
                if on_done is not None:
                    on_done(before + ended)
            found |= zip(members, batch.samples, strict=True)
    return [found[index] for index in range(len(prompts) * samples)]


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
    """Rows that are sampled together, with their cache: `samples` for each prompt."""

    def __init__(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        samples: int,
        pad_id: int,
        *,
        room: int,
    ) -> None:
        width = max(len(prompt) for prompt in prompts)
        device = model.device
        self.model: Any = model
        self.repeats = samples
        padding = [width - len(prompt) for prompt in prompts]
        rows = [[pad_id] * pad + list(prompt) for pad, prompt in zip(padding, prompts, strict=True)]
        self.input_ids = torch.tensor(rows, device=device)
        self.mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in padding], device=device)
        self.positions = (self.mask.cumsum(1) - 1).clamp(min=0)
        self.cache = roomy_cache(model, room)
        # Which response each row of the tensors is, as rows that have ended leave.
        self.alive = list(range(len(prompts) * samples))
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
        stops: list[int | None] = [None] * len(self.alive)
        logits = self._prompts()
        for number in range(1, max_new_tokens + 1):
            chosen = choose(logits)
            for row, token in zip(self.alive, chosen.tolist(), strict=True):
                if stops[row] is not None:
                    continue
                if token in stop_ids:
                    stops[row] = token
                else:
                    tokens[row].append(token)
                    if on_token is not None:
                        on_token(row, token)
            yield len(stops) - stops.count(None)
            if number == max_new_tokens or None not in stops:
                break
            self._next(chosen, [stops[row] is None for row in self.alive])
            logits = self._logits()
        self.samples = [Sample(ids, stop) for ids, stop in zip(tokens, stops, strict=True)]
        yield len(stops)

    def _prompts(self) -> Tensor:
        """The first tokens' logits, of every response, from one pass over the prompts."""
        logits = self._logits()
        if self.repeats > 1:
            self.cache.batch_repeat_interleave(self.repeats)
            logits, self.mask, self.positions = (
                tensor.repeat_interleave(self.repeats, dim=0)
                for tensor in (logits, self.mask, self.positions)
            )
        return logits

    def _logits(self) -> Tensor:
        out = self.model(
            input_ids=self.input_ids,
            attention_mask=self.mask,
            position_ids=self.positions,
            past_key_values=self.cache,
            use_cache=True,
            # An index and no slice: of a strided view torch may make one product a row, each with a copy of
            # the whole LM head.
            logits_to_keep=torch.tensor([-1], device=self.mask.device),
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


def choose_tokens(
    logits: Tensor, temperature: float, top_p: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """`[rows, vocabulary]` fp32 logits, which are overwritten, to `[rows]` token ids.

    Raises:
        NotFinite: there is a NaN or no largest logit in a row.
    """
    if temperature == 0:
        likeliest = logits.argmax(-1, keepdim=True)
        _require_finite(logits.gather(1, likeliest))
        return likeliest[:, 0]
    weights = logits.sub_(logits.amax(-1, keepdim=True)).div_(temperature).exp_()
    if top_p < 1:
        ordered, ids = (weights / weights.sum(-1, keepdim=True)).sort(dim=-1, descending=True)
        # A token stays while the probability before it is below top_p, so the first one always stays.
        ordered[ordered.cumsum(-1) - ordered >= top_p] = 0.0
        return ids.gather(1, _draw(ordered, generator)[:, None])[:, 0]
    return _draw(weights, generator)


def _draw(weights: Tensor, generator: torch.Generator | None) -> Tensor:
    """`[rows]` columns, each drawn as often as its weight says: one random number a row.

    `torch.multinomial` draws a random number for every token of the vocabulary. Here the row's weights are
    added up block by block; a uniform number picks a block and what is left of it a token within.
    """
    precise = torch.float32 if weights.device.type == "mps" else torch.float64
    blocks = functional.pad(weights, (0, -weights.shape[1] % _BLOCK)).unflatten(1, (-1, _BLOCK))
    totals = blocks.sum(-1, dtype=precise).cumsum(-1)
    _require_finite(totals[:, -1])
    mark = torch.rand(len(weights), 1, generator=generator, device=weights.device, dtype=precise)
    mark *= totals[:, -1:]
    block = _first_above(totals, mark)
    within = blocks[torch.arange(len(weights), device=weights.device), block[:, 0]].to(precise).cumsum(-1)
    mark -= totals.gather(1, block) - within[:, -1:]
    return (block * _BLOCK + _first_above(within, mark))[:, 0]


def _first_above(totals: Tensor, mark: Tensor) -> Tensor:
    """`[rows, 1]`: the first column whose running total exceeds `mark`; never one that adds nothing."""
    # Rounding may put the mark at the very end: the last column that added something is meant.
    last = torch.searchsorted(totals, totals[:, -1:].contiguous())
    return torch.minimum(torch.searchsorted(totals, mark, right=True), last)


def _require_finite(found: Tensor) -> None:
    """What rows of logits came to: a NaN or an infinity in a row spoils it."""
    if not found.isfinite().all():
        mend = "The usual cause is float16, which overflows: use model.dtype=float32 or bfloat16."
        raise NotFinite("the model's logits are not finite numbers.", mend=mend)


def _relay(on_token: Callable[[int, int], None], members: list[int]) -> Callable[[int, int], None]:
    return lambda row, token: on_token(members[row], token)
