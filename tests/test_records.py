"""Records are frozen, comparable, and refuse plain nonsense."""

from __future__ import annotations

import dataclasses

import pytest

from heedful.records import (
    ROLES,
    Candidates,
    Demonstration,
    Feedback,
    Message,
    Preference,
    Prompt,
    Ranking,
    Rating,
    assistant,
    user,
)


def test_a_message_has_one_of_four_roles_and_text() -> None:
    assert ROLES == ("system", "user", "assistant", "tool")
    assert (user("q").role, assistant("a").role) == ("user", "assistant")
    with pytest.raises(ValueError, match="'human' is none of system, user, assistant, tool"):
        Message("human", "q")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be text, not NoneType"):
        Message("user", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "record",
    [
        Prompt([user("q")]),  # type: ignore[arg-type]
        Candidates([user("q")], [(assistant("a"),), (assistant("b"),)]),  # type: ignore[arg-type]
        Demonstration([user("q")], [assistant("a")]),  # type: ignore[arg-type]
        Preference([user("q")], [assistant("a")], [assistant("b")]),  # type: ignore[arg-type]
        Feedback([user("q")], [assistant("a")], True),  # type: ignore[arg-type]
        Rating([user("q")], [assistant("a")], 3.0),  # type: ignore[arg-type]
        Ranking([user("q")], [(assistant("a"),), (assistant("b"),)], [1, 2]),  # type: ignore[arg-type]
    ],
    ids=lambda record: type(record).__name__,
)
def test_lists_become_tuples_so_that_records_hash_and_stay_as_they_are(record) -> None:
    assert record.prompt == (user("q"),)
    assert hash(record) == hash(dataclasses.replace(record))
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.prompt = ()


def test_metadata_do_not_count_when_records_are_compared() -> None:
    one = Demonstration((user("q"),), (assistant("a"),), metadata={"line": 1})

    assert one == dataclasses.replace(one, metadata={"line": 2})
    assert one != dataclasses.replace(one, id="other")


def test_a_probability_of_a_half_is_a_tie() -> None:
    pair = Preference((user("q"),), (assistant("a"),), (assistant("b"),), probability=0.5)

    assert pair.tie
    assert not dataclasses.replace(pair, probability=0.501).tie
    assert not dataclasses.replace(pair, probability=None).tie


def test_the_two_sides_of_a_preference_are_not_interchangeable() -> None:
    pair = Preference((user("q"),), (assistant("a"),), (assistant("b"),))

    assert pair != Preference(pair.prompt, pair.rejected, pair.chosen)


@pytest.mark.parametrize("wrong", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_probability_lies_between_0_and_1_and_none_means_certain(wrong: float) -> None:
    pair = Preference((user("q"),), (assistant("a"),), (assistant("b"),))

    assert pair.probability is None
    for fine in (0, 0.5, 1):
        assert dataclasses.replace(pair, probability=fine) != pair
    with pytest.raises(ValueError, match="probability must be between 0 and 1, and is"):
        dataclasses.replace(pair, probability=wrong)


def test_a_ranking_has_one_rank_per_response_and_may_have_ties() -> None:
    responses = ((assistant("a"),), (assistant("b"),))

    assert Ranking((user("q"),), responses, (1, 1)).ranks == (1, 1)
    with pytest.raises(ValueError, match="2 responses but 1 ranks"):
        Ranking((user("q"),), responses, (1,))
