"""From a name to a backbone: the right weights in the right type, the right adapters folded in, in order."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import Tensor

from heedful.errors import ModelError
from heedful.models.backbone import Backbone
from heedful.models.export import save_adapter
from heedful.models.loading import choose_device, choose_dtype, load
from tests import tiny

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
IDS = torch.tensor([[5, 6, 7, 8, 9]])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("base") / "model")


def logits(backbone: Backbone) -> Tensor:
    with torch.no_grad():
        found: Tensor = backbone.model(input_ids=IDS).logits
    return found.float()


def train(backbone: Backbone, folder: Path, seed: int) -> Tensor:
    """Put a trained adapter into `folder`; returns the trained model's logits."""
    backbone.train_lora(rank=4, alpha=8)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in backbone.trainable().values():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    save_adapter(backbone, folder)
    return logits(backbone)


@pytest.fixture(scope="module")
def stack(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Tensor, Tensor]:
    """Two adapters, the second trained over the first: `(first, second, their logits)`."""
    first, second = (tmp_path_factory.mktemp("stack") / name for name in ("first", "second"))
    backbone = load(str(base), dtype="float32", device="cpu")
    after_first = train(backbone, first, 1)
    backbone.fold(str(first))
    after_second = train(backbone, second, 2)
    return first, second, after_first, after_second


def test_a_local_folder_loads_as_it_was_saved(base: Path) -> None:
    backbone = load(str(base), dtype="float32", device="cpu")
    assert torch.equal(logits(backbone), logits(tiny.backbone()))
    assert (backbone.name, backbone.base, backbone.lineage) == (str(base), base.as_posix(), [])
    assert backbone.tokenizer.chat_template == tiny.CHATML
    assert backbone.trainable() == {}
    assert backbone.device == CPU


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_the_type_asked_for_is_the_type_of_the_weights(base: Path, name: str) -> None:
    backbone = load(str(base), dtype=name, device="cpu")
    expected = getattr(torch, name)
    assert backbone.compute_dtype == expected
    assert {parameter.dtype for parameter in backbone.model.parameters()} == {expected}


def test_full_training_keeps_fp32_weights_and_computes_in_the_type_asked_for(base: Path) -> None:
    backbone = load(str(base), dtype="bfloat16", device="cpu", full=True)
    assert {parameter.dtype for parameter in backbone.model.parameters()} == {torch.float32}
    assert backbone.compute_dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"architecture": "aarch64", "bf16": True}, torch.bfloat16),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"architecture": "aarch64", "neon": True, "bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_auto_on_a_cpu_is_bfloat16_only_where_the_machine_multiplies_it(
    capabilities: dict[str, Any], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: MappingProxyType(capabilities), raising=False)
    assert choose_dtype("auto", CPU) == expected


def test_auto_on_a_cpu_is_float32_where_torch_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older releases of torch do not list what a CPU can do."""
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert choose_dtype("auto", CPU) == torch.float32


@pytest.mark.parametrize(("native", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_on_a_gpu_does_not_count_emulation(
    native: bool, expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or native
    )
    assert choose_dtype("auto", CUDA) == expected


def test_a_named_type_is_taken_whatever_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert choose_dtype("bfloat16", CPU) == torch.bfloat16
    assert choose_dtype("float16", torch.device("mps")) == torch.float16
    assert choose_dtype("auto", torch.device("mps")) == torch.float32


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_device_is_a_gpu_where_there_is_one(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto").type == expected


@pytest.mark.parametrize("name", ["gpu", "cuda:77", "cpu:x", ""])
def test_a_device_that_is_not_there_is_an_error_that_says_where(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        choose_device(name)
    assert caught.value.where == "model.device"
    assert repr(name) in str(caught.value)


def test_an_adapters_own_base_is_loaded_and_the_adapter_folded_in(
    base: Path, stack: tuple[Path, Path, Tensor, Tensor]
) -> None:
    first, _, after_first, _ = stack
    backbone = load(str(first), dtype="float32", device="cpu")
    assert backbone.base == base.as_posix()
    assert backbone.lineage == [str(first)]
    torch.testing.assert_close(logits(backbone), after_first, atol=1e-5, rtol=0)
    with torch.no_grad(), backbone.active("reference") as reference:
        torch.testing.assert_close(reference(input_ids=IDS).logits, after_first, atol=1e-5, rtol=0)


def test_adapters_over_adapters_are_folded_oldest_first(
    base: Path, stack: tuple[Path, Path, Tensor, Tensor]
) -> None:
    first, second, _, after_second = stack
    for backbone in (
        load(str(second), dtype="float32", device="cpu"),
        load(str(base), adapter=str(second), dtype="float32", device="cpu"),
    ):
        assert backbone.lineage == [str(first), str(second)]
        torch.testing.assert_close(logits(backbone), after_second, atol=1e-5, rtol=0)


def test_an_adapter_trained_beside_the_models_own_goes_on_top(
    base: Path, stack: tuple[Path, Path, Tensor, Tensor], tmp_path: Path
) -> None:
    first, _, after_first, _ = stack
    train(load(str(base), dtype="float32", device="cpu"), tmp_path / "beside", 3)
    backbone = load(str(first), adapter=str(tmp_path / "beside"), dtype="float32", device="cpu")
    assert backbone.lineage == [str(first), str(tmp_path / "beside")]
    assert not torch.allclose(logits(backbone), after_first, atol=1e-3)


def test_an_adapter_already_in_the_model_is_not_folded_twice(
    stack: tuple[Path, Path, Tensor, Tensor],
) -> None:
    """`second` was trained over `first`: on a model that has `first`, only `second` is new."""
    first, second, _, after_second = stack
    backbone = load(str(first), adapter=str(second), dtype="float32", device="cpu")
    assert backbone.lineage == [str(first), str(second)]
    torch.testing.assert_close(logits(backbone), after_second, atol=1e-5, rtol=0)


def test_an_adapter_of_another_base_is_refused(
    tmp_path: Path, stack: tuple[Path, Path, Tensor, Tensor], base: Path
) -> None:
    other = tiny.save(tmp_path / "other", "qwen2")
    with pytest.raises(ModelError, match="belongs to") as caught:
        load(str(other), adapter=str(stack[0]), device="cpu")
    assert str(base) in str(caught.value)


def test_a_plain_model_is_no_adapter(base: Path) -> None:
    with pytest.raises(ModelError, match="holds no adapter"):
        load(str(base), adapter=str(base), device="cpu")


def test_weights_that_do_not_load_are_an_error_that_helps(tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"not a tensor in sight")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load(str(folder), dtype="float32", device="cpu")
    assert caught.value.where == str(folder)
    assert "causal language model" in str(caught.value)


def test_a_folder_without_a_tokenizer_is_an_error_that_helps(tmp_path: Path) -> None:
    tiny.model().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="tokenizer"):
        load(str(tmp_path), dtype="float32", device="cpu")


def test_a_name_of_nothing_is_an_error() -> None:
    with pytest.raises(ModelError):
        load("no-such-model", device="cpu")
