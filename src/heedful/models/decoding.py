"""Attention for sampling, one new token a row: the heads that share keys are computed together.

With grouped queries, SDPA on a CPU reads a head's keys once for every query head; as several queries of one
head they are read once. Whatever is not a single token goes to the attention that `transformers` would use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

IMPLEMENTATION = "heedful_decoding"


def decoding_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """As `sdpa_attention_forward`: query `[rows, heads, tokens, dim]`, key and value `[rows, kv_heads, ...]`.

    Returns:
        `[rows, tokens, heads, dim]` and no attention weights.
    """
    rows, heads, tokens, dim = query.shape
    groups = key.shape[1]
    if tokens > 1 or heads == groups or others.get("position_bias") is not None:
        found: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return found
    # The heads of a group become its queries; a mask of one query holds for all of them.
    out = functional.scaled_dot_product_attention(
        query.view(rows, groups, heads // groups, dim),
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=dropout,
        scale=scaling,
    )
    return out.reshape(rows, 1, heads, dim), None  # on some devices its heads do not lie side by side


@contextmanager
def decoding(model: PreTrainedModel) -> Iterator[None]:
    """Within this context a model that attends by SDPA samples faster; any other is left as it is."""
    config: Any = model.config.get_text_config()
    if config._attn_implementation != "sdpa":
        yield
        return
    config._attn_implementation = IMPLEMENTATION
    try:
        yield
    finally:
        config._attn_implementation = "sdpa"


AttentionInterface.register(IMPLEMENTATION, decoding_attention)
AttentionMaskInterface.register(IMPLEMENTATION, sdpa_mask)
