"""What counts as a preamble, and what is counted."""

import math

import pytest

from heedful.errors import DataError
from heedful.evaluation.behaviour import Answer, has_preamble, measure
from heedful.evaluation.estimates import mean
from heedful.intervals import wilson
from heedful.records import user


def answer(text: str, prompt: str = "Why?", ended: bool = True) -> Answer:
    return Answer((user(prompt),), text, ended, tokens=len(text))


@pytest.mark.parametrize(
    "text",
    [
        "Sure! Here is how.",
        "Sure, I can help you with that.",
        "Certainly! Boil the water first.",
        "Certainly I can explain that.",
        "Of course! You can freeze it.",
        "Great question! It is the sun.",
        "That's a really interesting question.",
        "That\u2019s a great question, and one that many ask.",
        "What a wonderful question!",
        "This is an important and complex topic.",
        "As an AI language model, I cannot cook.",
        "I'm just an AI, but here goes.",
        "I'd be happy to help you with your garden.",
        "I would be more than happy to explain.",
        "Thank you for asking!",
        "When it comes to bread, flour matters.",
        "There are many ways to clean a pan.",
        "There is no simple answer to that.",
        "Well, it depends on the weather.",
        "Well, that is hard to say.",
        "It really depends on your oven.",
        "The answer depends on several factors.",
        "To answer your question, yes.",
        "Let's dive into the details.",
        "Here are some tips for saving energy:",
        "In today's fast-paced world, sleep is rare.",
        "It's important to note that mushrooms differ.",
        "It is worth noting that prices change.",
        '  **"Sure!** Let us see.',
        "\n\nHello! How can I help?",
        "Hello there! Bread needs salt.",
    ],
)
def test_stalling_openings_are_preambles(text: str) -> None:
    assert has_preamble(text)


@pytest.mark.parametrize(
    "text",
    [
        "Boil the potatoes for 15 minutes.",
        "Yes, you can freeze cooked rice.",
        "Sure-footed goats climb best.",
        "Well water is often hard.",
        "Well-rested people learn faster.",
        "Great Britain left in 2020.",
        "Absolutely nothing happens to the battery.",
        "Hi-fi speakers need burning in.",
        "Certainly not a reason to worry: it is harmless.",
        "Good question marks need good questions.",
        "Here the river turns east.",
        "There are 12 months in a year.",
        "There is a spare key under the mat.",
        "It takes two hours.",
        "When the dough doubles, knead it again.",
        "I would repot it in spring.",
        "As an apple ripens, starch turns to sugar.",
        "The question mark stands at the end.",
        "",
    ],
)
def test_answers_that_start_with_the_answer_are_none(text: str) -> None:
    assert not has_preamble(text)


def test_measure_counts_what_it_says() -> None:
    answers = [
        answer("one two three", "a"),
        answer("Sure! one two", "b"),
        answer("one", "c", ended=False),
        answer("one two three four five six", "d"),
    ]
    behaviour = measure(answers)
    assert behaviour.n == 4
    assert behaviour.ended_share == 0.75
    assert behaviour.ended_interval == wilson(3, 4)
    assert behaviour.words == 3.25
    assert behaviour.words_interval == mean([3, 3, 1, 6]).interval
    assert behaviour.words_median == 3.0
    assert behaviour.preamble_share == 0.25
    assert behaviour.preamble_interval == wilson(1, 4)


def test_the_seed_moves_the_bootstrap_only() -> None:
    answers = [answer("word " * n, str(n)) for n in range(1, 12)]
    first, second = measure(answers, seed=0), measure(answers, seed=1)
    assert first == measure(answers, seed=0)
    assert first.words_interval != second.words_interval
    assert (first.words, first.ended_interval) == (second.words, second.ended_interval)


def test_answers_to_one_prompt_do_not_pass_for_independent_ones() -> None:
    once = [answer("word " * (3 + i), str(i), ended=i % 2 == 0) for i in range(8)]
    alone, repeated = measure(once), measure(once * 10)
    assert repeated.n == 80
    assert repeated.ended_interval == pytest.approx(alone.ended_interval)
    assert repeated.words_interval == pytest.approx(alone.words_interval)


def test_one_answer_gives_a_number_but_no_spread() -> None:
    behaviour = measure([answer("one two")])
    assert behaviour.words == 2.0
    assert all(math.isnan(bound) for bound in behaviour.words_interval)


def test_an_empty_answer_has_no_words() -> None:
    assert measure([answer(""), answer("two words", "b")]).words == 1.0


def test_no_answers_is_an_error_a_person_can_read() -> None:
    with pytest.raises(DataError, match="no answers"):
        measure([])
