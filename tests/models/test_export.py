"""What leaves Heedful loads in plain `transformers` and PEFT, and computes the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from heedful.errors import ModelError
from heedful.models.backbone import Backbone
from heedful.models.export import save_adapter, save_merged
from heedful.models.loading import load
from heedful.render.chat import PLAIN_TEMPLATE, Renderer
from tests import tiny

ARCHITECTURES = ["llama", "gpt2", "qwen3", "gemma2"]
TIED = {"llama", "gpt2", "gemma2"}
IDS = torch.tensor([[5, 6, 7, 8, 9, 10, 11, 12, 13, 14]])


def trained(folder: Path, architecture: str = "llama", targets: str | list[str] = "all-linear") -> Backbone:
    """A model in a folder, loaded, with an adapter that changes its answers."""
    backbone = load(str(tiny.save(folder, architecture)), dtype="float32", device="cpu")
    before = logits(backbone.model)
    backbone.train_lora(rank=4, alpha=6, targets=targets)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in backbone.trainable().values():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    assert not torch.allclose(logits(backbone.model), before, atol=0.01)
    return backbone


def logits(model: PreTrainedModel | PeftModel) -> Tensor:
    with torch.no_grad():
        found: Tensor = model.eval()(input_ids=IDS).logits
    return found


def plain(folder: Path) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_adapter_loads_in_plain_peft(architecture: str, tmp_path: Path) -> None:
    backbone = trained(tmp_path / "base", architecture)
    save_adapter(backbone, tmp_path / "adapter")
    again = PeftModel.from_pretrained(plain(tmp_path / "base"), str(tmp_path / "adapter"))
    torch.testing.assert_close(logits(again), logits(backbone.model), atol=1e-5, rtol=0)


def test_an_adapter_folder_loads_by_its_own_name(tmp_path: Path) -> None:
    """`transformers` finds the base through the adapter's configuration."""
    backbone = trained(tmp_path / "base")
    save_adapter(backbone, tmp_path / "adapter")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "adapter", dtype=torch.float32)
    torch.testing.assert_close(logits(again), logits(backbone.model), atol=1e-5, rtol=0)


def test_an_adapters_files_are_pefts(tmp_path: Path) -> None:
    backbone = trained(tmp_path / "base")
    save_adapter(backbone, tmp_path / "adapter")
    assert backbone.peft is not None
    backbone.peft.save_pretrained(str(tmp_path / "peft"))
    ours, theirs = (
        load_file(tmp_path / folder / "adapter_model.safetensors") for folder in ("adapter", "peft/policy")
    )
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert {tensor.dtype for tensor in ours.values()} == {torch.float32}
    mine, reference = (
        json.loads((tmp_path / folder / "adapter_config.json").read_text())
        for folder in ("adapter", "peft/policy")
    )
    assert mine == reference | {"base_model_name_or_path": (tmp_path / "base").as_posix()}
    assert (mine["r"], mine["lora_alpha"], mine["inference_mode"]) == (4, 6, True)


def test_saving_an_adapter_leaves_it_training(tmp_path: Path) -> None:
    backbone = trained(tmp_path / "base")
    names, before = list(backbone.trainable()), logits(backbone.model)
    save_adapter(backbone, tmp_path / "adapter")
    save_merged(backbone, tmp_path / "merged")
    assert list(backbone.trainable()) == names
    assert backbone.peft is not None
    assert backbone.peft.peft_config["policy"].inference_mode is False
    assert torch.equal(logits(backbone.model), before)


def test_an_adapter_over_a_folded_one_names_that_one_as_its_base(tmp_path: Path) -> None:
    backbone = trained(tmp_path / "base")
    save_adapter(backbone, tmp_path / "first")
    backbone.fold(str(tmp_path / "first"))
    backbone.train_lora(rank=4)
    save_adapter(backbone, tmp_path / "second")
    config = json.loads((tmp_path / "second" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tmp_path / "first")


def test_no_adapter_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no adapter"):
        save_adapter(tiny.backbone(), tmp_path)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_merged_model_loads_in_plain_transformers(architecture: str, tmp_path: Path) -> None:
    backbone = trained(tmp_path / "base", architecture)
    expected = logits(backbone.model)
    save_merged(backbone, tmp_path / "merged")
    again = plain(tmp_path / "merged")
    torch.testing.assert_close(logits(again), expected, atol=1e-5, rtol=0)
    assert again.config.architectures == [type(again).__name__]
    # Tied embeddings are one tensor in memory and in the file.
    head, embedding = again.get_output_embeddings().weight, again.get_input_embeddings().weight
    assert (head.data_ptr() == embedding.data_ptr()) == (architecture in TIED)
    with safe_open(tmp_path / "merged" / "model.safetensors", "pt") as file:
        names = set(file.keys())
        numbers = sum(file.get_tensor(name).numel() for name in names)
    assert not any("lora" in name or "base_layer" in name for name in names)
    assert numbers == sum(parameter.numel() for parameter in again.parameters())


def test_merging_for_the_file_changes_no_bit_in_memory(tmp_path: Path) -> None:
    backbone = trained(tmp_path / "base")
    before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
    save_merged(backbone, tmp_path / "merged")
    after = backbone.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_only_adapted_weights_differ_from_the_bases(tmp_path: Path) -> None:
    backbone = trained(tmp_path / "base", targets=["q_proj", "down_proj"])
    save_merged(backbone, tmp_path / "merged")
    base, merged = (load_file(tmp_path / folder / "model.safetensors") for folder in ("base", "merged"))
    assert base.keys() == merged.keys()
    changed = {name for name in base if not torch.equal(base[name], merged[name])}
    assert changed == {name for name in base if "q_proj" in name or "down_proj" in name}


def test_an_adapter_on_the_embeddings_is_merged_too(tmp_path: Path) -> None:
    backbone = trained(tmp_path / "base", "qwen3", targets=["embed_tokens", "q_proj"])
    save_merged(backbone, tmp_path / "merged")
    torch.testing.assert_close(logits(plain(tmp_path / "merged")), logits(backbone.model), atol=1e-5, rtol=0)


def test_a_merged_bfloat16_model_stays_bfloat16_and_rounds_once(tmp_path: Path) -> None:
    tiny.model().to(torch.bfloat16).save_pretrained(tmp_path / "base")
    tiny.tokenizer().save_pretrained(tmp_path / "base")
    backbone = load(str(tmp_path / "base"), dtype="bfloat16", device="cpu")
    backbone.train_lora(rank=4, alpha=6)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in backbone.trainable().values():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    save_merged(backbone, tmp_path / "merged")
    merged = load_file(tmp_path / "merged" / "model.safetensors")
    assert {tensor.dtype for tensor in merged.values()} == {torch.bfloat16}
    layer = backbone.model.model.layers[0].mlp.down_proj
    delta = layer.lora_B["policy"].weight @ layer.lora_A["policy"].weight * (6 / 4)
    expected = (layer.base_layer.weight.float() + delta).to(torch.bfloat16)
    assert torch.equal(merged["model.layers.0.mlp.down_proj.weight"], expected)


def test_a_model_that_was_trained_in_full_is_written_as_it_is(tmp_path: Path) -> None:
    backbone = tiny.backbone()
    backbone.train_fully(keep_reference=False)
    with torch.no_grad():
        for parameter in backbone.model.parameters():
            parameter.mul_(1.1)
    save_merged(backbone, tmp_path)
    torch.testing.assert_close(logits(plain(tmp_path)), logits(backbone.model), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("template", "expected"), [("auto", tiny.CHATML), ("plain", PLAIN_TEMPLATE)])
def test_the_chat_template_travels(template: str, expected: str, tmp_path: Path) -> None:
    backbone = trained(tmp_path / "base")
    Renderer(backbone.tokenizer, template)  # type: ignore[arg-type]
    save_adapter(backbone, tmp_path / "adapter")
    save_merged(backbone, tmp_path / "merged")
    for folder in ("adapter", "merged"):
        again = AutoTokenizer.from_pretrained(tmp_path / folder)
        assert again.chat_template == expected
        assert again("the cat")["input_ids"] == backbone.tokenizer("the cat")["input_ids"]
        assert (again.bos_token_id, again.eos_token_id) == (1, 2)
