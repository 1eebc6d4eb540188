"""The guard: notices that a step went wrong and says what to do. Decides on numbers; acts on nothing.

A step whose loss or gradient is not finite, or whose gradient norm exceeds the running median many times, is
skipped. Several in a row mean the weights are bad: go back to the last good checkpoint with a lower learning
rate. After a bounded number of returns, stop and say so.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

# The gradient norm is judged against the median of this many good steps ...
_WINDOW = 50
# ... once there are this many: the first steps of a run are all unlike each other.
_ENOUGH = 10
# A step with nothing to learn from (a reward that no answer has earned yet) says nothing of the usual norm.
_NOTHING = 1e-6

_ADVICE = "Start anew with a lower training.learning_rate, or look at the rows of that step."

Action = Literal["go", "skip", "rollback", "stop"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, why, and what a person can do where it is to stop."""

    action: Action
    reason: str = ""
    advice: str = _ADVICE


class Guard:
    """Watches loss and gradient norm.

    Args:
        harmless: no gradient norm up to this is too large, however small the usual one; what is not even
            clipped is none.
        max_grad_ratio: how many times the running median a gradient norm may be.
        patience: bad steps in a row before going back.
        max_rollbacks: how often before stopping.
        lr_cut: going back multiplies the learning rate by this.

    Attributes:
        lr_scale: what the schedule's learning rate is to be multiplied by.
    """

    def __init__(
        self,
        *,
        max_grad_ratio: float,
        patience: int,
        max_rollbacks: int,
        lr_cut: float,
        harmless: float = 0.0,
    ) -> None:
        self.harmless = harmless
        self.max_grad_ratio = max_grad_ratio
        self.patience = patience
        self.max_rollbacks = max_rollbacks
        self.lr_cut = lr_cut
        self.lr_scale = 1.0
        self.rollbacks = 0
        self.skipped = 0
        self._bad_in_a_row = 0
        self._norms: deque[float] = deque(maxlen=_WINDOW)

    def judge(self, loss: float, grad_norm: float) -> Decision:
        """What to do with a step, given its loss and gradient norm (before clipping)."""
        reason = self._trouble(loss, grad_norm)
        if not reason:
            self._bad_in_a_row = 0
            if grad_norm > _NOTHING:
                self._norms.append(grad_norm)
            return Decision("go")
        self.skipped += 1
        self._bad_in_a_row += 1
        if self._bad_in_a_row < self.patience:
            return Decision("skip", reason)
        self._bad_in_a_row = 0
        return self.give_way(f"{reason}, {self.patience} steps in a row")

    def give_way(self, reason: str, advice: str = _ADVICE) -> Decision:
        """Go back with a lower learning rate, or stop where that was done often enough."""
        if self.rollbacks >= self.max_rollbacks:
            return Decision("stop", f"{reason}, after going back {self.rollbacks} times", advice)
        self.rollbacks += 1
        self.lr_scale *= self.lr_cut
        return Decision("rollback", reason)

    @property
    def calm(self) -> bool:
        """Whether the last step was good."""
        return self._bad_in_a_row == 0

    def state(self) -> dict[str, Any]:
        return {
            "lr_scale": self.lr_scale,
            "rollbacks": self.rollbacks,
            "skipped": self.skipped,
            "bad_in_a_row": self._bad_in_a_row,
            "norms": list(self._norms),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.lr_scale = state["lr_scale"]
        self.rollbacks = state["rollbacks"]
        self.skipped = state["skipped"]
        self._bad_in_a_row = state["bad_in_a_row"]
        self._norms = deque(state["norms"], maxlen=_WINDOW)

    def _trouble(self, loss: float, grad_norm: float) -> str:
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        if not math.isfinite(grad_norm):
            return f"the gradient norm is {grad_norm}"
        if len(self._norms) >= _ENOUGH:
            usual = median(self._norms)
            if grad_norm > max(self.max_grad_ratio * usual, self.harmless):
                times = grad_norm / usual
                return f"the gradient norm is {grad_norm:.3g}, {times:.0f} times the usual {usual:.3g}"
        return ""
