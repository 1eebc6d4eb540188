"""What checks found as one HTML file that needs nothing else: no script, no font, no network.

Everything from a file is escaped, as in `html`. Words come from `data_check`, drawings from `check_plots`,
looks from `templates/`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from heedful.checks.finding import Finding, Outcome, Plot, Severity, Table
from heedful.report.data_check import (
    CheckData,
    Part,
    counts_line,
    in_percent,
    kinds,
    measured_text,
    number,
    severities,
    share_text,
    shown,
    verdict,
)
from heedful.report.html import environment
from heedful.report.plots import Drawing
from heedful.report.wording import clean

TONES: dict[Severity, str] = {"error": "bad", "warning": "warn", "note": "plain"}
MOST_LETTERS = 6000  # of one text of an example
MOST_ROWS = 12  # of a table before "show more"
_ROOM = 1.08  # an axis is this many times as long as it must be
WIDE = 5  # columns of a table that still stands beside a plot
# Of an option: FILE, SOURCE=NUMBER, 0.7, dawid-skene; a word of a sentence is none.
_VALUE = r"(?:[A-Z][A-Z_]+(?:=[A-Z_]+)?|[\w.]*\d\w*|[a-z]+[-_][a-z_-]+)"
_CODE = re.compile(rf"(`[^`]+`|\bheedful [a-z]+(?: (?:--?[a-z][\w-]*(?:[ =]{_VALUE})?|[A-Z_]{{2,}}))*)")


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot with its drawing."""

    plot: Plot
    drawing: Drawing
    svg: Markup


@dataclass(frozen=True, slots=True)
class Cells:
    """A table as text, with the numbers of its columns that stand to the right."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, in figures and tables."""

    figures: Sequence[Figure]
    tables: Sequence[Cells]


@dataclass(frozen=True, slots=True)
class Axis:
    """A figure on a line: where it lies, with its interval and its threshold, in percent of the axis.

    Attributes:
        mark: the threshold's place; None where there is none.
        said: what it is, and `ends` what the axis runs from and to.
    """

    left: float
    width: float
    dot: float
    mark: float | None
    said: str
    ends: tuple[str, str]


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
    said: str
    axis: Axis | None
    examples: Sequence[Shown]
    measured: Measured


def render(data: CheckData) -> str:
    """The whole page; `write` writes it."""
    drawer = _Drawer()
    cards = _cards(data, drawer)
    overview = drawer.show(data.overview)
    clean_checks = [(check, drawer.show(outcome)) for check, outcome in data.clean]
    found = environment()
    found.filters["coded"] = coded
    found.filters["cut"] = _cut
    return found.get_template("check.html.j2").render(
        data=data,
        verdict=verdict(data.checked),
        counts=counts_line(data.counts),
        kinds=kinds(data.checked.kinds),
        severities=severities(data.checked.findings),
        ran=number(len(data.looked), "check"),
        overview=overview,
        cards=cards,
        clean_checks=clean_checks,
        tones=TONES,
        most_rows=MOST_ROWS,
        wide=WIDE,
    )


def write(data: CheckData, path: Path) -> Path:
    """Write the page, with the folders it needs; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(data), encoding="utf-8")
    return path


class _Drawer:
    """Makes figures and tables of outcomes; every plot has ids of its own."""

    def __init__(self) -> None:
        self._drawn = 0

    def show(self, outcome: Outcome) -> Measured:
        from heedful.report.check_plots import draw

        figures = []
        for plot in outcome.plots:
            drawing = draw(plot, f"plot{self._drawn}")
            self._drawn += 1
            figures.append(Figure(plot, drawing, Markup(drawing.svg)))
        return Measured(figures, [_cells(table) for table in outcome.tables])


def _cards(data: CheckData, drawer: _Drawer) -> list[Card]:
    """The findings, the worst first; a check's figures stand with the first of its findings."""
    outcomes: dict[str, Outcome] = {check.name: found for check, found in data.checked.checks}
    cards = []
    for finding in data.checked.findings:
        cards.append(
            Card(
                anchor=f"finding-{finding.code}",
                finding=finding,
                share=share_text(finding),
                said=measured_text(finding),
                axis=_axis(finding),
                examples=[Shown(one.id, one.text, data.records.get(one.id, ())) for one in finding.examples],
                measured=drawer.show(outcomes.pop(finding.check, Outcome())),
            )
        )
    return cards


def _cells(table: Table) -> Cells:
    columns = list(zip(*table.rows, strict=True))
    texts = [_column(column) for column in columns]
    numbers = frozenset(n for n, column in enumerate(columns) if not isinstance(column[0], str))
    return Cells(table.title, table.header, list(zip(*texts, strict=True)), numbers)


def _column(values: Sequence[str | float | int]) -> list[str]:
    """A column's cells: numbers between 0 and 1 with two decimals, others with three digits."""
    floats = [value for value in values if isinstance(value, float) and math.isfinite(value)]
    share = all(0 <= value <= 1 for value in floats)

    def cell(value: str | float | int) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, int):
            return f"{value:,}"
        if math.isnan(value):
            return "\u2013"
        return f"{value:.2f}" if share else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"

    return [cell(value) for value in values]


def _axis(finding: Finding) -> Axis | None:
    """The finding's figure on a line, or its share of records where it has only a threshold."""
    figure, threshold = finding.figure, finding.threshold
    value = finding.share if figure is None else figure.value
    if (figure is None and threshold is None) or not math.isfinite(value):
        return None
    reach = (value, value) if figure is None else (figure.low, figure.high)
    low, high = (bound if math.isfinite(bound) else value for bound in reach)
    known = [low, high, value] + ([] if threshold is None else [threshold])
    ends = (0.0, 1.0) if in_percent(finding) else (min(0.0, *known), _ROOM * max(0.0, *known) or 1.0)

    def place(at: float) -> float:
        return min(max(100 * (at - ends[0]) / (ends[1] - ends[0]), 0.0), 100.0)

    return Axis(
        left=place(low),
        width=place(high) - place(low),
        dot=place(value),
        mark=None if threshold is None else place(threshold),
        said="" if threshold is None else f"threshold {shown(finding, threshold)}",
        ends=(shown(finding, ends[0]), shown(finding, ends[1])),
    )


def coded(text: str) -> Markup:
    """Text with what stands in `backticks`, and heedful's commands and their options, set as code."""
    pieces = _CODE.split(clean(text))
    marked = [_code(piece.strip("`")) if n % 2 else escape(piece) for n, piece in enumerate(pieces)]
    return Markup("").join(marked)


def _code(text: str) -> Markup:
    """Code that breaks between its words only, and not at the hyphens of an option."""
    words = [Markup("<span>{}</span>").format(word) for word in text.split()]
    return Markup("<code>{}</code>").format(Markup(" ").join(words))


def _cut(text: str) -> str:
    rest = len(text) - MOST_LETTERS
    return text if rest <= 0 else f"{text[:MOST_LETTERS]}\u2026\n\n({rest:,} more characters)"
