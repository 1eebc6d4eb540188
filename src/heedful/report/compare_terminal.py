"""A comparison in the terminal: its sentences, and a line for every place and point.

Text from models and files is cleaned of control characters and never read as markup.
"""

from __future__ import annotations

from rich.console import Console

from heedful.report.compare_data import ComparisonData
from heedful.report.compare_words import point_rows, ranked_view, verdicts
from heedful.report.lines import print_line, print_notes, print_padded


def summary(data: ComparisonData, console: Console) -> None:
    """Print the findings, a line each, without frames."""
    for one in verdicts(data):
        print_line(console, one.text)
    for ranked in map(ranked_view, data.ranked):
        print_line(console, f"By {ranked.judge}, {ranked.caption}", style="bold", space=True)
        rows = [
            (row.rank, row.model, f"{row.strength.text} ({row.strength.interval_text})", row.counts)
            for row in ranked.rows
        ]
        print_padded(console, [("rank", "model", "strength, 95%", "comparisons"), *rows])
    for frontier in data.frontiers:
        title = f"Reward by {frontier.judge} and KL from {frontier.reference}"
        print_line(console, title, style="bold", space=True)
        points = [
            (row.name, row.about, f"{row.kl} ({row.kl_interval})", f"{row.reward} ({row.reward_interval})",
             row.place.headline)
            for row in point_rows(frontier)
        ]  # fmt: skip
        print_padded(console, [("", "", "KL, nats", "reward", "place"), *points])
    print_notes(console, data.notes)
