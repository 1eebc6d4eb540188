"""Whether people who judged the same pair agree: percent, κ, α and each annotator against the others.

Which of a pair's two responses is called the first is arbitrary, so every item is counted both ways round:
by chance two votes then agree in half of the pairs, and no figure hangs on the names of the sides. People
agree in about 63% of the pairs of Anthropic's HH, 66% in AlpacaFarm, 73% in InstructGPT.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heedful.agreement import (
    Statistic,
    cohen,
    count_votes,
    fleiss,
    interval,
    kinds_interval,
    krippendorff,
    leave_one_out,
    percent,
)
from heedful.checks.finding import EXAMPLES, Example, Finding, Interval, Outcome, Plot, Table
from heedful.checks.votes import CATEGORIES, ONE, OTHER, TIE, Ints, VoteCollector, Votes
from heedful.intervals import wilson
from heedful.records import Record

ALPHA = 0.2
LEVELS = 21  # strengths on both sides; more are a measure, and no scale of steps
ROWS = 30  # annotators shown: those who agree least
MIRROR = np.array([OTHER, ONE, TIE])
CHANCE = 0.5
NONE = Interval(math.nan, math.nan, math.nan, 0)


class LowAgreement:
    """How far annotators agree about the same pairs, beyond chance, overall and each with the others."""

    name = "agreement"
    asks = "Do people who judged the same pair agree?"

    def __init__(self, *, alpha: float = ALPHA) -> None:
        """`alpha`: Krippendorff's α (nominal) below which the whole interval must lie to be a finding."""
        self.alpha = alpha
        self._collector = VoteCollector()

    def see(self, record: Record, index: int) -> None:
        self._collector.see(record, index)

    def outcome(self) -> Outcome:
        votes = self._collector.votes()
        if not len(votes):
            return Outcome(skipped="no record names an annotator")
        counts = votes.counts()
        shared = int((counts.sum(axis=1) >= 2).sum())
        if not shared:
            return Outcome(skipped="no pair was judged by two annotators")
        measured = _measured(votes, counts, shared)
        rows = _annotators(votes)
        figures: dict[str, Any] = {
            "votes": len(votes),
            "items": len(counts),
            "shared_items": shared,
            "annotators": len(votes.names),
            "skipped": votes.skipped,
        }
        for name, figure in measured.items():
            figures |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
        overall = tuple(
            (LABELS[name], figure.value, figure.low, figure.high, figure.n)
            for name, figure in measured.items()
        )
        tables = [Table("Agreement", ("", "value", "from", "to", "of"), overall)]
        if rows:
            header = ("annotator", "votes", "agree", "from", "to")
            tables.append(Table("With what most of the others say", header, rows))
        plots = (_plot(rows),) if len(rows) > 1 else ()
        return Outcome(self._findings(measured, votes, counts), figures, tables, plots)

    def _findings(self, measured: dict[str, Interval], votes: Votes, counts: Ints) -> list[Finding]:
        figure = measured["alpha_nominal"]
        if not figure.high < self.alpha:
            return []
        split = (counts.sum(axis=1) >= 2) & (counts.max(axis=1) < counts.sum(axis=1))
        in_split, shared = int(counts[split].sum()), int(counts[counts.sum(axis=1) >= 2].sum())
        agreeing = measured["percent"].value
        return [
            Finding(
                check=self.name,
                code="low_agreement",
                severity="warning",
                title=f"two annotators of a pair agree in {agreeing:.0%} (α = {figure.value:.2f})",
                count=in_split,
                of=shared,
                why="What one person prefers and another does not is mostly noise to a model: it cannot be "
                "learned, and no reward model can be right about it more often than people are.",
                mend="Sharpen the instructions on pairs like the examples, look at the check of annotators, "
                "and make one preference of all votes: heedful pairs FILE OUT --aggregate dawid-skene "
                "--min-agreement 0.7",
                figure=figure,
                threshold=self.alpha,
                examples=_examples(votes, counts, split),
            )
        ]


LABELS = {
    "percent": "agreement of two votes",
    "cohen": "Cohen's κ",
    "fleiss": "Fleiss' κ",
    "alpha_nominal": "Krippendorff's α, nominal",
    "alpha_ordinal": "Krippendorff's α, by strength",
    "leave_one_out": "a vote with most of the others",
}


def _measured(votes: Votes, counts: Ints, shared: int) -> dict[str, Interval]:
    """Every figure that can be had, by name."""
    figures = {
        "percent": _figure(percent, counts, shared),
        "fleiss": _figure(partial(both_ways, fleiss, MIRROR), counts, shared),
        "alpha_nominal": _figure(partial(both_ways, krippendorff, MIRROR), counts, shared),
        "alpha_ordinal": _by_strength(votes, shared),
        "cohen": _cohen(votes),
        "leave_one_out": _leave_one_out(votes),
    }
    return {name: figures[name] for name in LABELS if not math.isnan(figures[name].value)}


def _figure(statistic: Statistic, counts: Ints, shared: int) -> Interval:
    return Interval(statistic(counts), *interval(statistic, counts), shared)


def both_ways(
    statistic: Statistic, mirror: Ints, counts: ArrayLike, repeats: ArrayLike | None = None, /
) -> float:
    """The figure where every item is there once more with its sides changed over."""
    table = np.asarray(counts)
    times = np.ones(len(table)) if repeats is None else np.asarray(repeats)
    return statistic(np.concatenate([table, table[:, mirror]]), np.concatenate([times, times]))


def _by_strength(votes: Votes, shared: int) -> Interval:
    """α on the scale from "one much better" over a tie to "the other much better"."""
    signed = np.where(votes.said == OTHER, -votes.strength, votes.strength)
    levels = np.unique(np.concatenate([signed, -signed]))
    if len(levels) > LEVELS:
        return NONE
    counts = count_votes(votes.items, np.searchsorted(levels, signed), len(levels))
    statistic = partial(krippendorff, scale="ordinal")
    mirror = np.arange(len(levels))[::-1]
    return _figure(partial(both_ways, statistic, mirror), counts, shared)


def _cohen(votes: Votes) -> Interval:
    """κ of the two annotators, where there are two."""
    if len(votes.names) != 2:
        return NONE
    said = np.full((2, int(votes.items.max()) + 1), -1)
    said[votes.annotators, votes.items] = votes.said
    first, second = said[:, (said >= 0).all(axis=0)]
    cells = np.bincount(first * CATEGORIES + second, minlength=CATEGORIES**2)

    def kappa(cells: Ints) -> float:
        table = cells.reshape(CATEGORIES, CATEGORIES)
        return cohen(table + table[np.ix_(MIRROR, MIRROR)])

    return Interval(kappa(cells), *kinds_interval(kappa, cells), len(first))


def _leave_one_out(votes: Votes) -> Interval:
    agrees = leave_one_out(votes.items, votes.said, CATEGORIES)
    known = agrees[np.isfinite(agrees)]
    if not len(known):
        return NONE
    return Interval(float(known.mean()), *wilson(float(known.sum()), len(known)), len(known))


def _annotators(votes: Votes) -> tuple[tuple[str, int, float, float, float], ...]:
    """How often each annotator's vote is what most of the others say; those who agree least first."""
    agrees = leave_one_out(votes.items, votes.said, CATEGORIES)
    known = np.isfinite(agrees)
    times = np.bincount(votes.annotators[known], minlength=len(votes.names))
    agreed = np.bincount(votes.annotators[known], agrees[known], len(votes.names))
    rows = [
        (name, int(n), float(wins / n), *wilson(float(wins), int(n)))
        for name, wins, n in zip(votes.names, agreed, times, strict=True)
        if n
    ]
    return tuple(sorted(rows, key=lambda row: (row[4], row[0]))[:ROWS])


def _plot(rows: tuple[tuple[str, int, float, float, float], ...]) -> Plot:
    names, _, values, lows, highs = zip(*rows, strict=True)
    return Plot(
        "Each annotator's agreement with most of the others",
        "intervals",
        "share of votes",
        labels=names,
        series={"agree": values},
        low={"agree": lows},
        high={"agree": highs},
        reference=CHANCE,
    )


def _examples(votes: Votes, counts: Ints, split: NDArray[np.bool_]) -> tuple[Example, ...]:
    """The items most evenly split, of many votes first."""
    evenly = np.sort(counts, axis=1)[:, -2] / np.maximum(counts.sum(axis=1), 1)
    order = np.lexsort((-counts.sum(axis=1), -evenly))
    chosen = [int(item) for item in order if split[item]][:EXAMPLES]
    return tuple(Example(votes.ids[item], _split(*counts[item].tolist())) for item in chosen)


def _split(one: int, other: int, ties: int) -> str:
    return f"{one} votes for one, {other} for the other" + (f", {ties} for neither" if ties else "")
