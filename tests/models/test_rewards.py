"""What every reward shares: text in, verified numbers out, and errors that show the text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from heedful.errors import HeedfulError, ModelError, RewardError
from heedful.models.rewards import (
    FunctionReward,
    LengthTerm,
    Reward,
    WeightedSum,
    checked,
    cut_by,
    prompt_text,
)
from heedful.records import Message, Messages, assistant, user

PROMPTS: list[Messages] = [(user("name a colour"),), (user("name a tree"),), (user("name a bird"),)]
RESPONSES = ["red", "an old oak", "owl"]


class Fixed:
    """A reward that says what it is told to."""

    name = "fixed"

    def __init__(self, answer: Any, cut: int = 0) -> None:
        self.answer, self.cut = answer, cut

    def __call__(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[float]:
        found: list[float] = self.answer
        return found


def trouble(reward: Reward, responses: Sequence[str] = RESPONSES) -> str:
    with pytest.raises(RewardError) as caught:
        checked(reward, PROMPTS, responses)
    assert caught.value.exit_code == 2
    return str(caught.value)


# What a plain function sees


def test_a_lone_user_message_is_its_content_and_all_else_is_a_transcript() -> None:
    assert prompt_text((user("hello\nthere"),)) == "hello\nthere"
    talk = (Message("system", "be kind"), user("hello"), assistant("hi"), user("bye"))
    assert prompt_text(talk) == "system: be kind\nuser: hello\nassistant: hi\nuser: bye"
    assert prompt_text((Message("system", "be kind"),)) == "system: be kind"


# Scores are verified


@pytest.mark.parametrize(
    "answer",
    [
        [1, 0.5, -2.0],
        (1, 0.5, -2),
        np.array([1, 0.5, -2], dtype=np.float16),
        torch.tensor([1, 0.5, -2], dtype=torch.bfloat16, requires_grad=True),
        [torch.tensor(1), np.float32(0.5), Fraction(-2)],
        (score for score in (1, 0.5, -2)),
    ],
    ids=["list", "tuple", "array", "tensor", "mixed", "generator"],
)
def test_numbers_of_every_make_become_an_fp32_tensor(answer: Any) -> None:
    scores = checked(Fixed(answer), PROMPTS, RESPONSES)
    assert torch.equal(scores, torch.tensor([1.0, 0.5, -2.0]))
    assert (scores.dtype, scores.requires_grad) == (torch.float32, False)


def test_yes_and_no_are_one_and_zero() -> None:
    assert checked(Fixed(np.array([True, False, True])), PROMPTS, RESPONSES).tolist() == [1, 0, 1]


def test_nothing_to_score_asks_nobody() -> None:
    assert checked(Fixed(None), [], []).shape == (0,)


def test_prompts_and_responses_go_together() -> None:
    with pytest.raises(ValueError, match="3 prompts but 1 responses"):
        checked(Fixed([1]), PROMPTS, ["red"])


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (math.nan, "nan, not a finite number"),
        (-math.inf, "-inf, not a finite number"),
        (10**400, "inf, not a finite number"),
        (1e39, "1e+39, more than 32 bits hold"),
        (None, "None, not a number"),
        ("0.7", "'0.7', not a number"),
        ([0.7], "[0.7], not a number"),
        (1j, "1j, not a number"),
    ],
)
def test_a_score_that_is_no_finite_number_is_shown_with_its_text(score: Any, words: str) -> None:
    assert trouble(Fixed([1.0, score, 2.0])) == (
        f"reward fixed: the score of response 2 of 3 is {words}.\n"
        '  prompt: "name a tree"\n'
        '  response: "an old oak"'
    )


@pytest.mark.parametrize("scores", [[], [1.0, 2.0], [1.0] * 4])
def test_a_wrong_number_of_scores_is_refused(scores: list[float]) -> None:
    message = trouble(Fixed(scores))
    assert message.startswith(f"reward fixed: it gave {len(scores)} scores for 3 responses")
    assert 'prompt: "name a colour"\n  response: "red"' in message


@pytest.mark.parametrize("answer", [0.5, None, "123", {"a": 1}, {1, 2, 3}, torch.tensor(1.0)])
def test_an_answer_that_is_no_list_is_refused(answer: Any) -> None:
    message = trouble(Fixed(answer))
    assert f"a list of numbers was expected, not {type(answer).__name__}" in message


def test_long_texts_are_shortened_in_the_middle_and_odd_characters_are_seen() -> None:
    text = "a" * 300 + "\n" + "z" * 300
    message = trouble(Fixed([1.0, math.nan, 2.0]), ["", text, ""])
    (shown,) = [line for line in message.splitlines() if "response:" in line]
    assert "aaa … zzz" in shown
    assert len(shown) == len('  response: ""') + 200
    assert r'"\t "' in trouble(Fixed([math.nan, 1.0, 2.0]), ["\t ", "", ""])


# A reward that fails


def picky(prompts: list[str], responses: list[str]) -> list[int]:
    if "an old oak" in responses:
        raise KeyError("oak")
    return [1] * len(responses)


def test_an_exception_is_told_with_the_response_that_brings_it_about() -> None:
    message = trouble(FunctionReward(picky))
    assert "it failed with KeyError: 'oak'. On response 2 of 3:" in message
    assert message.endswith('prompt: "name a tree"\n  response: "an old oak"')


def test_an_exception_that_none_brings_about_alone_shows_the_first() -> None:
    def crowded(prompts: list[str], responses: list[str]) -> list[int]:
        if len(responses) > 1:
            raise MemoryError
        return [1]

    message = trouble(FunctionReward(crowded))
    assert "it failed with MemoryError. The first response:" in message
    assert '"red"' in message


def raiser(error: BaseException) -> Callable[..., Any]:
    def function(prompts: list[str], responses: list[str]) -> None:
        raise error

    return function


def test_heedfuls_own_errors_and_ctrl_c_pass_through_as_they_are() -> None:
    for error in (ModelError("gone."), KeyboardInterrupt()):
        with pytest.raises((HeedfulError, KeyboardInterrupt)) as caught:
            checked(FunctionReward(raiser(error)), PROMPTS, RESPONSES)
        assert caught.value is error


def test_the_cause_is_kept() -> None:
    cause = ZeroDivisionError("division by zero")
    with pytest.raises(RewardError) as caught:
        checked(FunctionReward(raiser(cause)), PROMPTS, RESPONSES)
    assert caught.value.__cause__ is cause


# Rewards made of rewards


def test_a_sum_is_weighted_and_named_by_its_parts() -> None:
    both = WeightedSum([(0.5, Fixed([2.0, 4.0, -6.0])), (-1.0, LengthTerm(0.25))])
    assert both.name == "0.5 × fixed + -1 × length"
    assert checked(both, PROMPTS, RESPONSES).tolist() == [0.75, 1.25, -3.25]


def test_a_sum_has_cut_what_its_parts_have_cut() -> None:
    cutting = Fixed([0.0], cut=3)
    assert cut_by(WeightedSum([(1.0, cutting), (1.0, LengthTerm(1.0)), (1.0, cutting)])) == 6


def test_the_part_that_fails_is_the_one_that_is_named() -> None:
    message = trouble(WeightedSum([(1.0, LengthTerm(1.0)), (2.0, Fixed([1.0, math.nan, 1.0]))]))
    assert message.startswith("reward fixed: the score of response 2 of 3 is nan")


def test_a_sum_needs_parts_and_finite_weights() -> None:
    with pytest.raises(RewardError, match="no reward to add up"):
        WeightedSum([])
    with pytest.raises(RewardError, match="reward length: its weight is nan"):
        WeightedSum([(math.nan, LengthTerm(1.0))])


def test_length_counts_words() -> None:
    assert LengthTerm(-0.5)(PROMPTS, ["", " one ", "two  words\nand more"]) == [0, -0.5, -2.0]
