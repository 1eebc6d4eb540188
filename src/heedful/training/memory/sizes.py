"""Bytes of the things that are in memory while a model trains, each a formula of the model's shape.

They are those of this package's own code: a norm that keeps no fp32 copy, a gated MLP that keeps two of its
four matrices, an LM head that takes logits a chunk at a time. `h`, `q`, `k`, `f` and `V` are the widths of
the residual stream, of queries, of keys, of the MLP, and of the vocabulary. The numbers of what a layer
keeps are a Llama's; Gemma 3 keeps up to a fifth more, GPT-2 a half.
"""

from __future__ import annotations

import torch

from heedful.models.logprobs import chunk_rows
from heedful.models.shape import Shape, Targets

FP32_BYTES = 4
# AdamW's two moments of a trained parameter, in fp32.
ADAM_BYTES = 8
# Chunks of fp32 logits alive at once: logits and their log-softmax, and of the chunk before the gradient.
CHUNKS_OF_ONE, CHUNKS_OF_SEVERAL = 2, 3
# A weight in NF4: half a byte, a scale in 8 bits for every 64 of them, and an fp32 scale for every 256 of
# those (Dettmers et al. 2023, section 3).
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
# A token id in a Python list (a pointer and an int), and the text it came from.
DATA_BYTES_PER_TOKEN = 48
# Copies of the largest parameter that AdamW makes while it moves it: the root of a moment, and the quotient.
STEP_COPIES = 2


def layer_bytes(shape: Shape, tokens: int, number: int, *, full: bool, dropout: bool = False) -> int:
    """What one layer keeps of `tokens` for backward, in numbers of `number` bytes.

    A token keeps, around attention, `3q` (queries, what attention makes of them, and the same laid out anew)
    and `4k` (keys and values, and again for each response of a pair). The rest depends on what is trained:

    - An adapter: `4h`, what goes into two norms and comes out of them, and `2f`, the MLP's gate and what goes
      up.
    - An adapter that drops out: `2h`, `3f`, and of the inputs of all its layers what was left and the factor,
      in fp32.
    - All weights: `4f`, and `6h`, for norms keep what they have normed as well. Where products run in another
      type than fp32, `4h` of these are in fp32, and five layers keep what they are given in their own.
    """
    attention = 3 * shape.query_width + 4 * shape.key_width
    if full:
        again = 5 if number != FP32_BYTES else 2
        norms = shape.hidden * (4 * FP32_BYTES + again * number)
        return tokens * (norms + number * (attention + 4 * shape.intermediate))
    if dropout:
        inputs = sum(inputs for inputs, _ in shape.linears.values()) // shape.layers
        kept = number * (2 * shape.hidden + attention + 3 * shape.intermediate)
        return tokens * (kept + 2 * FP32_BYTES * inputs)
    return tokens * number * (4 * shape.hidden + attention + 2 * shape.intermediate)


def activation_bytes(
    shape: Shape, tokens: int, number: int, *, full: bool, recomputed: bool, dropout: bool = False
) -> int:
    """What a forward pass over `tokens` keeps for backward.

    That is what every layer keeps, and three times the residual stream around the last norm. With gradient
    checkpointing a layer keeps its input alone.
    """
    layer = layer_bytes(shape, tokens, number, full=full, dropout=dropout)
    stream = tokens * number * shape.hidden
    return shape.layers * (stream if recomputed else layer) + 3 * stream


def working_bytes(
    shape: Shape, tokens: int, number: int, *, full: bool, recomputed: bool, dropout: bool = False
) -> int:
    """What the backward pass of one layer needs beside what is kept: as much again, and with gradient
    checkpointing first the layer itself.
    """
    layer = layer_bytes(shape, tokens, number, full=full, dropout=dropout)
    return 2 * layer if recomputed else layer


def passing_bytes(shape: Shape, tokens: int, number: int) -> int:
    """What a forward pass over `tokens` has in hand where nothing is kept: the residual stream before and
    after, and the wider of a layer's two halves.
    """
    attention = 3 * shape.query_width + 4 * shape.key_width
    return tokens * number * (3 * shape.hidden + max(attention, 3 * shape.intermediate))


def logit_bytes(shape: Shape, targets: int) -> int:
    """Chunks of logits that are in memory at once."""
    rows = chunk_rows(shape.vocabulary)
    chunks = CHUNKS_OF_ONE if targets <= rows else CHUNKS_OF_SEVERAL
    return chunks * min(rows, targets) * shape.vocabulary * FP32_BYTES


def head_gradient_bytes(shape: Shape, number: int) -> int:
    """A trained LM head's gradient, `V · h` in fp32 before it is added to those of the passes before; of a
    head that computes in another type also in that.
    """
    return shape.embedding * (FP32_BYTES + (number if number != FP32_BYTES else 0))


def cache_bytes(shape: Shape, responses: int, tokens: int, number: int) -> int:
    """Keys and values of `responses` of `tokens` each, in every layer."""
    return responses * tokens * shape.layers * 2 * shape.key_width * number


def weight_bytes(shape: Shape, kept: torch.dtype, *, quantised: bool = False) -> int:
    """The weights as they are kept; of a quantised model all but embeddings, head and norms in NF4."""
    if not quantised:
        return shape.parameters * kept.itemsize
    rest = shape.parameters - shape.multiplied
    return int(shape.multiplied * NF4_BYTES) + rest * kept.itemsize


def folded_bytes(shape: Shape, adapted: Targets, number: int) -> int:
    """A copy of the weights that an adapter changes."""
    return number * sum(inputs * outputs for inputs, outputs in shape.adapted(adapted).values())
