"""A comparison in the terminal: its sentences, and a line for every place and point.

Text from models and files is cleaned of control characters and never read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from heedful.report.compare_data import ComparisonData
from heedful.report.compare_words import point_rows, ranked_view, verdicts
from heedful.report.wording import clean


def summary(data: ComparisonData, console: Console) -> None:
    """Print the findings, a line each, without frames."""
    for one in verdicts(data):
        _line(console, one.text)
    for ranked in map(ranked_view, data.ranked):
        _line(console, f"By {ranked.judge}, {ranked.caption}", style="bold", space=True)
        rows = [
            (row.rank, row.model, f"{row.strength.text} ({row.strength.interval_text})", row.counts)
            for row in ranked.rows
        ]
        _columns(console, [("rank", "model", "strength, 95%", "comparisons"), *rows])
    for frontier in data.frontiers:
        title = f"Reward by {frontier.judge} and KL from {frontier.reference}"
        _line(console, title, style="bold", space=True)
        points = [
            (row.name, row.about, f"{row.kl} ({row.kl_interval})", f"{row.reward} ({row.reward_interval})",
             row.place.headline)
            for row in point_rows(frontier)
        ]  # fmt: skip
        _columns(console, [("", "", "KL, nats", "reward", "place"), *points])
    if data.notes:
        _line(console, "Before you trust this:", space=True)
        for note in data.notes:
            _line(console, f"- {note}")


def _line(console: Console, text: str, style: str = "", space: bool = False) -> None:
    if space:
        console.print()
    console.print(Text(clean(text), style=style), soft_wrap=not console.is_terminal)


def _columns(console: Console, rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        _line(console, f"  {'  '.join(padded)}".rstrip())
