"""The task: sentences, their first words as prompts, the gold reward, and what all methods are told."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass
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

# What `heedful.train` is told. All methods: sentences are continued as they are, with no chat around them.
COMMON: dict[str, Any] = {"template": "raw", "max_length": 96, "tokens_per_row": 1024}
SFT: dict[str, Any] = {"batch_size": 16, "epochs": 2.0, "learning_rate": 3e-4}
# PPO is left at the library's defaults, but for the task's answers and how long it goes on.
PPO: dict[str, Any] = {"max_new_tokens": NEW_TOKENS, "max_steps": 20}
# Pairs come from so many responses to each prompt, two by two.
SAMPLES = 2
REWARD: dict[str, Any] = {"batch_size": 16, "epochs": 2.0, "learning_rate": 5e-4}
# DPO, ours and TRL's; the rate is the better of 1e-4 and 5e-4 by the gold reward on validation prompts.
DPO: dict[str, Any] = {"batch_size": 32, "epochs": 2.0, "learning_rate": 5e-4}
# Every run that learns from the pairs is measured at so many steps, evenly spaced, the last one included.
CHECKPOINTS = 4
# The whole study: method, β (None is the method's own) and seeds.
PLAN: tuple[tuple[str, tuple[float | None, ...], tuple[int, ...]], ...] = (
    ("ppo-gold", (None,), tuple(range(8))),
    ("ppo-gold", (0.02, 0.2), (0,)),
    ("ppo-learned", (None, 0.2), (0,)),
    ("dpo", (0.1, 0.3, 1.0), (0,)),
    ("trl-dpo", (0.1, 0.3), (0,)),
)

# Sentences of each part. PPO comes to each prompt once: 20 iterations of 64.
SIZES = {"test": 128, "validation": 64, "sft": 512, "prompts": 1280}
# Where each part of the shuffled sentences begins and ends: no sentence and no prompt is in two of them.
_TEST, _VALIDATION, _SFT, _PROMPTS = (slice(0, 128), slice(128, 256), slice(256, 1280), slice(1280, None))


@dataclass(frozen=True, slots=True)
class Parts:
    """The sentences by what they are for.

    Attributes:
        test: policies are measured by their first words, and nothing else is done with them.
        validation: PPO keeps its best policy by their first words, SFT shows its loss on them.
        sft: what the SFT model learns.
        prompts: their first words are answered, by PPO and for the pairs.
    """

    test: list[str]
    validation: list[str]
    sft: list[str]
    prompts: list[str]


def parts(texts: Sequence[str], *, test: int, validation: int, sft: int, prompts: int) -> Parts:
    """At most so many sentences of each kind; more of one kind takes nothing away from another."""
    return Parts(
        list(texts[_TEST][:test]),
        list(texts[_VALIDATION][:validation]),
        list(texts[_SFT][:sft]),
        list(texts[_PROMPTS][:prompts]),
    )


def sentences(folder: Path = DATA) -> list[str]:
    """Both files' sentences, shuffled once and for all; left out are those too short to be continued, and
    those that begin as an earlier one does.

    Raises:
        FileNotFoundError: the data are not beside the checkout.
    """
    found: list[str] = []
    for name in FILES:
        with gzip.open(folder / name, "rt", encoding="latin-1") as lines:
            found += [" ".join(line.split()) for line in lines]
    found = [sentence for sentence in found if len(sentence.split()) >= LEAST_WORDS]
    random.Random(0).shuffle(found)
    by_prompt: dict[str, str] = {}
    for sentence in found:
        by_prompt.setdefault(first_words(sentence), sentence)
    return list(by_prompt.values())


def first_words(sentence: str) -> str:
    return " ".join(sentence.split()[:PROMPT_WORDS])


def demonstrations(texts: Sequence[str]) -> list[Demonstration]:
    """A sentence's first words as the prompt, the rest of it as the response."""
    found = []
    for number, text in enumerate(texts):
        start = first_words(text)
        rest = text[len(start) :]
        found.append(Demonstration((user(start),), (assistant(rest),), id=f"sentence-{number}"))
    return found


@lru_cache(maxsize=1)
def _vader() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def gold(prompts: Sequence[str], responses: Sequence[str]) -> list[float]:
    """VADER's compound score of the whole sentence, from -1 to 1 (Hutto & Gilbert 2014).

    Punctuation stands apart in these sentences, so every response begins a new word; a reward sees it without
    the space before it.
    """
    return [
        float(_vader().polarity_scores(f"{prompt} {response.strip()}")["compound"])
        for prompt, response in zip(prompts, responses, strict=True)
    ]
