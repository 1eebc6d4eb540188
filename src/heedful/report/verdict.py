"""What an evaluation comes to, in a sentence for each judge and baseline; decided by the intervals alone.

Knows nothing of HTML or consoles.
"""

from __future__ import annotations

from heedful.evaluation.length_control import LengthControlled
from heedful.evaluation.preference_accuracy import Accuracy
from heedful.evaluation.win_rate import Finding, WinRate
from heedful.report.data import Comparison, ReportData, Waiting
from heedful.report.wording import accuracy_groups, behaviour_groups, percent, score_groups

NOBODY_ASKED = (
    "Which answers are better is not known: no judge has compared them. Name one, or several, by --judge."
)
EVEN = 0.5


def verdict(data: ReportData) -> str:
    """The first sentence: what the first judge says, or why there is nothing to say yet."""
    return verdicts(data)[0]


def verdicts(data: ReportData) -> list[str]:
    """A sentence for each comparison, those that are still waited for at the end."""
    made = [sentence(comparison) for comparison in data.comparisons]
    return [*made, *map(_awaited, data.waiting)] or [NOBODY_ASKED]


def sentence(comparison: Comparison) -> str:
    """What one judge makes of a model beside one baseline."""
    wins, model, baseline = comparison.wins, comparison.model, comparison.baseline
    by = f"judged by {comparison.judge}{', in both orders' if comparison.both_orders else ''}"
    if wins is None:
        asked = len(comparison.duels)
        return f"Nothing is known of {model} against {baseline}: of {asked} verdicts none can be read, {by}."
    prompts = f"{wins.prompts:,} prompt{'s' if wins.prompts != 1 else ''}"
    size = f"wins {percent(wins.value)} of {prompts} (95% {_span(wins.low, wins.high)}), {by}"
    if wins.n > wins.prompts:
        size = size.replace(f"of {prompts}", f"of {wins.n:,} comparisons on {prompts}")
    heads: dict[Finding, str] = {
        "better": f"{model} answers better than {baseline}: it {size}.",
        "worse": f"{model} answers worse than {baseline}: it {size}.",
        "no difference": f"No difference between {model} and {baseline} is established: {model} {size}.",
    }
    return heads[wins.finding] + _at_equal_length(comparison) + _unread(comparison)


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
    at_equal: Finding = "no difference"
    if controlled.low > EVEN:
        at_equal = "better"
    elif controlled.high < EVEN:
        at_equal = "worse"
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


def _awaited(waiting: Waiting) -> str:
    return f"No verdict yet by {waiting.judge}, against {waiting.baseline}: {waiting.why}"


def _span(low: float, high: float) -> str:
    return f"{percent(low)[:-1]}\u2013{percent(high)}"
