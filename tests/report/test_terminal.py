"""The summary: tables on a terminal, plain lines everywhere else."""

import io
from dataclasses import replace

from rich.console import Console

from heedful.report import ReportData, SideBySide, summary


def printed(data: ReportData, *, terminal: bool, width: int = 120) -> str:
    buffer = io.StringIO()
    summary(data, Console(file=buffer, force_terminal=terminal, color_system=None, width=width))
    return buffer.getvalue()


def test_off_the_terminal_every_finding_is_one_plain_line(data: ReportData) -> None:
    lines = printed(data, terminal=False, width=40).splitlines()
    squeezed = [" ".join(line.split()) for line in lines]
    assert (
        "Implicit reward DPO 80% 71\u201387% 100 pairs clearly better than a coin: +30 points from 50%"
        in squeezed
    )
    assert "Ends by itself base 10% 6\u201317% 100 answers" in squeezed
    assert "Rulers Shorter wins 60% 50\u201369% 100 pairs" in squeezed
    assert "Left out of the data: 4 rows (equal_sides 3, empty_chosen 1)" in lines
    assert lines[-2:] == ["Before you trust this:", "- Only a hundred prompts."]


def test_off_the_terminal_there_are_no_frames_and_no_colours(data: ReportData) -> None:
    buffer = io.StringIO()
    summary(data, Console(file=buffer, force_terminal=False))
    assert not set(buffer.getvalue()) & set("\x1b\u2500\u2502\u2501\u2503")


def test_on_the_terminal_there_are_tables_that_fit(data: ReportData) -> None:
    text = printed(data, terminal=True, width=80)
    assert "95% interval" in text
    assert "\u2500" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_both_say_the_same_numbers(data: ReportData) -> None:
    for part in ("80%", "71\u201387%", "no clear difference from base", "150 words", "55 words"):
        assert part in printed(data, terminal=True, width=200)
        assert part in printed(data, terminal=False)


def test_an_accuracy_is_held_against_the_best_ruler(data: ReportData) -> None:
    assert "80%, clearly above the best ruler, \u201cShorter wins\u201d (60%)." in printed(
        data, terminal=False
    )


def test_one_example_is_shown_with_how_it_ended(data: ReportData) -> None:
    text = printed(data, terminal=False)
    assert "Prompt: How do I boil an egg?" in text
    assert "base (cut off): Eggs are eggs are eggs" in text
    assert "DPO (ended by itself): Eight minutes." in text


def test_a_long_example_is_shortened_and_an_empty_one_named(data: ReportData) -> None:
    item = SideBySide("p", {"base": "word " * 200, "DPO": ""}, {})
    text = printed(replace(data, side_by_side=[item]), terminal=False)
    assert text.count("word ") == 45
    assert "base: word" in text
    assert "DPO: (an empty answer)" in text


def test_model_text_cannot_drive_the_terminal_or_the_markup(data: ReportData) -> None:
    item = SideBySide("[bold]p[/bold]", {"base": "\x1b[2J\x07 [/nonsense] [red]x"}, {})
    nasty = replace(data, title="[blink]t", side_by_side=[item], quarantine={"\x1b]0;x": 1})
    for terminal in (True, False):
        text = printed(nasty, terminal=terminal)
        assert "[blink]t" in text
        assert "[bold]p[/bold]" in text
        assert "\ufffd[2J\ufffd [/nonsense] [red]x" in text
        assert "\x07" not in text
        assert "\x1b]0" not in text
        assert "\x1b[2J" not in text


def test_the_barest_report_prints_its_title() -> None:
    assert printed(ReportData("Bare"), terminal=False) == "Bare\n"
