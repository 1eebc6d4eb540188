"""Which answers of a record can be compared, what its own label says, and which pairs are asked and kept."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.evaluation.duels import Choice, Duel
from heedful.judges.candidates import LEFT_OUT, Answers, answers_of, to_ask, to_keep
from heedful.records import (
    Candidates,
    Demonstration,
    Message,
    Messages,
    Preference,
    Prompt,
    Ranking,
    Rating,
    assistant,
    user,
)

PROMPT: Messages = (user("q"),)


def said(*texts: str) -> tuple[Messages, ...]:
    return tuple((assistant(text),) for text in texts)


def answers(record: Any) -> Answers:
    found = answers_of(record)
    assert isinstance(found, Answers)
    return found


def test_candidates_have_no_label_and_know_who_wrote_them() -> None:
    metadata = {"generators": ["m1", "m2", ""], "language": "en", "flags": ["x"], "annotator": "ann"}
    found = answers(Candidates(PROMPT, said("a", "b", "c"), "id", "src", metadata))
    assert found.texts == ("a", "b", "c")
    assert found.label((0, 1)) is None
    assert found.name((0, 2)) == "id:1+3"
    assert found.known((1, 0)) == {
        "language": "en",
        "generator_chosen": "m2",
        "generator_rejected": "m1",
    }
    assert found.known((1, 2)) == {"language": "en", "generator_chosen": "m2"}


@pytest.mark.parametrize(
    ("probability", "label"), [(None, "first"), (0.8, "first"), (0.5, "tie"), (0.3, "second")]
)
def test_a_preference_keeps_its_label_beside(probability: float | None, label: str) -> None:
    metadata = {
        "annotator": "ann",
        "agreement": 1.0,
        "score_chosen": 3,
        "shown_first": "chosen",
        "topic": "x",
    }
    record = Preference(PROMPT, *said("a", "b"), probability=probability, id="p", metadata=metadata)
    found = answers(record)
    assert found.label((0, 1)) == label
    assert found.name((0, 1)) == "p"
    assert found.known((0, 1)) == {"topic": "x"}


def test_a_ranking_labels_each_pair_by_its_ranks() -> None:
    found = answers(Ranking(PROMPT, said("a", "b", "c"), (2, 1, 2), "r"))
    assert [found.label(pair) for pair in ((0, 1), (0, 2), (1, 2))] == ["second", "tie", "first"]


def test_turns_that_all_responses_begin_with_are_part_of_what_they_answer() -> None:
    before = (assistant("which?"), user("that one"))
    record = Candidates(PROMPT, ((*before, assistant("a")), (*before, assistant("b"))))
    found = answers(record)
    assert found.prompt == (*PROMPT, *before)
    assert found.texts == ("a", "b")
    other = Candidates(PROMPT, ((*before, assistant("a")), (assistant("b"),)))
    assert answers_of(other) == "other_turns"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Prompt(PROMPT), "no_candidates"),
        (Demonstration(PROMPT, (assistant("a"),)), "no_candidates"),
        (Rating(PROMPT, (assistant("a"),), 3.0), "no_candidates"),
        (Candidates(PROMPT, said("a")), "one_response"),
        (Candidates(PROMPT, said("a b", " a  b", "a b\n")), "equal_sides"),
        (Candidates(PROMPT, ((Message("tool", "x"), assistant("a")), (assistant("a"),))), "other_turns"),
    ],
)
def test_what_cannot_be_compared_has_a_reason(record: Any, reason: str) -> None:
    assert answers_of(record) == reason
    assert reason in LEFT_OUT


def test_which_pairs_are_asked_about() -> None:
    found = answers(Candidates(PROMPT, said("a", "b", "b ", "d")))
    every = [(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)]  # b and b with a space are not compared
    assert to_ask(found, "all", scored=False) == every
    assert to_ask(found, "best-worst", scored=False) == every
    assert to_ask(found, "adjacent", scored=False) == [(0, 1), (2, 3)]
    assert to_ask(found, "adjacent", scored=True) == every


def duel(choice: Choice | None, margin: float | None = None) -> Duel:
    turned: dict[Choice | None, Choice | None] = {"first": "second", "second": "first"}
    return Duel(PROMPT, "x", "y", choice, turned.get(choice, choice), margin)


def test_which_pairs_become_preferences() -> None:
    """b beats a, a beats c, b ties with c: points a 1 of 2, b 1.5, c 0.5."""
    duels = {(0, 1): duel("second"), (0, 2): duel("first"), (1, 2): duel("tie")}
    assert to_keep(duels, "all", scored=False) == list(duels)
    assert to_keep(duels, "best-worst", scored=False) == [(1, 2)]
    assert to_keep(duels, "adjacent", scored=True) == [(0, 1), (0, 2)]
    asked = {(0, 1): duel("second"), (1, 2): duel("first")}
    assert to_keep(asked, "adjacent", scored=False) == list(asked)


def test_undecided_pairs_give_no_points_and_the_only_pair_is_kept_whatever_it_is() -> None:
    duels = {(0, 1): duel("first"), (0, 2): duel(None), (1, 2): duel(None)}
    assert to_keep(duels, "best-worst", scored=False) == [(0, 1)]
    assert to_keep({(0, 1): duel(None)}, "best-worst", scored=False) == [(0, 1)]
    assert to_keep({(0, 1): duel(None), (0, 2): duel(None)}, "best-worst", scored=False) == []
