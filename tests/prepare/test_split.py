"""What a model is judged on it has not seen, under any answer, and not in other words either."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter

import pytest

from heedful.errors import DataError
from heedful.prepare.split import deal, prompt_groups, split
from heedful.records import (
    Demonstration,
    Judgement,
    Message,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
    assistant,
    user,
)


def pair(prompt: str, answer: int = 0, system: str | None = None, source: str = "") -> Preference:
    messages = (*([Message("system", system)] if system else []), user(prompt))
    sides = (assistant(f"good {answer}"),), (assistant("bad"),)
    return Preference(messages, *sides, id=f"{prompt}/{answer}", source=source)


RECORDS = [pair(f"question {n}", answer) for n in range(50) for answer in range(1 + n % 3)]


def two(records: list[Record], held_out: float, seed: int = 0) -> tuple[list[Record], list[Record]]:
    """Train and held-out, the same prompts only taken for the same."""
    shares = {"train": 1 - held_out, "held out": held_out}
    parts = split(records, shares, seed=seed, near=None, by_source=False)
    return list(parts["train"]), list(parts["held out"])


def names(records: list[Preference]) -> set[str]:
    return {record.id for record in records}


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.5, 0.9])
def test_no_prompt_is_on_both_sides_and_no_row_is_lost(fraction: float) -> None:
    train, held_out = two(RECORDS, fraction)
    assert not {record.prompt for record in train} & {record.prompt for record in held_out}
    assert sorted(names(train) | names(held_out)) == sorted(record.id for record in RECORDS)
    assert len(train) + len(held_out) == len(RECORDS)
    assert len({record.prompt for record in held_out}) == round(50 * fraction)


def test_the_split_is_the_same_every_time_and_in_any_order() -> None:
    shuffled = RECORDS[:]
    random.Random(1).shuffle(shuffled)
    train, held_out = two(RECORDS, 0.2, seed=3)
    again = two(shuffled, 0.2, seed=3)
    assert (names(train), names(held_out)) == (names(again[0]), names(again[1]))


def test_the_split_is_the_same_on_every_machine() -> None:
    """A split that moved between releases would put old held-out prompts into new training data."""
    _, held_out = two([pair(f"question {n}") for n in range(12)], 0.25)
    assert sorted(names(held_out)) == ["question 1/0", "question 6/0", "question 7/0"]


def test_the_split_is_the_same_in_every_process() -> None:
    """Python hashes text anew in each."""
    code = (
        "from tests.prepare.test_split import *; "
        "parts = split(MIX, {'train': 0.6, 'dev': 0.2, 'test': 0.2}, seed=5); "
        "print([[record.id for record in part] for part in parts.values()])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    parts = split(MIX, {"train": 0.6, "dev": 0.2, "test": 0.2}, seed=5)
    assert outputs == {f"{[[record.id for record in part] for part in parts.values()]}\n"}


def test_rows_keep_their_order() -> None:
    for side in two(RECORDS, 0.3):
        assert side == [record for record in RECORDS if record in side]


def test_another_seed_is_another_split() -> None:
    assert names(two(RECORDS, 0.2, seed=0)[1]) != names(two(RECORDS, 0.2, seed=1)[1])


def test_a_prompt_is_all_of_its_messages() -> None:
    """The same question under another system message is another prompt; roles count too."""
    records = [pair("q"), pair("q", system="be brief"), pair("q", system="be kind")]
    train, held_out = two(records, 0.34)
    assert (len(train), len(held_out)) == (2, 1)


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_each_side_gets_at_least_one_prompt(fraction: float) -> None:
    train, held_out = two([pair("a"), pair("a", 1), pair("b")], fraction)
    assert len({record.prompt for record in train}) == len({record.prompt for record in held_out}) == 1


def test_nothing_is_held_out_where_nothing_is_asked_for() -> None:
    assert two(RECORDS, 0.0) == (RECORDS, [])
    assert two(RECORDS, 1.0) == ([], RECORDS)


def test_a_single_prompt_is_not_torn_apart() -> None:
    records = [pair("a", answer) for answer in range(5)]
    assert two(records, 0.1) == (records, [])
    assert two([], 0.1) == ([], [])


def test_rows_added_later_move_few_of_the_others() -> None:
    more = RECORDS + [pair(f"new {n}") for n in range(5)]
    _, before = two(RECORDS, 0.2)
    _, after = two(more, 0.2)
    stayed = {record.prompt for record in before} & {record.prompt for record in after}
    assert len(stayed) >= 8


def test_whatever_has_a_prompt_splits_too() -> None:
    answers = (assistant("a"),), (assistant("b"),)
    demonstrations = [Demonstration((user(str(n)),), answers[0]) for n in range(10)]
    train, held_out = two(demonstrations, 0.3)
    assert (len(train), len(held_out)) == (7, 3)
    mix = [
        *(Ranking((user(str(n)),), answers, (1, 2)) for n in range(10)),
        *(Rating((user(str(n)),), answers[0], 4.0) for n in range(10)),
        *(Prompt((user(str(n)),)) for n in range(10)),
    ]
    ranked, judges = two(mix, 0.3)
    assert {record.prompt for record in judges} == {record.prompt for record in held_out}
    assert (len(ranked), len(judges)) == (21, 9)


def test_the_votes_on_an_item_stay_together() -> None:
    votes = [Judgement(f"item {n}", who, "a") for n in range(10) for who in ("ann", "bo")]
    train, held_out = two(votes, 0.2)
    assert (len(train), len(held_out)) == (16, 4)
    assert not {vote.item for vote in train} & {vote.item for vote in held_out}


# Near prompts, sources and many parts.

LETTERS = random.Random(7)
WORDS = ["".join(LETTERS.choices("abcdefghijklmnopqrstuvwxyz", k=LETTERS.randint(3, 9))) for _ in range(500)]


def ask(seed: int, words: int = 30) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def reworded(text: str) -> str:
    """The same but for one word in the middle."""
    words = text.split()
    return " ".join([*words[:15], "instead", *words[16:]])


MIX = [
    *(pair(ask(n), source="large") for n in range(100)),
    *(pair(ask(1000 + n), source="small") for n in range(20)),
    *(pair(reworded(ask(n)), source="large") for n in range(0, 100, 5)),
]


def test_near_prompts_stay_on_one_side() -> None:
    groups = dict(zip([record.prompt[0].content for record in MIX], prompt_groups(MIX), strict=True))
    assert len(set(groups.values())) == 120
    assert all(groups[ask(n)] == groups[reworded(ask(n))] for n in range(0, 100, 5))
    for seed in range(5):
        parts = split(MIX, {"train": 0.5, "test": 0.5}, seed=seed)
        sides = {record.prompt[0].content: name for name, part in parts.items() for record in part}
        assert all(sides[ask(n)] == sides[reworded(ask(n))] for n in range(0, 100, 5))


def test_the_same_prompt_but_for_case_and_marks_stays_on_one_side() -> None:
    records = [pair("What is a prime?"), pair("what is a  prime"), pair("“What is a prime?”"), pair("other")]
    groups = prompt_groups(records)
    assert groups == [0, 0, 0, 3]
    assert prompt_groups(records, near=None) == [0, 1, 2, 3]


def test_a_long_system_prompt_makes_no_prompts_near() -> None:
    records = [pair(ask(n, words=6), system=ask(9, words=200)) for n in range(4)]
    assert len(set(prompt_groups(records))) == 4


def test_a_chain_of_near_prompts_is_one_group() -> None:
    first = ask(1)
    second = reworded(first)
    third = " ".join(["otherwise", *second.split()[1:]])
    assert prompt_groups([pair(first), pair(third), pair(ask(2)), pair(second)]) == [0, 0, 2, 0]


def test_each_part_has_its_share_of_each_source() -> None:
    for seed in range(5):
        parts = split(MIX, {"train": 0.8, "dev": 0.1, "test": 0.1}, seed=seed)
        prompts = {name: Counter(record.source for record in part) for name, part in parts.items()}
        assert [prompts[name]["small"] for name in parts] == [16, 2, 2]
        assert sum(len(part) for part in parts.values()) == len(MIX)
        assert all(abs(prompts[name]["large"] - 12) <= 4 for name in ("dev", "test"))


def test_many_small_sources_together_have_their_share() -> None:
    """Three prompts are too few to give the test set one of each source; a tenth of all are in it anyway."""
    records = [pair(ask(3 * n + k), source=f"source {n}") for n in range(200) for k in range(3)]
    shares = {"train": 0.9, "test": 0.1}
    sizes = [len(split(records, shares, seed=seed, near=None)["test"]) for seed in range(5)]
    assert all(35 <= size <= 85 for size in sizes)  # 60 expected, with a standard deviation of 6.5


def test_large_groups_go_to_each_part_as_often_as_its_share_says() -> None:
    """A group's place in the lot is that of one of its prompts: the least of many would mostly come first."""
    groups = [0] * 20 + list(range(1, 31))
    records = [pair(ask(n)) for n in range(50)]
    homes = Counter(
        next(
            name
            for name, part in deal(records, groups, {"a": 0.5, "b": 0.5}, seed=seed).items()
            if records[0] in part
        )
        for seed in range(60)
    )
    assert 15 <= homes["b"] <= 45


@pytest.mark.parametrize("shares", [{"a": 0.98, "b": 0.01, "c": 0.01}, {"a": 0.01, "b": 0.98, "c": 0.01}])
def test_no_part_is_empty_where_there_are_enough_prompts(shares: dict[str, float]) -> None:
    parts = split([pair(ask(n)) for n in range(5)], shares)
    assert all(len(part) >= 1 for part in parts.values())


def test_a_part_that_asks_for_nothing_gets_nothing() -> None:
    parts = split(RECORDS, {"train": 1.0, "test": 0.0})
    assert (len(parts["train"]), len(parts["test"])) == (len(RECORDS), 0)


@pytest.mark.parametrize("shares", [{}, {"a": 0.5}, {"a": 0.7, "b": 0.7}, {"a": 1.5, "b": -0.5}])
def test_shares_that_are_none_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(DataError, match="share"):
        split(RECORDS, shares)
