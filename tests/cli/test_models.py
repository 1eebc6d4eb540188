"""`heedful models` and `heedful export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tests.cli.command import Command

IDS = torch.tensor([[5, 6, 7, 8]])


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=IDS).logits
    return found


def test_list_shows_the_catalog(heedful: Command) -> None:
    result = heedful("models", "list")
    assert result.code == 0
    assert "smollm2-135m  SmolLM2 135M Instruct, 135M parameters, Apache-2.0" in result.out


def test_fetch_prints_the_folder_and_says_what_it_does(
    heedful: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fetch(name: str, progress: Any) -> Path:
        progress(f"Downloading {name}")
        return tmp_path

    monkeypatch.setattr("heedful.models.catalog.fetch", fetch)
    result = heedful("models", "fetch", "smollm2-135m")
    assert (result.code, result.out, result.err) == (0, f"{tmp_path}\n", "Downloading smollm2-135m\n")


def test_fetch_of_an_unknown_model_names_the_nearest(heedful: Command) -> None:
    result = heedful("models", "fetch", "smollm2")
    assert result.code == 2
    assert "smollm2-135m" in result.err


def test_what_is_exported_computes_what_the_run_computes(
    heedful: Command, model: Path, run: Path, tmp_path: Path
) -> None:
    merged, adapter = tmp_path / "merged", tmp_path / "deep" / "adapter"

    assert heedful("export", run, "--merged", merged).out == f"{merged}\n"
    assert heedful("export", run, "--adapter", adapter).code == 0

    base = AutoModelForCausalLM.from_pretrained(model)
    before = logits(base)
    over_base = logits(PeftModel.from_pretrained(base, str(adapter)))
    assert not torch.equal(before, over_base)
    torch.testing.assert_close(
        logits(AutoModelForCausalLM.from_pretrained(merged)), over_base, atol=1e-5, rtol=1e-5
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "merged"]


def test_merged_weights_keep_the_number_type_of_their_base(
    heedful: Command, model: Path, run: Path, tmp_path: Path
) -> None:
    heedful("export", run, "--merged", tmp_path / "merged")
    types = [
        json.loads((folder / "config.json").read_text())["dtype"] for folder in (model, tmp_path / "merged")
    ]
    assert types[0] == types[1]


@pytest.mark.parametrize("option", ["--merged", "--adapter"])
def test_export_writes_over_nothing(heedful: Command, run: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    result = heedful("export", run, option, tmp_path)
    assert result.code == 2
    assert "something here already" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_export_of_what_has_no_adapter(heedful: Command, model: Path, tmp_path: Path) -> None:
    result = heedful("export", model, "--adapter", tmp_path / "adapter")
    assert result.code == 2
    assert "there is no adapter here" in result.err
    assert list(tmp_path.iterdir()) == []


def test_export_wants_one_of_its_two_options(heedful: Command, run: Path, tmp_path: Path) -> None:
    assert heedful("export", run).code == 2
    assert heedful("export", run, "--merged", tmp_path / "a", "--adapter", tmp_path / "b").code == 2
    assert list(tmp_path.iterdir()) == []
