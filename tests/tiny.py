"""Tiny models and tokenizers, built on the spot: no downloads, a second at most."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

from heedful.models import gguf
from heedful.models.backbone import Backbone

CHATML = (
    "{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

VOCABULARY = 320
_SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
}

CONFIGS: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**_SHAPE, tie_word_embeddings=True),
    "gpt2": lambda: GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=512, bos_token_id=1, eos_token_id=2
    ),
    "qwen2": lambda: Qwen2Config(**_SHAPE),
    "qwen3": lambda: Qwen3Config(**_SHAPE, head_dim=8),
    # Gemma-type: soft caps on scores and logits, sliding and full layers in turn, a query scale of its own.
    "gemma2": lambda: Gemma2Config(
        **_SHAPE, head_dim=8, sliding_window=6, attn_logit_softcapping=5.0, final_logit_softcapping=3.0
    ),
    "gemma3": lambda: Gemma3TextConfig(**_SHAPE, head_dim=8, sliding_window=6, sliding_window_pattern=2),
}

# Recurrent state runs through the whole row, so rows cannot be packed.
RECURRENT: dict[str, Any] = {
    "mamba": lambda: MambaConfig(vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4),
}


def model(architecture: str = "llama", *, seed: int = 0) -> PreTrainedModel:
    """A randomly initialised model, with weights large enough that its outputs differ visibly."""
    torch.manual_seed(seed)
    config = {**CONFIGS, **RECURRENT}[architecture]()
    built = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in built.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4.0)
    return built.eval()


@lru_cache(maxsize=1)
def _trained() -> str:
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    text = ["the cat sat on the mat and the dog ran to the house", "what is the answer to this question"]
    tokenizer.train_from_iterator(text * 8, trainer)
    return tokenizer.to_str()


def tokenizer(*, chat_template: str | None = CHATML, **special: str | None) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer: `<|endoftext|>` 0, `<|im_start|>` 1 (BOS), `<|im_end|>` 2 (EOS, and
    pad).
    """
    tokens: dict[str, Any] = {
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>",
    }
    tokens |= special
    built = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_trained()), **{k: v for k, v in tokens.items() if v is not None}
    )
    built.chat_template = chat_template
    return built


def backbone(architecture: str = "llama", *, seed: int = 0) -> Backbone:
    return Backbone(model(architecture, seed=seed), tokenizer(), name=f"tiny-{architecture}")


def save(folder: Path, architecture: str = "llama", *, seed: int = 0) -> Path:
    """Write a tiny model and its tokenizer as a local model folder."""
    model(architecture, seed=seed).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def save_default(cache: Path) -> None:
    """Fill a model cache with a tiny model in the place of `smollm2-135m`."""
    folder = save(cache / "models" / "smollm2-135m")
    (folder / gguf.RECORD).write_text(f'{{"conversion": {gguf.CONVERSION}}}')
