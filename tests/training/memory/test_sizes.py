"""Formulas of memory, against autograd and against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from transformers import LlamaConfig, LlamaForCausalLM

from heedful.models import shape
from heedful.models.backbone import Backbone
from heedful.render.packing import pack
from heedful.render.rows import Row
from heedful.training.memory.sizes import activation_bytes
from tests import tiny


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("recomputed", [False, True], ids=["kept", "recomputed"])
def test_activations_are_what_autograd_keeps(dtype: torch.dtype, recomputed: bool) -> None:
    """Two depths of a Llama with a realistic shape: their difference is what the added layers keep."""
    kept = {layers: kept_bytes(layers, dtype, recomputed) for layers in (1, 3)}
    said = {
        layers: activation_bytes(
            shape.of_model(wide(layers, dtype).model),
            TOKENS,
            dtype.itemsize,
            full=False,
            recomputed=recomputed,
        )
        for layers in (1, 3)
    }
    assert said[3] - said[1] == pytest.approx(kept[3] - kept[1], rel=0.1)
    assert said[3] > kept[3]


TOKENS = 256


def wide(layers: int, dtype: torch.dtype) -> Backbone:
    config = LlamaConfig(
        vocab_size=tiny.VOCABULARY,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=layers,
        num_attention_heads=6,
        num_key_value_heads=2,
    )
    torch.manual_seed(0)
    return Backbone(LlamaForCausalLM(config).to(dtype), tiny.tokenizer(), name="wide")


def kept_bytes(layers: int, dtype: torch.dtype, recomputed: bool) -> int:
    """Bytes that a forward pass over pairs keeps for backward, parameters left out."""
    backbone = wide(layers, dtype)
    backbone.train_lora(rank=1)
    backbone.model.train()
    backbone.recompute(recomputed)
    row = Row("", list(range(32)), (list(range(64)), list(range(32))))
    packed = pack([row] * (TOKENS // row.tokens), TOKENS)[0]
    role = backbone.role("policy")
    assert backbone.compatibility.packs
    own = {parameter.untyped_storage().data_ptr() for parameter in backbone.model.parameters()}
    storages: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        role(packed)
    return sum(storage.nbytes() for storage in storages.values())
