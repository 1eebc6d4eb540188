"""Prompts that come far more often than others are found, and many records of every prompt are not."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from heedful.checks.finding import Finding, Outcome
from heedful.checks.frequent_prompts import FrequentPrompts
from heedful.records import Judgement, Preference, Record, assistant, user


def pairs(prompt: str, count: int) -> list[Record]:
    return [
        Preference((user(prompt),), (assistant(f"good {n}"),), (assistant("bad"),), id=f"{prompt} {n}")
        for n in range(count)
    ]


def spread(prompts: int, each: int) -> list[Record]:
    return [record for n in range(prompts) for record in pairs(f"prompt {n}", each)]


def checked(records: Iterable[Record], **thresholds: float) -> tuple[Outcome, dict[str, Finding]]:
    check = FrequentPrompts(**thresholds)
    for index, record in enumerate(records):
        check.see(record, index)
    outcome = check.outcome()
    return outcome, {finding.code: finding for finding in outcome.findings}


@pytest.mark.parametrize(("prompts", "each"), [(300, 1), (100, 6), (5, 60), (1, 20)])
def test_as_many_of_every_prompt_is_no_fault(prompts: int, each: int) -> None:
    outcome, findings = checked(spread(prompts, each))
    assert findings == {}
    assert outcome.figures["most_of_one_prompt"] == each
    assert outcome.figures["top_share"] == pytest.approx(min(10, prompts) / prompts)
    assert outcome.figures["cap"] == max(20, 10 * each)


def test_a_prompt_that_comes_too_often_is_found_and_what_is_over_the_cap_goes() -> None:
    records = [*spread(300, 1), *pairs("hi ", 30), *pairs("hi", 20)]
    outcome, findings = checked(records)
    found = findings["frequent_prompt"]
    assert (found.severity, found.count, found.of) == ("warning", 50, 350)
    assert found.title == "1 prompt has over 20 records, 14.3% of all"
    assert found.removes == set(range(320, 350))
    assert "--per-prompt 20" in found.mend
    assert (found.examples[0].id, found.examples[0].text) == ("hi  4", "hi ")
    assert outcome.figures["records_over_cap"] == 30
    assert outcome.tables[0].rows == (("hi ", 50, 50 / 350),)


def test_the_cap_can_be_said() -> None:
    records = spread(100, 6)
    assert checked(records, cap=6)[1] == {}
    found = checked(records, cap=5)[1]["frequent_prompt"]
    assert found.removes == {6 * n + 5 for n in range(100)}
    assert checked(records, times=0.5, least=1)[0].figures["cap"] == 3


def test_a_share_of_frequent_prompts_may_be() -> None:
    records = [*spread(3000, 1), *pairs("hi", 25)]
    assert checked(records)[1] == {}
    assert set(checked(records, share=0.005)[1]) == {"frequent_prompt"}


def test_judgements_have_no_prompt() -> None:
    assert checked([Judgement("i", "ann", "a")])[0].skipped
