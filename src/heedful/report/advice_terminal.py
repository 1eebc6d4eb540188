"""Advice in the terminal: what to do and why, what was measured, what each road takes.

Text from files and models is cleaned of control characters and never read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from heedful.advice.cautions import ROAD_WORDS
from heedful.advice.facts import Facts
from heedful.advice.measured import measurements
from heedful.advice.rules import Reason, Recommendation
from heedful.advice.words import gigabytes, time
from heedful.report.wording import clean


def summary(recommendation: Recommendation, facts: Facts, looked_at: Sequence[str], console: Console) -> None:
    """Print the recommendation with its reasons, the measurements, and the roads."""
    _line(console, recommendation.title, style="bold green" if recommendation.stages else "bold yellow")
    if not recommendation.sure:
        _line(console, "Some of this hangs on figures that are too close to their thresholds to be sure.")
    _reasons(console, "Why", recommendation.reasons)
    _reasons(console, "Mind", recommendation.cautions)
    _table(console, "What was measured", ("", "figure", "n"), measurements(facts), "llr")
    if facts.costs:
        header = ("road", "memory", "time", "")
        _table(console, _roads_title(facts), header, _roads(recommendation, facts), "lrrl")
    console.print()
    _line(console, "Looked at: " + "; ".join(looked_at) + ".")


def _reasons(console: Console, title: str, reasons: Sequence[Reason]) -> None:
    for at, reason in enumerate(reasons):
        console.print()
        if at == 0:
            _line(console, title, style="bold")
        _line(console, reason.words, indent=2)
        _line(console, f"[{reason.rule}] {reason.source}", style="dim", indent=2)


def _roads_title(facts: Facts) -> str:
    room = gigabytes(facts.costs[0].room)
    how = ", with gradient checkpointing" if facts.recompute else ""
    return f"Roads, over an adapter{how}; there are {room}"


def _roads(recommendation: Recommendation, facts: Facts) -> Iterable[Sequence[str]]:
    stages = recommendation.stages
    advised = "+".join(stage for stage in stages if stage in ("dpo", "ppo"))
    words = {advised: "advised", **({"sft": "first" if advised else "advised"} if "sft" in stages else {})}
    for one in facts.costs:
        yield (
            ROAD_WORDS[one.road],
            gigabytes(one.memory),
            "" if one.seconds is None else time(one.seconds),
            words.get(one.road, "") if one.fits else "does not fit",
        )


def _table(
    console: Console, title: str, header: Sequence[str], rows: Iterable[Sequence[str]], sides: str
) -> None:
    console.print()
    if not console.is_terminal:
        _line(console, title)
        for row in rows:
            _line(console, "  " + "  ".join(cell for cell in row if cell))
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, side in zip(header, sides, strict=True):
        table.add_column(name, justify="right" if side == "r" else "left")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    console.print(table)


def _line(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """A paragraph, wrapped on a terminal and one line elsewhere; never read as markup."""
    if console.is_terminal:
        console.print(Padding(Text(clean(text), style=style), (0, 0, 0, indent), expand=False))
    else:
        console.print(Text(" " * indent + clean(text), style=style), soft_wrap=True)
