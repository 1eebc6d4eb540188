"""A reward model of Heedful's as whole weights: a sequence classifier that is read as it was trained.

Another classifier decides by itself what it makes of a text; this one's texts are rendered and cut as the
run's own rows were, scored at the token that ends the turn, and the mean score is subtracted.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from heedful.models.rewards.backbone import read_record, rendered
from heedful.models.rewards.classifier import ClassifierReward
from heedful.records import Messages
from heedful.render.chat import Renderer
from heedful.render.truncate import Limits


class MergedReward(ClassifierReward):
    """Scores a conversation as the reward model did in training.

    Args:
        model: the folder of its merged weights.
        options: those of `ClassifierReward`.

    Raises:
        ModelError: it cannot be loaded.
    """

    def __init__(self, model: str, **options: Any) -> None:
        super().__init__(model, **options)
        record = read_record(Path(model).expanduser())
        self._mean, self._renderer = record.mean, Renderer(self.tokenizer, record.template)
        # A response that was cut may end with any token, the one that pads among them.
        self._pad = None

    def _encode(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[list[int]]:
        rows = rendered(prompts, responses, self._renderer, Limits(self.max_length), name=self.name)
        self.cut += rows.rows_cut
        return [row.prompt + row.responses[0] for row in rows]

    def _read(self, logits: Tensor) -> Tensor:
        return super()._read(logits) - self._mean
