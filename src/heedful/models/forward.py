"""One forward pass of a causal model over a pack of rows, up to the hidden states that something is read
from.

Two paths with the same result: packed (attention segment by segment) and padded (every architecture takes
it).
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from heedful.models.attention import packed_implementation
from heedful.render.packing import Packed


def hidden_states(
    model: PreTrainedModel,
    packed: Packed,
    *,
    padded: bool,
    pad_id: int,
    compute_dtype: torch.dtype,
    ends: bool = False,
) -> Tensor:
    """The final hidden states that predict the pack's targets: `[targets, hidden]`, in `compute_dtype`.

    Args:
        padded: unpack the rows and pad them, instead of attending over the pack.
        pad_id: any valid token id; only the padded path writes it.
        compute_dtype: matrix products run in it; autocast where the weights are kept in another type.
        ends: the states at each response's last token instead: `[sequences, hidden]`.
    """
    mixed = compute_dtype != model.dtype
    decoder: Any = model.get_decoder()
    with torch.autocast(model.device.type, dtype=compute_dtype) if mixed else nullcontext():
        if padded:
            rows = packed.to_padded(pad_id)
            out = decoder(input_ids=rows.input_ids, attention_mask=rows.attention_mask, use_cache=False)
            hidden: Tensor = out.last_hidden_state.flatten(0, 1)[
                rows.end_index if ends else rows.target_index
            ]
        else:
            with packed_implementation(model):
                out = decoder(
                    input_ids=packed.input_ids[None],
                    position_ids=packed.position_ids[None],
                    use_cache=False,
                    heedful_packed=packed,
                )
            hidden = out.last_hidden_state[0, packed.end_index if ends else packed.target_index]
    return hidden.to(compute_dtype)
