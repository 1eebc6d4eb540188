"""A leaner gated MLP under LoRA: `down(act(gate(x)) · up(x))` with two kept matrices in place of four.

Autograd keeps the gate, its activation, `up` and their product, each `[tokens, intermediate]`, and these are
most of what a forward pass keeps. Here only the gate and `up` stay; backward computes the other two again,
which costs two elementwise passes and no matrix product. The modules, and all that PEFT knows of them, stay
as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from heedful.models.lora import lean_adapter

Activation = Callable[[Tensor], Tensor]


class _GatedLora(torch.autograd.Function):
    """`y = x Wᵀ + bias + scaling · (x Aᵀ) Bᵀ` with `x = act(gate) · up`; `W` frozen, all `[tokens, …]`."""

    @staticmethod
    def forward(
        ctx: Any,
        gate: Tensor,
        up: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor,
        b: Tensor,
        scaling: float,
        act: Activation,
    ) -> Tensor:
        x = act(gate) * up
        low = x @ a.to(x.dtype).t()
        y = nn.functional.linear(x, weight, bias)
        y.addmm_(low, b.to(x.dtype).t(), alpha=scaling)
        ctx.save_for_backward(gate, up, low, weight, a, b)
        ctx.scaling, ctx.act = scaling, act
        return y

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (dy,) = upstream
        gate, up, low, weight, a, b = ctx.saved_tensors
        d_low = (dy @ b.to(dy.dtype)).mul_(ctx.scaling)
        d_x = (dy @ weight).addmm_(d_low, a.to(dy.dtype))
        d_b = (dy.t() @ low).to(b.dtype).mul_(ctx.scaling)
        with torch.enable_grad():
            gate = gate.detach().requires_grad_()
            opened = ctx.act(gate)
        (d_gate,) = torch.autograd.grad(opened, gate, d_x * up)
        opened = opened.detach()
        d_a = (d_low.t() @ (opened * up)).to(a.dtype)
        return d_gate, d_x.mul_(opened), None, None, d_a, d_b, None, None


def install(model: nn.Module) -> int:
    """Give every gated MLP of a model with lean LoRA layers the leaner forward; returns how many got it."""
    found = [module for module in model.modules() if "forward" not in vars(module) and _is_gated(module)]
    for module in found:
        module.forward = _lean_forward(module)
    return len(found)


def remove(model: nn.Module) -> None:
    """Give every gated MLP its own forward back."""
    for module in model.modules():
        if hasattr(module, "gate_proj"):
            vars(module).pop("forward", None)


def _is_gated(module: Any) -> bool:
    """Whether this is such an MLP, by its parts' names and by trying it on a few numbers."""
    parts = [getattr(module, name, None) for name in ("gate_proj", "up_proj", "down_proj")]
    if not all(isinstance(part, nn.Module) for part in parts) or not callable(
        getattr(module, "act_fn", None)
    ):
        return False
    size = getattr(module.gate_proj, "in_features", None)
    if size is None:
        return False
    weight = next(module.gate_proj.parameters())
    x = torch.linspace(-1, 1, 2 * size, device=weight.device, dtype=weight.dtype).view(2, size)
    with torch.no_grad():
        try:
            expected = module(x)
        except (TypeError, RuntimeError):
            return False
        return isinstance(expected, Tensor) and torch.equal(expected, _plain(module, x))


def _plain(module: Any, x: Tensor) -> Tensor:
    found: Tensor = module.down_proj(module.act_fn(module.gate_proj(x)) * module.up_proj(x))
    return found


def _lean_forward(module: Any) -> Callable[[Tensor], Tensor]:
    def forward(x: Tensor) -> Tensor:
        down = module.down_proj
        name = lean_adapter(down, x) if torch.is_grad_enabled() else None
        if name is None:
            return _plain(module, x)
        base = down.get_base_layer()
        gate, up = (part(x).flatten(0, -2) for part in (module.gate_proj, module.up_proj))
        a, b = down.lora_A[name].weight, down.lora_B[name].weight
        scaling = down.scaling[name]
        y: Tensor = _GatedLora.apply(gate, up, base.weight, base.bias, a, b, scaling, module.act_fn)
        return y.view(*x.shape[:-1], -1)

    return forward
