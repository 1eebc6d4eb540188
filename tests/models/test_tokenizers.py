"""A tokenizer by name: the model's own, without its weights and without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from heedful.errors import ModelError
from heedful.models.tokenizers import tokenizer_of
from tests import tiny

TEXT = "the cat sat on the mat<|im_end|>\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny.save(tmp_path / "model")


def test_it_is_the_tokenizer_that_the_model_is_loaded_with(folder: Path) -> None:
    own, auto = tokenizer_of(str(folder)), AutoTokenizer.from_pretrained(folder)

    assert type(own) is type(auto)
    assert own(TEXT)["input_ids"] == auto(TEXT)["input_ids"]
    assert own.chat_template == auto.chat_template == tiny.CHATML
    assert own.special_tokens_map == auto.special_tokens_map


def test_a_folder_needs_no_weights(tmp_path: Path) -> None:
    tiny.tokenizer().save_pretrained(tmp_path)

    assert tokenizer_of(str(tmp_path)).eos_token == "<|im_end|>"


def test_a_catalog_model_is_known_by_name(tiny_default: Path) -> None:
    assert tokenizer_of("smollm2-135m")(TEXT)["input_ids"] == tiny.tokenizer()(TEXT)["input_ids"]


def test_an_adapter_has_the_tokenizer_of_its_base(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    tiny.tokenizer(chat_template="other").save_pretrained(adapter)
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(folder)}))

    assert tokenizer_of(str(adapter)).chat_template == tiny.CHATML


def test_what_only_transformers_can_tell_is_left_to_it(folder: Path) -> None:
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": "GPT2Tokenizer"}))

    assert type(tokenizer_of(str(folder))) is type(AutoTokenizer.from_pretrained(folder))


def test_torch_is_not_imported(folder: Path) -> None:
    code = f"""
import sys
from heedful.models.tokenizers import tokenizer_of
from heedful.render.token_view import TokenView
TokenView(tokenizer_of({str(folder)!r}))
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)

    assert done.stdout.split() == ["False"], done.stderr


def test_a_tokenizer_that_does_not_load_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{")

    with pytest.raises(ModelError, match="the tokenizer cannot be loaded") as raised:
        tokenizer_of(str(tmp_path))
    assert str(raised.value).startswith(str(tmp_path))


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ModelError, match="Did you mean smollm2-135m"):
        tokenizer_of("smollm2-135")
