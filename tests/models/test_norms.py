"""The leaner RMS norm is the model's own, number for number, and keeps less."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from heedful.models import norms
from heedful.models.backbone import Backbone
from tests import tiny

SIZE = 48


KINDS = pytest.mark.parametrize("kind", [LlamaRMSNorm, Gemma2RMSNorm])


def norm(kind: Any = LlamaRMSNorm, dtype: torch.dtype = torch.float32, *, frozen: bool = True) -> nn.Module:
    module: nn.Module = kind(SIZE, eps=1e-5).to(dtype)
    with torch.no_grad():
        module.weight.normal_(1, 0.3, generator=torch.Generator().manual_seed(1))
    return module.requires_grad_(not frozen)


def run(module: nn.Module, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Output and the gradient of the input, for inputs of many sizes."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(3, 7, SIZE, generator=generator) * torch.logspace(-3, 3, 7)[:, None]
    x = x.to(dtype).requires_grad_()
    y = module(x)
    upstream = torch.randn(y.shape, generator=generator).to(y.dtype)
    return [y.detach(), *torch.autograd.grad(y, [x], upstream)]


def both(kind: Any, dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
    module = norm(kind, dtype)
    plain = run(module, dtype)
    assert norms.install(module) == 1
    return run(module, dtype), plain


@KINDS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_value_is_the_plain_one_bit_for_bit(kind: Any, dtype: torch.dtype) -> None:
    ours, plain = both(kind, dtype)
    assert torch.equal(ours[0], plain[0])


@KINDS
def test_the_gradient_is_the_plain_one(kind: Any) -> None:
    ours, plain = both(kind, torch.float32)
    torch.testing.assert_close(ours[1], plain[1], atol=0, rtol=1e-4)


@KINDS
def test_in_half_precision_the_gradient_is_rounded_no_more_than_the_plain_one(kind: Any) -> None:
    exact = norm(kind, torch.bfloat16).float()
    ours, plain = both(kind, torch.bfloat16)
    x = run(exact, torch.bfloat16)[1].float()
    error = [(found[1].float() - x).norm(dim=-1) / x.norm(dim=-1) for found in (ours, plain)]
    assert error[0].max() < 0.01
    assert error[0].mean() <= 1.05 * error[1].mean()


def test_it_keeps_its_input_and_no_fp32_copy_of_it() -> None:
    module = norm(dtype=torch.bfloat16)
    norms.install(module)
    kept: dict[int, tuple[torch.dtype, int]] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = (tensor.dtype, tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        module(torch.randn(100, SIZE, dtype=torch.bfloat16, requires_grad=True))
    assert sorted(kept.values(), key=lambda one: one[1]) == [
        (torch.bfloat16, SIZE),
        (torch.float32, 100),
        (torch.bfloat16, 100 * SIZE),
    ]


def adapted(architecture: str) -> Backbone:
    backbone = tiny.backbone(architecture)
    backbone.train_lora(rank=4, alpha=6, seed=1)
    return backbone


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "gemma2", "gemma3"])
def test_models_get_it_with_their_adapter_and_lose_it_with_it(architecture: str) -> None:
    backbone = adapted(architecture)

    def lean() -> list[bool]:
        modules = [module for module in backbone.model.modules() if "RMSNorm" in type(module).__name__]
        return ["forward" in vars(module) for module in modules]

    assert set(lean()) == {True}
    backbone.drop_adapter()
    assert set(lean()) == {False}


def test_a_norm_that_learns_computes_as_before() -> None:
    learning = norm(frozen=False)
    assert norms.install(learning) == 0
    module = norm()
    norms.install(module)
    module.requires_grad_(True)
    (gradient,) = torch.autograd.grad(module(torch.ones(2, SIZE)).sum(), [module.weight])
    assert gradient.abs().sum() > 0


def test_a_norm_that_only_looks_alike_is_left_alone() -> None:
    class Other(LlamaRMSNorm):
        def forward(self, x: Any) -> Any:
            return super().forward(x) + 1

    assert norms.install(Other(SIZE).requires_grad_(False)) == 0
