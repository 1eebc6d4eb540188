"""All checks in one pass: each sees every record once, and what was left out is counted."""

from __future__ import annotations

import pytest

from heedful.checks.finding import Finding
from heedful.checks.running import Checked, run
from heedful.errors import DataError
from heedful.quarantine import Quarantined
from heedful.records import Demonstration, Record, assistant, user
from tests.checks.fakes import Blind, Marked, finding, pair

ROW = Quarantined("pairs.jsonl:2", "empty_chosen", '"chosen" is empty', {})


def found(*severities: str) -> Checked:
    return run([pair(n, "bad") for n in range(4)], [Marked(severity=one) for one in severities])  # type: ignore[arg-type]


def test_every_check_sees_every_record_once_by_its_place_among_those_kept() -> None:
    first, second = Marked(), Marked(word="other")

    run([pair(1), ROW, pair(2), pair(3)], [first, second])

    assert first.seen == second.seen == [0, 1, 2]


def test_rows_left_out_are_counted_by_reason_and_shown_to_the_checks_that_ask() -> None:
    marked = Marked()

    checked = run([ROW, pair(1), ROW], [marked, Blind()])

    assert checked.quarantined == {"empty_chosen": 2}
    assert marked.left_out == ["empty_chosen", "empty_chosen"]


def test_records_are_counted_by_kind() -> None:
    demonstration = Demonstration((user("hi"),), (assistant("hello"),))
    records: list[Record] = [pair(1), demonstration, pair(2)]

    checked = run(records, [Blind()])

    assert checked.kinds == {"preference": 2, "demonstration": 1}
    assert checked.records == 3


def test_records_may_come_from_a_generator() -> None:
    assert run((pair(n) for n in range(5)), [Blind()]).records == 5


def test_the_worst_finding_comes_first_and_of_one_severity_the_most_common() -> None:
    rare, common = finding("warning", [(0, "a")], 10), finding("warning", [(0, "a"), (1, "b")], 10)
    checked = found("note", "error")

    assert [one.severity for one in checked.findings] == ["error", "note"]
    assert _sorted(rare, common) == [common, rare]


def test_findings_at_least_as_bad() -> None:
    checked = found("note", "warning", "error")

    assert [one.severity for one in checked.at_least("warning")] == ["error", "warning"]
    assert [one.severity for one in checked.at_least("error")] == ["error"]
    assert len(checked.at_least("note")) == 3


def test_no_record_is_an_error_that_says_why_there_is_none() -> None:
    with pytest.raises(DataError, match=r"no record is left to check \(empty_chosen 1\)"):
        run([ROW], [Blind()])
    with pytest.raises(DataError, match="none was read"):
        run([], [Blind()])


def _sorted(*findings: Finding) -> list[Finding]:
    from heedful.checks.finding import worst

    return worst(findings)
