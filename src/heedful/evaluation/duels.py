"""Two answers to one prompt, compared in both orders: what a win rate, a ranking and a label are made of.

Knows no judge: who compared them is `heedful.judges`' business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from heedful.records import Messages

Choice = Literal["first", "second", "tie"]
"""Which of two answers a judge finds better, in the order in which it was shown them."""

WIN, TIE, LOSS = 1.0, 0.5, 0.0


@dataclass(frozen=True, slots=True)
class Duel:
    """A candidate's and a baseline's answer to one prompt.

    Attributes:
        prompt: the conversation that both answered.
        answer, baseline: the two answers.
        forward: the choice with the candidate's answer shown first; None where the judge gave no verdict.
        backward: the choice with the baseline's answer shown first; likewise.
        margin: how much better the candidate's answer is, in a judge's own unit, where it has one.
        why: what the judge said of it, where it says anything.
    """

    prompt: Messages
    answer: str
    baseline: str
    forward: Choice | None
    backward: Choice | None
    margin: float | None = None
    why: str = ""

    @property
    def decided(self) -> bool:
        """Whether the judge gave a verdict in both orders."""
        return self.forward is not None and self.backward is not None

    @property
    def consistent(self) -> bool:
        """Whether both orders came to the same."""
        return self.decided and _turned(self.backward) == self.forward

    @property
    def outcome(self) -> float:
        """1 where the candidate's answer wins, 0 where the baseline's does; a tie, or a judge that
        changes its mind with the order, is one half.

        Raises:
            ValueError: there is no verdict.
        """
        if not self.decided:
            raise ValueError("the judge gave no verdict")
        if not self.consistent or self.forward == "tie":
            return TIE
        return WIN if self.forward == "first" else LOSS


def _turned(choice: Choice | None) -> Choice | None:
    if choice in (None, "tie"):
        return choice
    return "second" if choice == "first" else "first"
