"""Whatever scores answers as a judge of two: the higher score is better, and the order cannot matter."""

from __future__ import annotations

from collections.abc import Sequence

from heedful.errors import JudgeError, RewardError
from heedful.evaluation.duels import Choice
from heedful.judges.judge import OnDone, Question, Verdict
from heedful.models.rewards import Reward, checked
from heedful.records import Messages

AT_ONCE = 64
"""Answers handed to a reward together."""


class ScoreJudge:
    """A reward as a judge; each answer is scored once, however often it is compared.

    Equal scores are a tie. A verdict's margin is the difference of the scores, in the reward's own unit.
    """

    symmetric = True

    def __init__(self, reward: Reward) -> None:
        self.name = reward.name
        self._reward = reward
        self._scores: dict[tuple[Messages, str], float] = {}

    def __call__(self, questions: Sequence[Question], on_done: OnDone | None = None) -> list[Verdict]:
        """One verdict per question.

        Args:
            on_done: told so many questions as go with the share of the answers that are scored.

        Raises:
            JudgeError: the reward fails, or gives no finite scores.
        """
        wanted = dict.fromkeys(
            (question.prompt, answer)
            for question in questions
            for answer in (question.first, question.second)
        )
        missing = [answer for answer in wanted if answer not in self._scores]
        for begin in range(0, len(missing), AT_ONCE):
            some = missing[begin : begin + AT_ONCE]
            self._scores |= zip(some, self._scored(some), strict=True)
            if on_done is not None:
                on_done(len(questions) * (begin + len(some)) // len(missing))
        return [self._verdict(question) for question in questions]

    def score_of(self, prompt: Messages, answer: str) -> float:
        """The score of an answer that was compared."""
        return self._scores[prompt, answer]

    def _scored(self, answers: Sequence[tuple[Messages, str]]) -> list[float]:
        prompts, texts = [prompt for prompt, _ in answers], [text for _, text in answers]
        try:
            found: list[float] = checked(self._reward, prompts, texts).tolist()
        except RewardError as error:
            raise JudgeError(error.what, where=error.where, mend=error.mend) from error
        return found

    def _verdict(self, question: Question) -> Verdict:
        first, second = (self.score_of(question.prompt, text) for text in (question.first, question.second))
        choice: Choice = "tie" if first == second else "first" if first > second else "second"
        return Verdict(choice, margin=first - second)
