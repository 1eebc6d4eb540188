"""Heedful teaches a language model what people prefer.

    pairs = heedful.read("pairs.jsonl")
    backbone = heedful.load("smollm2-135m")
    run = heedful.train.dpo(backbone, pairs, beta=0.1, output="runs/first")

Names are loaded when first used: reading data must not cost the import of torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Candidates": "heedful.records",
    "Demonstration": "heedful.records",
    "Feedback": "heedful.records",
    "HeedfulError": "heedful.errors",
    "Message": "heedful.records",
    "Preference": "heedful.records",
    "Prompt": "heedful.records",
    "Ranking": "heedful.records",
    "Rating": "heedful.records",
    "advise": "heedful.advising",
    "check": "heedful.checks",
    "compare": "heedful.comparing",
    "evaluate": "heedful.evaluating",
    "label": "heedful.labelling",
    "load": "heedful.models.loading",
    "pairs": "heedful.prepare.pairs",
    "read": "heedful.formats",
    "sample": "heedful.models.sampler",
    "split": "heedful.prepare.split",
    "train": "",
    "write": "heedful.formats",
}

__all__ = sorted(_HOMES)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "train":
        return importlib.import_module("heedful.train")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'heedful' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
