"""Numbers in words, the same in page and terminal: each number with its n and interval, each change judged.

A change is called clear only where the 95% interval of the difference leaves out zero. Knows nothing of HTML
or consoles.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from heedful.evaluation.answer_scores import LEAST_ANSWERS, AnswerScores
from heedful.intervals import Interval, difference
from heedful.report.data import ReportData

Unit = Literal["share", "words", "score"]
Better = Literal["up", "down", "neither"]
Tone = Literal["good", "bad", "plain", "unclear"]

COIN = 0.5
_RULERS = "Rulers"
_MINUS = "\u2212"
_UNKNOWN = "\u2013"
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Text from a model or a file without what breaks a page or drives a terminal; newlines and tabs stay."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))


@dataclass(frozen=True, slots=True)
class Number:
    """A measured number with its 95% interval; nan, either of them, where too little was measured."""

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
    def known(self) -> bool:
        return not math.isnan(self.value)

    @property
    def bare(self) -> str:
        """Without "words"."""
        if not self.known:
            return _UNKNOWN
        return percent(self.value) if self.unit == "share" else _plain(self.value, self.unit)

    @property
    def text(self) -> str:
        return f"{self.bare} word{'s' if self.bare != '1' else ''}" if self.unit == "words" else self.bare

    @property
    def interval_text(self) -> str:
        if math.isnan(self.low) or math.isnan(self.high):
            return "unknown"
        if self.unit == "share":
            return f"{percent(self.low)[:-1]}\u2013{percent(self.high)}"
        dash = " to " if self.unit == "score" else "\u2013"  # scores may be negative
        return f"{_plain(self.low, self.unit)}{dash}{_plain(self.high, self.unit)}"

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
    """One stage's (or ruler's) number and how it compares with what it was trained from."""

    stage: str
    number: Number
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Group:
    """One question asked of every stage.

    `staged` are the rows that are stages, without rulers; `ends` are those that none was trained from, each
    compared with the first stage whose number is known.
    """

    label: str
    explanation: str
    rows: tuple[Row, ...]
    staged: tuple[Row, ...]
    ends: tuple[Row, ...]
    headline: bool = True

    @property
    def ruler(self) -> bool:
        return not self.staged

    @property
    def start(self) -> Row:
        """What the ends are compared with."""
        return _start(self.staged, [end.stage for end in self.ends])

    @property
    def axis(self) -> tuple[float, float]:
        """The ends of the axis all rows share: 0 and 1 for shares, else the outermost bounds and 0."""
        if self.rows[0].number.unit == "share":
            return 0.0, 1.0
        numbers = [row.number for row in self.rows if row.number.known]
        found = [bound for one in numbers for bound in (one.value, *one.interval)]
        bounds = [0.0, *(bound for bound in found if not math.isnan(bound))]
        low, high = min(bounds), max(bounds)
        room = 0.05 * (high - low)
        return low - (room if low < 0 else 0), high + room or 1.0


def percent(share: float) -> str:
    """A share as "71%", with one decimal more where rounding would claim none or all."""
    whole = round(100 * share)
    if whole in (0, 100) and share not in (0, 1):
        return f"{min(max(100 * share, 0.1), 99.9):.1f}%"
    return f"{whole}%"


_DECIMALS: dict[Unit, int] = {"share": 0, "words": 0, "score": 2}
_NAMES: dict[Unit, str] = {"share": "point", "words": "word", "score": ""}


def _plain(value: float, unit: Unit) -> str:
    return f"{value:z.{_DECIMALS[unit]}f}".replace("-", _MINUS)


def _rounded(value: float, unit: Unit) -> float:
    return round(100 * value if unit == "share" else value, _DECIMALS[unit])


def signed(number: float, unit: Unit, named: bool = True) -> str:
    """A change with its sign and, where it is `named`, its unit: "+3 points"."""
    if math.isnan(number):
        return _UNKNOWN
    sign = _MINUS if number < 0 else "+" if number > 0 else ""
    name = f" {_NAMES[unit]}{'s' if abs(number) != 1 else ''}" if named and _NAMES[unit] else ""
    return f"{sign}{abs(number):,.{_DECIMALS[unit]}f}{name}"


def compare(
    number: Number, baseline: Number, name: str, better: Better, interval: Interval | None = None
) -> Verdict:
    """Judge the step from `baseline` (called `name`) to `number`.

    `interval` is of their difference, where it is known better than from the two numbers' own.
    """
    own = difference(number.value, number.interval, baseline.value, baseline.interval)
    unit = number.unit
    shown = _rounded(number.value, unit) - _rounded(baseline.value, unit)  # agrees with what is shown
    return _judged(shown, interval or own, unit, name, better)


def _judged(change: float, interval: Interval, unit: Unit, name: str, better: Better) -> Verdict:
    """Judge a change, rounded as it is shown, with its interval."""
    low, high = interval
    size = signed(change, unit)
    if math.isnan(low) or math.isnan(high):
        return Verdict(f"too few to tell from {name}", size, "unclear")
    size += f" ({signed(_rounded(low, unit), unit, False)} to {signed(_rounded(high, unit), unit, False)})"
    if low <= 0 <= high:
        return Verdict(f"no clear difference from {name}", size, "unclear")
    rise = low > 0
    tone: Tone = "plain" if better == "neither" else "good" if rise == (better == "up") else "bad"
    return Verdict(f"clear {'rise' if rise else 'fall'} from {name}", size, tone)


def against_coin(number: Number) -> Verdict:
    """Judge an accuracy that has no earlier stage to stand beside: better than guessing?"""
    size = signed(_rounded(number.value, number.unit) - _rounded(COIN, number.unit), number.unit)
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

    def number(stage: str, measure: _Measure) -> Number:
        found = data.behaviour[stage]
        value, (low, high) = getattr(found, measure.value), getattr(found, measure.interval)
        return Number(value, low, high, found.n, "answers", measure.unit)

    groups = []
    for measure in _MEASURES:
        numbers = {stage: number(stage, measure) for stage in stages}
        rows, ends = _compared(numbers, data.origins, _by_value(numbers, measure.better))
        groups.append(Group(measure.label, measure.explanation, rows, rows, ends, measure.headline))
    return groups


_OF_WHOLE_ANSWERS = (
    "Of the answers that ended by themselves: the reward model has seen whole answers only, and what it says "
    "of one that was cut means nothing. A change is over the prompts that both models answered to the end; a "
    f"dash stands where fewer than {LEAST_ANSWERS} answers are left."
)


def score_groups(data: ReportData) -> list[Group]:
    """What rewards make of each stage's answers: one group a reward."""
    return [_score_group(data, reward, found) for reward, found in data.scores.items()]


def _score_group(data: ReportData, reward: str, scores: Mapping[str, AnswerScores]) -> Group:
    found = {stage: scores[stage] for stage in data.stages if stage in scores}
    means = {stage: own.mean for stage, own in found.items()}
    numbers = {
        stage: Number(own.value, *own.interval, own.n, "whole answers", "score")
        for stage, own in means.items()
    }

    def judge(stage: str, baseline: str) -> Verdict:
        change = found[stage].change(found[baseline])
        verdict = _judged(_rounded(change.value, "score"), change.interval, "score", baseline, "up")
        prompts = "prompt" if change.n == 1 else "prompts"
        return replace(verdict, detail=f"{verdict.detail}, on {change.n:,} {prompts}")

    rows, ends = _compared(numbers, data.origins, judge)
    return Group(f"{reward}\u2019s score, mean", _OF_WHOLE_ANSWERS, rows, rows, ends)


def accuracy_groups(data: ReportData) -> list[Group]:
    """One group per label of the accuracy rows; labels without a stage are rulers and share the last one."""
    labels = dict.fromkeys(row.label for row in data.accuracy)
    groups: list[Group] = []
    rulers: list[Row] = []
    for label in labels:
        numbers = {
            row.stage: Number(row.value, row.low, row.high, row.n, "pairs", "share")
            for row in data.accuracy
            if row.label == label
        }
        of_stages = {stage: number for stage, number in numbers.items() if stage in data.stages}
        staged, ends = _compared(of_stages, data.origins, _by_value(of_stages, "up"))
        if not staged:
            rulers += [
                Row(stage if len(numbers) > 1 else label, number, None) for stage, number in numbers.items()
            ]
            continue
        first = replace(staged[0], verdict=against_coin(staged[0].number))
        staged = (first, *staged[1:])
        judged = {row.stage: row for row in staged}
        rows = tuple(judged.get(stage, Row(stage, number, None)) for stage, number in numbers.items())
        groups.append(Group(label, "", rows, staged, ends or (first,)))
    if rulers:
        explanation = "What guessing by length and the like reaches on the same pairs."
        groups.append(Group(_RULERS, explanation, tuple(rulers), (), ()))
    return groups


def _by_value(numbers: Mapping[str, Number], better: Better) -> Callable[[str, str], Verdict]:
    """Judges a stage against another by the two's numbers and their intervals."""
    return lambda stage, baseline: compare(numbers[stage], numbers[baseline], baseline, better)


def _compared(
    numbers: Mapping[str, Number], origins: Mapping[str, str], judge: Callable[[str, str], Verdict]
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The rows and the ends of a `Group`, from each stage's number.

    Args:
        origins: what a stage is compared with; the one before it where nothing is said of it.
        judge: what to say of a stage compared with another.
    """
    stages = list(numbers)
    before = dict(zip(stages[1:], stages, strict=False))
    before |= {stage: origins[stage] for stage in before if origins.get(stage) in numbers}

    def row(stage: str, baseline: str) -> Row:
        return Row(stage, numbers[stage], judge(stage, baseline))

    rows = [Row(stage, numbers[stage], None) for stage in stages[:1]]
    rows += [row(stage, baseline) for stage, baseline in before.items()]
    last = [stage for stage in before if stage not in before.values()]
    return tuple(rows), tuple(row(stage, _start(rows, last).stage) for stage in last)


def _start(rows: Sequence[Row], ends: Sequence[str]) -> Row:
    """The first stage whose number is known, of those that something was trained from; else the first."""
    return next((row for row in rows if row.number.known and row.stage not in ends), rows[0])


def ruler_notes(groups: list[Group]) -> list[str]:
    """One sentence per accuracy: does it beat the best ruler, which looks at length alone?"""
    rulers = [row for group in groups if group.ruler for row in group.rows]
    if not rulers:
        return []
    best = max(rulers, key=lambda row: row.number.value)
    sentences = []
    for label, end in ((group.label, end) for group in groups for end in group.ends):
        number = end.number
        low, high = difference(number.value, number.interval, best.number.value, best.number.interval)
        word = "clearly above" if low > 0 else "clearly below" if high < 0 else "not clearly different from"
        sentences.append(
            f"{label}, {end.stage}: {number.text}, {word} the best ruler, "
            f"\u201c{best.stage}\u201d ({best.number.text})."
        )
    return sentences
