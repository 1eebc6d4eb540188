"""What the annotation tools share: the words of a verdict and the names under which responses stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from heedful.formats.fields import Fault
from heedful.formats.votes import aspect_of, compared, pair_in, ranked, rated_in, responses_in, verdict_of
from heedful.records import Messages, Preference, Ranking, assistant, user

ASK: Messages = (user("q"),)
A: Messages = (assistant("a"),)
B: Messages = (assistant("b"),)
C: Messages = (assistant("c"),)


def own() -> dict[str, object]:
    return {"id": "1", "source": "s", "metadata": {}}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("a", "a"), ("A", "a"), ("b", "b"), ("model_a", "a"), ("Model B", "b"), ("response_b", "b"),
        ("left", "a"), ("Right", "b"), ("Response 1", "a"), ("answer2", "b"), ("A is better", "a"),
        ("the second one", "b"), ("B wins", "b"), ("tie", "tie"), ("Tie!", "tie"), ("equally good", "tie"),
        ("About the same", "tie"),
        ("tie (bothbad)", "both_bad"), ("both_bad", "both_bad"), ("Both are bad", "both_bad"),
        ("Skip", "skip"), ("Can't choose", "skip"),
        ("1", None), ("2", None), ("0", None), ("neither", None), ("c", None), ("", None), ("yes", None),
        ("a lot", None), ("ab", None),
    ],
)  # fmt: skip
def test_words_of_a_verdict(word: str, said: str | None) -> None:
    assert verdict_of(word) == said


@pytest.mark.parametrize(
    ("row", "verdicts"),
    [("a side", {"a", "b"}), ("a tie", {"tie"}), ("both bad", {"both_bad"}), ("no vote", {"skip"})],
)
def test_the_words_of_the_documentation_say_what_it_says(row: str, verdicts: set[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "data-formats.md").read_text(encoding="utf-8")
    (line,) = (line for line in page.splitlines() if line.startswith(f"| {row} |"))
    words = re.findall("`([^`]+)`", line.partition(", each also with")[0])

    assert {verdict_of(word) for word in words} == verdicts


def test_a_fields_own_name_goes_before_the_words() -> None:
    assert verdict_of("generation-0", "generation-0", "generation-1") == "a"
    assert verdict_of("generation-1", "generation-0", "generation-1") == "b"
    assert verdict_of("left", "right", "left") == "b"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["answer2", "prompt", "answer1"], ["answer1", "answer2"]),
        (["response-b", "response-a"], ["response-a", "response-b"]),
        (["response_10", "response_9"], ["response_9", "response_10"]),
        (["generation-0", "generation-1", "generations"], ["generation-0", "generation-1"]),
        (["right", "left", "prompt"], ["left", "right"]),
        (["text1", "text2", "texts"], ["text1", "text2"]),
        (["prompt", "answer"], []),
    ],
)
def test_responses_are_found_by_their_names_and_stand_in_order(names: list[str], found: list[str]) -> None:
    assert responses_in(dict.fromkeys(names, "x")) == found


def test_named_columns_go_before_others_and_three_responses_are_no_pair() -> None:
    assert pair_in({"response_a": "", "response_b": "", "answer1": ""}) == ("response_a", "response_b")
    with pytest.raises(
        Fault, match=r"3 fields are responses \(answer1, answer2, answer3\), not two"
    ) as caught:
        pair_in({"answer1": "", "answer2": "", "answer3": ""})
    assert caught.value.reason == "ambiguous"
    with pytest.raises(Fault, match="--response-a-column") as caught:
        pair_in({"prompt": "", "one": "", "two": ""})
    assert caught.value.reason == "missing_field"


def test_the_first_is_shown_first_whoever_wins() -> None:
    won, lost = compared(ASK, A, B, "a", own()), compared(ASK, A, B, "b", own())

    assert (won.chosen, won.rejected, won.metadata["shown_first"], won.tie) == (A, B, "chosen", False)
    assert (lost.chosen, lost.rejected, lost.metadata["shown_first"], lost.tie) == (B, A, "rejected", False)


def test_ties_are_even_and_both_bad_says_so() -> None:
    tie, bad = compared(ASK, A, B, "tie", own()), compared(ASK, A, B, "both_bad", own())

    assert (tie.chosen, tie.probability, tie.metadata) == (A, 0.5, {"shown_first": "chosen"})
    assert (bad.chosen, bad.probability, bad.metadata["verdict"]) == (A, 0.5, "both_bad")
    with pytest.raises(Fault, match="chose not to say"):
        compared(ASK, A, B, "skip", own())


def test_two_ranked_are_a_pair_and_three_a_ranking() -> None:
    second, tie, three = ranked(ASK, [A, B], [2, 1], own()), ranked(ASK, [A, B], [1, 1], own()), None
    three = ranked(ASK, [A, B, C], [2, 1, 2], own())

    assert isinstance(second, Preference)
    assert (second.chosen, second.metadata["shown_first"]) == (B, "rejected")
    assert isinstance(tie, Preference)
    assert tie.tie
    assert isinstance(three, Ranking)
    assert (three.responses, three.ranks) == ((A, B, C), (2, 1, 2))
    with pytest.raises(Fault, match="1 of the responses are ranked"):
        ranked(ASK, [A], [1], own())


@pytest.mark.parametrize(
    ("question", "response", "aspect"),
    [
        ("generation-0-rating", "generation-0", "overall"),
        ("generation-1-rating", "generation-1", "overall"),
        ("response1_helpfulness", "response1", "helpfulness"),
        ("rate response10", "response10", "rate"),
    ],
)
def test_a_rating_question_names_its_response_and_its_aspect(
    question: str, response: str, aspect: str
) -> None:
    fields = dict.fromkeys(["generation-0", "generation-1", "response1", "response10"], "x")

    assert rated_in(fields, question) == response
    assert aspect_of(question, response) == aspect


def test_a_lone_response_needs_no_name_and_one_of_several_does() -> None:
    assert rated_in({"prompt": "", "response": ""}, "quality") == "response"
    with pytest.raises(Fault, match="does not say which response it rates") as caught:
        rated_in({"answer1": "", "answer2": ""}, "quality")
    assert caught.value.reason == "ambiguous"
