"""What an evaluation comes to, in a sentence for each judge and baseline; decided by the intervals alone.

Knows nothing of HTML or consoles.
"""

from __future__ import annotations

from dataclasses import dataclass

from heedful.evaluation.length_control import LengthControlled
from heedful.evaluation.preference_accuracy import Accuracy
from heedful.evaluation.win_rate import Finding, WinRate
from heedful.intervals import Interval
from heedful.report.data import Comparison, ReportData, Waiting
from heedful.report.wording import Tone, accuracy_groups, behaviour_groups, percent, score_groups

NOBODY_ASKED = (
    "Which answers are better is not known: no judge has compared them. Name one, or several, by --judge."
)
EVEN = 0.5


TONES: dict[Finding, Tone] = {"better": "good", "worse": "bad", "no difference": "unclear"}


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence or more: what is found, then by whom and how sure; the tone is what the interval decides."""

    head: str
    rest: str = ""
    tone: Tone = "unclear"

    @property
    def text(self) -> str:
        return f"{self.head}{self.rest}"


def verdict(data: ReportData) -> str:
    """The first sentence: what the first judge says, or why there is nothing to say yet."""
    return verdicts(data)[0]


def verdicts(data: ReportData) -> list[str]:
    """A sentence for each comparison, those that are still waited for at the end."""
    return [one.text for one in spoken(data)]


def spoken(data: ReportData) -> list[Spoken]:
    """The same, in parts."""
    made = [spoken_of(comparison) for comparison in data.comparisons]
    return [*made, *map(_awaited, data.waiting)] or [Spoken(NOBODY_ASKED)]


def spoken_of(comparison: Comparison) -> Spoken:
    """What one judge makes of a model beside one baseline."""
    wins, model, baseline = comparison.wins, comparison.model, comparison.baseline
    by = f"judged by {comparison.judge}{', in both orders' if comparison.both_orders else ''}"
    if wins is None:
        asked = len(comparison.duels)
        head = f"Nothing is known of {model} against {baseline}:"
        return Spoken(head, f" of {asked} verdicts none can be read, {by}.")
    prompts = f"{wins.prompts:,} prompt{'s' if wins.prompts != 1 else ''}"
    size = f"wins {percent(wins.value)} of {prompts} (95% {_span(wins.low, wins.high)}), {by}"
    if wins.n > wins.prompts:
        size = size.replace(f"of {prompts}", f"of {wins.n:,} comparisons on {prompts}")
    heads: dict[Finding, tuple[str, str]] = {
        "better": (f"{model} answers better than {baseline}:", "it"),
        "worse": (f"{model} answers worse than {baseline}:", "it"),
        "no difference": (f"No difference between {model} and {baseline} is established:", model),
    }
    head, who = heads[wins.finding]
    rest = f" {who} {size}.{_at_equal_length(comparison)}{_unread(comparison)}"
    return Spoken(head, rest, TONES[wins.finding])


def finding_of(interval: Interval) -> Finding:
    """What the interval of a win rate allows to say."""
    low, high = interval
    if low > EVEN:
        return "better"
    return "worse" if high < EVEN else "no difference"


def main_numbers(data: ReportData) -> list[tuple[str, str, str, str]]:
    """What a card says: name, number, 95% interval and n, in words."""
    found = [
        (f"wins against {one.baseline}, by {one.judge}", _share(one.wins, f"{one.wins.n:,} comparisons"))
        for one in data.comparisons
        if one.wins
    ]
    found += [
        (
            f"the same at equal length, by {one.judge}",
            _share(one.controlled, f"{one.controlled.n:,} comparisons"),
        )
        for one in data.comparisons
        if one.controlled
    ]
    groups = [*accuracy_groups(data), *score_groups(data), *behaviour_groups(data)]
    found += [
        (group.label, (row.number.text, row.number.interval_text, row.number.n_text))
        for group in groups
        for row in group.staged
        if row.stage == data.subject
    ]
    if data.reward is not None:
        right = data.reward.quality.accuracy
        found.append(("finds the better response", _share(right, f"{right.n:,} pairs")))
    return [(name, *cells) for name, cells in found]


def _share(found: WinRate | LengthControlled | Accuracy, n: str) -> tuple[str, str, str]:
    return percent(found.value), _span(found.low, found.high), n


def _at_equal_length(comparison: Comparison) -> str:
    """A second sentence where length changes what can be said."""
    wins, controlled = comparison.wins, comparison.controlled
    if wins is None or controlled is None or controlled.spread == 0:
        return ""
    at_equal = finding_of(controlled.interval)
    if at_equal == wins.finding:
        return ""
    found = f"{percent(controlled.value)} (95% {_span(controlled.low, controlled.high)})"
    say = {
        "better": f"it would be the better one, with {found}",
        "worse": f"it would be the worse one, with {found}",
        "no difference": f"no difference is left: {found}",
    }
    return f" At equal length {say[at_equal]}."


def _unread(comparison: Comparison) -> str:
    undecided = comparison.wins.undecided if comparison.wins else 0
    if not undecided:
        return ""
    many = f"{undecided:,} comparisons have" if undecided != 1 else "One comparison has"
    return f" {many} no verdict that can be read."


def _awaited(waiting: Waiting) -> Spoken:
    return Spoken(f"No verdict yet by {waiting.judge}, against {waiting.baseline}:", f" {waiting.why}")


def _span(low: float, high: float) -> str:
    return f"{percent(low)[:-1]}\u2013{percent(high)}"
