"""Numbers in words, the same in page and terminal: each number with its n and interval, each change judged.

A change is called clear only where the 95% interval of the difference leaves out zero. Knows nothing of HTML
or consoles.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from heedful.evaluation.intervals import Interval, difference
from heedful.report.data import ReportData

Unit = Literal["share", "words"]
Better = Literal["up", "down", "neither"]
Tone = Literal["good", "bad", "plain", "unclear"]

COIN = 0.5
_RULERS = "Rulers"
_MINUS = "\u2212"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Text from a model or a file without what breaks a page or drives a terminal; newlines and tabs stay."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))


@dataclass(frozen=True, slots=True)
class Number:
    """A measured number with its 95% interval (nan where too little was measured to have one)."""

    value: float
    low: float
    high: float
    n: int
    of: str
    unit: Unit

    @property
    def interval(self) -> Interval:
        return self.low, self.high

    @property
    def bare(self) -> str:
        """Without "words"."""
        return percent(self.value) if self.unit == "share" else f"{self.value:.0f}"

    @property
    def text(self) -> str:
        return self.bare if self.unit == "share" else f"{self.bare} word{'s' if self.bare != '1' else ''}"

    @property
    def interval_text(self) -> str:
        if math.isnan(self.low) or math.isnan(self.high):
            return "unknown"
        if self.unit == "share":
            return f"{percent(self.low)[:-1]}\u2013{percent(self.high)}"
        return f"{self.low:.0f}\u2013{self.high:.0f}"

    @property
    def n_text(self) -> str:
        return f"{self.n:,} {self.of if self.n != 1 else self.of.removesuffix('s')}"

    @property
    def caption(self) -> str:
        return f"95% {self.interval_text}, n = {self.n_text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a change amounts to: a headline, its size with an interval, and whether that is good news."""

    headline: str
    detail: str
    tone: Tone

    @property
    def text(self) -> str:
        return f"{self.headline}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Row:
    """One stage's (or ruler's) number and how it compares with the row before it."""

    stage: str
    number: Number
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Group:
    """One question asked of every stage.

    `staged` are the rows that are stages, without rulers; `overall` compares the last of them with the first.
    """

    label: str
    explanation: str
    rows: tuple[Row, ...]
    staged: tuple[Row, ...]
    overall: Verdict | None
    headline: bool = True

    @property
    def ruler(self) -> bool:
        return not self.staged

    @property
    def scale(self) -> float:
        """The right end of the axis all rows share: 1 for shares, else the largest bound."""
        if self.rows[0].number.unit == "share":
            return 1.0
        ends = [x for row in self.rows for x in (row.number.value, row.number.high) if not math.isnan(x)]
        return max(ends, default=0.0) * 1.05 or 1.0


def percent(share: float) -> str:
    """A share as "71%", with one decimal more where rounding would claim none or all."""
    whole = round(100 * share)
    if whole in (0, 100) and share not in (0, 1):
        return f"{min(max(100 * share, 0.1), 99.9):.1f}%"
    return f"{whole}%"


def _rounded(value: float, unit: Unit) -> int:
    return round(100 * value if unit == "share" else value)


def _signed(number: int, unit: Unit, named: bool = True) -> str:
    sign = _MINUS if number < 0 else "+" if number > 0 else ""
    name = {"share": "point", "words": "word"}[unit]
    return f"{sign}{abs(number):,}" + (f" {name}{'s' if abs(number) != 1 else ''}" if named else "")


def compare(
    number: Number, baseline: Number, name: str, better: Better, interval: Interval | None = None
) -> Verdict:
    """Judge the step from `baseline` (called `name`) to `number`.

    `interval` is of their difference, where it is known better than from the two numbers' own.
    """
    change = number.value - baseline.value
    own = difference(number.value, number.interval, baseline.value, baseline.interval)
    low, high = interval or own
    unit = number.unit
    shown = _rounded(number.value, unit) - _rounded(baseline.value, unit)  # agrees with what is shown
    size = _signed(shown, unit)
    if math.isnan(low) or math.isnan(high):
        return Verdict(f"too few to tell from {name}", size, "unclear")
    size += f" ({_signed(_rounded(low, unit), unit, False)} to {_signed(_rounded(high, unit), unit, False)})"
    if low <= 0 <= high:
        return Verdict(f"no clear difference from {name}", size, "unclear")
    rise = change > 0
    tone: Tone = "plain" if better == "neither" else "good" if rise == (better == "up") else "bad"
    return Verdict(f"clear {'rise' if rise else 'fall'} from {name}", size, tone)


def against_coin(number: Number) -> Verdict:
    """Judge an accuracy that has no earlier stage to stand beside: better than guessing?"""
    size = _signed(_rounded(number.value, number.unit) - _rounded(COIN, number.unit), number.unit)
    if number.low > COIN:
        return Verdict("clearly better than a coin", f"{size} from 50%", "good")
    if number.high < COIN:
        return Verdict("clearly worse than a coin", f"{size} from 50%", "bad")
    return Verdict("no clear difference from a coin", f"{size} from 50%", "unclear")


@dataclass(frozen=True, slots=True)
class _Measure:
    label: str
    explanation: str
    value: str
    interval: str
    unit: Unit
    better: Better
    headline: bool = True


_MEASURES = (
    _Measure(
        "Ends by itself",
        "Share of answers the model brought to an end before the length limit cut them off.",
        "ended_share", "ended_interval", "share", "up",
    ),
    _Measure(
        "Opens with a preamble",
        "Share of answers that start by stalling, applauding or restating the question.",
        "preamble_share", "preamble_interval", "share", "down",
    ),
    _Measure(
        "Length, median",
        "Half the answers are shorter. Neither shorter nor longer is better in itself.",
        "words_median", "words_median_interval", "words", "neither",
    ),
    _Measure(
        "Length, mean",
        "The average; a few answers that never end pull it up.",
        "words", "words_interval", "words", "neither", headline=False,
    ),
)  # fmt: skip


def behaviour_groups(data: ReportData) -> list[Group]:
    """One group per measure of behaviour, one row per stage that was measured."""
    stages = [stage for stage in data.stages if stage in data.behaviour]
    stages += [stage for stage in data.behaviour if stage not in data.stages]
    if not stages:
        return []
    groups = []
    for measure in _MEASURES:
        rows: list[Row] = []
        for stage in stages:
            behaviour = data.behaviour[stage]
            value, (low, high) = getattr(behaviour, measure.value), getattr(behaviour, measure.interval)
            number = Number(value, low, high, behaviour.n, "answers", measure.unit)
            verdict = compare(number, rows[-1].number, rows[-1].stage, measure.better) if rows else None
            rows.append(Row(stage, number, verdict))
        first, last = rows[0], rows[-1]
        overall = compare(last.number, first.number, first.stage, measure.better) if len(rows) > 1 else None
        groups.append(
            Group(measure.label, measure.explanation, tuple(rows), tuple(rows), overall, measure.headline)
        )
    return groups


def accuracy_groups(data: ReportData) -> list[Group]:
    """One group per label of the accuracy rows; labels without a stage are rulers and share the last one."""
    labels = dict.fromkeys(row.label for row in data.accuracy)
    groups: list[Group] = []
    rulers: list[Row] = []
    for label in labels:
        rows: list[Row] = []
        for row in (row for row in data.accuracy if row.label == label):
            number = Number(row.value, row.low, row.high, row.n, "pairs", "share")
            if row.stage not in data.stages:
                verdict = None
            elif rows and rows[-1].stage in data.stages:
                verdict = compare(number, rows[-1].number, rows[-1].stage, "up")
            else:
                verdict = against_coin(number)
            rows.append(Row(row.stage, number, verdict))
        staged = [row for row in rows if row.stage in data.stages]
        overall = staged[-1].verdict if staged else None
        if len(staged) > 1:
            overall = compare(staged[-1].number, staged[0].number, staged[0].stage, "up")
        if staged:
            groups.append(Group(label, "", tuple(rows), tuple(staged), overall))
        else:
            rulers += [Row(row.stage if len(rows) > 1 else label, row.number, None) for row in rows]
    if rulers:
        explanation = "What guessing by length and the like reaches on the same pairs."
        groups.append(Group(_RULERS, explanation, tuple(rulers), (), None))
    return groups


def ruler_notes(groups: list[Group]) -> list[str]:
    """One sentence per accuracy: does it beat the best ruler, which looks at length alone?"""
    rulers = [row for group in groups if group.ruler for row in group.rows]
    if not rulers:
        return []
    best = max(rulers, key=lambda row: row.number.value)
    sentences = []
    for group in groups:
        if group.ruler:
            continue
        last, number = group.staged[-1], group.staged[-1].number
        low, high = difference(number.value, number.interval, best.number.value, best.number.interval)
        word = "clearly above" if low > 0 else "clearly below" if high < 0 else "not clearly different from"
        sentences.append(
            f"{group.label}, {last.stage}: {number.text}, {word} the best ruler, "
            f"\u201c{best.stage}\u201d ({best.number.text})."
        )
    return sentences
