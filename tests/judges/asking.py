"""Judges of a test's endpoint, questions for them, and what they say or refuse to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from heedful.errors import JudgeError
from heedful.judges import Question, Verdict
from heedful.judges.chat import ChatJudge
from heedful.recipe.judges import EndpointSettings
from heedful.records import user
from tests.judges.endpoint import Endpoint


def judge_of(endpoint: Endpoint, wait: Callable[[float], object] | None = None, **settings: Any) -> ChatJudge:
    told = {"url": endpoint.url, "model": "tiny", "retries": 2, **settings}
    return ChatJudge(EndpointSettings.model_validate(told), backoff=0.0, wait=wait)


def questions(count: int) -> list[Question]:
    """The longer answer is the second one."""
    return [Question((user(f"question {number}"),), "short", "rather long") for number in range(count)]


def ask(judge: ChatJudge, count: int = 1) -> list[Verdict]:
    found = judge(questions(count))
    account = judge.account
    assert account.decided + sum(account.undecided.values()) == account.questions
    return found


def refusal(judge: ChatJudge, count: int = 1) -> str:
    with pytest.raises(JudgeError) as caught:
        judge(questions(count))
    return str(caught.value)
