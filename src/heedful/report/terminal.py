"""The same findings in the terminal: tables where a person looks on, plain lines where a file or a pipe does.

Text from models and files is cleaned of control characters and never read as markup. Wording lives in
`wording`.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from heedful.report.comparisons import Compared, compared_views
from heedful.report.data import ReportData, SideBySide
from heedful.report.diversity import diversity_view
from heedful.report.drift import drift_parts
from heedful.report.lines import print_line, print_notes, print_padded
from heedful.report.reward import RewardView, reward_view
from heedful.report.verdict import Spoken, spoken
from heedful.report.wording import (
    Group,
    Row,
    Tone,
    accuracy_groups,
    behaviour_groups,
    clean,
    ruler_notes,
    score_groups,
)

EXAMPLE_WORDS = 45  # of each answer in the one example shown
_STYLES: dict[Tone, str] = {"good": "green", "bad": "red", "plain": "blue", "unclear": "dim"}
_DECIDED: dict[Tone, str] = {"good": "green", "bad": "red"}
_HEADINGS = ("", "stage", "value", "95% interval", "n", "compared")
_COMPARED = ("judge", "against", "answers", "wins", "95% interval", "n", "of which")
_RIGHT = ("value", "wins", "95% interval", "n")


def summary(data: ReportData, console: Console) -> None:
    """Print the findings: verdicts and win rates, accuracies, behaviour, one example, and what was left out.

    Where the console is no terminal every finding is one line of plain text, with no frames, colours or
    wrapping.
    """
    if data.subject or data.comparisons:
        for one in spoken(data):
            _print_spoken(console, one)
    print_line(console, data.title, style="bold" if not data.subject else "dim")
    if data.comparisons:
        _print_comparisons(console, compared_views(data.comparisons))
    accuracy, scores, behaviour = accuracy_groups(data), score_groups(data), behaviour_groups(data)
    if data.reward:
        _print_reward(console, reward_view(data.reward))
    if accuracy:
        _print_groups(console, "Does it prefer what people prefer?", accuracy)
        for note in ruler_notes(accuracy):
            print_line(console, note, style="dim")
    if scores:
        _print_groups(console, "What does the reward model say of the answers?", scores)
    if behaviour:
        _print_groups(console, "How does it answer?", behaviour)
    _print_findings(console, data)
    if data.side_by_side:
        _print_example(console, data.side_by_side[0])
    if data.quarantine:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in data.quarantine.items())
        total = sum(data.quarantine.values())
        print_line(console, f"Left out of the data: {total:,} rows ({reasons})", space=True)
    print_notes(console, data.notes)


def _print_spoken(console: Console, one: Spoken) -> None:
    """A verdict: what is found stands out, in a colour only where the interval decides."""
    head = Text(clean(one.head), style=f"bold {_DECIDED.get(one.tone, '')}".strip())
    console.print(head.append(Text(clean(one.rest), style="not bold")), soft_wrap=not console.is_terminal)


def _print_comparisons(console: Console, views: Sequence[Compared]) -> None:
    """Win rates, a row each; of a comparison's two bars the second is the one at equal length."""
    rows = [
        tuple(
            clean(cell).replace("\n", " ")
            for cell in (
                one.judge,
                one.baseline,
                bar.label,
                bar.number.text,
                bar.number.interval_text,
                bar.number.n_text,
                ", ".join(f"{part.name} {part.n:,}" for part in one.parts) if at == 0 else "",
            )
        )
        for one in views
        for at, bar in enumerate(one.bars)
    ]
    if rows and console.is_terminal:
        _print_grid(console, "Which answers are better?", _COMPARED, rows)
    elif rows:
        print_line(console, "Which answers are better?", space=True)
        print_padded(console, rows)


def _print_findings(console: Console, data: ReportData) -> None:
    """A line for each thing found of drift and of collapse."""
    parts = drift_parts(data.drift) if data.drift else []
    found = [f"{part.title} {one.text}." for part in parts for one in part.verdicts]
    view = diversity_view(data)
    found += [f"Has it collapsed? {one.text}." for one in view.verdicts] if view else []
    for number, text in enumerate(found):
        print_line(console, text, space=number == 0)


def _print_grid(console: Console, title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in _RIGHT else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print()
    console.print(table)


def _cells(group: Group, row: Row, first: bool) -> tuple[str, ...]:
    number = row.number
    judged = row.verdict.text if row.verdict else ""
    label = group.label if first else ""
    cells = (label, row.stage, number.text, number.interval_text, number.n_text, judged)
    return tuple(clean(cell).replace("\n", " ") for cell in cells)


def _print_groups(console: Console, title: str, groups: Sequence[Group]) -> None:
    (_print_table if console.is_terminal else _print_lines)(console, title, groups)


def _print_table(console: Console, title: str, groups: Sequence[Group]) -> None:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, justify="right" if heading in _RIGHT else "left", overflow="fold")
    for group in groups:
        for i, row in enumerate(group.rows):
            *cells, judged = _cells(group, row, first=i == 0)
            style = _STYLES[row.verdict.tone] if row.verdict else ""
            last = i == len(group.rows) - 1
            table.add_row(*(Text(cell) for cell in cells), Text(judged, style=style), end_section=last)
    console.print()
    console.print(table)


def _print_lines(console: Console, title: str, groups: Sequence[Group]) -> None:
    """The label stands on every line, so that one line says all."""
    print_line(console, title, space=True)
    print_padded(console, [_cells(group, row, first=True) for group in groups for row in group.rows])


def _print_reward(console: Console, view: RewardView) -> None:
    _print_groups(console, "Does it prefer what people prefer?", [view.accuracy])
    for remark in view.remarks:
        print_line(console, remark, style="dim")
    print_line(console, "Is it as often right as it is sure?", style="bold", space=True)
    for line in view.lines:
        cells = zip(view.columns, line.cells, strict=True)
        told = (f"{column} {value}" + (f" ({note})" if note else "") for column, (value, note) in cells)
        print_line(console, f"  {line.name}, {line.unit}: {'; '.join(told)}")
    for tile in (view.calibration, view.temperature):
        finding = f"{tile.label}: {tile.value} ({tile.caption}), {tile.verdict.text}"
        print_line(console, f"  {finding.removesuffix(': ')}")
    for remark in view.calibration_remarks:
        print_line(console, remark, style="dim")
    _print_groups(console, "Where is it right?", view.slices)
    if view.sections:
        groups = [group for group, _ in view.sections.sections]
        _print_groups(console, "How does it do by section?", groups)
        for text in (view.sections.overall, *view.sections.remarks):
            print_line(console, text, style="dim")


def _print_example(console: Console, item: SideBySide) -> None:
    print_line(console, f"Prompt: {item.prompt}", style="bold", space=True)
    for stage, answer in item.answers.items():
        words = answer.split()
        text = " ".join(words[:EXAMPLE_WORDS]) + (" \u2026" if len(words) > EXAMPLE_WORDS else "")
        ended = {True: " (ended by itself)", False: " (cut off)", None: ""}[item.ended.get(stage)]
        print_line(console, f"{stage}{ended}: {text or '(an empty answer)'}")
