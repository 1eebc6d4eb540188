"""What a text tells: its one short answer, its form, whether it goes in circles."""

from __future__ import annotations

import pytest

from heedful.advice.answers import compared, final_answer, gives, loops, refuses, traits


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("42", "42"),
        ("  $1,200.00 ", "1200"),
        ("She has 3 + 4 = 7 apples.\n#### 7", "7"),
        ("We add them up.\nThe answer is 12.", "12"),
        ("So the final answer is **Paris**.", "paris"),
        (r"Hence $x = \boxed{5}$.", "5"),
        ("B", "b"),
        ("(C) the third", "c"),
        ("A. Rome", "a"),
        ("New York City", "new york city"),
        ("Yes.", "yes"),
        ("50%", "50"),
    ],
)
def test_a_text_that_comes_to_one_short_answer(text: str, answer: str) -> None:
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "A cat sat on the mat and looked at me.",
        "E.g. this one, or that.",
        "Turn off programs that start by themselves.",
        "one\ntwo",
        "The answer is that nobody knows what the weather of next year will be.",
    ],
)
def test_a_text_that_comes_to_none(text: str) -> None:
    assert final_answer(text) is None


def test_answers_are_compared_without_what_does_not_matter() -> None:
    assert compared(" 1,000.50 ") == compared("1000.5") == "1000.5"
    assert compared("**Paris.**") == compared("paris") == "paris"
    assert compared("7") != compared("8")
    assert compared("1234567") != compared("1234568")
    assert compared("-3.0") == compared("-3") != compared("3")


def test_long_runs_of_space_take_no_time() -> None:
    for text in ("a" + "\n" * 50_000 + "b", "#### a" + " " * 50_000 + "b", "answer is" + " " * 50_000 + "b"):
        assert final_answer(text) is None
        assert not loops(text)
        assert traits([text])[-1].has(text)


def test_whether_a_text_gives_an_answer() -> None:
    assert gives("I count 3 and 4, which makes 7 apples in all.", "7")
    assert not gives("I count 7 and 4, which makes 11.", "7")  # its last number is another
    assert gives("I think it is B because of the heat.", "b")
    assert not gives("I think it is C and not B.", "b")
    assert gives("The capital of France is Paris, of course.", "paris")
    assert not gives("The capital is Parish Town, I believe so.", "paris")
    assert not gives("It is hard to say.\n#### 8", "7")


def test_a_phrase_again_and_again_is_a_circle() -> None:
    assert loops("the cat sat on the mat " * 6)
    assert loops("no " * 30)
    assert not loops(
        "The cat sat on the mat, and then the dog ran to the house to see what the cat was doing."
    )
    assert not loops("")


def test_a_refusal_is_told_by_how_it_opens() -> None:
    assert refuses("I’m sorry, but I can’t help with that.")
    assert not refuses("Open the window and let the air in.")


def names(good: list[str]) -> list[str]:
    return [trait.name for trait in traits(good)]


def test_the_form_is_what_nearly_all_good_responses_share() -> None:
    assert "JSON" in names(['{"a": 1}'] * 9 + ["{broken"])
    assert "JSON" not in names(['{"a": 1}'] * 8 + ["{broken"] * 2)
    assert "a code block" in names(["Do this:\n```\nx\n```"] * 3)
    assert "a marked or short answer" in names(["4", "5", "6"])
    assert "cyrillic letters" in names(["привет, как дела сегодня", "до свидания"])
    assert "begins with \u201cAnswer: the\u201d" in names(
        ["Answer: the cat", "Answer: the dog", "Answer: the end"]
    )
    assert traits([]) == []


def test_a_text_has_the_form_or_has_it_not() -> None:
    good = ["Answer: the cat", "Answer: the dog"]
    form = traits(good)
    assert all(trait.has("Answer: the mat") for trait in form)
    assert not all(trait.has("The mat, I would say.") for trait in form)
    assert not all(trait.has("Answer: the mat\nUser: and who are you?") for trait in form)
    assert not all(trait.has("Answer: the " + "long tale of a mat " * 9) for trait in form)
