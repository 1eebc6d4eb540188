"""Data is held out by prompt: what a model is judged on it has not seen, under any answer."""

from __future__ import annotations

import random

import pytest

from heedful.prepare.split import split_by_prompt
from heedful.records import Demonstration, Message, Preference, Ranking, Rating, assistant, user


def pair(prompt: str, answer: int = 0, system: str | None = None) -> Preference:
    messages = (*([Message("system", system)] if system else []), user(prompt))
    return Preference(messages, (assistant(f"good {answer}"),), (assistant("bad"),), id=f"{prompt}/{answer}")


RECORDS = [pair(f"question {n}", answer) for n in range(50) for answer in range(1 + n % 3)]


def names(records: list[Preference]) -> set[str]:
    return {record.id for record in records}


@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.5, 0.9])
def test_no_prompt_is_on_both_sides_and_no_row_is_lost(fraction: float) -> None:
    train, held_out = split_by_prompt(RECORDS, fraction)
    assert not {record.prompt for record in train} & {record.prompt for record in held_out}
    assert sorted(names(train) | names(held_out)) == sorted(record.id for record in RECORDS)
    assert len(train) + len(held_out) == len(RECORDS)
    assert len({record.prompt for record in held_out}) == round(50 * fraction)


def test_the_split_is_the_same_every_time_and_in_any_order() -> None:
    shuffled = RECORDS[:]
    random.Random(1).shuffle(shuffled)
    train, held_out = split_by_prompt(RECORDS, 0.2, seed=3)
    again = split_by_prompt(shuffled, 0.2, seed=3)
    assert (names(train), names(held_out)) == (names(again[0]), names(again[1]))


def test_the_split_is_the_same_on_every_machine() -> None:
    """A split that moved between releases would put old held-out prompts into new training data."""
    records = [pair(f"question {n}") for n in range(12)]
    _, held_out = split_by_prompt(records, 0.25)
    assert sorted(names(held_out)) == ["question 1/0", "question 6/0", "question 7/0"]


def test_rows_keep_their_order() -> None:
    for side in split_by_prompt(RECORDS, 0.3):
        assert side == [record for record in RECORDS if record in side]


def test_another_seed_is_another_split() -> None:
    assert names(split_by_prompt(RECORDS, 0.2, seed=0)[1]) != names(split_by_prompt(RECORDS, 0.2, seed=1)[1])


def test_a_prompt_is_all_of_its_messages() -> None:
    """The same question under another system message is another prompt; roles count too."""
    records = [pair("q"), pair("q", system="be brief"), pair("q", system="be kind")]
    train, held_out = split_by_prompt(records, 0.34)
    assert (len(train), len(held_out)) == (2, 1)


@pytest.mark.parametrize("fraction", [0.001, 0.999])
def test_each_side_gets_at_least_one_prompt(fraction: float) -> None:
    train, held_out = split_by_prompt([pair("a"), pair("a", 1), pair("b")], fraction)
    assert len({record.prompt for record in train}) == len({record.prompt for record in held_out}) == 1


def test_nothing_is_held_out_where_nothing_is_asked_for() -> None:
    assert split_by_prompt(RECORDS, 0.0) == (RECORDS, [])
    assert split_by_prompt(RECORDS, 1.0) == ([], RECORDS)


def test_a_single_prompt_is_not_torn_apart() -> None:
    records = [pair("a", answer) for answer in range(5)]
    assert split_by_prompt(records, 0.1) == (records, [])
    assert split_by_prompt([], 0.1) == ([], [])


def test_rows_added_later_move_few_of_the_others() -> None:
    more = RECORDS + [pair(f"new {n}") for n in range(5)]
    _, before = split_by_prompt(RECORDS, 0.2)
    _, after = split_by_prompt(more, 0.2)
    stayed = {record.prompt for record in before} & {record.prompt for record in after}
    assert len(stayed) >= 8


def test_whatever_has_a_prompt_splits_too() -> None:
    answers = (assistant("a"),), (assistant("b"),)
    demonstrations = [Demonstration((user(str(n)),), answers[0]) for n in range(10)]
    train, held_out = split_by_prompt(demonstrations, 0.3)
    assert (len(train), len(held_out)) == (7, 3)
    mix = [
        *(Ranking((user(str(n)),), answers, (1, 2)) for n in range(10)),
        *(Rating((user(str(n)),), answers[0], 4.0) for n in range(10)),
    ]
    ranked, judges = split_by_prompt(mix, 0.3)
    assert {record.prompt for record in judges} == {record.prompt for record in held_out}
    assert (len(ranked), len(judges)) == (14, 6)
