"""A reward as a judge: the higher score wins, each answer is scored once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from heedful.errors import JudgeError
from heedful.judges import Question, both_orders, scores
from heedful.judges.judge import Scorer
from heedful.judges.scores import ScoreJudge
from heedful.models.rewards import FunctionReward
from heedful.records import Messages, user

PROMPT: Messages = (user("p"),)


class Lengths:
    name = "lengths"

    def __init__(self) -> None:
        self.scored: list[str] = []

    def __call__(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[float]:
        self.scored += responses
        return [float(len(response)) for response in responses]


def test_the_higher_score_wins_by_the_difference_and_equal_scores_are_a_tie() -> None:
    judge = ScoreJudge(Lengths())
    found = judge([Question(PROMPT, "aaa", "b"), Question(PROMPT, "a", "bbb"), Question(PROMPT, "a", "b")])
    assert [(one.choice, one.margin) for one in found] == [("first", 2.0), ("second", -2.0), ("tie", 0.0)]
    assert (judge.name, judge.symmetric) == ("lengths", True)
    assert isinstance(judge, Scorer)
    assert judge.score_of(PROMPT, "aaa") == 3.0


def test_each_answer_is_scored_once_however_often_it_is_compared() -> None:
    reward = Lengths()
    judge = ScoreJudge(reward)
    both_orders(judge, [PROMPT] * 3, ["a", "a", "bb"], ["bb", "ccc", "ccc"])
    judge([Question(PROMPT, "a", "ccc")])
    assert sorted(reward.scored) == ["a", "bb", "ccc"]
    judge([Question((user("another"),), "a", "ccc")])
    assert len(reward.scored) == 5  # the same words to another prompt are another answer


def test_answers_are_handed_over_some_at_a_time_and_progress_is_of_questions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scores, "AT_ONCE", 3)
    told: list[int] = []
    ScoreJudge(Lengths())([Question(PROMPT, "a" * n, "b" * n) for n in range(1, 6)], told.append)
    assert told == [1, 3, 4, 5]


@pytest.mark.parametrize("wrong", [lambda p, r: [1.0], lambda p, r: ["x"] * len(r), lambda p, r: 1 / 0])
def test_a_reward_that_fails_is_a_judge_that_cannot_be_asked(wrong: object) -> None:
    with pytest.raises(JudgeError, match=r"(?s)^reward .*prompt: \"p\"") as caught:
        ScoreJudge(FunctionReward(wrong))([Question(PROMPT, "a", "b")])  # type: ignore[arg-type]
    assert "response: " in str(caught.value)
