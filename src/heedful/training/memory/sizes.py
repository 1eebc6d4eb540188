"""Bytes of the things that are in memory while a model trains, each a formula of the model's shape.

Sizes are those of this package's own code: a norm that keeps no fp32 copy, a gated MLP that keeps two of its
four matrices, an LM head that takes logits a chunk at a time.
"""

from __future__ import annotations

import torch

from heedful.models.logprobs import chunk_rows
from heedful.models.shape import Shape

FP32_BYTES = 4
# AdamW's two moments of a trained parameter, in fp32.
ADAM_BYTES = 8
# Chunks of fp32 logits alive at once: logits, log-probs, the chunk before, and a cast of the gradient.
HEAD_CHUNKS = 4
# A weight in NF4: half a byte, and an fp32 scale for every 64 of them that is itself kept in 8 bits, with an
# fp32 scale for every 256 of those (Dettmers et al. 2023, section 3).
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
# A token id in a Python list (a pointer and an int), and the text it came from.
DATA_BYTES_PER_TOKEN = 48


def layer_bytes(shape: Shape, tokens: int, number: int, *, full: bool) -> int:
    """What one layer keeps of `tokens` for backward, in numbers of `number` bytes.

    A token keeps, for hidden size `h`, query width `q`, key width `k` and intermediate size `f`: `5h` (what
    goes into the projections of attention, into the MLP, and into two norms, and what the norms of them
    are), `2q` (the query, and what goes into the output projection), `4k` (keys and values, again for each
    response of a pair) and `4f` (gate, its activation, up, and their product; under LoRA gate and up alone).
    Trained norms keep their input in fp32, and their output. The numbers are a Llama's; Gemma 3 keeps up to
    a fifth more, GPT-2 a half.
    """
    gated = 4 if full else 2
    kept = 5 * shape.hidden + 2 * shape.query_width + 4 * shape.key_width + gated * shape.intermediate
    norms = 2 * shape.hidden * (2 * FP32_BYTES - number) if full else 0
    return tokens * (number * kept + norms)


def activation_bytes(shape: Shape, tokens: int, number: int, *, full: bool, recomputed: bool) -> int:
    """What a forward pass over `tokens` keeps for backward, and what backward itself needs for one layer.

    With gradient checkpointing a layer keeps its input and computes the rest again.
    """
    layer = layer_bytes(shape, tokens, number, full=full)
    kept = tokens * number * shape.hidden if recomputed else layer
    return shape.layers * kept + (2 * layer if recomputed else layer)


def passing_bytes(shape: Shape, tokens: int, number: int) -> int:
    """What a forward pass over `tokens` has in hand where nothing is kept: the widest of a layer's two
    halves, and the residual stream before and after.
    """
    attention = 2 * shape.query_width + 3 * shape.key_width + shape.hidden
    return tokens * number * (3 * shape.hidden + max(attention, 3 * shape.intermediate))


def head_bytes(shape: Shape, targets: int, number: int, *, full: bool, learns: bool = True) -> int:
    """Chunks of logits, the targets' states and their gradients; the gradient of a trained head, twice.

    Args:
        learns: there is a backward pass.
    """
    chunk = min(chunk_rows(shape.vocabulary), targets) * shape.vocabulary * FP32_BYTES
    states = (2 if learns else 1) * targets * shape.hidden * number
    gradient = 2 * shape.embedding * FP32_BYTES if full and learns else 0
    return HEAD_CHUNKS * chunk + states + gradient


def cache_bytes(shape: Shape, responses: int, tokens: int, number: int) -> int:
    """Keys and values of `responses` of `tokens` each, in every layer."""
    return responses * tokens * shape.layers * 2 * shape.key_width * number


def weight_bytes(shape: Shape, kept: torch.dtype, *, quantised: bool = False) -> int:
    """The weights as they are kept; of a quantised model all but the embeddings, the head and the norms in
    NF4.
    """
    if not quantised:
        return shape.parameters * kept.itemsize
    rest = shape.parameters - shape.multiplied
    return int(shape.multiplied * NF4_BYTES) + rest * kept.itemsize
