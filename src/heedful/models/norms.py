"""A leaner RMS norm over frozen weights: what is kept for backward is its input, not its input in fp32.

`y = w · x / rms(x)`, or with `1 + w` for `w` as Gemma has it, rounded where the model's own norm rounds.
Autograd keeps the fp32 copy of `x`, and in half precision that is twice the input. Backward is one formula in
place of the five operations' own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class _RMSNorm(torch.autograd.Function):
    """`x` `[..., hidden]`, `weight` `[hidden]`, frozen."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float, from_one: bool) -> Tensor:
        normed, scale = _normed(x, eps)
        ctx.save_for_backward(x, scale, weight)
        ctx.from_one = from_one
        return _weighted(normed, weight, x.dtype, from_one)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """`dx = s · (g − x̂ · mean(g · x̂))` with `g = w · dy`, `x̂ = s · x` and `s = 1 / rms(x)`."""
        x, scale, weight = ctx.saved_tensors
        (dy,) = upstream
        g = dy.float() * (1.0 + weight.float()) if ctx.from_one else (dy * weight).float()
        normed = x.float() * scale
        shared = torch.linalg.vecdot(g, normed).unsqueeze(-1) / x.shape[-1]
        return torch.addcmul(g, normed, shared, value=-1).mul_(scale).to(x.dtype), None, None, None


def install(model: nn.Module) -> int:
    """Give every frozen RMS norm of a model the leaner forward; returns how many got it."""
    found = 0
    for module in model.modules():
        from_one = None if "forward" in vars(module) else _weighs_from_one(module)
        if from_one is not None:
            module.forward = _lean_forward(module, _eps(module), from_one)
            found += 1
    return found


def remove(model: nn.Module) -> None:
    """Give every RMS norm its own forward back."""
    for module in model.modules():
        if _eps(module) is not None:
            vars(module).pop("forward", None)


def _normed(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """`x / rms(x)` in fp32, and `1 / rms(x)`, `[..., 1]`."""
    x = x.float()
    scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)
    return x * scale, scale


def _weighted(normed: Tensor, weight: Tensor, dtype: torch.dtype, from_one: bool) -> Tensor:
    """Gemma rounds to `dtype` last; the others round first."""
    return (normed * (1.0 + weight.float())).to(dtype) if from_one else weight * normed.to(dtype)


def _eps(module: Any) -> Any:
    return getattr(module, "variance_epsilon", getattr(module, "eps", None))


def _weighs_from_one(module: Any) -> bool | None:
    """Which of the two this is, by its parts and by trying it on a few numbers; None where it is neither."""
    eps, weight = _eps(module), getattr(module, "weight", None)
    if not isinstance(eps, float) or not isinstance(weight, nn.Parameter) or weight.requires_grad:
        return None
    if weight.dim() != 1 or len(list(module.parameters())) > 1:
        return None
    x = torch.linspace(-1, 2, 2 * len(weight), device=weight.device, dtype=weight.dtype).view(2, -1)
    with torch.no_grad():
        try:
            expected = module(x)
        except (TypeError, RuntimeError):
            return None
        normed, _ = _normed(x, eps)
        ways = (
            way for way in (False, True) if torch.equal(expected, _weighted(normed, weight, x.dtype, way))
        )
        return next(ways, None)


def _lean_forward(module: Any, eps: float, from_one: bool) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        # A weight that learns since then needs its gradient.
        if module.weight.requires_grad:
            plain: Tensor = type(module).forward(module, x)
            return plain
        lean: Tensor = _RMSNorm.apply(x, module.weight, eps, from_one)
        return lean

    return forward
