"""The leaner gated MLP is the model's own, number for number, and keeps less."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from heedful.models import gated
from heedful.models.backbone import Backbone
from tests import tiny


def adapted(architecture: str = "llama", **lora: Any) -> Backbone:
    backbone = tiny.backbone(architecture)
    backbone.train_lora(rank=4, alpha=6, seed=1, **lora)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in backbone.trainable().items():
            if "lora_B" in name:
                parameter.normal_(0, 0.2, generator=generator)
    return backbone


def mlps(backbone: Backbone) -> list[nn.Module]:
    return [module for module in backbone.model.modules() if hasattr(module, "gate_proj")]


def run(module: nn.Module, shape: tuple[int, ...] = (2, 5)) -> list[Tensor]:
    """Output, and gradients of the input and of every adapter."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(*shape, 32, generator=generator, requires_grad=True)
    y = module(x)
    learned = [parameter for parameter in module.parameters() if parameter.requires_grad]
    upstream = torch.randn(y.shape, generator=generator)
    return [y.detach(), *torch.autograd.grad(y, [x, *learned], upstream)]


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3", "gemma2", "gemma3"])
def test_value_and_every_gradient_are_the_plain_ones(architecture: str) -> None:
    for module in mlps(adapted(architecture)):
        assert "forward" in vars(module)
        ours = run(module)
        del module.forward
        for own, plain in zip(ours, run(module), strict=True):
            torch.testing.assert_close(own, plain, atol=1e-6, rtol=1e-5)


def test_it_keeps_half_of_what_autograd_would() -> None:
    module = mlps(adapted())[0]

    def kept() -> int:
        sizes: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            sizes[tensor.data_ptr()] = tensor.numel() if tensor.shape[-1] == 64 and len(tensor) > 64 else 0
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            module(torch.randn(100, 32, requires_grad=True))
        return sum(sizes.values())

    lean = kept()
    del module.forward
    assert lean == 2 * 100 * 64
    assert kept() == 4 * 100 * 64


@pytest.mark.parametrize("trouble", ["off", "dropout", "no_grad"])
def test_where_it_cannot_help_the_plain_one_computes(trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = adapted(dropout=0.5 if trouble == "dropout" else 0.0)
    backbone.model.eval()
    module = mlps(backbone)[0]

    def never(*_: Any) -> Any:
        raise AssertionError("the lean path was taken")

    monkeypatch.setattr(gated._GatedLora, "apply", never)
    x = torch.randn(3, 32)
    with (
        backbone.active("reference" if trouble == "off" else "policy"),
        torch.set_grad_enabled(trouble != "no_grad"),
    ):
        found = module(x)
        del module.forward
        torch.testing.assert_close(found, module(x))


def test_without_adapters_it_is_the_bare_model_again() -> None:
    bare, backbone = tiny.backbone(), adapted()
    backbone.drop_adapter()
    x = torch.randn(3, 32)
    for own, module in zip(mlps(bare), mlps(backbone), strict=True):
        torch.testing.assert_close(own(x), module(x))


def test_an_mlp_that_only_looks_alike_is_left_alone() -> None:
    class Other(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate_proj, self.up_proj, self.down_proj = nn.Linear(4, 6), nn.Linear(4, 6), nn.Linear(6, 4)
            self.act_fn = nn.SiLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.down_proj(self.act_fn(self.gate_proj(x)) + self.up_proj(x))

    assert gated.install(Other()) == 0
