"""Which charts the dashboard shows, each with its numbers as a table beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from heedful.checks.finding import Interval
from heedful.collect.findings.agreeing import LABELS
from heedful.collect.findings.figures import BINS, Annotator, Figures
from heedful.collect.findings.progress import DAY, HOUR
from heedful.collect.web import charts
from heedful.collect.web.charts import Bar, Dot
from heedful.collect.web.numbers import decimals, percent
from heedful.collect.web.wording import counted, moment, reach

MOST = 25  # people in a chart: those who agree least, lean most, miss most
EVEN = 0.5


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart with what a reader needs beside it.

    Attributes:
        name: in addresses.
        note: how it is to be read.
        header, rows: its numbers.
    """

    name: str
    title: str
    note: str
    svg: Markup
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def plots(figures: Figures) -> list[Plot]:
    """Those that there is something to show for."""
    made = (_pace(figures), _over_time(figures), _with_others(figures), _places(figures), _seconds(figures))
    return [plot for plot in (*made, _gold(figures)) if plot is not None]


def _pace(figures: Figures) -> Plot | None:
    pace = figures.pace
    if not pace.counts:
        return None
    every = _every(pace.step)
    labels = [moment(start, pace.step) for start in pace.starts]
    marks = [
        Bar(label, n, f"{label} UTC: {counted(n, 'vote')}")
        for label, n in zip(labels, pace.counts, strict=True)
    ]
    says = f"Bars of votes {every}: {counted(sum(pace.counts), 'vote')}, at most {max(pace.counts)}."
    rows = tuple((label, f"{n:,}") for label, n in zip(labels, pace.counts, strict=True))
    note = "Each vote counts when it was first given. Times are UTC."
    return Plot("votes", f"Votes {every}", note, charts.bars(marks, says=says), ("from", "votes"), rows)


def _every(step: float) -> str:
    if step < HOUR:
        return "by the minute" if step == 60 else f"every {step / 60:.0f} minutes"
    if step < DAY:
        return "by the hour" if step == HOUR else f"every {step / HOUR:.0f} hours"
    return "by day" if step == DAY else f"every {step / DAY:.0f} days"


def _over_time(figures: Figures) -> Plot | None:
    windows = figures.measured.agreement.windows
    if len(windows) < 2:
        return None
    name = LABELS[figures.measured.agreement.headline]
    length = (windows[-1].end - windows[0].begin) / len(windows)
    marks = [
        Dot(
            moment(window.end, length),
            window.figure.value,
            window.figure.low,
            window.figure.high,
            decimals(window.figure.value),
            f"{window.figure.n} items done by {moment(window.end, length)} UTC: "
            f"{decimals(window.figure.value)} ({reach(window.figure, shares=False)})",
        )
        for window in windows
    ]
    rows = tuple(
        (mark.label, mark.shown, reach(window.figure, shares=False), f"{window.figure.n:,}")
        for mark, window in zip(marks, windows, strict=True)
    )
    says = f"{name} of {len(windows)} groups of items in the order they were done: " + ", ".join(
        mark.shown for mark in marks
    )
    note = "Equally many items each, in the order in which they got their last vote. 1 is perfect, 0 chance."
    header = ("done by", name, "95% interval", "items")
    return Plot("agreement", "Agreement over time", note, charts.standing(marks, says=says), header, rows)


def _with_others(figures: Figures) -> Plot | None:
    task = figures.settings.task
    note = "How often each person's vote is what most of the others say, where these lean one way."
    if task == "rating":
        note = "How often each person's score lies within a point of the others' mean."
    return _of_people(
        figures,
        "with-others",
        "Each person with the others",
        note,
        lambda one: one.agreement,
        lambda one: one.agreement.high,
        None if task == "rating" else EVEN,
    )


def _places(figures: Figures) -> Plot | None:
    note = "How often the better one was shown before the other. Sides are drawn by lot: it should be half."
    return _of_people(
        figures,
        "place",
        "Shown first, and chosen",
        note,
        lambda one: one.place.figure,
        lambda one: -max(one.place.figure.low - EVEN, EVEN - one.place.figure.high),
        EVEN,
    )


def _gold(figures: Figures) -> Plot | None:
    note = "How often each person's first answer was right, where the right one is known."
    return _of_people(
        figures, "gold", "Known answers met", note, lambda one: one.gold, lambda one: one.gold.high, None
    )


def _of_people(
    figures: Figures,
    name: str,
    title: str,
    note: str,
    of: Callable[[Annotator], Interval],
    order: Callable[[Annotator], float],
    reference: float | None,
) -> Plot | None:
    """A share of each person's votes, the ones to look at first."""
    people = sorted((one for one in figures.measured.people if of(one).n), key=order)
    if not people:
        return None
    marks = [_dot(one.name, of(one)) for one in people]
    shown = marks[:MOST]
    if len(people) > MOST:
        note += f" The {MOST} to look at first of {len(people):,}."
    svg = charts.lying(shown, says=f"{title}: {_summary(people, of)}", reference=reference)
    rows = tuple((one.name, percent(of(one).value), reach(of(one)), f"{of(one).n:,}") for one in people)
    return Plot(name, title, note, svg, ("annotator", "share", "95% interval", "votes"), rows)


def _dot(name: str, figure: Interval) -> Dot:
    says = f"{name}: {percent(figure.value)} of {counted(figure.n, 'vote')} ({reach(figure)})"
    return Dot(name, figure.value, figure.low, figure.high, percent(figure.value), says)


def _summary(people: Sequence[Annotator], of: Callable[[Annotator], Interval]) -> str:
    values = [of(one).value for one in people]
    who = counted(len(people), "person", "people")
    return f"{who}, from {percent(min(values))} to {percent(max(values))}"


def _seconds(figures: Figures) -> Plot | None:
    counts = figures.measured.histogram
    if not sum(counts):
        return None
    spans = list(_spans())
    marks = [
        Bar(_edge(low), n, f"{span}: {counted(n, 'vote')}")
        for (low, span), n in zip(spans, counts, strict=True)
    ]
    rows = tuple((span, f"{n:,}") for (_, span), n in zip(spans, counts, strict=True))
    says = (
        f"Bars of votes by the time they took; the median is {figures.measured.seconds.median:.0f} seconds."
    )
    note = "From when the page was opened to the first answer. Bars grow wider in time, not in width."
    return Plot("seconds", "Time for a vote", note, charts.bars(marks, says=says), ("took", "votes"), rows)


def _spans() -> Iterator[tuple[float, str]]:
    for low, high in pairwise(BINS):
        yield low, f"{_edge(low)} or more" if math.isinf(high) else f"{_edge(low)} to {_edge(high)}"


def _edge(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
