"""Log-probabilities of given tokens without ever holding the `[tokens, vocabulary]` matrix.

Only target positions go through the LM head, a chunk at a time, and each chunk is gone before the next one
starts. The gradient of a token's log-prob with respect to its hidden state, `(e_y − softmax) W`, does not
depend on what the objective does with it, so it is computed while the chunk is at hand; backward only scales
it. Peak memory is one chunk of logits plus two `[tokens, hidden]` matrices. Knows tensors and nothing of
roles or losses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# A chunk of logits holds so many fp32 numbers at least: large enough for an efficient matrix product, and at
# 32 MiB for glibc to give it back to the system when it is freed. What is smaller may stay, in the way.
CHUNK_ELEMENTS = 2**23


@dataclass(frozen=True, slots=True)
class Head:
    """The LM head: `logits = softcap · tanh(scale · (h Wᵀ + b) / softcap)`, the forms in use today.

    Attributes:
        weight: `[vocabulary, hidden]`.
        bias: `[vocabulary]` or none.
        scale: a constant on the logits (Granite and Cohere have one).
        softcap: the cap of Gemma 2's logits, or none.
    """

    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    softcap: float | None = None


def token_logprobs(hidden: Tensor, targets: Tensor, head: Head, *, temperature: float = 1.0) -> Tensor:
    """Log-prob of each target token, in nats.

    Args:
        hidden: `[targets, hidden]`, the states that predict the targets.
        targets: `[targets]` token ids.
        head: the LM head; its weight and bias get gradients if they ask for them.
        temperature: logits are divided by it.

    Returns:
        `[targets]` in fp32.
    """
    result: Tensor = _TokenLogprobs.apply(hidden, head.weight, head.bias, targets, head, temperature)
    return result


class _TokenLogprobs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        head: Head,
        temperature: float,
    ) -> Tensor:
        logps = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
        grad = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        for part in _chunks(len(targets), weight.shape[0]):
            log_softmax, slope = _log_softmax(hidden[part], weight, bias, head, temperature)
            logps[part] = log_softmax.gather(1, targets[part, None])[:, 0]
            if grad is not None:
                d_logits = _d_logits(log_softmax, slope, targets[part])
                grad[part] = d_logits.to(weight.dtype) @ weight
        if grad is not None:
            grad.mul_(head.scale / temperature)
        ctx.head, ctx.temperature = head, temperature
        ctx.head_trains = ctx.needs_input_grad[1] or ctx.needs_input_grad[2]
        ctx.save_for_backward(grad, *([hidden, weight, bias, targets] if ctx.head_trains else []))
        return logps

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (d_logps,) = upstream
        grad, *rest = ctx.saved_tensors
        d_hidden = None if grad is None else grad * d_logps[:, None].to(grad.dtype)
        d_weight = d_bias = None
        if ctx.head_trains:
            # The head's own gradient does depend on the objective, token by token: the chunks are computed
            # again.
            hidden, weight, bias, targets = rest
            d_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
            d_bias = torch.zeros_like(bias, dtype=torch.float32) if ctx.needs_input_grad[2] else None
            for part in _chunks(len(targets), weight.shape[0]):
                log_softmax, slope = _log_softmax(hidden[part], weight, bias, ctx.head, ctx.temperature)
                d_logits = _d_logits(log_softmax, slope, targets[part])
                d_logits.mul_(d_logps[part, None] * (ctx.head.scale / ctx.temperature))
                if d_weight is not None:
                    d_weight.addmm_(d_logits.t(), hidden[part].float())
                if d_bias is not None:
                    d_bias.add_(d_logits.sum(0))
            d_weight = None if d_weight is None else d_weight.to(weight.dtype)
            d_bias = None if d_bias is None else d_bias.to(bias.dtype)
        return d_hidden, d_weight, d_bias, None, None, None


def chunk_rows(vocabulary: int) -> int:
    """Target positions whose logits make a chunk."""
    return math.ceil(CHUNK_ELEMENTS / vocabulary)


def _chunks(targets: int, vocabulary: int) -> list[slice]:
    size = chunk_rows(vocabulary)
    return [slice(start, min(start + size, targets)) for start in range(0, targets, size)]


def _log_softmax(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, head: Head, temperature: float
) -> tuple[Tensor, Tensor | None]:
    """`[chunk, vocabulary]` log-probs in fp32, and the soft cap's slope where there is one."""
    logits = torch.nn.functional.linear(hidden, weight, bias).float()
    if head.scale != 1.0:
        logits.mul_(head.scale)
    slope = None
    if head.softcap is not None:
        squashed = torch.tanh(logits / head.softcap)
        slope = 1.0 - squashed.square()
        logits = squashed.mul_(head.softcap)
    if temperature != 1.0:
        logits.div_(temperature)
    return torch.log_softmax(logits, dim=-1), slope


def _d_logits(log_softmax: Tensor, slope: Tensor | None, targets: Tensor) -> Tensor:
    """`e_y − softmax`, times the soft cap's slope; takes over `log_softmax`'s memory."""
    d_logits = log_softmax.exp_().neg_()
    d_logits[torch.arange(len(targets), device=targets.device), targets] += 1.0
    return d_logits if slope is None else d_logits.mul_(slope)
