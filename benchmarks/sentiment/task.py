"""The task: sentences, their first words as prompts, the gold reward, and what all methods are told."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from heedful.records import Demonstration, assistant, user

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
FILES = ("rt-polarity.pos.gz", "rt-polarity.neg.gz")
PROMPT_WORDS = 4
LEAST_WORDS = 8
NEW_TOKENS = 24
# What `heedful.train` is told for all methods: sentences are continued as they are, with no chat around them.
COMMON: dict[str, Any] = {"template": "raw", "max_length": 96}


def sentences(folder: Path = DATA) -> list[str]:
    """Both files' sentences, shuffled once and for all; those too short to be continued are left out.

    Raises:
        FileNotFoundError: the data are not beside the checkout.
    """
    found: list[str] = []
    for name in FILES:
        with gzip.open(folder / name, "rt", encoding="latin-1") as lines:
            found += [" ".join(line.split()) for line in lines]
    found = [sentence for sentence in found if len(sentence.split()) >= LEAST_WORDS]
    random.Random(0).shuffle(found)
    return found


def demonstrations(texts: Sequence[str]) -> list[Demonstration]:
    """A sentence's first words as the prompt, the rest of it as the response."""
    found = []
    for number, text in enumerate(texts):
        words = text.split()
        start, rest = " ".join(words[:PROMPT_WORDS]), " " + " ".join(words[PROMPT_WORDS:])
        found.append(Demonstration((user(start),), (assistant(rest),), id=f"sentence-{number}"))
    return found


@lru_cache(maxsize=1)
def _vader() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def gold(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """VADER's compound score of the whole sentence, from -1 to 1 (Hutto & Gilbert 2014)."""
    return [
        float(_vader().polarity_scores(prompt + response)["compound"])
        for prompt, response in zip(prompts, responses, strict=True)
    ]
