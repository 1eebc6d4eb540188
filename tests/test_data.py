"""The data that come with Heedful are what their README says they are."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

import pytest

from heedful.data import path
from heedful.errors import DataError
from heedful.evaluation.behaviour import has_preamble
from heedful.formats import read
from heedful.quarantine import Kept
from heedful.records import Demonstration, Message, Preference, Record

SPLITS = {"train": 220, "held-out": 44}
FLAWS = {"rambling", "evasive", "confusing", "padded", "off_point"}


def everyday(kind: str, split: str) -> Kept[Record]:
    return read(path(f"everyday/{kind}-{split}.jsonl"))


def pairs(*splits: str) -> list[Preference]:
    rows = [record for split in splits for record in everyday("preferences", split)]
    found = [record for record in rows if isinstance(record, Preference)]
    assert found == rows
    return found


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.lower().replace("'", "")))


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("kind", ["preferences", "demonstrations"])
def test_every_row_is_read(kind: str, split: str) -> None:
    kept = everyday(kind, split)

    assert (len(kept), len(kept.quarantined)) == (SPLITS[split], 0)
    assert {record.source for record in kept if isinstance(record, Preference | Demonstration)} == {
        "everyday"
    }


def test_there_are_enough_prompts_of_enough_domains_in_both_splits() -> None:
    domains = {split: Counter(pair.metadata["domain"] for pair in pairs(split)) for split in SPLITS}

    assert sum(SPLITS.values()) >= 240
    assert set(domains["train"]) == set(domains["held-out"])
    assert len(domains["train"]) >= 12
    assert {3, 4} >= set(domains["held-out"].values())
    assert min(domains["train"].values()) >= 18


@pytest.mark.parametrize("split", SPLITS)
def test_the_flaws_are_spread_evenly(split: str) -> None:
    flaws = Counter(pair.metadata["flaw"] for pair in pairs(split))

    assert set(flaws) == FLAWS
    even = SPLITS[split] / len(FLAWS)
    assert all(0.8 * even <= count <= 1.2 * even for count in flaws.values()), flaws


def test_no_prompt_or_id_is_in_both_splits() -> None:
    train, held_out = pairs("train"), pairs("held-out")

    assert not {pair.prompt for pair in train} & {pair.prompt for pair in held_out}
    assert len({pair.id for pair in train + held_out}) == sum(SPLITS.values())


@pytest.mark.parametrize("split", SPLITS)
def test_the_demonstrations_are_the_chosen_answers(split: str) -> None:
    expected = [
        Demonstration(pair.prompt, pair.chosen, id=pair.id, source="everyday") for pair in pairs(split)
    ]

    assert list(everyday("demonstrations", split)) == expected


def test_no_two_prompts_are_nearly_the_same() -> None:
    prompts = [(pair.id, words(pair.prompt[-1].content)) for pair in pairs(*SPLITS)]

    near = [
        (one, other) for (one, a), (other, b) in combinations(prompts, 2) if len(a & b) / len(a | b) >= 0.7
    ]
    assert near == []


def test_a_chosen_answer_begins_with_the_answer_and_most_padded_ones_do_not() -> None:
    everything = pairs(*SPLITS)
    padded = [pair for pair in everything if pair.metadata["flaw"] == "padded"]

    assert [pair.id for pair in everything if has_preamble(pair.chosen[-1].content)] == []
    assert sum(has_preamble(pair.rejected[-1].content) for pair in padded) > 0.75 * len(padded)


@pytest.mark.parametrize("split", SPLITS)
def test_a_shorter_answer_is_no_sign_of_a_better_one(split: str) -> None:
    def length(messages: tuple[Message, ...]) -> int:
        return len(messages[-1].content.split())

    signs = [length(pair.rejected) - length(pair.chosen) for pair in pairs(split)]
    shorter_wins = sum((sign > 0) + 0.5 * (sign == 0) for sign in signs) / len(signs)

    assert 0.4 < shorter_wins < 0.6


def test_a_name_that_is_not_shipped_is_answered_with_those_that_are() -> None:
    with pytest.raises(DataError, match=r'no data named "everyday/x\.jsonl"\. Shipped: everyday/demonstr'):
        path("everyday/x.jsonl")
