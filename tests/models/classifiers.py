"""Tiny classifiers with tokenizers of their own, filed as Hugging Face files them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from tests import tiny

VOCABULARY = ["the", "cat", "sat", "on", "mat", "dog", "ran", "to", "house", "and"]


def save(
    folder: Path,
    config: Any,
    tokenizer: PreTrainedTokenizerBase,
    *,
    scale: float = 4.0,
    dtype: torch.dtype = torch.float32,
) -> str:
    """A random classifier whose weights are large enough that its logits differ visibly."""
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(scale)
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def decoder(folder: Path, architecture: str = "llama", *, template: str | None = None, **changes: Any) -> str:
    config = tiny.CONFIGS[architecture]()
    config.num_labels = 1
    for name, value in changes.items():
        setattr(config, name, value)
    return save(folder, config, tiny.tokenizer(chat_template=template))


def words() -> PreTrainedTokenizerFast:
    """A tokenizer that shares nothing with the policy's: whole words between [CLS] and [SEP]."""
    known = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *VOCABULARY]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(known)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
    )


def encoder(folder: Path, *, template: str | None = None, **changes: Any) -> str:
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = BertConfig(vocab_size=32, **shape, **{"id2label": {0: "score"}, **changes})
    tokenizer = words()
    tokenizer.chat_template = template
    return save(folder, config, tokenizer, scale=20.0)
