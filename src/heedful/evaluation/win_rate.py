"""How often a candidate's answers win against a baseline's: `(W + ½T) / N`, and what can be read from it.

Takes duels that a judge has decided, or published outcomes; knows no judge. The interval is Tango's score
interval ("Equivalence test and confidence interval for the difference in proportions for the paired-sample
design", 1998): with wins, ties and losses, a win rate is `½ + ½(share of wins - share of losses)`, just the
difference he has the interval of. It takes account of ties, which make a win rate surer, and is sensible at
0%, at 100% and where all is tied; a percentile bootstrap is a single point there, and too narrow nearby.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from heedful.errors import DataError
from heedful.evaluation.duels import TIE, WIN, Duel
from heedful.evaluation.estimates import Array, Estimate, Indices, normal, student
from heedful.intervals import Interval, design_effect, group_codes

Finding = Literal["better", "no difference", "worse"]

_HALVINGS = 40  # of the interval that holds a bound: to 12 digits


@dataclass(frozen=True, slots=True)
class WinRate:
    """A win rate with its 95% interval.

    Attributes:
        value: `(wins + ½ ties) / n`, or the mean of soft outcomes, 0 to 1.
        low, high: Tango's interval, with prompts that have several duels taken for what they tell.
        n: duels with a verdict.
        prompts: different prompts among them.
        wins, ties, losses: duels; those whose verdicts contradict each other are among the ties.
        inconsistent: ties that are so because the judge changed its mind with the order.
        undecided: duels without a verdict in both orders, left out of everything above.
        first_share: share of the verdicts for one of the two answers that were for what was shown first,
            0.5 for a judge that does not mind the order; None where no verdict was for either.
    """

    value: float
    low: float
    high: float
    n: int
    prompts: int
    wins: int
    ties: int
    losses: int
    inconsistent: int = 0
    undecided: int = 0
    first_share: Estimate | None = None

    @property
    def interval(self) -> Interval:
        return self.low, self.high

    @property
    def finding(self) -> Finding:
        """What the interval allows to say: a difference inside it is no difference."""
        if self.low > TIE:
            return "better"
        return "worse" if self.high < TIE else "no difference"


def win_rate(duels: Sequence[Duel]) -> WinRate:
    """The win rate of duels' candidates.

    Raises:
        DataError: no duel has a verdict.
    """
    decided = [duel for duel in duels if duel.decided]
    found = win_rate_of([duel.outcome for duel in decided], [duel.prompt for duel in decided])
    return WinRate(
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        prompts=found.prompts,
        wins=found.wins,
        ties=found.ties,
        losses=found.losses,
        inconsistent=sum(not duel.consistent for duel in decided),
        undecided=len(duels) - len(decided),
        first_share=_first_share(duels),
    )


def win_rate_of(outcomes: ArrayLike, groups: Sequence[Hashable] | None = None) -> WinRate:
    """The win rate of published outcomes.

    Args:
        outcomes: 1 where the candidate won, 0 where it lost, or how likely it is the better one, `[n]`.
        groups: one label per outcome; outcomes that share one (a prompt's) are not independent.

    Raises:
        DataError: there are no outcomes, or one is not between 0 and 1.
    """
    data = checked_outcomes(outcomes)
    codes = group_codes(groups, len(data))
    low, high = score_interval(data, codes)
    return WinRate(
        value=float(data.mean()),
        low=low,
        high=high,
        n=len(data),
        prompts=int(codes.max()) + 1,
        wins=int((data > TIE).sum()),
        ties=int((data == TIE).sum()),
        losses=int((data < TIE).sum()),
    )


def checked_outcomes(outcomes: ArrayLike) -> Array:
    """Outcomes as float64, `[n]`.

    Raises:
        ValueError: not one-dimensional.
        DataError: there are none, or one is not between 0 and 1.
    """
    data = np.asarray(outcomes, dtype=np.float64)
    if data.ndim != 1:
        raise ValueError(f"outcomes must be [n], not {list(data.shape)}")
    if not len(data):
        raise DataError("No comparison has a verdict.", mend="Let a judge compare at least one pair.")
    inside = (data >= 0) & (data <= 1)
    if not inside.all():
        raise DataError(f"The outcome of comparison {int(np.argmin(inside))} is not between 0 and 1.")
    return data


def score_interval(outcomes: Array, codes: Indices) -> Interval:
    """Tango's interval of the mean of outcomes between 0 and 1.

    Soft outcomes stand for the wins and losses that have the same mean and the same spread. Outcomes of one
    prompt tell less than as many independent ones: the counts are divided by the design effect, and by what
    Student's t adds for a spread estimated from so few prompts.

    Args:
        outcomes: `[n]`, at least one.
        codes: each one's group, from `group_codes`.
    """
    signs = 2 * outcomes - 1  # 1 for a win, 0 for a tie, -1 for a loss
    balance, decisive = float(signs.sum()), float(np.square(signs).sum())
    decisive = max(decisive, abs(balance))
    prompts, n = int(codes.max()) + 1, float(len(signs))
    if prompts < n:
        residuals = signs - balance / n
        n /= design_effect(residuals, codes, float(np.square(residuals).mean()))
        if prompts > 1:
            n *= (normal() / student(prompts - 1)) ** 2
    scale = n / len(signs)
    low, high = _tango((decisive + balance) / 2 * scale, (decisive - balance) / 2 * scale, n)
    return (1 + low) / 2, (1 + high) / 2


def _tango(wins: float, losses: float, n: float) -> Interval:
    """The differences of the two shares that lie within 1.96 standard errors of what was seen."""
    seen = (wins - losses) / n

    def gap(difference: float) -> float:
        """How far what was seen is above a difference, in the standard errors that difference would have."""
        half = wins + losses - (2 * n - wins + losses) * difference
        constant = losses * difference * (1 - difference)
        lost = (half + math.sqrt(max(half * half + 8 * n * constant, 0.0))) / (4 * n)
        spread = n * (2 * lost + difference * (1 - difference))
        if spread <= 0:
            return math.copysign(math.inf, seen - difference)
        return n * (seen - difference) / math.sqrt(spread)

    low = -1.0 if losses >= n else _bound(-1.0, seen, lambda at: gap(at) < normal())
    high = 1.0 if wins >= n else _bound(1.0, seen, lambda at: gap(at) > -normal())
    return low, high


def _bound(outside: float, inside: float, within: Callable[[float], bool]) -> float:
    for _ in range(_HALVINGS):
        middle = (outside + inside) / 2
        outside, inside = (outside, middle) if within(middle) else (middle, inside)
    return inside


def _first_share(duels: Sequence[Duel]) -> Estimate | None:
    """Of the verdicts for one of the two answers, the share for the one shown first.

    The two verdicts on a pair are no two trials: both have the pair's mean, and stand in one group.
    """
    shares: list[float] = []
    prompts: list[Hashable] = []
    for duel in duels:
        verdicts = [choice for choice in (duel.forward, duel.backward) if choice in ("first", "second")]
        firsts = [WIN if choice == "first" else 1 - WIN for choice in verdicts]
        shares += [sum(firsts) / len(firsts)] * len(firsts) if firsts else []
        prompts += [duel.prompt] * len(firsts)
    if not shares:
        return None
    data = np.array(shares)
    return Estimate(float(data.mean()), *score_interval(data, group_codes(prompts, len(data))))
