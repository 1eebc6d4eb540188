"""Packed attention: one result by three ways, at a cost that follows the segments."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from heedful.models import bf16_attention
from heedful.models.attention import (
    IMPLEMENTATION,
    UnsupportedAttention,
    flex,
    packed_attention,
    packed_implementation,
)
from heedful.models.roles import LanguageModel
from heedful.render.packing import Packed, mask_mod, pack
from heedful.render.rows import Row
from tests import tiny

DIM = 8


def row(name: str, prompt: int, *responses: int) -> Row:
    return Row(name, list(range(3, 3 + prompt)), tuple([7] * length for length in responses))


# A pair, demonstrations of lengths near and far, a group of four, a prompt of one token: in one pack.
ROWS = [
    row("pair", 9, 5, 7),
    row("single", 4, 11),
    row("near", 6, 6),
    row("group", 6, 3, 1, 4, 2),
    row("far", 2, 2),
    row("short", 1, 1, 2),
    row("same", 3, 12),
]


def inputs(packed: Packed, heads: int = 4, kv_heads: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(1, count, packed.tokens, DIM, generator=generator)
        for count in (heads, kv_heads, kv_heads)
    ]


def by_mask(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    packed: Packed,
    scaling: float,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """The whole square, masked: what the pack means, at a price it must not have."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scores = query @ key.transpose(2, 3) * scaling
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    at, zero = torch.arange(packed.tokens), torch.zeros(())
    visible = mask_mod(packed, window)(zero, zero, at[:, None], at[None])
    return scores.masked_fill(~visible, float("-inf")).softmax(-1) @ value


@pytest.mark.parametrize(
    ("window", "softcap", "kv_heads"),
    [
        (None, None, 4),
        (None, None, 2),
        (None, 2.0, 1),
        (1, None, 4),
        (4, None, 2),
        (4, 2.0, 2),
        (100, None, 1),
    ],
)
def test_three_ways_give_one_result(window: int | None, softcap: float | None, kv_heads: int) -> None:
    (packed,) = pack(ROWS, 1000)
    query, key, value = inputs(packed, 4, kv_heads)
    expected = by_mask(query, key, value, packed, 0.3, window, softcap)
    ours, weights = packed_attention(
        nn.Module(),
        query,
        key,
        value,
        None,
        0.3,
        heedful_packed=packed,
        sliding_window=window,
        softcap=softcap,
    )
    assert weights is None
    assert ours.shape == (1, packed.tokens, 4, DIM)
    torch.testing.assert_close(ours.transpose(1, 2), expected, atol=1e-5, rtol=0)
    eager = flex(query, key, value, packed, 0.3, window, softcap)
    torch.testing.assert_close(eager, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("softcap", [None, 2.0])
def test_gradients_equal_those_of_the_masked_square(softcap: float | None) -> None:
    (packed,) = pack(ROWS, 1000)
    ours, theirs = ([t.requires_grad_() for t in inputs(packed, 4, 2)] for _ in range(2))
    upstream = torch.randn(1, packed.tokens, 4, DIM, generator=torch.Generator().manual_seed(1))
    out, _ = packed_attention(
        nn.Module(), *ours, None, 0.3, heedful_packed=packed, sliding_window=4, softcap=softcap
    )
    out.backward(upstream)
    by_mask(*theirs, packed, 0.3, 4, softcap).transpose(1, 2).backward(upstream)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-5, rtol=0)


@pytest.mark.parametrize("window", [None, 4])
def test_bf16_gradients_are_those_of_fp32_but_for_rounding(
    window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In bf16 the backward pass is our own; blocks of four queries, so that there are several."""
    monkeypatch.setattr(bf16_attention, "_BLOCK", 4)
    (packed,) = pack(ROWS, 1000)
    exact = [t.requires_grad_() for t in inputs(packed, 4, 2)]
    rounded = [t.detach().bfloat16().requires_grad_() for t in exact]
    upstream = torch.randn(1, packed.tokens, 4, DIM, generator=torch.Generator().manual_seed(1))
    by_mask(*exact, packed, 0.3, window, None).transpose(1, 2).backward(upstream)
    out, _ = packed_attention(nn.Module(), *rounded, None, 0.3, heedful_packed=packed, sliding_window=window)
    out.backward(upstream.bfloat16())
    for found, wanted in zip([t.grad for t in rounded], [t.grad for t in exact], strict=True):
        assert (found.float() - wanted).norm() < 0.015 * wanted.norm()


def test_the_scores_are_scaled_by_the_root_of_the_dimension_where_nothing_else_is_said() -> None:
    (packed,) = pack(ROWS, 1000)
    query, key, value = inputs(packed)
    for softcap in (None, 2.0):
        out, _ = packed_attention(nn.Module(), query, key, value, heedful_packed=packed, softcap=softcap)
        expected = by_mask(query, key, value, packed, DIM**-0.5, None, softcap)
        torch.testing.assert_close(out.transpose(1, 2), expected, atol=1e-5, rtol=0)


def scores_computed(packed: Packed, monkeypatch: pytest.MonkeyPatch, **options: Any) -> int:
    """How many query-key products one head computes, whatever is masked of them afterwards."""
    count = 0
    plain = F.scaled_dot_product_attention

    def counting(query: Tensor, key: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        nonlocal count
        count += query.shape[0] * query.shape[2] * key.shape[2]
        return plain(query, key, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(F, "scaled_dot_product_attention", counting)
        packed_attention(nn.Module(), *inputs(packed), None, heedful_packed=packed, **options)
    return count


def test_the_cost_follows_the_segments_and_not_the_square_of_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def cost(rows: list[Row]) -> int:
        (packed,) = pack(rows, 100_000)
        return scores_computed(packed, monkeypatch)

    # A prompt attends to itself, a response to its prompt and itself, never to the other response.
    assert 0 < cost([row("pair", 9, 5, 7)]) <= 9 * 9 + 5 * (9 + 5) + 7 * (9 + 7)
    assert 0 < cost([row("single", 4, 11)]) <= 15 * 15
    one = cost(ROWS)
    assert cost(ROWS * 8) == 8 * one
    (packed,) = pack(ROWS * 8, 100_000)
    assert cost(ROWS * 8) < packed.tokens**2 / 10


def test_a_keyword_of_unknown_meaning_is_refused_and_not_ignored() -> None:
    (packed,) = pack(ROWS, 1000)
    tensors = inputs(packed)
    with pytest.raises(UnsupportedAttention, match="s_aux"):
        packed_attention(nn.Module(), *tensors, heedful_packed=packed, s_aux=torch.ones(1))
    packed_attention(nn.Module(), *tensors, heedful_packed=packed, s_aux=None, position_ids=torch.ones(1))


def test_no_layout_and_dropout_are_refused() -> None:
    (packed,) = pack(ROWS, 1000)
    with pytest.raises(UnsupportedAttention):
        packed_attention(nn.Module(), *inputs(packed))
    with pytest.raises(UnsupportedAttention):
        packed_attention(nn.Module(), *inputs(packed), heedful_packed=packed, dropout=0.1)


def test_the_models_own_attention_comes_back_even_after_an_error() -> None:
    model = tiny.model("llama")
    before = model.config._attn_implementation
    during = []

    def fail() -> None:
        with packed_implementation(model):
            during.append(model.config._attn_implementation)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert during == [IMPLEMENTATION]
    assert model.config._attn_implementation == before


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_a_whole_model_on_flex_attention_gives_the_same_log_probs(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What CUDA runs, without CUDA: every layer's attention goes through the one call."""
    backbone = tiny.backbone(architecture)
    (packed,) = pack(ROWS, 1000)
    role = LanguageModel(backbone, "policy")
    with torch.no_grad():
        expected = role(packed)

        def by_flex(
            module: nn.Module, query: Tensor, key: Tensor, value: Tensor, *args: Any, **kwargs: Any
        ) -> Any:
            scaling, window, softcap = (kwargs.get(name) for name in ("scaling", "sliding_window", "softcap"))
            out = flex(query, key, value, kwargs["heedful_packed"], scaling, window, softcap)
            return out.transpose(1, 2).contiguous(), None

        from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

        monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._local_mapping, IMPLEMENTATION, by_flex)
        torch.testing.assert_close(role(packed), expected, atol=1e-5, rtol=0)
