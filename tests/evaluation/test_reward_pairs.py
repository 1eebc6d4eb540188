"""Preferences, rankings and ratings become the pairs that a reward model is judged by."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.errors import DataError
from heedful.evaluation.reward_pairs import ScoredPair, quality, scored_pairs
from heedful.records import Demonstration, Preference, Ranking, Rating, assistant, user
from heedful.render.chat import Renderer
from heedful.render.rows import Row, render
from heedful.render.truncate import Limits
from tests import tiny

QUESTION = (user("what is it?"),)


def row(record: Any, *lengths: int) -> Row:
    """Responses of so many tokens, all of them different."""
    return Row("", [1], tuple([100 * length + at] * length for at, length in enumerate(lengths)), 1.0, record)


def rating(text: str, score: float, aspect: str = "overall", prompt: str = "what is it?") -> Rating:
    return Rating((user(prompt),), (assistant(text),), score, aspect)


def told(pairs: list[ScoredPair]) -> list[tuple[str, str, float | None]]:
    return [(p.chosen.response[0].content, p.rejected.response[0].content, p.margin) for p in pairs]


def test_a_preference_is_a_pair_with_all_that_its_source_says() -> None:
    record = Preference(
        QUESTION, (assistant("a"),), (assistant("b"),), margin=0.5, probability=0.8, weight=2.0
    )
    ((pair,), alone) = scored_pairs([row(record, 3, 5)], [[0.25, -1.0]])
    assert (pair.prompt, pair.margin, pair.probability) == (QUESTION, 0.5, 0.8)
    assert (pair.chosen.score, pair.chosen.tokens) == (0.25, 3)
    assert (pair.rejected.score, pair.rejected.tokens) == (-1.0, 5)
    assert alone == []


def test_two_responses_cut_at_one_place_keep_their_lengths() -> None:
    answer = "the cat sat on the mat " * 9
    records = [
        Preference(QUESTION, (assistant(f"longer: {answer * 2}"),), (assistant(answer),)),
        Ranking(QUESTION, ((assistant(f"a {answer}"),), (assistant(f"b {answer * 3}"),)), (2, 1)),
        rating(f"c {answer * 2}", 4.0),
        rating(f"d {answer}", 1.0),
    ]
    rows = render(records, Renderer(tiny.tokenizer()), Limits(60))
    assert {len(response) for row in rows for response in row.responses} == {60 - len(rows[0].prompt)}
    pairs, _ = scored_pairs(rows, [[1.0, 0.0], [1.0, 0.0], [1.0], [0.0]])
    found = quality(pairs)
    assert (found.longer_wins.value, found.shorter_wins.value) == (1.0, 0.0)
    assert list(found.by_length) == ["much longer"]


def test_a_ranking_is_every_pair_of_unequal_ranks() -> None:
    answers = tuple((assistant(name),) for name in "abc")
    pairs, alone = scored_pairs([row(Ranking(QUESTION, answers, (2, 1, 2)), 1, 2, 3)], [[0.1, 0.2, 0.3]])
    assert told(pairs) == [("b", "a", None), ("b", "c", None)]
    assert [(pair.chosen.score, pair.rejected.tokens) for pair in pairs] == [(0.2, 1), (0.2, 3)]
    assert alone == []


def test_ratings_are_compared_within_a_prompt_and_an_aspect() -> None:
    records = [
        rating("a", 4.0),
        rating("b", 1.5),
        rating("c", 4.0),
        rating("d", 5.0, aspect="honesty"),
        rating("e", 5.0, prompt="and this?"),
    ]
    rows = [row(record, at + 1) for at, record in enumerate(records)]
    pairs, alone = scored_pairs(rows, [[float(at)] for at in range(5)])
    assert told(pairs) == [("a", "b", 2.5), ("c", "b", 2.5)]
    assert [one.record for one in alone] == records[3:]


def test_one_response_rated_twice_is_no_pair() -> None:
    rows = [row(rating("a", 4.0), 3), row(rating("a", 2.0), 3)]
    assert scored_pairs(rows, [[1.0], [1.0]]) == ([], rows)


def test_a_ranking_of_equals_says_nothing() -> None:
    tied = row(Ranking(QUESTION, ((assistant("a"),), (assistant("b"),)), (1, 1)), 1, 2)
    assert scored_pairs([tied], [[1.0, 0.0]]) == ([], [tied])


def test_demonstrations_judge_no_reward_model() -> None:
    with pytest.raises(TypeError, match="Demonstration"):
        scored_pairs([row(Demonstration(QUESTION, (assistant("a"),)), 1)], [[1.0]])


def test_pairs_of_one_prompt_are_one_group() -> None:
    answers = tuple((assistant(name),) for name in "abc")
    rows = [
        row(Ranking(QUESTION, answers, (1, 2, 3)), 3, 2, 1),
        row(Preference((user("q"),), answers[0], answers[1], probability=0.2), 1, 2),
    ]
    pairs, _ = scored_pairs(rows, [[3.0, 1.0, 2.0], [1.0, 0.0]])
    found = quality(pairs)
    assert (found.n, found.groups, found.soft) == (4, 2, 1)
    assert found.accuracy.value == 0.5  # two of the ranking's three; the soft label says the other side
    assert found.longer_wins.value == 1.0


def test_no_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="no pairs"):
        quality([])
