"""Prompts of the test set in the data: the same, the same but for spelling marks, and almost the same."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from heedful.checks.finding import Finding, Outcome
from heedful.checks.leakage import BATCH, SplitLeakage
from heedful.checks.near import jaccard, normalised
from heedful.quarantine import Quarantined
from heedful.records import Demonstration, Judgement, Message, Preference, Record, assistant, user

LETTERS = random.Random(7)
WORDS = ["".join(LETTERS.choices("abcdefghijklmnopqrstuvwxyz", k=LETTERS.randint(3, 9))) for _ in range(500)]


def ask(seed: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=30)).capitalize() + "?"


def reworded(text: str) -> str:
    words = text.split()
    return " ".join([*words[:15], "instead", *words[16:]])


def pair(prompt: str, number: int = 0, system: str = "") -> Preference:
    turns = [Message("system", system)] if system else []
    sides = (assistant(f"good {number}"),), (assistant("bad"),)
    return Preference((*turns, user(prompt)), *sides, id=f"pair {number}")


def checked(
    records: Iterable[Record], test: Iterable[Record | Quarantined], **thresholds: float
) -> tuple[Outcome, dict[str, Finding]]:
    check = SplitLeakage(test, **thresholds)
    for index, record in enumerate(records):
        check.see(record, index)
    outcome = check.outcome()
    return outcome, {finding.code: finding for finding in outcome.findings}


TEST = [pair(ask(1000 + n)) for n in range(50)]


def test_clean_data_have_nothing() -> None:
    outcome, findings = checked([pair(ask(n), n) for n in range(300)], TEST)
    assert findings == {}
    assert outcome.figures == {"records": 300, "test_prompts": 50, "exact": 0, "normalised": 0, "near": 0}


def test_the_three_figures_each_hold_the_one_before() -> None:
    records = [pair(ask(n), n) for n in range(100)]
    records[3] = pair(ask(1003), 3)
    records[4] = pair(ask(1003), 4)  # the same prompt again: another record that leaks
    records[50] = pair(f"  “{ask(1010).upper()}!”", 50)
    records[70] = pair(reworded(ask(1020)), 70)
    outcome, findings = checked(records, TEST)
    assert [outcome.figures[name] for name in ("exact", "normalised", "near")] == [2, 3, 4]
    same, near = findings["test_prompt"], findings["near_test_prompt"]
    assert (same.severity, same.removes, same.count, same.of) == ("error", {3, 4, 50}, 3, 100)
    assert (near.severity, near.removes, near.count) == ("warning", {70}, 1)
    assert [example.id for example in same.examples] == ["pair 3", "pair 50"]
    assert "in the test set: " + normalised(ask(1020))[:150] in near.examples[0].text


def test_how_near_is_near_can_be_said() -> None:
    records = [pair(reworded(ask(1000)))]
    likeness = jaccard(normalised(ask(1000)), normalised(reworded(ask(1000))))
    assert 0.8 < likeness < 0.95
    assert checked(records, TEST, near=0.95)[0].figures["near"] == 0
    assert checked(records, TEST, near=0.8)[0].figures["near"] == 1


def test_a_share_that_may_leak_can_be_said() -> None:
    records = [*(pair(ask(n), n) for n in range(99)), TEST[0]]
    assert set(checked(records, TEST, share=0.005)[1]) == {"test_prompt"}
    assert checked(records, TEST, share=0.01)[1] == {}


def test_another_system_prompt_makes_no_other_question() -> None:
    outcome, _ = checked([pair(ask(1000), system="Be brief.")], TEST)
    assert (outcome.figures["exact"], outcome.figures["normalised"]) == (0, 1)


def test_the_kinds_of_records_may_differ() -> None:
    demonstration = Demonstration((user(ask(1000)),), (assistant("a"),))
    assert checked([demonstration], TEST)[0].figures["exact"] == 1


def test_more_prompts_than_are_compared_at_a_time() -> None:
    count = 2 * BATCH + 100
    records = [pair(ask(n), n) for n in range(count)]
    leaks = [BATCH - 1, BATCH, count - 1]
    for place in leaks:
        records[place] = pair(reworded(ask(1000 + place % 50)), place)
    test = [pair(ask(1_000_000 + n)) for n in range(50)] + [pair(ask(1000 + place % 50)) for place in leaks]
    records = [record for record in records if record.prompt not in {one.prompt for one in test}]
    assert checked(records, test)[0].figures["near"] == 3


@pytest.mark.parametrize(
    ("records", "test"),
    [
        ([pair("a")], []),
        ([], [pair("a")]),
        ([Judgement("i", "ann", "a")], [pair("a")]),
        ([pair("a")], [Quarantined("x:1", "empty_prompt", "the prompt is empty", {})]),
    ],
)
def test_nothing_to_compare_is_said(records: list[Record], test: list[Record | Quarantined]) -> None:
    assert checked(records, test)[0].skipped
