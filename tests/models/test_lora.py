"""The lean LoRA forward is PEFT's, number for number; what it does not know it leaves to PEFT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear as LoraLinear
from torch import Tensor, nn

from heedful.models import lora
from heedful.models.backbone import Backbone
from heedful.models.roles import LanguageModel
from heedful.render.packing import pack
from heedful.render.rows import Row
from tests import tiny

ROWS = [Row("a", [5, 6, 7, 8], ([9, 10, 11], [12, 13])), Row("b", [20, 21], ([22, 23, 24], [25]))]


def adapted(
    architecture: str = "llama", *, dtype: torch.dtype = torch.float32, dropout: float = 0.0
) -> Backbone:
    backbone = Backbone(tiny.model(architecture).to(dtype), tiny.tokenizer())
    backbone.train_lora(rank=4, alpha=6, dropout=dropout, seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in backbone.trainable().items():
            if "lora_B" in name:
                parameter.normal_(0, 0.2, generator=generator)
    return backbone


def adapt(layer: nn.Module, *, name: str = "policy", rank: int = 2, alpha: int = 2) -> LoraLinear:
    """One layer with an adapter that does something."""
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=["layer"])
    adapted = inject_adapter_in_model(config, nn.ModuleDict({"layer": layer}), adapter_name=name)["layer"]
    assert isinstance(adapted, LoraLinear)
    nn.init.normal_(adapted.lora_B[name].weight)
    return adapted


def layers(backbone: Backbone) -> list[LoraLinear]:
    return [module for module in backbone.model.modules() if isinstance(module, LoraLinear)]


def is_lean(layer: nn.Module) -> bool:
    return "forward" in vars(layer)


@contextmanager
def by_peft(backbone: Backbone) -> Iterator[None]:
    """PEFT's own forward, for as long as this lasts."""
    lean = {layer: vars(layer).pop("forward") for layer in layers(backbone) if is_lean(layer)}
    assert lean
    yield
    for layer, forward in lean.items():
        layer.forward = forward


def run(backbone: Backbone) -> tuple[Tensor, dict[str, Tensor]]:
    """Log-probs, and the gradients of a loss that weighs each of them differently."""
    for parameter in backbone.trainable().values():
        parameter.grad = None
    (packed,) = pack(ROWS, 1000)
    logps = LanguageModel(backbone, "policy")(packed)
    (logps * torch.linspace(-1, 1, len(logps))).sum().backward()
    gradients = {name: parameter.grad for name, parameter in backbone.trainable().items()}
    assert all(gradient is not None for gradient in gradients.values())
    return logps.detach(), {name: gradient for name, gradient in gradients.items() if gradient is not None}


@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 5, 7)])
@pytest.mark.parametrize("bias", [False, True])
def test_one_layer_equals_pefts_in_value_and_every_gradient(bias: bool, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = adapt(nn.Linear(7, 5, bias=bias).requires_grad_(False), rank=3, alpha=5)
    x, upstream = torch.randn(shape), torch.randn(*shape[:-1], 5)
    a, b = layer.lora_A["policy"].weight, layer.lora_B["policy"].weight

    def both() -> list[Tensor]:
        x.requires_grad_()
        y = layer(x)
        return [y, *torch.autograd.grad(y, [x, a, b], upstream)]

    theirs = both()
    assert lora.install(layer) == 1
    assert is_lean(layer)
    for ours, expected in zip(both(), theirs, strict=True):
        assert ours.shape == expected.shape
        torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma2"])
def test_a_model_equals_pefts_in_value_and_every_gradient(architecture: str) -> None:
    backbone = adapted(architecture)
    assert all(is_lean(layer) for layer in layers(backbone))
    ours, our_gradients = run(backbone)
    with by_peft(backbone):
        theirs, their_gradients = run(backbone)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    for name, gradient in our_gradients.items():
        scale = their_gradients[name].abs().max().clamp(min=1)
        torch.testing.assert_close(
            gradient / scale, their_gradients[name] / scale, atol=1e-5, rtol=0, msg=name
        )


def test_bfloat16_stays_close_and_the_adapter_stays_in_fp32() -> None:
    backbone = adapted(dtype=torch.bfloat16)
    assert {parameter.dtype for parameter in backbone.trainable().values()} == {torch.float32}
    ours, our_gradients = run(backbone)
    with by_peft(backbone):
        theirs, their_gradients = run(backbone)
    exact, exact_gradients = run(adapted())
    assert {gradient.dtype for gradient in our_gradients.values()} == {torch.float32}
    # bfloat16 is as far from fp32 by either path; the lean one may not be the worse of the two by much.
    assert (ours - exact).abs().mean() <= 1.5 * (theirs - exact).abs().mean() + 1e-3

    def distance(gradients: dict[str, Tensor]) -> float:
        return sum(float((gradients[name] - exact_gradients[name]).norm()) for name in gradients)

    assert distance(our_gradients) <= 1.5 * distance(their_gradients)


def test_fp32_weights_that_compute_in_bfloat16_train_too() -> None:
    backbone = Backbone(tiny.model(), tiny.tokenizer(), compute_dtype=torch.bfloat16)
    backbone.train_lora(rank=4, alpha=6)
    logps, gradients = run(backbone)
    assert logps.isfinite().all()
    assert any(bool(gradient.any()) for gradient in gradients.values())


def test_a_disabled_adapter_is_the_base() -> None:
    base, backbone = tiny.backbone(), adapted()
    (packed,) = pack(ROWS, 1000)
    with torch.no_grad():
        expected = LanguageModel(base, "policy")(packed)
        assert torch.equal(LanguageModel(backbone, "reference")(packed), expected)
        assert not torch.allclose(LanguageModel(backbone, "policy")(packed), expected, atol=1e-3)


def test_dropout_keeps_pefts_own_path() -> None:
    backbone = adapted(dropout=0.5)
    assert layers(backbone)
    assert not any(is_lean(layer) for layer in layers(backbone))
    backbone.model.train()
    (packed,) = pack(ROWS, 1000)
    role = LanguageModel(backbone, "policy")
    with torch.no_grad():
        assert not torch.equal(role(packed), role(packed))
        backbone.model.eval()
        assert torch.equal(role(packed), role(packed))


def test_dropout_does_nothing_to_the_reference() -> None:
    backbone = adapted(dropout=0.5)
    backbone.model.train()
    (packed,) = pack(ROWS, 1000)
    with torch.no_grad():
        assert torch.equal(
            LanguageModel(backbone, "reference")(packed), LanguageModel(tiny.backbone(), "policy")(packed)
        )


def test_conv1d_layers_keep_pefts_own_path() -> None:
    backbone = adapted("gpt2")
    assert layers(backbone)
    assert not any(is_lean(layer) for layer in layers(backbone))
    logps, gradients = run(backbone)
    assert logps.isfinite().all()
    assert all(bool(gradient.any()) for gradient in gradients.values())


def test_a_base_that_trains_keeps_pefts_own_path() -> None:
    layer = adapt(nn.Linear(4, 4))
    layer.get_base_layer().weight.requires_grad_(True)
    assert lora.install(layer) == 0


def test_merged_weights_and_a_second_adapter_are_left_to_peft() -> None:
    torch.manual_seed(0)
    layer = adapt(nn.Linear(6, 4).requires_grad_(False))
    lora.install(layer)
    x = torch.randn(3, 6)
    with torch.no_grad():
        expected = layer(x)
        layer.merge()
        torch.testing.assert_close(layer(x), expected, atol=1e-6, rtol=0)
        layer.unmerge()
        adapt(layer, name="other")
        layer.set_adapter(["policy", "other"])
        torch.testing.assert_close(layer(x), LoraLinear.forward(layer, x))
        assert not torch.allclose(layer(x), expected)


def test_taking_the_adapter_off_leaves_plain_layers() -> None:
    backbone = adapted()
    backbone.drop_adapter()
    assert not layers(backbone)
    assert not any(is_lean(module) for module in backbone.model.modules())
