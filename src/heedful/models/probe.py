"""What an architecture can take, found by trying it: does packing give this model the same numbers?

A list of model names would be wrong the week after it was written. Instead a few tokens go through the packed
and through the padded path once, and through the model's own LM head; what agrees is used, what does not is
named.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from heedful.errors import ModelError
from heedful.models.forward import hidden_states
from heedful.models.logprobs import Head, token_logprobs
from heedful.render.packing import Packed, pack
from heedful.render.rows import Row

logger = logging.getLogger(__name__)

# How far two paths may differ, relative to the largest value, before they count as different computations.
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
_LOW_PRECISION_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Compatibility:
    """`packs`: the packed path gives what the padded path gives. `reason`: why not, when it does not."""

    packs: bool
    reason: str = ""


def probe(
    model: PreTrainedModel, head: Head, *, pad_id: int, compute_dtype: torch.dtype, name: str
) -> Compatibility:
    """Compare the packed path with the padded one, and our head with the model's own.

    Raises:
        ModelError: the model's logits are not the head we know; its log-probs would be wrong.
    """
    packed = _probe_pack(model).to(model.device)
    tolerance = _TOLERANCE.get(compute_dtype, _LOW_PRECISION_TOLERANCE)

    def states(padded: bool) -> Tensor:
        return hidden_states(model, packed, padded=padded, pad_id=pad_id, compute_dtype=compute_dtype)

    with torch.no_grad(), _evaluating(model):
        expected = states(padded=True)
        if (
            _distance(token_logprobs(expected, packed.target_ids, head), _own_logprobs(model, packed, pad_id))
            > tolerance
        ):
            raise ModelError(
                f"the LM head of {type(model).__name__} is not h·Wᵀ with a scale or a cap.",
                where=name,
                mend="Please report the architecture; until then use another model.",
            )
        try:
            difference = _distance(states(padded=False), expected)
        except Exception as error:  # whatever a model's own code raises here, it does not take packed rows
            result = Compatibility(False, f"{type(error).__name__}: {error}")
        else:
            close = difference <= tolerance
            result = Compatibility(close, "" if close else f"hidden states differ by {difference:.1e}")
    if not result.packs:
        logger.warning("This model does not take packed rows (%s); rows are padded instead.", result.reason)
    return result


@contextmanager
def _evaluating(model: PreTrainedModel) -> Iterator[None]:
    """Dropout off: two paths that drop different numbers cannot be compared."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def _probe_pack(model: PreTrainedModel) -> Packed:
    """Two small pairs in one row, token ids spread over the vocabulary."""
    vocabulary = model.get_input_embeddings().weight.shape[0]

    def ids(start: int, count: int) -> list[int]:
        return [(start + 37 * i) % vocabulary for i in range(count)]

    rows = [Row("a", ids(1, 5), (ids(11, 4), ids(21, 3))), Row("b", ids(31, 3), (ids(41, 2), ids(51, 5)))]
    return pack(rows, 10_000)[0]


def _own_logprobs(model: PreTrainedModel, packed: Packed, pad_id: int) -> Tensor:
    """The targets' log-probs from the model's own full logits."""
    rows = packed.to_padded(pad_id)
    logits = model(input_ids=rows.input_ids, attention_mask=rows.attention_mask).logits
    logps: Tensor = logits.flatten(0, 1)[rows.target_index].float().log_softmax(-1)
    return logps.gather(1, packed.target_ids[:, None])[:, 0]


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a.float() - b.float()).abs().max() / b.float().abs().max().clamp(min=1e-6))
