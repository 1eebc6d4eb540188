"""A reward model on a set with named subsets, in words: a group of rows a section, a line a subset.

Knows nothing of HTML or consoles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from heedful.evaluation.estimates import Estimate
from heedful.evaluation.preference_accuracy import Accuracy
from heedful.evaluation.reward_sets import Part, RewardSet, Section, Ties
from heedful.report.wording import Group, Number, Row, Tone, compare, percent

LONGER = "longer wins"
_SAYS: dict[Tone, str] = {"good": "clearly above", "bad": "clearly below"}


@dataclass(frozen=True, slots=True)
class SubsetLine:
    """A subset's line: its name and section, how often the model and the ruler are right, and how many."""

    name: str
    section: str
    value: str
    interval: str
    longer: str
    n: str


@dataclass(frozen=True, slots=True)
class SectionsView:
    """All that is said of the sections.

    Attributes:
        overall: the mean of the sections, in a sentence.
        sections: one group each, the model beside the ruler, with what chance reaches.
        subsets: of the sections that have several.
        remarks: what else a reader should know.
    """

    overall: str
    sections: tuple[tuple[Group, float], ...]
    subsets: tuple[SubsetLine, ...]
    remarks: tuple[str, ...]


def sections_view(found: RewardSet, name: str) -> SectionsView:
    """The sections in words; `name` is what the model is called."""
    groups = tuple((_group(section, name), section.whole.chance) for section in found.sections)
    overall = found.overall
    of = "four sections" if found.complete and len(groups) == 4 else f"{len(groups)} sections"
    sure = f" (95% {percent(overall.low)[:-1]}\u2013{percent(overall.high)})" if _known(overall) else ""
    return SectionsView(
        overall=f"{percent(overall.value)} on average of {of}{sure}.",
        sections=groups,
        subsets=tuple(line for section in found.sections for line in _lines(section)),
        remarks=tuple(_remarks(found)),
    )


def sections_row(found: RewardSet) -> dict[str, Any]:
    """The same for programs."""
    return {
        "overall": asdict(found.overall),
        "complete": found.complete,
        "sections": [
            {**_part_row(section.whole), "subsets": list(map(_part_row, section.subsets))}
            for section in found.sections
        ],
        "ties": found.ties and asdict(found.ties),
    }


def _part_row(part: Part) -> dict[str, Any]:
    return {
        "name": part.name,
        "accuracy": asdict(part.accuracy),
        "longer_wins": asdict(part.longer),
        "chance": part.chance,
    }


def _group(section: Section, name: str) -> Group:
    whole = section.whole
    own, ruler = _number(whole.accuracy), _number(whole.longer)
    verdict = compare(own, ruler, LONGER, "up", whole.over_ruler)
    word = _SAYS.get(verdict.tone, "no clear difference from")
    verdict = replace(verdict, headline=f"{word} \u201c{LONGER}\u201d")
    rows = (Row(name, own, verdict), Row(LONGER, ruler, None))
    return Group(whole.name, f"Random scores reach {percent(whole.chance)}.", rows, rows[:1], rows[:1])


def _number(accuracy: Accuracy) -> Number:
    return Number(accuracy.value, accuracy.low, accuracy.high, accuracy.n, "prompts", "share")


def _lines(section: Section) -> Iterator[SubsetLine]:
    for part in section.subsets:
        yield _line(part, section.whole.name)


def _line(part: Part, section: str) -> SubsetLine:
    own, ruler = _number(part.accuracy), _number(part.longer)
    return SubsetLine(part.name, section, own.text, own.interval_text, ruler.text, f"{own.n:,}")


def _remarks(found: RewardSet) -> Iterator[str]:
    yield (
        "A prompt counts where every right response scores above every wrong one; a tie is wrong. "
        "\u201cLonger wins\u201d is right where every right response is longer than every wrong one."
    )
    if not found.complete:
        yield "Not all of RewardBench\u2019s four sections are here: the mean is of those that are."
    if any(section.whole.name == "Reasoning" for section in found.sections):
        yield "In Reasoning, mathematics and code count alike, as published."
    if found.ties is not None:
        yield _of_ties(found.ties)


def _of_ties(ties: Ties) -> str:
    score = ties.score
    interval = f", 95% {score.low:.3f} to {score.high:.3f}" if _known(score) else ""
    left = f" {ties.alone} prompts without their other half do not count." if ties.alone else ""
    return (
        f"Ties, as RewardBench 2 scores it: {score.value:.3f} (n = {ties.n:,} pairs of prompts{interval}), "
        f"of {percent(ties.tied)} tied and {percent(ties.reference)} reference prompts right, and right "
        f"answers closer together than to wrong ones in {percent(ties.preferred)}, "
        f"{percent(ties.preferred_hard)} with the reference\u2019s margin. It "
        f"stands for Ties in the mean of the sections.{left}"
    )


def _known(found: Estimate) -> bool:
    return not math.isnan(found.low)
