"""Attention of bf16 states on a CPU, with a backward pass of bf16 matrix products.

The backward pass of torch's own kernel goes through fp32 there: for a pair of 330 tokens, with nine heads,
it took 4.0 ms a layer where this takes 1.7 (two cores with AVX-512 bf16). Only the states are kept; the
weights of the attention are computed again, a block of queries at a time.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# Queries at a time: blocks skip what they cannot see, and larger ones are no faster.
_BLOCK = 128


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scaling: float) -> Tensor:
    """Attention of the last `q` of `k` positions.

    Args:
        query: `[rows, heads, q, dim]`; key and value `[rows, kv_heads, k, dim]`.
        bias: `[q, k]`, added to the scores: what a query must not see is `-inf`, later positions among it.

    Returns:
        `[rows, heads, q, dim]`.
    """
    out: Tensor = _Attend.apply(query, key, value, bias, scaling)
    return out


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scaling: float) -> Tensor:
        ctx.save_for_backward(query, key, value, bias)
        ctx.scaling = scaling
        gqa = query.shape[1] != key.shape[1]
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=bias, scale=scaling, enable_gqa=gqa
        )

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, bias = ctx.saved_tensors
        rows, heads, queries, dim = query.shape
        groups, keys = key.shape[1:3]
        d_query, d_key, d_value = torch.empty_like(query), torch.zeros_like(key), torch.zeros_like(value)

        def by_group(states: Tensor) -> Tensor:
            """`[rows * kv_heads, heads / kv_heads * block, dim]`: heads that share keys are one head's
            queries.
            """
            return states.reshape(rows * groups, -1, dim)

        for start in range(0, queries, _BLOCK):
            stop = min(start + _BLOCK, queries)
            block, seen = slice(start, stop), slice(0, keys - queries + stop)
            q, d_out = by_group(query[:, :, block] * ctx.scaling), by_group(upstream[0][:, :, block])
            k, v = by_group(key[:, :, seen]), by_group(value[:, :, seen])
            scores = torch.bmm(q, k.transpose(1, 2))
            scores.view(rows * groups, heads // groups, stop - start, -1).add_(bias[block, seen])
            weights = scores.softmax(-1)
            d_weights = torch.bmm(d_out, v.transpose(1, 2))
            mean = (weights * d_weights).sum(-1, keepdim=True, dtype=torch.float32)
            d_scores = d_weights.sub_(mean.to(d_weights.dtype)).mul_(weights)
            d_query[:, :, block] = torch.bmm(d_scores, k).mul_(ctx.scaling).view(rows, heads, -1, dim)
            d_key[:, :, seen] += torch.bmm(d_scores.transpose(1, 2), q).view(rows, groups, -1, dim)
            d_value[:, :, seen] += torch.bmm(weights.transpose(1, 2), d_out).view(rows, groups, -1, dim)
        return d_query, d_key, d_value, None, None
