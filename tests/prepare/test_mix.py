"""A mix takes at most so many of a source and of a prompt, by lot, and accounts for the rest."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from heedful.errors import DataError
from heedful.prepare.mix import mix
from heedful.records import Preference, assistant, user


def pairs(source: str, count: int, prompt: str = "") -> list[Preference]:
    return [
        Preference(
            (user(prompt or f"{source} {n}"),),
            (assistant(f"good {n}"),),
            (assistant("bad"),),
            id=f"{source}:{n}",
            source=source,
        )
        for n in range(count)
    ]


RECORDS = [*pairs("a", 100), *pairs("b", 50), *pairs("c", 10)]


def sources(records: list[Preference]) -> dict[str, int]:
    return dict(Counter(record.source for record in records))


def test_without_limits_all_are_taken_and_their_sources_mixed() -> None:
    found = mix(RECORDS)
    assert sorted(record.id for record in found) == sorted(record.id for record in RECORDS)
    assert found.counts.quarantined == {}
    first = sources(found[:80])
    assert 35 <= first["a"] <= 65
    assert 10 <= first["b"] <= 40


def test_a_source_gives_no_more_than_its_cap() -> None:
    found = mix(RECORDS, caps={"a": 20, "c": 30})
    assert sources(list(found)) == {"a": 20, "b": 50, "c": 10}
    assert found.counts.quarantined == {"source_cap": 80}
    assert found.counts.read == 160


def test_a_prompt_gives_no_more_than_its_cap_whatever_the_source() -> None:
    records = [*RECORDS, *pairs("a", 30, prompt="hi"), *pairs("b", 30, prompt=" hi")]
    found = mix(records, per_prompt=5)
    assert len([record for record in found if record.prompt[0].content.strip() == "hi"]) == 5
    assert found.counts.quarantined == {"prompt_cap": 55}
    assert {record.source for record in found if record.prompt[0].content.strip() == "hi"} == {"a", "b"}


def test_weights_are_the_shares_of_the_sources_that_have_one() -> None:
    found = mix(RECORDS, weights={"a": 3, "b": 1})
    assert sources(list(found)) == {"a": 100, "b": 33, "c": 10}
    assert found.counts.quarantined == {"weight": 17}
    assert sources(list(mix(RECORDS, weights={"a": 1, "b": 1, "c": 2}))) == {"a": 5, "b": 5, "c": 10}
    assert sources(list(mix(RECORDS, weights={"a": 1, "b": 1}, caps={"a": 20}))) == {
        "a": 20,
        "b": 20,
        "c": 10,
    }


def test_the_mix_is_the_same_in_any_order_of_rows_and_another_by_another_seed() -> None:
    shuffled = RECORDS[:]
    random.Random(1).shuffle(shuffled)
    found = [record.id for record in mix(RECORDS, caps={"a": 20}, seed=3)]
    assert found == [record.id for record in mix(shuffled, caps={"a": 20}, seed=3)]
    assert set(found) != {record.id for record in mix(RECORDS, caps={"a": 20}, seed=4)}


def test_a_record_added_later_moves_no_other() -> None:
    before = {record.id for record in mix(RECORDS, caps={"a": 20})}
    after = {record.id for record in mix([*RECORDS, *pairs("a", 110)[100:]], caps={"a": 20})}
    assert len(before & after) >= 75


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"caps": {"d": 1}}, 'source "d"'),
        ({"weights": {"d": 1.0}}, 'source "d"'),
        ({"caps": {"a": 0}}, "must be over 0"),
        ({"weights": {"a": -1.0}}, "must be over 0"),
        ({"per_prompt": 0}, "at least one"),
    ],
)
def test_limits_that_are_none_are_refused(limits: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        mix(RECORDS, **limits)
