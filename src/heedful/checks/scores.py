"""Scores that cannot be meant: outside their scale, against their parts, all alike, against the label.

UltraFeedback has an overall score of 10 for replies whose aspects say 1: ten was written for one. Higher is
better in every score.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from heedful.checks.aspects import OVERALL, Overalls
from heedful.checks.finding import EXAMPLES, Example, Finding, Outcome, Table
from heedful.checks.score_scales import ByScore, Scale, is_outside, place, scale_of
from heedful.checks.tally import Tally
from heedful.checks.text import text_of
from heedful.records import SCORES, Preference, Ranking, Rating, Record

INSIDE = 0.99
APART = 0.5
TIED = 0.2


class ScoreBugs:
    """Ratings and scores of pairs that contradict their scale, their parts or the label."""

    name = "scores"
    asks = "Are the scores within their scale, and do they agree with each other and with the labels?"

    def __init__(
        self, *, inside: float = INSIDE, apart: float = APART, tied: float = TIED, scale: Scale | None = None
    ) -> None:
        """`inside`: share of an aspect's scores that must fit a scale for it to be the aspect's.
        `apart`: how far overall and the mean of the aspects may be from each other, in parts of their scales.
        `tied`: share of prompts whose responses may all have one score before it is a finding.
        `scale`: lowest and highest score of every aspect, where known; None: guessed for each.
        """
        self.inside, self.apart, self.tied, self.scale = inside, apart, tied, scale
        self.pairs = self.rankings = self.tied_rankings = 0
        self.aspects: dict[str, ByScore[float]] = {}
        self.overalls = Overalls()
        self.negative, self.against, self.equal = Tally(), Tally(), Tally()
        self._prompts: dict[int, tuple[float, int]] = {}  # by prompt and aspect: the score, responses or -1

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Preference):
            if record.margin is not None or SCORES[0] in record.metadata:
                self._see_pair(record, index)
        elif isinstance(record, Rating):
            self._see_rating(record, index)
        elif isinstance(record, Ranking) and len(record.ranks) > 1:
            self.rankings += 1
            self.tied_rankings += len(set(record.ranks)) == 1

    def outcome(self) -> Outcome:
        self.overalls.close()
        if not (self.aspects or self.pairs or self.rankings):
            return Outcome(skipped="no record has a score, a margin or ranks")
        scales = {
            name: self._scale(scores.counts) for name, scores in self.aspects.items() if not scores.many
        }
        prompts = self.rankings + sum(1 for _, responses in self._prompts.values() if responses != 1)
        tied = self.tied_rankings + sum(1 for _, responses in self._prompts.values() if responses > 1)
        figures: dict[str, Any] = {
            "ratings": sum(sum(scores.counts.values()) for scores in self.aspects.values()),
            "pairs": self.pairs,
            "scales": {name: list(scale) for name, scale in scales.items() if scale},
            "prompts": prompts,
            "tied_prompts": tied,
            "negative_margins": self.negative.count,
            "scores_against_label": self.against.count,
            "equal_scores": self.equal.count,
        }
        found = [self._outside(scales), self._disagreeing(scales), self._tied(tied, prompts), *self._labels()]
        rows = tuple(_row(name, scores.counts, scales.get(name)) for name, scores in self.aspects.items())
        header = ("", "scores", "lowest", "mean", "highest", "scale")
        tables = (Table("Scores by aspect", header, rows),) if rows else ()
        return Outcome([finding for finding in found if finding is not None], figures, tables)

    def _see_rating(self, record: Rating, index: int) -> None:
        self.aspects.setdefault(record.aspect, ByScore()).add(record.score, index, record.id)
        prompt = hash(text_of(record.prompt))
        key = hash((prompt, record.aspect))
        score, responses = self._prompts.get(key, (record.score, 0))
        alike = responses >= 0 and score == record.score
        self._prompts[key] = (score, responses + 1 if alike else -1)
        self.overalls.see(record, index, hash((prompt, text_of(record.response))))

    def _see_pair(self, record: Preference, index: int) -> None:
        self.pairs += 1
        if record.tie:
            return
        if record.margin is not None and record.margin < 0:
            self.negative.add(record, index, f"margin {record.margin:g}")
        chosen, rejected = (record.metadata.get(name) for name in SCORES)
        if isinstance(chosen, int | float) and isinstance(rejected, int | float):
            if chosen < rejected:
                self.against.add(record, index, f"chosen has {chosen:g}, rejected {rejected:g}")
            elif chosen == rejected:
                self.equal.add(record, index, f"both have {chosen:g}")

    def _scale(self, counts: Mapping[float, int]) -> Scale | None:
        return scale_of(counts, self.inside) if self.scale is None else self.scale

    def _outside(self, scales: Mapping[str, Scale | None]) -> Finding | None:
        found = {
            (name, score): scale
            for name, scale in scales.items()
            for score in self.aspects[name].counts
            if scale is not None and is_outside(score, scale, guessed=self.scale is None)
        }
        if not found:
            return None
        examples = (
            Example(id, f"{name} is {score:g}, and the scale {scale[0]:g} to {scale[1]:g}")
            for (name, score), scale in found.items()
            for id in self.aspects[name].ids[score]
        )
        removes = frozenset(index for name, score in found for index in self.aspects[name].where([score]))
        return self._finding(
            "score_out_of_range",
            f"{_scores(len(removes), 'is', 'are')} outside the scale",
            len(removes),
            sum(sum(self.aspects[name].counts.values()) for name in scales),
            "One such score makes its response the best or the worst, and the margin of every pair it is in.",
            "Mend them at the source, or take them out: heedful check FILE --fix OUT.",
            tuple(islice(examples, EXAMPLES)),
            removes,
        )

    def _disagreeing(self, scales: Mapping[str, Scale | None]) -> Finding | None:
        counts = self.overalls.counts
        overalls, means = Counter[float](), Counter[float]()
        for (overall, mean), count in counts.items():
            overalls[overall] += count
            means[mean] += count
        whole = scales.get(OVERALL) or self._scale(overalls)
        parts = next(
            (scale for name, scale in scales.items() if name != OVERALL and scale), self._scale(means)
        )
        if whole is None or parts is None:
            return None
        found = [key for key in counts if abs(place(key[0], whole) - place(key[1], parts)) > self.apart]
        removes = self.overalls.where(found)
        examples = (
            Example(id, f"overall {overall:g}, mean of the aspects {mean:g}")
            for overall, mean in found
            for id in self.overalls.ids[overall, mean]
        )
        return self._finding(
            "overall_against_aspects",
            f"{_scores(len(removes), 'contradicts', 'contradict')} the mean of the aspects that it sums up",
            len(removes),
            sum(counts.values()),
            "UltraFeedback has such scores where 10 was written for 1: a bad response becomes the best.",
            "Use the mean of the aspects in their place, or take them out: heedful check FILE --fix OUT.",
            tuple(islice(examples, EXAMPLES)),
            removes,
        )

    def _tied(self, tied: int, prompts: int) -> Finding | None:
        if tied <= self.tied * prompts:
            return None
        return Finding(
            check=self.name,
            code="all_tied",
            severity="warning",
            title=f"all responses have the same score for {tied / prompts:.0%} of prompts",
            count=tied,
            of=prompts,
            why="No pair can be made of them: the scale is too coarse, or the scores were filled in.",
            mend="Use a finer aspect or the mean of several; ask the raters to rank what they score alike.",
            threshold=self.tied,
        )

    def _labels(self) -> list[Finding | None]:
        against, equal, negative = self.against, self.equal, self.negative
        return [
            self._finding(
                "scores_against_label",
                f"the rejected response has the higher score in {_pairs(against.count)}",
                against.count,
                self.pairs,
                "Label and scores contradict each other: one of them is turned around.",
                "If it is all of them, swap the columns; else take them out: heedful check FILE --fix OUT.",
                against.examples,
                against.indices,
            ),
            self._finding(
                "negative_margin",
                f"the margin is negative in {_pairs(negative.count)}",
                negative.count,
                self.pairs,
                "A margin says how much better chosen is; below 0 it says that the label is turned around.",
                "If it is all of them, turn the sign; else take them out: heedful check FILE --fix OUT.",
                negative.examples,
                negative.indices,
            ),
            self._finding(
                "equal_scores",
                f"both responses have the same score in {_pairs(equal.count)}",
                equal.count,
                self.pairs,
                "Which one was made chosen says nothing: the label is noise.",
                "Make ties of them or take them out: heedful check FILE --fix OUT.",
                equal.examples,
                equal.indices,
            ),
        ]

    def _finding(
        self, code: str, title: str, count: int, of: int, why: str, mend: str,
        examples: tuple[Example, ...], removes: frozenset[int],
    ) -> Finding | None:  # fmt: skip
        if not count:
            return None
        return Finding(
            check=self.name,
            code=code,
            severity="warning" if code == "equal_scores" else "error",
            title=title,
            count=count,
            of=of,
            why=why,
            mend=mend,
            threshold=self.apart if code == "overall_against_aspects" else None,
            examples=examples,
            removes=removes,
        )


def _row(name: str, counts: Mapping[float, int], scale: Scale | None) -> tuple[str | float | int, ...]:
    total = sum(counts.values())
    mean = math.fsum(score * count for score, count in counts.items()) / total
    known = f"{scale[0]:g} to {scale[1]:g}" if scale else "unknown"
    return name, total, min(counts), mean, max(counts), known


def _scores(count: int, one: str, many: str) -> str:
    return f"1 score {one}" if count == 1 else f"{count} scores {many}"


def _pairs(count: int) -> str:
    return "1 pair" if count == 1 else f"{count} pairs"
