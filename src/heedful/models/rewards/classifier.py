"""A reward that is any Hugging Face sequence classifier, with its own tokenizer and its own chat template.

Knows nothing of the policy: it gets text and reads it as it was trained to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jinja2
import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging as transformers_logging

from heedful.errors import ModelError, RewardError
from heedful.models.catalog import resolve
from heedful.models.loading import choose_device, choose_dtype
from heedful.models.rewards.reward import complaint, prompt_text
from heedful.records import Messages

# Tokenizers that know no limit say a number far above this.
_LONGEST = 10_000_000
# Kinds of classifier whose logits are independent of each other.
_INDEPENDENT = ("multi_label_classification", "regression")


class ClassifierReward:
    """Scores a conversation by a classifier's logit.

    One label: its logit. Several: the log-odds of `label` against the others, or its logit where the labels
    do not exclude each other. A text that is too long loses its beginning.

    Args:
        model: a folder or a hub id that `AutoModelForSequenceClassification` takes.
        label: whose score it is, by its name in the model's configuration; needed where there are several.
        device: `auto`, `cpu`, `cuda:1`, ...
        batch_size: conversations at a time, of similar lengths.
        max_length: tokens of one conversation; never more than the model takes.

    Attributes:
        cut: how many conversations have lost their beginning so far.

    Raises:
        ModelError: it cannot be loaded, or is no classifier.
        RewardError: there are several labels, and `label` is none of them.
    """

    def __init__(
        self,
        model: str,
        *,
        label: str | None = None,
        device: str = "auto",
        batch_size: int = 16,
        max_length: int | None = None,
    ) -> None:
        self.name, self.batch_size, self.cut = model, batch_size, 0
        self.model, self.tokenizer = _load(model, choose_device(device))
        self._config: Any = self.model.config.get_text_config()
        self._column = _column(self.model.config, label, model)
        self._vocabulary = int(self.model.get_input_embeddings().weight.shape[0])
        pad = self._config.pad_token_id
        self._pad = pad if isinstance(pad, int) and 0 <= pad < self._vocabulary else None
        positions = getattr(self._config, "max_position_embeddings", None)
        known = (max_length, self.tokenizer.model_max_length, positions)
        self.max_length = min((n for n in known if isinstance(n, int) and 0 < n < _LONGEST), default=_LONGEST)

    def __call__(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[float]:
        rows = self._encode(prompts, responses)
        order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
        scores = torch.empty(len(rows))
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            scores[batch] = self._score([rows[at] for at in batch])
        found: list[float] = scores.tolist()
        return found

    def _encode(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[list[int]]:
        texts = [self._text(*both) for both in zip(prompts, responses, strict=True)]
        if not texts:
            return []
        encoded: Any = self.tokenizer(
            texts,
            # A chat template writes its own.
            add_special_tokens=not self.tokenizer.chat_template,
            return_attention_mask=False,
            verbose=False,
        )
        return [self._fit(list(ids)) for ids in encoded["input_ids"]]

    def _text(self, prompt: Messages, response: str) -> str:
        if not self.tokenizer.chat_template:
            return f"{prompt_text(prompt)}\n{response}"
        turns = [{"role": message.role, "content": message.content} for message in prompt]
        turns.append({"role": "assistant", "content": response})
        try:
            return str(self.tokenizer.apply_chat_template(turns, tokenize=False))
        except (jinja2.TemplateError, ValueError) as error:
            what = f"its chat template refuses this conversation ({error})."
            raise complaint(self.name, what, prompt, response) from error

    def _fit(self, ids: list[int]) -> list[int]:
        """The response stands at the end, so the beginning goes, but for a special token before it."""
        over = len(ids) - self.max_length
        if over <= 0:
            return ids
        self.cut += 1
        leading = 1 if ids[0] in self.tokenizer.all_special_ids and self.max_length > 1 else 0
        return ids[:leading] + ids[leading + over :]

    def _score(self, rows: Sequence[list[int]]) -> Tensor:
        """`[rows]`, fp32, on CPU: what each row would get alone."""
        pad = self._pad_id(rows)
        width = max(len(row) for row in rows)
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        device = self.model.device
        with torch.no_grad():
            out = self.model(input_ids=ids.to(device), attention_mask=mask.to(device))
        return self._read(out.logits.float().cpu())

    def _pad_id(self, rows: Sequence[list[int]]) -> int:
        """Decoders are read at the last token that is not the padding their configuration names.

        Padded with that very token, a row is read where it would be read alone, even where the token is the
        end of turn as well. A configuration that names none gets one that none of these rows holds.
        """
        if self._pad is not None:
            return self._pad
        used = {token for row in rows for token in row}
        pad = next(token for token in range(self._vocabulary) if token not in used)
        self._config.pad_token_id = pad
        return pad

    def _read(self, logits: Tensor) -> Tensor:
        """`[rows, labels]` to `[rows]`."""
        column = logits[:, self._column]
        if logits.shape[1] == 1 or self.model.config.problem_type in _INDEPENDENT:
            return column
        others = [at for at in range(logits.shape[1]) if at != self._column]
        return column - logits[:, others].logsumexp(1)


def _load(name: str, device: torch.device) -> tuple[Any, Any]:
    transformers_logging.disable_progress_bar()
    source = resolve(name)
    if source.adapter is not None:
        mend = "Merge it into its model, and name the merged folder."
        raise ModelError("this is an adapter, and no reward of Heedful's.", where=name, mend=mend)
    mend = "Check the name, and that it holds a sequence classifier with its tokenizer."
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.pretrained)
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            source.pretrained, dtype="auto", output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(f"the classifier cannot be loaded: {reason}", where=name, mend=mend) from error
    missing = sorted(loading["missing_keys"])
    if missing:
        # transformers would fill them with random numbers, and so would be the scores.
        raise ModelError(f"this is no trained classifier: {missing[0]} is missing.", where=name, mend=mend)
    # Half precision crawls on a CPU without products for it.
    if device.type == "cpu" and choose_dtype("auto", device) != model.dtype:
        model = model.float()
    return model.to(device).eval().requires_grad_(False), tokenizer


def _column(config: Any, label: str | None, name: str) -> int:
    """Which logit is the score.

    Raises:
        RewardError: there are several, and `label` names none of them.
    """
    labels = [str(config.id2label[number]) for number in range(config.num_labels)]
    if label is None and len(labels) == 1:
        return 0
    if label in labels:
        return labels.index(label)
    listed = ", ".join(labels)
    if label is None:
        what = f"this classifier has {len(labels)} labels: {listed}."
        raise RewardError(what, where=f"reward {name}", mend="Say by label= whose score is the reward.")
    raise RewardError(f"there is no label {label!r}; there are {listed}.", where=f"reward {name}")
