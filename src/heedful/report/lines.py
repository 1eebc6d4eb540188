"""Lines of text for terminals, files and pipes.

Text from models and files is cleaned of control characters and never read as markup.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from heedful.report.wording import clean


def print_line(console: Console, text: str, style: str = "", space: bool = False) -> None:
    """One line, never read as markup and, off the terminal, never wrapped.

    Args:
        space: leave an empty line before it.
    """
    if space:
        console.print()
    console.print(Text(clean(text), style=style), soft_wrap=not console.is_terminal)


def print_padded(console: Console, rows: Sequence[Sequence[str]]) -> None:
    """Columns padded with spaces, so that one line says all."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print_line(console, f"  {'  '.join(padded)}".rstrip())


def print_notes(console: Console, notes: Sequence[str]) -> None:
    """What a reader should know before trusting the numbers."""
    for number, note in enumerate(notes):
        if number == 0:
            print_line(console, "Before you trust this:", space=True)
        print_line(console, f"- {note}")
