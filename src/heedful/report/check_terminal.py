"""What checks found, in the terminal: the worst first, wrapped for a person, plain lines elsewhere.

Severities are words, so nothing is lost without colours. Text from files is cleaned of control characters
and never read as markup.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from heedful.checks.finding import Finding, Severity
from heedful.report.data_check import (
    CheckData,
    counts_line,
    measured_text,
    severities,
    verdict,
)
from heedful.report.lines import print_line
from heedful.report.wording import clean

STYLES: dict[Severity, str] = {"error": "bold red", "warning": "bold yellow", "note": "bold blue"}
_INDENT = 9  # columns; the longest severity and two spaces


def summary(data: CheckData, console: Console) -> None:
    """Print what was read, what was found, what was clean, and what was not looked at and why."""
    for file in data.files:
        print_line(console, f"{file.path} ({file.format})")
    print_line(console, counts_line(data.counts))
    console.print()
    found = severities(data.checked.findings)
    print_line(console, verdict(data.checked), style=STYLES[next(iter(found))] if found else "bold green")
    for finding in data.checked.findings:
        console.print()
        _print_finding(console, finding)
    if data.clean:
        console.print()
        _rows(console, [("clean", "", ", ".join(check.name for check, _ in data.clean))])
    if data.skipped:
        console.print()
        rows = [
            ("" if n else "skipped", "", f"{check.name}: {outcome.skipped}")
            for n, (check, outcome) in enumerate(data.skipped)
        ]
        _rows(console, rows)


def _print_finding(console: Console, finding: Finding) -> None:
    rows = [
        (finding.severity, STYLES[finding.severity], finding.title),
        ("", "", f"{measured_text(finding)} [{finding.code}]"),
        ("why", "dim", finding.why),
        ("do", "dim", finding.mend),
    ]
    if finding.examples:
        rows.append(("see", "dim", ", ".join(dict.fromkeys(example.id for example in finding.examples))))
    _rows(console, rows)


def _rows(console: Console, rows: Iterable[tuple[str, str, str]]) -> None:
    """Lines of a label, its style and a text, which is wrapped beside the label on a terminal."""
    if not console.is_terminal:
        for label, _, text in rows:
            print_line(console, f"{label:<{_INDENT}}{_single(text)}")
        return
    table = Table.grid(padding=0)
    table.add_column(width=_INDENT, no_wrap=True)
    table.add_column(overflow="fold")
    for label, style, text in rows:
        table.add_row(Text(label, style=style), Text(_single(text), style="bold" if label in STYLES else ""))
    console.print(table)


def _single(text: str) -> str:
    return " ".join(clean(text).split())
