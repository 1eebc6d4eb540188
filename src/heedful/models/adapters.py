"""Several LoRA adapters over one set of weights, at most one of them on at a time.

PEFT makes the layers, names them and files them. Which adapter is on is decided here: PEFT's own switch also
decides what may be trained, and a policy and a critic are trained in one and the same step.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from heedful.errors import ModelError
from heedful.models import gated, lora, norms

WEIGHTS = "adapter_model.safetensors"


@contextmanager
def quietly() -> Iterator[None]:
    """While PEFT puts an adapter on a model: it asks transformers by a name that is being given up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def add(
    model: PreTrainedModel, peft: PeftModel | None, name: str, config: LoraConfig, *, seed: int
) -> PeftModel:
    """Put one more adapter on `model`, fresh, in fp32 and switched on; returns the model as PEFT knows it.

    Raises:
        ModelError: the configuration names layers that the model does not have.
    """
    with torch.random.fork_rng(devices=[]), quietly():
        torch.manual_seed(seed)
        try:
            if peft is None:
                found = get_peft_model(model, config, adapter_name=name)
                assert isinstance(found, PeftModel)
                peft = found
            else:
                peft.add_adapter(name, config)
        except ValueError as error:
            raise ModelError(f"LoRA cannot be put on this model: {error}", where="lora.targets") from error
    for parameter in parameters(model, name).values():
        parameter.data = parameter.data.float()
    lora.install(model)
    gated.install(model)
    norms.install(model)
    switch(model, name)
    return peft


def take_off(peft: PeftModel) -> PreTrainedModel:
    """The bare model again, without any adapter."""
    model: PreTrainedModel = peft.unload()
    gated.remove(model)
    norms.remove(model)
    return model


def read(folder: Path) -> tuple[LoraConfig, dict[str, Tensor]]:
    """A filed adapter: its configuration and its tensors by PEFT's names.

    Raises:
        ModelError: there is no LoRA adapter there, or it is damaged.
    """
    try:
        config = PeftConfig.from_pretrained(str(folder))
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"the adapter cannot be read: {reason}", where=str(folder)) from error
    if not isinstance(config, LoraConfig):
        raise ModelError(
            f"this is a {config.peft_type} adapter, and only LoRA is understood.", where=str(folder)
        )
    return config, tensors


def fill(peft: PeftModel, name: str, tensors: dict[str, Tensor], *, where: str) -> None:
    """Set an adapter's weights to those of a filed one.

    Raises:
        ModelError: they belong to another model.
    """
    try:
        outcome: Any = set_peft_model_state_dict(peft, tensors, adapter_name=name)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"the adapter does not fit the model: {reason}", where=where) from error
    if outcome.unexpected_keys:
        raise ModelError(
            f"the adapter does not fit the model: it has {outcome.unexpected_keys[0]}.", where=where
        )


def parameters(model: nn.Module, name: str) -> dict[str, nn.Parameter]:
    """An adapter's weights, by their names in the model."""
    return {
        key: weight for key, weight in model.named_parameters() if "lora_" in key and name in key.split(".")
    }


def train_only(model: nn.Module, names: Iterable[str]) -> None:
    """Freeze all of the model but the adapters of these names."""
    model.requires_grad_(False)
    for name in names:
        for parameter in parameters(model, name).values():
            parameter.requires_grad_(True)


def switch(model: nn.Module, name: str | None) -> None:
    """Turn the adapter `name` on and all others off; None turns all off."""
    for layer in _layers(model):
        layer._disable_adapters = name is None
        if name is not None:
            layer._active_adapter = [name]


def switched_on(model: nn.Module) -> str | None:
    """The adapter that is on."""
    layer = next(iter(_layers(model)), None)
    if layer is None or layer._disable_adapters:
        return None
    (name,) = layer.active_adapters
    return str(name)


@contextmanager
def switched(model: nn.Module, name: str | None) -> Iterator[None]:
    """Within this context the adapter `name` is on; afterwards the one that was on before."""
    before = switched_on(model)
    switch(model, name)
    try:
        yield
    finally:
        switch(model, before)


@contextmanager
def merged(model: nn.Module, name: str) -> Iterator[None]:
    """Within this context layers compute with weights that the adapter `name` is folded into.

    Those are copies, made in fp32 and rounded once to the weights' own type; the weights themselves come back
    untouched. Where a layer is more than a plain LoRA layer, the adapter is switched on instead.
    """
    layers = [layer for layer in _layers(model) if name in layer.lora_A]
    if not all(isinstance(layer, LoraLinear) and not layer.lora_variant for layer in layers):
        with switched(model, name):
            yield
        return
    kept = [(layer.get_base_layer(), layer.get_base_layer().weight) for layer in layers]
    with switched(model, None):
        try:
            for layer, (base, weight) in zip(layers, kept, strict=True):
                folded = weight.detach().float() + layer.get_delta_weight(name).detach().float()
                base.weight = nn.Parameter(folded.to(weight.dtype), requires_grad=False)
            yield
        finally:
            for base, weight in kept:
                base.weight = weight


def _layers(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
