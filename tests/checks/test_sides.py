"""Equal sides: compared after NFKC and folding, those the reader left out counted too."""

from __future__ import annotations

import pytest

from heedful.checks.sides import EqualSides
from heedful.records import Ranking, assistant, user
from tests.checks.planted import CLEAN, HH, codes, left_out, only, outcome, pair, published


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ("Yes.", "Yes."),
        ("Yes,  it is.", " Yes, it\nis. "),
        ("ﬁne", "fine"),  # a ligature
        ("１２ apples", "12 apples"),  # full width
        ("\u00e9t\u00e9", "e\u0301te\u0301"),
        ("one\u00a0two", "one two"),
    ],
)
def test_sides_that_differ_in_form_alone_are_equal(chosen: str, rejected: str) -> None:
    finding = only(outcome(EqualSides(), [*CLEAN, pair(chosen, rejected, id="same")]))

    assert (finding.code, finding.severity) == ("equal_sides", "error")
    assert (finding.count, finding.of, finding.removes) == (1, 201, {200})
    assert finding.examples[0].id == "same"


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [("Yes.", "yes."), ("Yes it is.", "Yes it was."), ("It is.", "Is it."), ("a b c", "a d c")],
)
def test_sides_that_differ_in_a_letter_are_not(chosen: str, rejected: str) -> None:
    assert outcome(EqualSides(), [pair(chosen, rejected)]).findings == []


def test_rows_that_the_reader_left_out_are_counted_and_removed_by_nobody() -> None:
    rows = [*CLEAN, left_out("equal_sides"), left_out("empty_chosen"), left_out("equal_sides", 9)]
    finding = only(outcome(EqualSides(), rows))

    assert (finding.severity, finding.count, finding.of, finding.removes) == ("warning", 2, 202, frozenset())
    assert [example.id for example in finding.examples] == ["data.jsonl:1", "data.jsonl:9"]


def test_a_ranking_that_ranks_one_text_twice_is_one() -> None:
    def ranking(texts: list[str], ranks: list[int]) -> Ranking:
        return Ranking((user("Why?"),), tuple((assistant(text),) for text in texts), tuple(ranks))

    assert codes(outcome(EqualSides(), [ranking(["a", "b", "a "], [1, 2, 3])])) == ["equal_sides"]
    assert codes(outcome(EqualSides(), [ranking(["a", "b", "a "], [1, 2, 1])])) == []


def test_clean_pairs_have_no_finding() -> None:
    found = outcome(EqualSides(), CLEAN)

    assert (found.findings, found.figures) == ([], {"equal": 0, "left_out": 0, "of": 200})


def test_published_pairs_whose_sides_are_equal_are_counted(shared_data) -> None:
    assert outcome(EqualSides(), published(shared_data, HH)).figures["equal"] == 0
    fuse = published(shared_data, "alpaca-eval-FuseChat-Llama-3.2-3B-Instruct.json.gz")
    assert outcome(EqualSides(), fuse).figures == {"equal": 3, "left_out": 3, "of": 805}
