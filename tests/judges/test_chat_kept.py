"""A chat endpoint as a judge: what is kept and not asked for again, what it takes, and when it stops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.judges import both_orders
from heedful.judges.account import Tokens
from heedful.records import user
from tests.judges.asking import ask, judge_of, questions, refusal
from tests.judges.endpoint import (
    Endpoint,
    completion,
    honest,
    says,
    verdict,
)


def test_the_same_question_is_asked_once(endpoint: Endpoint) -> None:
    judge = judge_of(endpoint)
    told: list[int] = []
    found = judge([*questions(2), *questions(2), *questions(1)], told.append)
    assert len(endpoint.asked) == 2
    assert {one.choice for one in found} == {"second"}
    assert (judge.account.questions, judge.account.known) == (5, 3)
    assert sorted(told) in ([2, 5], [3, 5])


def test_a_second_run_asks_nothing(endpoint: Endpoint) -> None:
    endpoint.answers_by(honest(), lambda asked: completion("hm"), *[honest()] * 2)
    first = ask(judge_of(endpoint, at_once=1, tries=1), 4)
    assert [one.undecided for one in first] == ["", "unreadable", "", ""]
    judge = judge_of(endpoint, at_once=1, tries=1)
    assert ask(judge, 4) == first
    assert len(endpoint.asked) == 4
    assert (judge.account.known, judge.account.requests) == (4, 0)


def test_more_tries_are_tried_and_what_was_read_is_not_asked_for_again(endpoint: Endpoint) -> None:
    hm = completion("hm")
    endpoint.answers_by(honest(), lambda asked: hm, lambda asked: hm, honest())
    found = ask(judge_of(endpoint, at_once=1, tries=2), 3)
    assert [one.undecided for one in found] == ["", "unreadable", ""]
    assert [one.undecided for one in ask(judge_of(endpoint, tries=3), 3)] == ["", "", ""]
    assert len(endpoint.asked) == 5


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"rubric": "The shorter one is better."},
        {"criteria": ["No puns."]},
        {"model": "other"},
        {"max_tokens": 4096},
    ],
)
def test_another_seed_rubric_or_model_is_asked_anew(endpoint: Endpoint, other: dict[str, Any]) -> None:
    ask(judge_of(endpoint))
    ask(judge_of(endpoint, **other))
    assert len(endpoint.asked) == 2


def test_the_other_order_is_another_question(endpoint: Endpoint) -> None:
    """And where the endpoint minds the order, the duel is inconsistent."""
    endpoint.answers_by(lambda asked: completion(verdict(asked.labels[0])))
    (found,) = both_orders(judge_of(endpoint), [(user("q"),)], ["a"], ["b"])
    assert (found.forward, found.backward, found.outcome) == ("first", "first", 0.5)
    assert len(endpoint.asked) == 2


def test_asked_again_it_remembers_nothing_and_sends_another_seed(endpoint: Endpoint) -> None:
    judge = judge_of(endpoint, seed=3)
    ask(judge)
    again = judge.again(1)
    assert ask(again)[0].choice == "second"
    assert [asked.body["seed"] for asked in endpoint.asked] == [3, 4]
    assert again.account is judge.account
    ask(judge_of(endpoint, seed=4))  # what was a repetition there is none here
    assert len(endpoint.asked) == 3
    ask(judge_of(endpoint, seed=3).again(1))
    assert len(endpoint.asked) == 3


def test_tokens_and_cost_are_counted(endpoint: Endpoint) -> None:
    judge = judge_of(endpoint, price_in=2.5, price_out=10.0)
    ask(judge, 4)
    assert judge.account.tokens == Tokens(400, 40, 0)
    assert judge.account.cost == pytest.approx((400 * 2.5 + 40 * 10) / 1e6)
    assert "400 tokens sent, 40 written, cost 0.0014" in str(judge.account)


@pytest.mark.parametrize(
    "usage", [{}, {"prompt_tokens": "many", "completion_tokens": 1}, {"prompt_tokens": True}, []]
)
def test_where_tokens_are_not_counted_they_are_guessed_and_it_is_said(endpoint: Endpoint, usage: Any) -> None:
    endpoint.answers_by(lambda asked: completion(verdict(asked.labels[0]), usage=usage))
    judge = judge_of(endpoint)
    ask(judge)
    body = endpoint.asked[0].body["messages"]
    sent = sum(len(turn["content"]) for turn in body)
    assert judge.account.tokens == Tokens(-(-sent // 3), -(-len(verdict("XXXXXX")) // 3), 1)
    assert "counted by characters in part" in str(judge.account)


def test_a_budget_of_requests_ends_it_and_a_larger_one_goes_on(endpoint: Endpoint) -> None:
    endpoint.answers_by(says(503), honest())
    judge = judge_of(endpoint, max_requests=6)
    found = ask(judge, 10)
    assert len(endpoint.asked) == judge.account.requests == 6
    assert judge.account.undecided == {"budget": 5}
    assert found[-1].why == "the budget of 6 requests is spent"
    larger = judge_of(endpoint, max_requests=6)
    assert {one.choice for one in ask(larger, 10)} == {"second"}
    assert len(endpoint.asked) == 11


def test_a_budget_of_money_ends_it(endpoint: Endpoint) -> None:
    """A request costs 110: the third is sent at 220 of 250, and no fourth."""
    judge = judge_of(endpoint, at_once=1, max_cost=250.0, price_in=1e6, price_out=1e6)
    ask(judge, 10)
    assert len(endpoint.asked) == 3
    assert judge.account.undecided == {"budget": 7}


def test_a_budget_that_ends_leaves_whole_duels(endpoint: Endpoint) -> None:
    judge = judge_of(endpoint, max_requests=5)
    found = both_orders(judge, [(user(str(n)),) for n in range(10)], ["a"] * 10, ["bb"] * 10)
    assert [duel.decided for duel in found] == [True] * 2 + [False] * 8
    assert found[2].why == "the budget of 5 requests is spent"


def test_a_cache_that_cannot_be_written_is_said_and_not_a_crash(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("HEEDFUL_CACHE", str(file))
    assert "HEEDFUL_CACHE" in refusal(judge_of(endpoint))
