"""Replies that say nothing: empty, of marks alone, next to nothing."""

from __future__ import annotations

import pytest

from heedful.checks.empty import EmptyReplies
from heedful.records import Prompt, user
from tests.checks.planted import CLEAN, HH, codes, left_out, only, outcome, pair, published, reply


@pytest.mark.parametrize("text", ["", " \n\t", "\u2003"])
def test_an_empty_reply_made_in_python_is_an_error_and_taken_out(text: str) -> None:
    finding = only(outcome(EmptyReplies(), [*CLEAN, pair("So it is.", text, id="gone")]))

    assert (finding.code, finding.severity, finding.count, finding.of) == ("empty_reply", "error", 1, 201)
    assert (finding.removes, finding.examples[0].text) == ({200}, "rejected is empty")


def test_empty_replies_that_the_reader_left_out_are_counted_by_side() -> None:
    rows = [*CLEAN, left_out("empty_chosen"), left_out("empty_chosen", 2), left_out("empty_rejected", 3)]
    found = outcome(EmptyReplies(), [*rows, left_out("empty_prompt", 4)])

    assert (only(found).severity, only(found).count, only(found).of) == ("warning", 3, 203)
    assert found.tables[0].rows == (("chosen", 2, 0, 0), ("rejected", 1, 0, 0))


@pytest.mark.parametrize(
    "text",
    ["...", "🙂🙂", "**", "---\n---", "<br>", "<p>&nbsp;</p>", "```python\n```", "![](a.png)", "_", "\u200b"],
)
def test_marks_markup_and_emoji_are_no_words(text: str) -> None:
    assert codes(outcome(EmptyReplies(), [*CLEAN, reply(text)])) == ["no_word"]


@pytest.mark.parametrize("text", ["B", "é.", "<b>A</b>", "(c)"])
def test_a_single_letter_is_next_to_nothing(text: str) -> None:
    finding = only(outcome(EmptyReplies(), [*CLEAN, reply(text)]))

    assert (finding.code, finding.severity, finding.removes) == ("near_empty", "note", None)


@pytest.mark.parametrize(
    "text", ["Ok", "4", "-7.", "**No**", "`ls`", "[image]", "हाँ", "是的", "I'm", "«Да»", "I" + "." * 300]
)
def test_short_answers_are_answers(text: str) -> None:
    assert outcome(EmptyReplies(), [*CLEAN, reply(text)]).findings == []


def test_letters_say_how_short_is_too_short() -> None:
    assert codes(
        outcome(EmptyReplies(letters=6), [*CLEAN, reply("Yes."), reply("4"), reply("Certainly.")])
    ) == ["near_empty"]
    assert codes(outcome(EmptyReplies(letters=0), [*CLEAN, reply("A"), reply("")])) == ["empty_reply"]


def test_answers_to_multiple_choice_are_meant_to_be_one_letter() -> None:
    assert outcome(EmptyReplies(), [pair("A", "B") for _ in range(50)]).findings == []


def test_a_long_text_of_many_short_letters_is_read_in_linear_time() -> None:
    assert outcome(EmptyReplies(letters=50), [*CLEAN, reply("-" * 100_000)]).figures["no_word"] == 1


def test_clean_replies_have_no_finding_and_prompts_have_no_reply() -> None:
    assert outcome(EmptyReplies(), CLEAN).findings == []
    assert outcome(EmptyReplies(), [Prompt((user("Why?"),))]).skipped == "no record has a response"


def test_published_pairs_have_two_empty_chosen(shared_data) -> None:
    found = outcome(EmptyReplies(), published(shared_data, HH))

    assert found.figures == {"empty": 2, "left_out": 2, "no_word": 1, "near_empty": 0, "of": 600}
