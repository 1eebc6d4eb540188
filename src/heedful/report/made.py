"""What numbers were made from, and with, as every `summary.json` says it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Made:
    """What an evaluation or a comparison was made from, and with.

    Attributes:
        models: name, part and fingerprint of each.
        data: name, fingerprint and counts of the held-out rows.
        prompts: how many were held out and asked, and by model unanswered by reason.
        sampling: how answers were sampled.
        seed: of sampling and resampling.
        versions, machine, at: with what, where and when.
    """

    models: list[dict[str, str]]
    data: dict[str, Any]
    versions: dict[str, str]
    machine: str
    at: str
    seed: int = 0
    prompts: dict[str, Any] = field(default_factory=dict)
    sampling: dict[str, Any] = field(default_factory=dict)
