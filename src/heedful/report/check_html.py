"""What checks found as one HTML file that needs nothing else: no script, no font, no network.

Everything from a file is escaped, as in `html`. Words come from `data_check`, drawings from `check_plots`,
looks from `templates/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from heedful.checks.finding import Check, Finding, Outcome, Plot, Severity, Table
from heedful.report.data_check import (
    CheckData,
    Part,
    counts_line,
    figure_text,
    in_percent,
    kinds,
    number,
    severities,
    share_text,
    verdict,
)
from heedful.report.html import environment
from heedful.report.plots import Drawing
from heedful.report.wording import clean

TONES: dict[Severity, str] = {"error": "bad", "warning": "warn", "note": "plain"}
MOST_LETTERS = 6000  # of one text of an example
MOST_ROWS = 12  # of a table before "show more"
_VALUE = r"(?:[A-Z_.]{2,}|[\w.]*\d[\w.]*)"
_CODE = re.compile(rf"(`[^`]+`|\bheedful [a-z]+(?: (?:--?[a-z][\w-]*(?:[ =]{_VALUE})?|[A-Z_]{{2,}}))*)")


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot with its drawing."""

    plot: Plot
    drawing: Drawing
    svg: Markup


@dataclass(frozen=True, slots=True)
class Axis:
    """Where a figure, its interval and its threshold lie, in percent of the axis; None is not drawn."""

    left: float
    width: float
    dot: float
    mark: float | None


@dataclass(frozen=True, slots=True)
class Shown:
    """An example: what is said of it, and the record's own text where it was looked up."""

    id: str
    text: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Card:
    """One finding with all that stands beside it; the figures and tables are its check's."""

    anchor: str
    finding: Finding
    share: str
    figure: str
    axis: Axis | None
    examples: Sequence[Shown]
    figures: Sequence[Figure]
    tables: Sequence[Table]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a check that found nothing has measured."""

    check: Check
    figures: Sequence[Figure]
    tables: Sequence[Table]


def render(data: CheckData) -> str:
    """The whole page; `write` writes it."""
    drawer = _Drawer()
    cards = _cards(data, drawer)
    clean_checks = [Measured(check, drawer.draw(found.plots), found.tables) for check, found in data.clean]
    found = environment()
    found.filters["coded"] = coded
    found.filters["cut"] = _cut
    return found.get_template("check.html.j2").render(
        data=data,
        verdict=verdict(data.checked),
        counts=counts_line(data.counts),
        kinds=kinds(data.checked.kinds),
        severities=severities(data.checked.findings),
        ran=number(len(data.checked.checks) - len(data.skipped), "check"),
        cards=cards,
        clean_checks=clean_checks,
        tones=TONES,
        most_rows=MOST_ROWS,
    )


def write(data: CheckData, path: Path) -> Path:
    """Write the page, with the folders it needs; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(data), encoding="utf-8")
    return path


class _Drawer:
    """Draws plots, each with ids of its own."""

    def __init__(self) -> None:
        self._drawn = 0

    def draw(self, plots: Iterable[Plot]) -> list[Figure]:
        from heedful.report.check_plots import draw

        figures = []
        for plot in plots:
            drawing = draw(plot, f"plot{self._drawn}")
            self._drawn += 1
            figures.append(Figure(plot, drawing, Markup(drawing.svg)))
        return figures


def _cards(data: CheckData, drawer: _Drawer) -> list[Card]:
    """The findings, the worst first; a check's figures stand with the first of its findings."""
    outcomes: dict[str, Outcome] = {check.name: found for check, found in data.checked.checks}
    cards = []
    for finding in data.checked.findings:
        outcome = outcomes.pop(finding.check, Outcome())
        cards.append(
            Card(
                anchor=f"finding-{finding.code}",
                finding=finding,
                share=share_text(finding),
                figure=figure_text(finding),
                axis=_axis(finding),
                examples=[Shown(one.id, one.text, data.records.get(one.id, ())) for one in finding.examples],
                figures=drawer.draw(outcome.plots),
                tables=outcome.tables,
            )
        )
    return cards


def _axis(finding: Finding) -> Axis | None:
    figure, threshold = finding.figure, finding.threshold
    if figure is None and threshold is None:
        return None
    value = finding.share if figure is None else figure.value
    low, high = (value, value) if figure is None else (figure.low, figure.high)
    low, high = (value if bound != bound else bound for bound in (low, high))
    known = [low, high, value] + ([] if threshold is None else [threshold])
    ends = (0.0, 1.0) if in_percent(finding) else (min(0.0, *known), 1.08 * max(0.0, *known) or 1.0)

    def place(at: float) -> float:
        return min(max(100 * (at - ends[0]) / (ends[1] - ends[0]), 0.0), 100.0)

    mark = None if threshold is None else place(threshold)
    return Axis(place(low), place(high) - place(low), place(value), mark)


def coded(text: str) -> Markup:
    """Text with what stands in `backticks`, and heedful's commands and their options, set as code."""
    pieces = _CODE.split(clean(text))
    marked = [
        Markup("<code>{}</code>").format(piece.strip("`")) if n % 2 else escape(piece)
        for n, piece in enumerate(pieces)
    ]
    return Markup("").join(marked)


def _cut(text: str) -> str:
    rest = len(text) - MOST_LETTERS
    return text if rest <= 0 else f"{text[:MOST_LETTERS]}\u2026\n\n({rest:,} more characters)"
