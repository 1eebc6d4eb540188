"""What a judge is: it is shown two answers to a prompt and says which is better.

Order matters to many judges, so that whoever wants to know asks in both (`heedful.judges.both_orders`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from heedful.evaluation.duels import Choice
from heedful.records import Messages

OnDone = Callable[[int], None]
"""Told how many comparisons are behind us."""


@dataclass(frozen=True, slots=True)
class Question:
    """Two answers to compare, in the order in which they are shown.

    Attributes:
        prompt: the conversation before them.
        first, second: the assistant's text.
    """

    prompt: Messages
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of one question.

    Attributes:
        choice: None where it gave no verdict that can be read.
        margin: how much better the first answer is, in the judge's own unit, where it has one.
        why: its reason, where it gave one, or why there is no verdict.
        undecided: why there is no verdict, in one word to count by; "" where there is one.
    """

    choice: Choice | None
    margin: float | None = None
    why: str = ""
    undecided: str = ""


class Judge(Protocol):
    """Anything that compares answers.

    Attributes:
        name: what reports and errors call it.
        symmetric: whether the order of the answers cannot matter to it, so that one order is enough.
    """

    @property
    def name(self) -> str: ...

    @property
    def symmetric(self) -> bool: ...

    def __call__(self, questions: Sequence[Question], on_done: OnDone | None = None) -> list[Verdict]:
        """One verdict per question.

        Raises:
            JudgeError: it cannot be asked.
        """
        ...


@runtime_checkable
class Scorer(Protocol):
    """A judge that scores every answer by itself: all comparisons of some answers cost no more than few."""

    def score_of(self, prompt: Messages, answer: str) -> float:
        """The score of an answer that was compared."""
        ...


@runtime_checkable
class AsksAgain(Protocol):
    """A judge that can be asked the same without remembering what it said."""

    def again(self, number: int) -> Judge: ...
