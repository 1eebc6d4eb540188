"""What an architecture can take, found by trying it: does packing give this model the same numbers?

A list of model names would be wrong the week after it was written. Instead a few tokens go through the packed and through
the padded path once, and through the model's own LM head; what agrees is used, what does not is named.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from heedful.errors import ModelError
from heedful.render.packing import Packed, pack
from heedful.render.rows import Row

if TYPE_CHECKING:
    from heedful.models.backbone import Backbone

logger = logging.getLogger(__name__)

# How far two paths may differ, relative to the largest value, before they count as different computations.
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
_LOW_PRECISION_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Compatibility:
    """`packs`: the packed path gives what the padded path gives. `reason`: why not, when it does not."""

    packs: bool
    reason: str = ""


def probe(backbone: Backbone) -> Compatibility:
    """Compare the packed path with the padded one, and our head with the model's own.

    Raises:
        ModelError: the model's logits are not the head we know; its log-probs would be wrong.
    """
    from heedful.models.backbone import hidden_states

    packed = _probe_pack(backbone).to(backbone.device)
    with torch.no_grad():
        padded = hidden_states(backbone, "policy", packed, padded=True)
        _check_head(backbone, packed, padded)
        try:
            difference = _distance(hidden_states(backbone, "policy", packed, padded=False), padded)
        except Exception as error:  # whatever a model's own code raises here, it does not take packed rows
            result = Compatibility(False, f"{type(error).__name__}: {error}")
        else:
            close = difference <= _tolerance(backbone.compute_dtype)
            result = Compatibility(close, "" if close else f"hidden states differ by {difference:.1e}")
    if not result.packs:
        logger.warning("This model does not take packed rows (%s); rows are padded instead.", result.reason)
    return result


def _probe_pack(backbone: Backbone) -> Packed:
    """Two small pairs in one row, token ids spread over the vocabulary."""
    vocabulary = backbone.model.get_input_embeddings().weight.shape[0]

    def ids(start: int, count: int) -> list[int]:
        return [(start + 37 * i) % vocabulary for i in range(count)]

    rows = [Row("a", ids(1, 5), (ids(11, 4), ids(21, 3))), Row("b", ids(31, 3), (ids(41, 2), ids(51, 5)))]
    return pack(rows, 10_000)[0]


def _check_head(backbone: Backbone, packed: Packed, hidden: Tensor) -> None:
    from heedful.models.logprobs import token_logprobs

    ours = token_logprobs(hidden, packed.target_ids, backbone.head())
    rows = packed.to_padded(backbone.pad_id)
    logits = backbone.model(input_ids=rows.input_ids, attention_mask=rows.attention_mask).logits
    theirs = logits.flatten(0, 1)[rows.target_index].float().log_softmax(-1)
    theirs = theirs.gather(1, packed.target_ids[:, None])[:, 0]
    if _distance(ours, theirs) > _tolerance(backbone.compute_dtype):
        raise ModelError(
            f"the LM head of {type(backbone.model).__name__} computes something other than h·Wᵀ with a scale or a cap.",
            where=backbone.name,
            mend="Please report the architecture; until then use another model.",
        )


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a.float() - b.float()).abs().max() / b.float().abs().max().clamp(min=1e-6))


def _tolerance(dtype: torch.dtype) -> float:
    return _TOLERANCE.get(dtype, _LOW_PRECISION_TOLERANCE)
