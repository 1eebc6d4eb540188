"""Rows that could not be used are a finding, but for those that another check counts."""

from __future__ import annotations

from heedful.checks.running import run
from heedful.checks.unreadable import UnreadableRows
from heedful.quarantine import Quarantined
from tests.checks.fakes import pair


def row(reason: str, line: int) -> Quarantined:
    return Quarantined(f"pairs.jsonl:{line}", reason, "because", {})


def test_rows_are_counted_by_reason_and_shown() -> None:
    rows = [row("bad_role", 1), row("bad_role", 2), row("not_json", 3)]

    (found,) = run([*rows, *map(pair, range(7))], [UnreadableRows()]).findings

    assert found.title == "3 rows could not be used (bad_role 2, not_json 1)"
    assert (found.count, found.of, found.severity, found.removes) == (3, 10, "warning", frozenset())
    assert found.examples[0].id == "pairs.jsonl:1"
    assert found.examples[0].text == "bad_role: because"


def test_clean_files_and_rows_that_others_count_are_no_finding() -> None:
    rows = [row("equal_sides", 1), row("empty_chosen", 2), row("empty_response", 3)]

    checked = run([*rows, pair(1)], [UnreadableRows()])

    assert checked.findings == []
    assert checked.checks[0][1].figures == {"rows": 4, "unreadable": {}}
