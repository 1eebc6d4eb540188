"""Each filter leaves out what it says, under a reason of its own, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.errors import DataError
from heedful.prepare.filters import REASONS, Condition, Filters, filtered
from heedful.records import Demonstration, Judgement, Preference, Prompt, Ranking, Record, assistant, user


def pair(chosen: str = "a b c", rejected: str = "d e", prompt: str = "why is it", **given: Any) -> Preference:
    return Preference((user(prompt),), (assistant(chosen),), (assistant(rejected),), **given)


def reason(record: Record, filters: Filters) -> str:
    """Why the record is left out; "" where it is kept."""
    found = filtered([record], filters)
    assert found.counts.read == 1
    return found.quarantined[0].reason if found.quarantined else ""


@pytest.mark.parametrize(
    ("filters", "record", "expected"),
    [
        (Filters(min_margin=1), pair(margin=1.0), ""),
        (Filters(min_margin=1), pair(margin=0.9), "low_margin"),
        (Filters(min_margin=1), pair(), "no_margin"),
        (Filters(min_margin=0), pair(margin=-0.1), "low_margin"),
        (Filters(min_agreement=0.7), pair(metadata={"agreement": 0.75}), ""),
        (Filters(min_agreement=0.7), pair(metadata={"agreement": 0.6}), "low_agreement"),
        (Filters(min_agreement=0.7), pair(), "no_agreement"),
        (Filters(min_prompt_words=3), pair(), ""),
        (Filters(min_prompt_words=4), pair(), "short_prompt"),
        (Filters(max_prompt_words=3), pair(), ""),
        (Filters(max_prompt_words=2), pair(), "long_prompt"),
        (Filters(min_response_words=2), pair(), ""),
        (Filters(min_response_words=3), pair(), "short_response"),
        (Filters(max_response_words=3), pair(), ""),
        (Filters(max_response_words=2), pair(), "long_response"),
        (Filters(max_length_ratio=1.5), pair(), ""),
        (Filters(max_length_ratio=1.4), pair(), "length_ratio"),
        (Filters(max_length_ratio=1.4), pair("d e", "a b c"), "length_ratio"),
        (Filters(max_length_ratio=1.4), Demonstration((user("p"),), (assistant("a"),)), ""),
        (Filters(languages=("EN",)), pair(metadata={"language": "en"}), ""),
        (Filters(languages=("en", "de")), pair(metadata={"language": "fr"}), "language"),
        (Filters(languages=("en",)), pair(), "no_language"),
        (Filters(sources=("x",)), pair(source="x"), ""),
        (Filters(sources=("x",)), pair(source="y"), "source"),
        (Filters(not_sources=("y",)), pair(source="y"), "source"),
        (Filters(not_sources=("y",)), pair(source="x"), ""),
        (Filters(conditions=(Condition("ratio", ">=", 2),)), pair(metadata={"ratio": 2}), ""),
        (Filters(conditions=(Condition("ratio", ">=", 2),)), pair(metadata={"ratio": "2.5"}), ""),
        (Filters(conditions=(Condition("ratio", ">=", 2),)), pair(metadata={"ratio": 1.9}), "condition"),
        (Filters(conditions=(Condition("ratio", ">=", 2),)), pair(metadata={"ratio": True}), "no_number"),
        (Filters(conditions=(Condition("ratio", ">=", 2),)), pair(metadata={"ratio": "much"}), "no_number"),
        (Filters(conditions=(Condition("ratio", ">=", 2),)), pair(), "no_number"),
        (Filters(scripts=("latin",)), pair("Grüße 123 €"), ""),
        (Filters(scripts=("latin",)), pair("你好世界你好世界", prompt="why"), "script"),
        (Filters(scripts=("han", "latin")), pair("你好世界你好世界", prompt="why"), ""),
        (Filters(scripts=("latin",)), pair("1 + 1", "2", "= 3 ?"), ""),
        (Filters(scripts=("latin",)), pair("abcdefgh", "", "да"), ""),
        (Filters(scripts=("latin",), script_share=0.9), pair("abcdefgh", "", "да"), "script"),
        (Filters(), pair(), ""),
    ],
)
def test_each_filter(filters: Filters, record: Record, expected: str) -> None:
    assert reason(record, filters) == expected
    assert expected in REASONS or not expected


def test_every_response_of_a_ranking_counts() -> None:
    ranking = Ranking((user("p"),), ((assistant("a"),), (assistant("b c d e"),)), (1, 2))
    assert reason(ranking, Filters(max_response_words=3)) == "long_response"
    assert reason(ranking, Filters(max_length_ratio=3)) == "length_ratio"


def test_kinds_without_responses_pass_what_does_not_concern_them() -> None:
    lengths = Filters(min_response_words=3, max_length_ratio=2)
    assert reason(Prompt((user("p"),)), lengths) == ""
    assert reason(Judgement("i", "ann", "a"), lengths) == ""
    assert reason(Judgement("i", "ann", "a"), Filters(min_margin=1)) == "no_margin"


def test_the_counts_add_up_and_each_record_has_one_reason() -> None:
    records = [pair(margin=margin, id=str(n)) for n, margin in enumerate([None, 0.5, 1.0, 2.0])]
    records.append(pair("a", margin=0.1, id="4"))
    found = filtered(records, Filters(min_margin=1, min_response_words=2))
    assert [record.id for record in found] == ["2", "3"]
    assert [(row.where, row.reason) for row in found.quarantined] == [
        ("0", "no_margin"),
        ("1", "low_margin"),
        ("4", "low_margin"),
    ]
    assert found.quarantined[1].detail == "the margin is 0.5"
    assert found.counts.read == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("score_ratio>=2", Condition("score_ratio", ">=", 2.0)),
        (" score ratio <= -1.5 ", Condition("score ratio", "<=", -1.5)),
        ("n>3", Condition("n", ">", 3.0)),
        ("n<3", Condition("n", "<", 3.0)),
        ("n=3", Condition("n", "=", 3.0)),
        ("n==3", Condition("n", "=", 3.0)),
        ("n!=3", Condition("n", "!=", 3.0)),
    ],
)
def test_conditions_are_read(text: str, expected: Condition) -> None:
    assert Condition.parse(text) == expected


@pytest.mark.parametrize("text", ["", "n", "n>", ">3", "n>x", "n>3>4", "n=>3", "n 3"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="is no condition"):
        Condition.parse(text)


def test_every_comparison_compares() -> None:
    held = {
        sign: [Condition("n", sign, 2).holds(value) for value in (1, 2, 3)]
        for sign in (">=", "<=", "!=", "=", ">", "<")
    }
    assert held == {
        ">=": [False, True, True],
        "<=": [True, True, False],
        "!=": [True, False, True],
        "=": [False, True, False],
        ">": [False, False, True],
        "<": [True, False, False],
    }


def test_a_script_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match='no script "english"'):
        Filters(scripts=("latin", "english"))
