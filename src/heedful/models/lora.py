"""A leaner forward for PEFT's LoRA layers; the layers, their names and their files stay PEFT's.

PEFT adds the low-rank term through three full-sized temporaries and keeps them for backward. Here the term is
added in place by one matrix product, and only the layer's input (which its neighbours share) and the
`[tokens, rank]` product are kept. Layers that ask for more (dropout, DoRA, several adapters at once, merged
weights, autocast, other layer types) keep PEFT's own.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn


class _LoraLinear(torch.autograd.Function):
    """`y = x Wᵀ + bias + scaling · (x Aᵀ) Bᵀ`, `W` frozen; shapes `x [tokens, in]`, `A [rank, in]`, `B [out,
    rank]`.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scaling: float
    ) -> Tensor:
        low = x @ a.to(x.dtype).t()
        y = nn.functional.linear(x, weight, bias)
        y.addmm_(low, b.to(x.dtype).t(), alpha=scaling)
        ctx.save_for_backward(x, low, weight, a, b)
        ctx.scaling = scaling
        return y

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (dy,) = upstream
        x, low, weight, a, b = ctx.saved_tensors
        d_low = (dy @ b.to(dy.dtype)).mul_(ctx.scaling)
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = dy @ weight
            d_x.addmm_(d_low, a.to(dy.dtype))
        # Adapters are fp32 masters: their gradients leave in fp32 even where the layer computes in bf16.
        d_a = (d_low.t() @ x).to(a.dtype)
        d_b = (dy.t() @ low).to(b.dtype).mul_(ctx.scaling)
        return d_x, None, None, d_a, d_b, None


def install(model: nn.Module) -> int:
    """Give every plain LoRA linear layer of a PEFT model the lean forward; returns how many got it."""
    every = [module for module in model.modules() if type(module) is LoraLinear]
    layers = [layer for layer in every if _is_plain(layer)]
    for layer in every:
        vars(layer).pop("forward", None)
    for layer in layers:
        # An instance attribute: PEFT's own forward stays on the class, for the cases this one hands back.
        layer.forward = _lean_forward(layer)
    return len(layers)


def _is_plain(layer: LoraLinear) -> bool:
    base = layer.get_base_layer()
    return (
        type(base) is nn.Linear
        and not base.weight.requires_grad
        and not layer.lora_variant
        and not any(
            isinstance(dropout, nn.Dropout) and dropout.p > 0 for dropout in layer.lora_dropout.values()
        )
        and not any(projection.bias is not None for projection in layer.lora_B.values())
    )


def lean_adapter(layer: nn.Module, x: Tensor) -> str | None:
    """The adapter that the lean forward computes for `x`; none where PEFT's own has to."""
    if not isinstance(layer, LoraLinear) or "forward" not in vars(layer):
        return None
    names = [name for name in layer.active_adapters if name in layer.lora_A]
    # Autocast would choose types inside the lean forward, but not inside its backward.
    mixed = torch.is_autocast_enabled(x.device.type)
    return None if layer.disable_adapters or layer.merged or len(names) != 1 or mixed else names[0]


def _lean_forward(layer: LoraLinear) -> Any:
    def forward(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        name = lean_adapter(layer, x)
        if name is None or args or kwargs:
            result: Tensor = LoraLinear.forward(layer, x, *args, **kwargs)
            return result
        base = layer.get_base_layer()
        a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
        flat = x.reshape(-1, x.shape[-1])
        y: Tensor = _LoraLinear.apply(flat, base.weight, base.bias, a, b, layer.scaling[name])
        return y.view(*x.shape[:-1], -1)

    return forward
