"""A model's shape: the same with weights and without, and what LoRA would train is what PEFT makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig

from heedful.errors import ModelError
from heedful.models import shape
from tests import tiny


@pytest.mark.parametrize("architecture", tiny.CONFIGS)
def test_a_configuration_tells_what_the_loaded_model_does(architecture: str) -> None:
    model = tiny.model(architecture)
    assert shape.of_config(tiny.CONFIGS[architecture](), "x") == shape.of_model(model, "x")


def test_a_llama_in_numbers() -> None:
    found = shape.of_config(tiny.CONFIGS["llama"](), "llama")
    # 32 wide, 4 heads of 8 for queries, 2 for keys, an MLP of 64, an embedding that is the head too.
    assert (found.layers, found.hidden, found.query_width, found.key_width) == (2, 32, 32, 16)
    assert (found.intermediate, found.vocabulary, found.tied, found.gated) == (64, 320, True, True)
    attention, mlp, norms = 32 * 32 + 2 * 32 * 16 + 32 * 32, 3 * 32 * 64, 2 * 32
    assert found.multiplied == 2 * (attention + mlp)
    assert found.embedding == 320 * 32
    assert found.parameters == 320 * 32 + 2 * (attention + mlp + norms) + 32


def test_heads_may_be_wider_than_the_residual_stream() -> None:
    config = LlamaConfig(
        hidden_size=32, num_attention_heads=4, num_key_value_heads=2, head_dim=16, num_hidden_layers=1
    )
    found = shape.of_config(config)
    assert (found.query_width, found.key_width) == (64, 32)


@pytest.mark.parametrize("architecture", tiny.CONFIGS)
@pytest.mark.parametrize("targets", ["all-linear", ["q_proj", "down_proj"]], ids=["all", "some"])
def test_adapters_have_as_many_parameters_as_those_that_are_made(architecture: str, targets: Any) -> None:
    if architecture == "gpt2" and targets != "all-linear":
        targets = ["attn.c_attn"]
    backbone = tiny.backbone(architecture)
    before = shape.of_model(backbone.model, "x")

    backbone.train_lora(rank=3, targets=targets)

    made = sum(weight.numel() for weight in backbone.trainable().values())
    assert before.adapter_parameters(3, targets) == made
    assert shape.of_model(backbone.model, "x") == before  # what is put on a model is no part of it


def test_names_that_are_no_layers_get_no_adapter() -> None:
    assert shape.of_model(tiny.model()).adapted(["proj", "lm_head"]) == {}


def test_eight_billion_parameters_are_counted_without_one_of_them() -> None:
    config = LlamaConfig(
        vocab_size=128_256,
        hidden_size=4096,
        intermediate_size=14_336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        dtype="bfloat16",
    )
    found = shape.of_config(config)
    assert all(weight.is_meta for weight in shape.hollow(config).parameters())
    assert (found.parameters, found.adapter_parameters(16)) == (8_030_261_248, 41_943_040)
    assert found.dtype == torch.bfloat16
    assert not found.tied


def test_a_folder_with_a_configuration_alone_will_do(tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "model")
    whole = shape.of_name(str(folder))
    (folder / "model.safetensors").unlink()
    assert shape.of_name(str(folder)) == whole


def test_what_is_no_language_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit"}))
    with pytest.raises(ModelError, match="no causal language model"):
        shape.of_name(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="configuration cannot be read"):
        shape.of_name(str(tmp_path))
