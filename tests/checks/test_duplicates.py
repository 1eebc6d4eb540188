"""Copies, pairs judged both ways, and cycles: each found where planted, none where there is none."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from heedful.checks.duplicates import Duplicates
from heedful.checks.finding import Finding, Outcome
from heedful.records import Demonstration, Feedback, Judgement, Preference, Record, assistant, user


def pair(chosen: str, rejected: str, prompt: str = "p", annotator: str = "", **given: float) -> Preference:
    metadata = {"annotator": annotator} if annotator else {}
    sides = (assistant(chosen),), (assistant(rejected),)
    return Preference((user(prompt),), *sides, id=f"{prompt}:{chosen}>{rejected}", metadata=metadata, **given)


def clean(count: int) -> list[Record]:
    return [pair(f"good {n}", f"bad {n}", f"prompt {n}") for n in range(count)]


def checked(records: Iterable[Record], **thresholds: float) -> tuple[Outcome, dict[str, Finding]]:
    check = Duplicates(**thresholds)
    for index, record in enumerate(records):
        check.see(record, index)
    outcome = check.outcome()
    return outcome, {finding.code: finding for finding in outcome.findings}


def test_clean_data_have_nothing() -> None:
    outcome, findings = checked(clean(200))
    assert findings == {}
    assert outcome.figures == {
        "records": 200,
        "duplicates": 0,
        "contradicted_pairs": 0,
        "records_in_contradictions": 0,
        "prompts_with_cycles": 0,
        "records_in_cycles": 0,
    }
    assert checked([])[0].skipped


def test_copies_are_found_whatever_their_spacing_and_case_matters() -> None:
    copies = [pair(" good 3", "bad  3", "prompt 3\n"), pair("good 3", "bad 3", "prompt 3")]
    _, findings = checked([*clean(10), *copies, pair("Good 3", "bad 3", "prompt 3")])
    found = findings["duplicate"]
    assert (found.count, found.of, found.severity) == (2, 13, "warning")
    assert found.removes == {10, 11}
    assert found.examples[1].id == "prompt 3:good 3>bad 3"
    assert found.examples[1].text == "the same as record 4: prompt 3"
    assert set(findings) == {"duplicate"}


def test_a_few_copies_are_a_note() -> None:
    records = [*clean(200), *clean(1)]
    assert checked(records)[1]["duplicate"].severity == "note"
    assert checked(records, share=0.001)[1]["duplicate"].severity == "warning"


def test_a_pair_judged_both_ways_is_an_error_and_none_of_it_stays() -> None:
    records = [*clean(10), pair("bad 4", "good 4 ", "prompt 4"), pair("good 4", "bad 4", "prompt 4")]
    outcome, findings = checked(records)
    found = findings["contradiction"]
    assert (found.severity, found.count, found.removes) == ("error", 3, {4, 10, 11})
    assert found.title == "1 pairs are judged both ways"
    assert findings["duplicate"].removes == {11}
    assert outcome.figures["contradicted_pairs"] == 1
    assert outcome.figures["records_in_contradictions"] == 3


def test_thumbs_and_judgements_contradict_too() -> None:
    thumbs = [Feedback((user("p"),), (assistant("a"),), up) for up in (True, False)]
    assert checked(thumbs)[1]["contradiction"].removes == {0, 1}
    votes = [Judgement("i", "ann", "a"), Judgement("i", "ann", "b"), Judgement("i", "bo", "b")]
    assert checked(votes)[1]["contradiction"].removes == {0, 1}


def test_annotators_may_agree_and_differ() -> None:
    votes = [
        pair("a", "b", annotator="ann"),
        pair("a", "b", annotator="bo"),
        pair("b", "a", annotator="cy"),
        pair("a", "b", annotator="ann"),
    ]
    _, findings = checked(votes)
    assert set(findings) == {"duplicate"}
    assert findings["duplicate"].removes == {3}


def test_a_tie_contradicts_nothing() -> None:
    assert checked([pair("a", "b"), pair("b", "a", probability=0.5)])[1] == {}


def test_a_circle_of_preferences_is_found_with_the_pairs_in_it() -> None:
    circle = [pair("a", "b"), pair("b", "c"), pair("c", "a"), pair("a", "d"), pair("d", "e")]
    records = clean(25)
    records[::5] = circle  # a prompt's records need not stand together
    outcome, findings = checked(records)
    found = findings["preference_cycle"]
    assert (found.severity, found.count, found.of) == ("warning", 3, 25)
    assert found.removes == {0, 5, 10}
    assert outcome.figures["prompts_with_cycles"] == 1
    assert set(findings) == {"preference_cycle"}


@pytest.mark.parametrize(
    "records",
    [
        [pair("a", "b"), pair("b", "c"), pair("a", "c")],
        [pair("a", "b", "1"), pair("b", "c", "2"), pair("c", "a", "3")],
        [pair("a", "b"), pair("b", "c"), pair("c", "a", probability=0.5)],
    ],
)
def test_an_order_other_prompts_and_ties_make_no_circle(records: list[Record]) -> None:
    assert checked(records)[1] == {}


def test_demonstrations_can_be_copies() -> None:
    records = [Demonstration((user("p"),), (assistant(answer),)) for answer in ("a", "b", "a")]
    assert checked(records)[1]["duplicate"].removes == {2}
