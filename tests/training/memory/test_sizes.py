"""Formulas of memory, against what autograd keeps and against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from transformers import LlamaConfig, LlamaForCausalLM

from heedful.models import logprobs, shape
from heedful.models.backbone import Backbone
from heedful.models.cache import roomy_cache
from heedful.models.shape import Shape
from heedful.render.packing import pack
from heedful.render.rows import Row
from heedful.training.memory import sizes
from tests import tiny

TOKENS = 256

# Ten wide, of two layers: attention 10 to 8 and back, keys of 4, an MLP of 30; a vocabulary of 100.
LAYER = {
    "q": (10, 8),
    "k": (10, 4),
    "v": (10, 4),
    "o": (8, 10),
    "gate": (10, 30),
    "up": (10, 30),
    "down": (30, 10),
}
SMALL = Shape(
    name="small",
    layers=2,
    hidden=10,
    query_width=8,
    key_width=4,
    intermediate=30,
    vocabulary=100,
    tied=True,
    gated=True,
    parameters=100 * 10 + 2 * (80 + 40 + 40 + 80 + 300 + 300 + 300 + 20) + 10,
    linears={f"{number}.{name}": size for number in range(2) for name, size in LAYER.items()},
)


def test_a_layer_worked_out_by_hand() -> None:
    # 4 x 10 around the norms, 3 x 8 queries, 4 x 4 keys and values, and two matrices of the MLP.
    assert sizes.layer_bytes(SMALL, 5, 2, full=False) == 5 * 2 * (40 + 24 + 16 + 60)
    # All four of the MLP, and 6 x 10 around the norms: in bf16 four in fp32, and five copies of what they
    # give.
    assert sizes.layer_bytes(SMALL, 5, 4, full=True) == 5 * 4 * (60 + 24 + 16 + 120)
    assert sizes.layer_bytes(SMALL, 5, 2, full=True) == 5 * (10 * (4 * 4 + 5 * 2) + 2 * (24 + 16 + 120))
    # Seven layers' inputs twice in fp32: five of 10, one of 8, and one of 30.
    dropped = 5 * (5 * 10 + 8 + 30) * 2 * 4
    assert sizes.layer_bytes(SMALL, 5, 2, full=False, dropout=True) == 5 * 2 * (20 + 24 + 16 + 90) + dropped


def test_checkpointing_keeps_a_layers_input_and_works_on_two_layers() -> None:
    layer = sizes.layer_bytes(SMALL, 5, 4, full=False)
    stream = 5 * 4 * 10
    kept = {on: sizes.activation_bytes(SMALL, 5, 4, full=False, recomputed=on) for on in (False, True)}
    assert kept == {False: 2 * layer + 3 * stream, True: 2 * stream + 3 * stream}
    working = {on: sizes.working_bytes(SMALL, 5, 4, full=False, recomputed=on) for on in (False, True)}
    assert working == {False: layer, True: 2 * layer}


def test_logits_are_two_chunks_or_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logprobs, "CHUNK_ELEMENTS", 700)
    assert logprobs.chunk_rows(100) == 7
    assert sizes.logit_bytes(SMALL, 7) == 2 * 7 * 100 * 4
    assert sizes.logit_bytes(SMALL, 8) == 3 * 7 * 100 * 4
    assert sizes.logit_bytes(SMALL, 3) == 2 * 3 * 100 * 4


def test_weights_in_four_bits_leave_embeddings_and_norms_as_they_are() -> None:
    multiplied = 2 * (80 + 40 + 40 + 80 + 900)
    rest = 100 * 10 + 2 * 20 + 10
    assert sizes.weight_bytes(SMALL, torch.bfloat16) == (multiplied + rest) * 2
    per_weight = (0.5 * 64 + 1) / 64 + 4 / (
        64 * 256
    )  # half a byte, and a byte for 64 of them, and 4 for 256 of those
    assert (
        sizes.weight_bytes(SMALL, torch.bfloat16, quantised=True) == int(multiplied * per_weight) + rest * 2
    )


def test_the_cache_is_that_of_the_sampler() -> None:
    model = tiny.model()
    own = shape.of_model(model)
    cache = roomy_cache(model, room=5)
    with torch.no_grad():
        model(input_ids=torch.ones(3, 7, dtype=torch.long), past_key_values=cache, use_cache=True)
    held = sum(buffer.nbytes for layer in cache.layers for buffer in layer._buffers)
    assert sizes.cache_bytes(own, 3, 7 + 5, 4) == held


def test_a_head_that_trains_has_its_gradient_in_fp32_and_in_its_own_type() -> None:
    assert sizes.head_gradient_bytes(SMALL, 4) == 1000 * 4
    assert sizes.head_gradient_bytes(SMALL, 2) == 1000 * (4 + 2)


def test_what_is_folded_is_what_the_adapter_touches() -> None:
    assert sizes.folded_bytes(SMALL, "all-linear", 2) == 2 * 2 * (80 + 40 + 40 + 80 + 900)
    assert sizes.folded_bytes(SMALL, ["q", "down"], 4) == 4 * 2 * (80 + 300)
    assert sizes.folded_bytes(replace(SMALL, linears={}), "all-linear", 4) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("how", ["lora", "full", "dropout", "recomputed"])
def test_activations_are_what_autograd_keeps(dtype: torch.dtype, how: str) -> None:
    """Two depths of a Llama with a realistic shape: their difference is what the added layers keep."""
    kept = {layers: kept_bytes(layers, dtype, how) for layers in (1, 3)}
    said = {
        layers: sizes.activation_bytes(
            shape.of_model(wide(layers, dtype).model),
            TOKENS,
            dtype.itemsize,
            full=how == "full",
            recomputed=how == "recomputed",
            dropout=how == "dropout",
        )
        for layers in (1, 3)
    }
    assert said[3] - said[1] == pytest.approx(kept[3] - kept[1], rel=0.1)


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


def kept_bytes(layers: int, dtype: torch.dtype, how: str) -> int:
    """Bytes that a forward pass over pairs keeps for backward, parameters left out."""
    backbone = wide(layers, dtype)
    if how == "full":
        backbone.compute_dtype = dtype
        backbone.train_fully(keep_reference=False)
    else:
        backbone.train_lora(rank=1, dropout=0.1 if how == "dropout" else 0.0)
    backbone.model.train()
    backbone.recompute(how == "recomputed")
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
    copies = sum(weight.numel() for weight in backbone.model.parameters()) * dtype.itemsize
    autocast = how == "full" and dtype != torch.float32
    return sum(storage.nbytes() for storage in storages.values()) - (copies if autocast else 0)
