"""Sets that reward models are judged by: RewardBench's layout and RewardBench 2's, and others like them.

RewardBench: `prompt, chosen, rejected, subset`, with `chosen_model, rejected_model`; each side is text or
turns. A row becomes a Preference. RewardBench 2: the same with lists of texts, one or several that are right
and (as a rule three) that are wrong. A row becomes a Ranking with rank 1 for every right response and 2 for
every wrong one.

The metadata keep the `subset`. Those of RewardBench's own subsets also have their `section`: Chat, Chat Hard,
Safety or Reasoning. How such a set is scored is `heedful.evaluation.reward_sets`' business.
"""

from __future__ import annotations

from typing import Any

from ..records import GENERATORS, SECTION, SUBSET, Messages, Preference, Ranking
from . import distilabel
from .fields import (
    Fault,
    Fields,
    Origin,
    check_response,
    conversation,
    field,
    prompt_of,
    provenance,
    response_of,
    text,
)
from .format import Format

FIELDS = frozenset({"prompt", "chosen", "rejected", SUBSET})
LAYOUTS = (FIELDS,)
MODELS = ("chosen_model", "rejected_model")

SECTIONS = {
    "Chat": ("alpacaeval-easy", "alpacaeval-length", "alpacaeval-hard", "mt-bench-easy", "mt-bench-med"),
    "Chat Hard": (
        "mt-bench-hard",
        "llmbar-natural",
        "llmbar-adver-neighbor",
        "llmbar-adver-GPTInst",
        "llmbar-adver-GPTOut",
        "llmbar-adver-manual",
    ),
    "Safety": (
        "refusals-dangerous",
        "refusals-offensive",
        "xstest-should-refuse",
        "xstest-should-respond",
        "donotanswer",
    ),
    "Reasoning": ("math-prm", "hep-cpp", "hep-go", "hep-java", "hep-js", "hep-python", "hep-rust"),
}
"""RewardBench's sections and their subsets (Lambert et al. 2024, table 1)."""

SECTION_OF = {subset: section for section, subsets in SECTIONS.items() for subset in subsets}


def fits(row: Fields) -> bool:
    if not row.keys() >= FIELDS or not isinstance(row[SUBSET], str) or distilabel.fits(row):
        return False
    return all(isinstance(row[key], str | list) for key in ("prompt", "chosen", "rejected"))


def parse(row: Fields, origin: Origin) -> Preference | Ranking:
    """A Preference of two responses, or a Ranking where the sides are lists of texts."""
    subset = text(field(row, SUBSET), SUBSET)
    prompt = prompt_of(field(row, "prompt"), "prompt")
    if not prompt:
        raise Fault("empty_prompt", '"prompt" is empty')
    sides = field(row, "chosen"), field(row, "rejected")
    own = provenance(row, origin, FIELDS - {SUBSET} | {*MODELS})
    named = zip(GENERATORS, MODELS, strict=True)
    own["metadata"] |= {name: row[model] for name, model in named if row.get(model) is not None}
    if subset in SECTION_OF:
        own["metadata"] |= {SECTION: SECTION_OF[subset]}
    if not _are_several(sides):
        chosen, rejected = (
            _side(side, prompt, key) for side, key in zip(sides, ("chosen", "rejected"), strict=True)
        )
        return Preference(prompt, chosen, rejected, **own)
    right, wrong = (
        [response_of(one, f"{key}[{at}]") for at, one in enumerate(side)]
        for side, key in zip(sides, ("chosen", "rejected"), strict=True)
    )
    for key, several in (("chosen", right), ("rejected", wrong)):
        if not several:
            raise Fault(f"empty_{key}", f'"{key}" is an empty list')
    ranks = [1] * len(right) + [2] * len(wrong)
    return Ranking(prompt, tuple(right + wrong), tuple(ranks), **own)


def _are_several(sides: tuple[Any, Any]) -> bool:
    """Whether the sides are lists of texts: turns are objects."""
    lists = all(isinstance(side, list) for side in sides)
    return lists and any(isinstance(one, str) for side in sides for one in side)


def _side(side: Any, prompt: Messages, key: str) -> Messages:
    """A side's reply; one that repeats the prompt has it taken off."""
    if not isinstance(side, list):
        return response_of(side, key)
    whole = conversation(side, key)
    return check_response(whole[len(prompt) :] if whole[: len(prompt)] == prompt else whole, key)


FORMAT = Format(
    name="reward-bench",
    about="RewardBench's rows and RewardBench 2's",
    layouts=LAYOUTS,
    fits=fits,
    parse=parse,
)
