"""Attention for packed rows: segment by segment on CPU, FlexAttention on CUDA, through `transformers`'
interface.

The cost follows the segments and never the square of the row: each prompt attends to itself, each response to
its prompt and itself. Registered under `IMPLEMENTATION`; a model whose configuration names it gets the row's
layout through the keyword `heedful_packed`. Knows the attention interface and the layout of
`heedful.render.packing`, no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from heedful.models import bf16_attention
from heedful.render.packing import Packed, Segment, mask_mod

IMPLEMENTATION = "heedful_packed"

# Keywords that models hand to attention and that do not change its result for a causal decoder.
_HARMLESS = frozenset(
    {
        "is_causal",
        "position_ids",
        "use_cache",
        "cache_position",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
    }
)


# Segments of at most so many tokens are computed together, those in one call at least this well filled.
_SHORT, _LEAST_FILLED = 128, 0.75


class UnsupportedAttention(Exception):
    """The model asks something of attention that the packed path does not compute."""


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    heedful_packed: Packed | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention over one packed row.

    Args:
        query: `[1, heads, tokens, dim]`; key and value `[1, kv_heads, tokens, dim]`.
        scaling: factor on the scores; `dim ** -0.5` when absent.
        sliding_window: how many tokens back a token sees, itself included; by position within its own
            sequence.
        softcap: scores become `softcap * tanh(scores / softcap)`.

    Returns:
        `[1, tokens, heads, dim]` and no attention weights.

    Raises:
        UnsupportedAttention: no layout reached us, or the model passes a keyword whose meaning is unknown
            here.
    """
    unknown = [name for name, given in others.items() if given is not None and name not in _HARMLESS]
    if heedful_packed is None or unknown or dropout:
        raise UnsupportedAttention(f"{type(module).__name__} passes {unknown or 'no layout, or dropout'}")
    if query.is_cuda:
        out = flex(query, key, value, heedful_packed, scaling, sliding_window, softcap)
    else:
        out = _by_segment(query, key, value, heedful_packed, scaling, sliding_window, softcap)
    return out.transpose(1, 2).contiguous(), None


@dataclass(frozen=True, slots=True)
class _Together:
    """Short segments of one sequence each, attended to in one padded call.

    Attributes:
        index: `[segments * width]`, the pack's token at each place; padding repeats a segment's first.
        width: the longest of them, in tokens.
        real: `[tokens]`, the places that are no padding, in the segments' order.
    """

    index: Tensor
    width: int
    real: Tensor


def _by_segment(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    packed: Packed,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """Attention of a whole pack: `[1, heads, tokens, dim]`."""
    groups, others, order = _arranged(packed)
    how = (scaling, window, softcap)
    pieces = [_together(query, key, value, group, *how) for group in groups]
    pieces += [piece for segment in others for piece in _segment(query, key, value, segment, *how)]
    out = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)
    return out if order is None else out.index_select(2, order)


def _arranged(packed: Packed) -> tuple[list[_Together], list[Segment], Tensor | None]:
    """Which segments are computed together and which alone, and where their tokens then are.

    The last is `[tokens]`, or none where they are in the pack's own order. All layers share one answer, which
    lives on the pack.
    """
    cache: dict[str, Any] = packed.__dict__
    if "_arranged" not in cache:
        cache["_arranged"] = _arrange(packed.segments, packed.input_ids.device)
    found: tuple[list[_Together], list[Segment], Tensor | None] = cache["_arranged"]
    return found


def _arrange(
    segments: Sequence[Segment], device: torch.device
) -> tuple[list[_Together], list[Segment], Tensor | None]:
    short = [s for s in segments if len(s.responses) == 1 and s.stop - s.start <= _SHORT]
    if len(short) < 2:
        return [], list(segments), None
    buckets: list[list[Segment]] = []
    for segment in sorted(short, key=lambda s: s.start - s.stop):
        length = segment.stop - segment.start
        if not buckets or length < _LEAST_FILLED * (buckets[-1][0].stop - buckets[-1][0].start):
            buckets.append([])
        buckets[-1].append(segment)
    others = [segment for segment in segments if segment not in short]
    spans = [range(s.start, s.stop) for bucket in [*buckets, others] for s in bucket]
    order = torch.tensor([token for span in spans for token in span]).argsort().to(device)
    return [_lay_together(bucket, device) for bucket in buckets], others, order


def _lay_together(bucket: Sequence[Segment], device: torch.device) -> _Together:
    width = bucket[0].stop - bucket[0].start
    index = [
        token if token < s.stop else s.start for s in bucket for token in range(s.start, s.start + width)
    ]
    real = [number * width + at for number, s in enumerate(bucket) for at in range(s.stop - s.start)]
    return _Together(torch.tensor(index, device=device), width, torch.tensor(real, device=device))


def _together(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    group: _Together,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """The outputs of a group's tokens, segment by segment.

    Padding comes after all real tokens, so that causal attention keeps them from it.
    """

    def rows(states: Tensor) -> Tensor:
        chosen = states[0].index_select(1, group.index)
        return chosen.view(len(chosen), -1, group.width, chosen.shape[-1]).transpose(0, 1)

    out = _attend(rows(query), rows(key), rows(value), scaling, window, softcap)
    return out.transpose(0, 1).flatten(1, 2).index_select(1, group.real)[None]


def _segment(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    segment: Segment,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> Iterator[Tensor]:
    """The outputs of one segment's parts in order: the prompt, then each response."""
    if len(segment.responses) == 1:
        # Prompt and response are one causal sequence, and one call is cheaper than two.
        whole = slice(segment.start, segment.stop)
        yield _attend(query[:, :, whole], key[:, :, whole], value[:, :, whole], scaling, window, softcap)
        return
    prompt = slice(segment.start, segment.start + segment.prompt)
    prompt_key, prompt_value = key[:, :, prompt], value[:, :, prompt]
    yield _attend(query[:, :, prompt], prompt_key, prompt_value, scaling, window, softcap)
    for start, stop in segment.response_spans():
        keys = torch.cat([prompt_key, key[:, :, start:stop]], dim=2)
        values = torch.cat([prompt_value, value[:, :, start:stop]], dim=2)
        yield _attend(query[:, :, start:stop], keys, values, scaling, window, softcap)


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """Causal attention of the last `q` of `k` positions: `[rows, heads, q, dim]`."""
    queries, keys = query.shape[2], key.shape[2]
    if window is not None and window >= keys:
        window = None
    if softcap is not None:
        return _attend_capped(query, key, value, scaling, window, softcap)
    if query.dtype == torch.bfloat16 and torch.is_grad_enabled():
        bias = _bias(queries, keys, window, query.dtype, query.device)
        return bf16_attention.attend(query, key, value, bias, scaling or query.shape[-1] ** -0.5)
    square = queries == keys and window is None
    return F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=None if square else _bias(queries, keys, window, query.dtype, query.device),
        is_causal=square,
        scale=scaling,
        enable_gqa=key.shape[1] != query.shape[1],
    )


def _attend_capped(
    query: Tensor, key: Tensor, value: Tensor, scaling: float | None, window: int | None, softcap: float
) -> Tensor:
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scores = query @ key.transpose(2, 3) * (scaling if scaling is not None else query.shape[-1] ** -0.5)
    scores = softcap * torch.tanh(scores / softcap)
    scores = scores + _bias(query.shape[2], key.shape[2], window, query.dtype, query.device)
    return scores.softmax(-1, dtype=torch.float32).to(query.dtype) @ value


@lru_cache(maxsize=64)
def _bias(queries: int, keys: int, window: int | None, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Additive causal mask `[q, k]` for the last `q` of `k` positions. Every layer asks for the same few."""
    at = torch.arange(keys - queries, keys, device=device)[:, None]
    to = torch.arange(keys, device=device)[None]
    visible = to <= at
    if window is not None:
        visible &= to > at - window
    return torch.zeros(queries, keys, dtype=dtype, device=device).masked_fill_(~visible, float("-inf"))


def flex(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    packed: Packed,
    scaling: float | None = None,
    window: int | None = None,
    softcap: float | None = None,
) -> Tensor:
    """The same attention as one FlexAttention call: `[1, heads, tokens, dim]`. Compiled on CUDA."""
    from torch.nn.attention.flex_attention import flex_attention

    def cap(score: Tensor, *_: Tensor) -> Tensor:
        assert softcap is not None
        return softcap * torch.tanh(score / softcap)

    attend = _compiled_flex() if query.is_cuda else flex_attention
    out: Tensor = attend(
        query,
        key,
        value,
        score_mod=None if softcap is None else cap,
        block_mask=_block_mask(packed, window),
        scale=scaling,
        enable_gqa=key.shape[1] != query.shape[1],
    )
    return out


def _block_mask(packed: Packed, window: int | None) -> Any:
    """FlexAttention's block mask of a pack; all layers of a forward pass share one per window."""
    # The pack is frozen, so its block masks can live on it; they go when it goes.
    cache: dict[int | None, Any] = packed.__dict__.setdefault("_block_masks", {})
    if window not in cache:
        from torch.nn.attention.flex_attention import create_block_mask

        size, device = packed.tokens, str(packed.input_ids.device)
        cache[window] = create_block_mask(mask_mod(packed, window), None, None, size, size, device=device)
    return cache[window]


@lru_cache(maxsize=1)
def _compiled_flex() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=True)


@contextmanager
def packed_implementation(model: PreTrainedModel) -> Iterator[None]:
    """Within this context the model's layers attend over packed rows."""
    found = {id(module.config): module.config for module in model.modules() if hasattr(module, "config")}
    configs: list[Any] = [config for config in found.values() if hasattr(config, "_attn_implementation")]
    before = [config._attn_implementation for config in configs]
    for config in configs:
        config._attn_implementation = IMPLEMENTATION
    try:
        yield
    finally:
        for config, implementation in zip(configs, before, strict=True):
            config._attn_implementation = implementation


def recompute_contexts(
    model: PreTrainedModel,
) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """For gradient checkpointing (`context_fn`): a layer that is computed again attends as it did the first
    time.

    Backward runs when the forward pass, and the packed attention that it switched on, is long over.
    """
    packs = getattr(model.config, "_attn_implementation", None) == IMPLEMENTATION
    return nullcontext(), packed_implementation(model) if packs else nullcontext()


AttentionInterface.register(IMPLEMENTATION, packed_attention)
