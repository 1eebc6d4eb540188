"""An outline stands for a backbone wherever nothing is computed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from heedful.errors import ModelError
from heedful.models.loading import load
from heedful.models.outline import outline
from tests import tiny


@pytest.mark.parametrize("full", [False, True])
def test_an_outline_is_what_would_be_loaded_without_a_weight(tmp_path: Path, full: bool) -> None:
    folder = str(tiny.save(tmp_path / "model"))
    hollow = outline(folder, dtype="bfloat16", device="cpu", full=full)
    loaded = load(folder, dtype="bfloat16", device="cpu", full=full)
    assert all(weight.is_meta for weight in hollow.model.parameters())
    assert hollow.device == loaded.device == torch.device("cpu")
    assert hollow.compute_dtype == loaded.compute_dtype == torch.bfloat16
    assert hollow.model.dtype == loaded.model.dtype == (torch.float32 if full else torch.bfloat16)
    assert hollow.context_length == loaded.context_length
    assert hollow.pad_id == loaded.pad_id
    assert hollow.base == loaded.base
    assert hollow.compatibility.packs


def test_an_outline_needs_no_weights_but_a_tokenizer(tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    assert outline(str(folder)).model.dtype in (torch.float32, torch.bfloat16)
    for file in folder.glob("tokenizer*"):
        file.unlink()
    with pytest.raises(ModelError, match="tokenizer cannot be loaded"):
        outline(str(folder))
