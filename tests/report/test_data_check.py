"""What checks found in words, as JSON, in the terminal and on the page: the same numbers everywhere."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from heedful.checks.finding import Check, Example, Finding, Interval, Outcome, Plot, Table
from heedful.checks.running import Checked
from heedful.quarantine import Quarantined
from heedful.records import Judgement, Ranking, Rating, assistant, user
from heedful.report.check_html import MOST_LETTERS, MOST_ROWS, coded, render
from heedful.report.check_json import as_json
from heedful.report.check_plots import MOST_LABELS, draw
from heedful.report.check_terminal import summary
from heedful.report.data_check import (
    CheckData,
    CheckedFile,
    Part,
    counts_line,
    kinds,
    measured_text,
    parts,
    verdict,
)
from tests.checks.fakes import FIGURE, PLOTS, TABLE, Blind, Marked, finding, pair
from tests.report.test_html import HOSTILE, Page, words

FILE = CheckedFile("pairs.jsonl", "trl", 1234, "ab" * 32)


class Leaning(Blind):
    name = "leaning"
    asks = "Does one side win?"


def data(
    *findings: Finding, outcome: Outcome | None = None, kinds: dict[str, int] | None = None, **more: Any
) -> CheckData:
    """A check of 600 pairs: `leaning` found `findings`, `marked` nothing, and `blind` could not look."""
    found = outcome or Outcome(findings, {"left": 0.7}, (TABLE,), PLOTS)
    checks: Sequence[tuple[Check, Outcome]] = [
        (Leaning(), found),
        (Marked(), Outcome(figures={"marked": 0})),
        (Blind(), Outcome(skipped="no record has eyes")),
    ]
    checked = Checked(kinds or {"preference": 600}, {"empty_chosen": 2, "equal_sides": 1}, checks)
    more = {"files": [FILE], "command": "heedful check pairs.jsonl", "versions": {"heedful": "1"}, **more}
    return CheckData(checked, **more)


ERROR = finding("error", [(n, f"pair:{n}") for n in range(12)], 600)


def printed(found: CheckData, *, width: int = 80, terminal: bool = False) -> str:
    stream = io.StringIO()
    summary(found, Console(file=stream, width=width, force_terminal=terminal, no_color=True))
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()) if terminal else stream.getvalue()


# Words


def test_the_verdict_counts_findings_by_severity() -> None:
    note = dataclasses.replace(ERROR, severity="note")

    assert verdict(data(ERROR, FIGURE, FIGURE).checked) == "1 error, 2 warnings in 600 pairs"
    assert verdict(data(note).checked) == "1 note in 600 pairs"
    assert verdict(data().checked) == "Nothing found in 600 pairs"


def test_records_are_called_what_people_call_them() -> None:
    assert kinds({"preference": 1}) == "1 pair"
    counted = {"preference": 1200, "feedback": 2, "ranking": 1}
    assert kinds(counted) == "1,200 pairs, 2 thumbs and 1 ranking"


def test_every_row_is_accounted_for() -> None:
    found = data()

    assert counts_line(found.counts) == "603 read = 600 kept + 3 quarantined (empty_chosen 2, equal_sides 1)"
    assert [check.name for check, _ in found.clean] == ["leaning", "marked"]
    assert [check.name for check, _ in found.skipped] == ["blind"]


def test_a_figure_has_the_unit_of_its_title() -> None:
    kappa = dataclasses.replace(FIGURE, title="two people agree in 85% (kappa 0.70)", threshold=0.4)
    unknown = dataclasses.replace(FIGURE, figure=Interval(0.7, math.nan, math.nan, 3), threshold=None)

    assert measured_text(FIGURE) == "70 of 100, 70% (interval 60% to 78%), threshold 55%"
    assert measured_text(kappa) == "70 of 100 (70%), 0.70 (interval 0.60 to 0.78), n = 100, threshold 0.40"
    assert measured_text(unknown) == "70 of 100 (70%), 70%, n = 3"
    assert measured_text(ERROR) == "12 of 600 (2%)"


def test_records_of_every_kind_have_their_parts() -> None:
    prompt = (user("hi"),)
    ranking = Ranking(prompt, ((assistant("a"),), (assistant("b"),)), (2, 1))
    row = Quarantined("f:1", "empty_chosen", "", {"chosen": ""})

    assert [part.name for part in parts(pair())] == ["prompt", "chosen", "rejected"]
    assert parts(ranking)[1:] == [Part("rank 2", "a"), Part("rank 1", "b")]
    assert parts(Rating(prompt, (assistant("a"),), 4.0, "safety"))[1] == Part("safety 4", "a")
    assert parts(Judgement("item", "ann", "tie")) == [Part("verdict", "ann: tie")]
    assert parts(row) == [Part("left out as empty_chosen", '{\n  "chosen": ""\n}')]
    assert parts(dataclasses.replace(pair(), prompt=(user("a"), assistant("b"), user("c"))))[0].text == (
        "User: a\n\nAssistant: b\n\nUser: c"
    )


# JSON


def test_the_json_holds_every_finding_and_what_was_measured() -> None:
    found = json.loads(json.dumps(as_json(data(FIGURE, ERROR)), allow_nan=False))

    assert found["version"] == 1
    assert found["files"] == [{"path": "pairs.jsonl", "format": "trl", "size": 1234, "sha256": "ab" * 32}]
    assert found["rows"] == {"read": 603, "kept": 600, "quarantined": {"empty_chosen": 2, "equal_sides": 1}}
    assert found["records"] == {"preference": 600}
    assert found["severities"] == {"error": 1, "warning": 1, "note": 0}
    first, second = found["findings"]
    assert (first["code"], first["share"], first["removes"], first["figure"]) == (
        "marked_error",
        0.02,
        12,
        None,
    )
    assert second["figure"] == {"value": 0.7, "low": 0.6, "high": 0.78, "n": 100}
    assert second["examples"] == [{"id": "pair:1", "text": "leans far"}]
    assert [(one["name"], one["status"], one["skipped"]) for one in found["checks"]] == [
        ("leaning", "found", ""),
        ("marked", "clean", ""),
        ("blind", "skipped", "no record has eyes"),
    ]
    assert found["checks"][0]["figures"] == {"left": 0.7}


def test_what_is_no_finite_number_is_null_in_json() -> None:
    figures = {"a": math.nan, "b": np.float64(0.5), "c": [math.inf, np.int64(3)], "d": {1: True}}

    found = as_json(data(outcome=Outcome(figures=figures)))

    assert found["checks"][0]["figures"] == {"a": None, "b": 0.5, "c": [None, 3], "d": {"1": True}}


# Terminal


def test_the_worst_finding_is_printed_first_with_why_and_what_to_do() -> None:
    text = printed(data(FIGURE, ERROR))

    assert text.index("error    12 records are marked") < text.index("warning  the left one wins")
    assert "why      A model learns to lean." in text
    assert "do       Turn `half` of them." in text
    assert "see      pair:0, pair:1, pair:2, pair:3, pair:4" in text
    assert "70 of 100, 70% (interval 60% to 78%), threshold 55% [leans_left]" in text
    assert "clean    marked" in text
    assert "skipped  blind: no record has eyes" in text


def test_a_terminal_of_80_columns_holds_every_line() -> None:
    long = dataclasses.replace(FIGURE, why="word " * 60, mend=f"{'x' * 200}")

    lines = printed(data(long, ERROR), terminal=True).splitlines()

    assert max(map(len, lines)) <= 80
    assert "".join(lines).count("word") == 60
    assert "".join(line.strip() for line in lines).count("x" * 200) == 1


def test_off_the_terminal_nothing_is_wrapped_or_coloured() -> None:
    text = printed(data(dataclasses.replace(FIGURE, why="word " * 60)), width=40)

    assert "word " * 59 + "word" in text
    assert "\x1b" not in text


def test_text_from_files_drives_no_terminal() -> None:
    nasty = dataclasses.replace(FIGURE, title="[bold]red\x1b[31m", examples=(Example("a\x1b]0;x\x07", "t"),))

    text = printed(data(nasty, files=[CheckedFile("a\x1b[2J.jsonl", "trl")]))

    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]red" in text


# Page


def test_the_page_says_everything_that_was_found() -> None:
    shown = {"pair:1": parts(pair(1))}

    text = words(render(data(FIGURE, ERROR, records=shown)))

    for part in (
        "1 error, 1 warning in 600 pairs",
        "603 read = 600 kept + 3 quarantined (empty_chosen 2, equal_sides 1)",
        "the left one wins in 70% of pairs",
        "70 of 100, 70% (interval 60% to 78%), threshold 55%",
        "A model learns to lean.",
        "Turn half of them.",
        "pair:1 leans far",
        "what is 1?",
        "another one",
        "By annotator",
        "worker-15",
        "marked Does a response hold the word? No finding.",
        "blind Is there anything? Skipped: no record has eyes.",
        "heedful check pairs.jsonl",
        "trl, 1,234 bytes SHA-256 " + "ab" * 32,
    ):
        assert part in text, part
    assert text.index("12 records are marked") < text.index("the left one wins")


def test_every_finding_in_the_summary_leads_to_its_card() -> None:
    page = render(data(FIGURE, ERROR))

    targets = re.findall(r'href="#(finding-[^"]+)"', page)
    assert targets == ["finding-marked_error", "finding-leans_left"]
    assert all(f'id="{target}"' in page for target in targets)


def test_the_figure_is_drawn_with_its_interval_and_threshold() -> None:
    page = render(data(FIGURE))

    assert '<s style="left:55.00%">' in page
    assert '<i style="left:60.00%;width:18.00%">' in page
    assert '<u style="left:70.00%">' in page


@pytest.mark.parametrize("value", [-3.0, 0.0, 250.0, math.nan])
def test_a_figure_of_any_size_has_an_axis(value: float) -> None:
    figure = Interval(value, value - 1, value + 1, 3)

    page = render(data(dataclasses.replace(FIGURE, title="no share", figure=figure, threshold=4.0)))

    places = [float(place) for place in re.findall(r'style="left:([^%]+)%', page)]
    assert all(0 <= place <= 100 for place in places)
    assert bool(places) == math.isfinite(value)


def test_clean_data_have_a_page_too() -> None:
    text = words(render(data()))

    assert "Nothing found in 600 pairs" in text
    assert "What was found" not in text
    assert "What leaning measured" in text


def test_a_long_table_shows_its_first_rows_and_opens_to_the_rest() -> None:
    page = render(data(FIGURE))

    assert len(TABLE.rows) > MOST_ROWS
    assert f"Show {len(TABLE.rows) - MOST_ROWS} more" in page
    assert page.index("worker-12") < page.index("Show 3 more") < page.index("worker-13")


def test_a_huge_text_is_cut_and_says_so() -> None:
    page = render(data(FIGURE, records={"pair:1": [Part("prompt", "x" * (MOST_LETTERS + 5000))]}))

    assert "x" * MOST_LETTERS in page
    assert "x" * (MOST_LETTERS + 1) not in page
    assert "(5,000 more characters)" in page


def test_the_page_is_well_formed_self_contained_and_without_scripts() -> None:
    page = Page(render(data(FIGURE, ERROR, records={"pair:1": parts(pair(1))})))

    assert page.unclosed == []
    assert "script" not in page.tags
    assert not {"img", "link", "iframe", "object"} & set(page.tags)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert not [value for name, value in page.attributes if name in ("src", "href") and value[0] != "#"]
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_hostile_text_stays_text_wherever_it_stands() -> None:
    hostile = Finding(
        check="leaning", code="leans_left", severity="error", title=HOSTILE, count=1, of=2, why=HOSTILE,
        mend=f"`{HOSTILE}` heedful check {HOSTILE}",
        examples=(Example(HOSTILE, HOSTILE), Example("b", HOSTILE)),
    )  # fmt: skip
    plot = Plot(
        HOSTILE, "bars", HOSTILE, labels=(HOSTILE, "$x$ $y$"), series={HOSTILE: (1.0, 2.0), "b": (1.0, 2.0)}
    )
    outcome = Outcome([hostile], {}, [Table(HOSTILE, (HOSTILE, "n"), ((HOSTILE, 1),))], [plot])

    page = Page(
        render(
            data(
                outcome=outcome,
                files=[CheckedFile(HOSTILE, HOSTILE)],
                command=HOSTILE,
                versions={HOSTILE: HOSTILE},
                records={HOSTILE: [Part(HOSTILE, HOSTILE)]},
            )
        )
    )

    assert page.unclosed == []
    assert not {"script", "img"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count("alert('x')") > 10


def test_commands_and_backticks_are_set_as_code() -> None:
    text = (
        "Use `a < b`, or heedful filter --max-length-ratio 2.5; else heedful check FILE --fix OUT. Or run "
        "heedful pairs FILE OUT --aggregate dawid-skene --min-agreement 0.7, or heedful mix FILE OUT --cap "
        "SOURCE=NUMBER and see."
    )

    plain = re.sub("</?span>", "", coded(text))

    assert plain == (
        "Use <code>a &lt; b</code>, or <code>heedful filter --max-length-ratio 2.5</code>; "
        "else <code>heedful check FILE --fix OUT</code>. Or run "
        "<code>heedful pairs FILE OUT --aggregate dawid-skene --min-agreement 0.7</code>, or "
        "<code>heedful mix FILE OUT --cap SOURCE=NUMBER</code> and see."
    )


# Plots


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.kind)
def test_a_plot_leaves_colours_and_fonts_to_the_page(plot: Plot) -> None:
    svg = draw(plot, "p").svg

    assert "var(--series-" in svg
    assert not re.search(r"#[0-9a-f]{6}\b", svg.replace("#000000", ""))
    assert "http" not in svg
    assert "nan" not in svg


def test_chosen_and_rejected_wear_the_same_colours_everywhere() -> None:
    drawing = draw(PLOTS[0], "p")

    assert [(entry.name, entry.colour) for entry in drawing.legend] == [("chosen", 3), ("rejected", 5)]
    assert draw(PLOTS[1], "p").legend == ()


def test_every_label_is_written_and_shares_are_in_percent() -> None:
    svg = draw(PLOTS[1], "p").svg

    assert ">a</text>" in svg
    assert ">b</text>" in svg
    assert "%</text>" in svg
    assert "%</text>" not in draw(PLOTS[2], "p").svg


def test_more_labels_than_can_be_read_are_left_to_the_table() -> None:
    many = Plot("t", "bars", "n", labels=tuple(f"label {n}." for n in range(90)), series={"n": (1.0,) * 90})

    drawing = draw(many, "p")

    assert f">label {MOST_LABELS - 1}.</text>" in drawing.svg
    assert f">label {MOST_LABELS}.</text>" not in drawing.svg
    assert drawing.remarks == (f"The first {MOST_LABELS} of 90.",)


def test_values_that_are_unknown_are_not_drawn() -> None:
    plot = Plot(
        "t", "intervals", "share", labels=("a", "b"), series={"s": (math.nan, 0.5)},
        low={"s": (math.nan, math.nan)}, high={"s": (math.nan, math.nan)},
    )  # fmt: skip

    assert ">a</text>" in draw(plot, "p").svg
