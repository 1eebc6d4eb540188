"""Whether people chose a style: lists, bold, apologies. A reward model takes the style for what was meant.

Two measures, as style often comes with length. The share chosen where only one side has a style says what is
in the data; a logistic fit on the differences of all styles and of length together says what is left of it at
equal length (the "style control" of LMArena, 2024). A style is a finding only where both say so.

Many styles are looked at, so some would stand out by chance. All intervals are simultaneous: each has the
level 1 - 0.05 / styles (Bonferroni), and a finding's whole interval must lie beyond the threshold.
"""

from __future__ import annotations

import math
from array import array
from statistics import NormalDist

import numpy as np

from heedful.checks.finding import Example, Finding, Interval, Outcome, Plot, Table
from heedful.checks.logistic import fit_differences
from heedful.checks.sample import Sample
from heedful.checks.styles import STYLES, style_counts
from heedful.checks.text import excerpt, text_of
from heedful.intervals import LEVEL, wilson
from heedful.records import Preference, Record

SHARE = 0.6
PAIRS = 50
SIMULTANEOUS = 1 - (1 - LEVEL) / len(STYLES)

Shown = tuple[str, str]  # id and text of an example: made one only if it is shown, as most are not


class StyleBias:
    """For each style: how often the side that alone has it is chosen, as it stands and at equal length."""

    name = "style_bias"
    asks = "Is a style chosen, whatever it says?"

    def __init__(self, *, share: float = SHARE, pairs: int = PAIRS) -> None:
        """`share`: of pairs in which the side that alone has a style may be chosen before it is a finding.
        `pairs`: in which only one side has a style, below which nothing is said of it.
        """
        self.share, self.pairs = share, pairs
        self.total = 0
        self.alone = [[0, 0] for _ in STYLES]  # pairs in which only chosen, only rejected has the style
        self.examples = [(Sample[Shown](), Sample[Shown]()) for _ in STYLES]
        self._differences = array("f")  # a row per pair: each style's, then that of length

    def see(self, record: Record, index: int) -> None:
        if not isinstance(record, Preference) or record.tie:
            return
        chosen, rejected = text_of(record.chosen), text_of(record.rejected)
        self.total += 1
        row = []
        pairs = zip(style_counts(chosen), style_counts(rejected), strict=True)
        for style, (ours, theirs) in enumerate(pairs):
            if ours == theirs:
                row.append(0.0)
                continue
            # Over the sum, as LMArena does: one side alone is 1 or -1, and ten more of a hundred is little.
            row.append((ours - theirs) / (ours + theirs))
            if not (ours and theirs):
                lost = not ours
                self.alone[style][lost] += 1
                self.examples[style][lost].offer((record.id, rejected if lost else chosen))
        row.append((len(chosen) - len(rejected)) / max(len(chosen) + len(rejected), 1))
        self._differences.extend(row)

    def outcome(self) -> Outcome:
        if not self.total:
            return Outcome(skipped="no pair has a preferred side")
        at_equal_length = self._at_equal_length()
        raw = [_interval(*alone) for alone in self.alone]
        figures = {
            name: {
                "only_chosen": self.alone[style][0],
                "only_rejected": self.alone[style][1],
                "share": raw[style].value,
                "low": raw[style].low,
                "high": raw[style].high,
                "share_at_equal_length": at_equal_length[style].value,
                "low_at_equal_length": at_equal_length[style].low,
                "high_at_equal_length": at_equal_length[style].high,
            }
            for style, name in enumerate(STYLES)
            if raw[style].n
        }
        findings = [self._finding(s, raw[s], at_equal_length[s]) for s in range(len(STYLES))]
        return Outcome(
            [finding for finding in findings if finding is not None],
            {"pairs": self.total, "level": SIMULTANEOUS, "styles": figures},
            (_table(raw, at_equal_length),),
            (self._plot(raw, at_equal_length),) if self._said(raw) else (),
        )

    def _at_equal_length(self) -> list[Interval]:
        """P(the side that alone has the style is chosen), other styles and length being equal."""
        rows = np.frombuffer(self._differences, dtype=np.float32).reshape(self.total, -1)
        fit = fit_differences(rows)
        z = NormalDist().inv_cdf((1 + SIMULTANEOUS) / 2)
        return [
            Interval(_logistic(w), _logistic(w - z * error), _logistic(w + z * error), sum(alone))
            for w, error, alone in zip(fit.weights, fit.errors, self.alone, strict=False)
        ]

    def _said(self, raw: list[Interval]) -> list[int]:
        return [style for style in range(len(STYLES)) if raw[style].n >= self.pairs]

    def _plot(self, raw: list[Interval], controlled: list[Interval]) -> Plot:
        said = self._said(raw)
        shown = {"as it stands": raw, "at equal length": controlled}
        return Plot(
            "Chosen where only one side has the style",
            "intervals",
            "share chosen",
            labels=tuple(STYLES[style] for style in said),
            series={name: tuple(shares[s].value for s in said) for name, shares in shown.items()},
            low={name: tuple(shares[s].low for s in said) for name, shares in shown.items()},
            high={name: tuple(shares[s].high for s in said) for name, shares in shown.items()},
            reference=0.5,
        )

    def _finding(self, style: int, raw: Interval, controlled: Interval) -> Finding | None:
        chosen = raw.low > self.share and controlled.low > self.share
        rejected = raw.high < 1 - self.share and controlled.high < 1 - self.share
        if raw.n < self.pairs or not (chosen or rejected):
            return None
        name, side = STYLES[style], "chosen" if chosen else "rejected"
        share, held = (_turned(one, rejected) for one in (raw, controlled))
        return Finding(
            check=self.name,
            code=f"{name.replace(' ', '_')}_{side}",
            severity="warning",
            title=f"of two sides the one with {name} is {side} in {share.value:.0%} of pairs "
            f"({held.value:.0%} at equal length)",
            count=self.alone[style][rejected],
            of=raw.n,
            why="A model that learns from them learns the style, whether or not it makes a reply better.",
            mend=f"If {name} are what the people were asked to prefer, nothing. Else add pairs in which both "
            "sides have the style, and report accuracy on pairs that do not differ in it.",
            figure=share,
            threshold=self.share,
            examples=tuple(Example(id, excerpt(text)) for id, text in self.examples[style][rejected].taken()),
        )


def _interval(wins: int, losses: int) -> Interval:
    """The share of wins with its simultaneous interval."""
    n = wins + losses
    return Interval(wins / n if n else math.nan, *wilson(wins, n, level=SIMULTANEOUS), n)


def _turned(share: Interval, turn: bool) -> Interval:
    """The share of the other side where `turn`."""
    return Interval(1 - share.value, 1 - share.high, 1 - share.low, share.n) if turn else share


def _logistic(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def _table(raw: list[Interval], controlled: list[Interval]) -> Table:
    rows = [
        (name, share.n, share.value, share.low, share.high, held.value, held.low, held.high)
        for name, share, held in zip(STYLES, raw, controlled, strict=True)
        if share.n
    ]
    header = ("", "pairs", "chosen", "from", "to", "at equal length", "from", "to")
    return Table("Style on one side only", header, tuple(rows))
