"""What only PPO can run into: a policy that runs away, collapses or cheats, and a critic that diverges.

Decides on the numbers of an iteration and says, in words that a person can act on, what it saw.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import Any

from heedful.recipe import PPOGuardSettings

# The critic's loss is judged against the median of this many good iterations, once there are a few.
_WINDOW, _ENOUGH = 20, 5
# Length and its correlation with the score are medians of so many iterations: one of them says little.
_LENGTHS = 5
# A mean KL below 0 by more standard errors, and more nats, than this is neither chance nor rounding.
_ERRORS, _NATS = 4.0, 0.05


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a run must not go on as it is, and what a person can do where going back did not help."""

    reason: str
    advice: str


class Watch:
    """Judges iterations; bad ones in a row, up to the patience, are let pass."""

    def __init__(self, settings: PPOGuardSettings) -> None:
        self.settings = settings
        self._entropy: float | None = None
        self._length: float | None = None
        self._losses: deque[float] = deque(maxlen=_WINDOW)
        # Mean length, and the correlation of length and score.
        self._lengths: deque[tuple[float, float]] = deque(maxlen=_LENGTHS)
        self._bad_in_a_row = 0
        self._remarked = False

    def judge(self, numbers: dict[str, float]) -> Trouble | None:
        """Why the run must not go on from here; none where it may."""
        if self._entropy is None or self._length is None:
            self._entropy, self._length = numbers["entropy"], numbers["length"]
        self._lengths.append((numbers["length"], numbers["reward/length_correlation"]))
        found = (
            self._run_away(numbers["kl"])
            or self._collapse(numbers["entropy"], self._entropy)
            or self._longer(self._length)
            or self._divergence(numbers["value/loss"], numbers["returns/std"])
        )
        if found is None:
            self._bad_in_a_row = 0
            self._losses.append(numbers["value/loss"])
            return None
        self._bad_in_a_row += 1
        if self._bad_in_a_row < self.settings.bad_iterations:
            return None
        self._bad_in_a_row = 0
        # What is done about it needs as many iterations to show.
        self._lengths.clear()
        return found

    def remark(self, numbers: dict[str, float]) -> str:
        """What is worth telling once, and no reason to stop; empty where there is nothing new."""
        kl, error = numbers["kl"], numbers["kl/error"]
        if self._remarked or not 0 < _ERRORS * error < -kl or -kl < _NATS:
            return ""
        self._remarked = True
        return (
            f"a response's mean KL is {kl:.2f} nats (standard error {error:.2f}), and a true one is never "
            f"negative: tokens are drawn from another distribution than the one they are judged by. Either "
            f"rollout.top_p is below 1, or sampler and trainer disagree; the KL penalty is off by as much"
        )

    @property
    def calm(self) -> bool:
        """Whether the last iteration was good."""
        return self._bad_in_a_row == 0

    def _run_away(self, kl: float) -> Trouble | None:
        if kl <= self.settings.max_kl:
            return None
        return Trouble(
            f"the policy has run away from the reference: a response's KL is {kl:.1f} nats "
            f"(watch.max_kl {self.settings.max_kl:g})",
            "Start anew with a higher objective.beta or a lower training.learning_rate.",
        )

    def _collapse(self, entropy: float, at_first: float) -> Trouble | None:
        if entropy >= self.settings.min_entropy * at_first:
            return None
        return Trouble(
            f"the policy has collapsed: its entropy is {entropy:.2f} nats per token, and was {at_first:.2f} "
            "at first",
            "See in metrics.jsonl (sample) which answer it has settled on and why that scores well; then "
            "start anew with a higher objective.beta or a lower training.learning_rate.",
        )

    def _longer(self, at_first: float) -> Trouble | None:
        """Answers that grow while, within an iteration, the longer one scores higher."""
        most = self.settings.max_length_growth
        if most is None or len(self._lengths) < _LENGTHS:
            return None
        length, correlation = (median(values) for values in zip(*self._lengths, strict=True))
        if length < most * at_first or correlation < self.settings.length_correlation:
            return None
        return Trouble(
            f"length is rewarded: answers have {length:.0f} tokens, and had {at_first:.0f} at first, and the "
            f"longer one scores higher (correlation {correlation:.2f})",
            "Add a length term to reward (`- length: -0.01`), or start anew with a higher objective.beta; "
            "where longer answers are wanted, set watch.max_length_growth=null.",
        )

    def _divergence(self, loss: float, spread: float) -> Trouble | None:
        """A critic far worse than it was, and than one that says the same of everything."""
        if len(self._losses) < _ENOUGH:
            return None
        usual = max(median(self._losses), spread**2 / 2, 1e-4)
        if loss <= self.settings.max_value_ratio * usual:
            return None
        return Trouble(
            f"the critic diverges: its loss is {loss:.3g}, {loss / usual:.0f} times the usual",
            "Start anew with a lower training.learning_rate, or bound what it has to learn by "
            "objective.scale=true or objective.score_clip.",
        )

    def state(self) -> dict[str, Any]:
        return {
            "entropy": self._entropy,
            "length": self._length,
            "losses": list(self._losses),
            "lengths": list(self._lengths),
            "bad_in_a_row": self._bad_in_a_row,
            "remarked": self._remarked,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self._entropy, self._length = state["entropy"], state["length"]
        self._losses = deque(state["losses"], maxlen=_WINDOW)
        self._lengths = deque(map(tuple, state["lengths"]), maxlen=_LENGTHS)
        self._bad_in_a_row = state["bad_in_a_row"]
        self._remarked = state["remarked"]
