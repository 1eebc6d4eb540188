"""Does a reward model prefer what people prefer, and how far can it be trusted: all that is asked of one.

Takes the scores that somebody else has computed for held-out pairs; numpy only. Every pair is first put with
the response that people preferred (of a soft label: the likelier one) in front, so turning a pair round
changes nothing. A tie of scores is wrong (as RewardBench has it), and so is a tie of lengths for a ruler.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heedful.errors import DataError
from heedful.evaluation.calibration import (
    Calibration,
    Temperature,
    calibration,
    cross_fitted,
    equal_mass,
    fit_temperature,
)
from heedful.evaluation.preference_accuracy import Accuracy
from heedful.intervals import Interval, group_codes, paired_difference, share

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Ruler = Literal["longer wins", "shorter wins"]
SlicedBy = Literal["margin", "score difference"]
LengthClass = Literal["much shorter", "shorter", "about as long", "longer", "much longer"]

MARGIN_BINS = 4
LONGER, MUCH_LONGER = 1.1, 1.5  # times the other response's length, beyond which a response is called so
MOST_MISTAKES = 10


@dataclass(frozen=True, slots=True)
class Slice:
    """The accuracy on the pairs between two values, both included."""

    low: float
    high: float
    accuracy: Accuracy


@dataclass(frozen=True, slots=True)
class RewardQuality:
    """What held-out pairs say of a reward model. Every interval is (low, high) at 95%.

    Accuracies are of the decided pairs, those whose label is not one half; calibration is of all pairs.

    Attributes:
        n: pairs.
        groups: independent groups of pairs (prompts, as a rule).
        soft: pairs whose label is neither 0 nor 1.
        undecided: of those, pairs whose label is one half: nobody can be right about them.
        ties: decided pairs of equal scores; they count as wrong.
        accuracy: share of pairs in which the better response scores strictly higher.
        longer_wins, shorter_wins: what the rulers that look at length alone reach on the same pairs.
        best_ruler: the better of the two.
        over_ruler: accuracy minus that of the best ruler, -1 to 1.
        over_ruler_interval: of that difference, paired.
        calibration: how well σ(score difference) foretells what people prefer.
        temperature: what the scores are best divided by, fitted on all pairs.
        calibrated: calibration after the temperature, each half of the groups judged with the temperature
            of the other; None where there is but one group.
        coin_brier: the Brier score of always saying 0.5, to hold `calibration` against; its log loss is
            log 2.
        sliced_by: what `by_margin` goes by: the source's margin, or |score difference| where no pair has one.
        by_margin: the accuracy in quarters of the pairs, the smallest margin first.
        without_margin: the accuracy on pairs without a margin, where others have one.
        by_length: the accuracy by how long the better response is, against the other one; classes without
            a pair are left out.
        mistakes: indices of the pairs the model is wrong about and surest of, worst first.
    """

    n: int
    groups: int
    soft: int
    undecided: int
    ties: int
    accuracy: Accuracy
    longer_wins: Accuracy
    shorter_wins: Accuracy
    best_ruler: Ruler
    over_ruler: float
    over_ruler_interval: Interval
    calibration: Calibration
    temperature: Temperature
    calibrated: Calibration | None
    coin_brier: float
    sliced_by: SlicedBy
    by_margin: tuple[Slice, ...]
    without_margin: Accuracy | None
    by_length: dict[LengthClass, Accuracy]
    mistakes: tuple[int, ...]

    @property
    def beats_ruler(self) -> bool:
        """Whether the model is clearly more accurate than the best ruler."""
        return self.over_ruler_interval[0] > 0


def reward_quality(
    chosen: ArrayLike,
    rejected: ArrayLike,
    *,
    chosen_lengths: ArrayLike,
    rejected_lengths: ArrayLike,
    margins: Sequence[float | None] | Array | None = None,
    probabilities: Sequence[float | None] | Array | None = None,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> RewardQuality:
    """Judge a reward model by its scores of held-out pairs.

    Args:
        chosen: score of each chosen response, `[pairs]`.
        rejected: score of each rejected response, `[pairs]`.
        chosen_lengths: length of each chosen response, in tokens or words, `[pairs]`.
        rejected_lengths: length of each rejected response, in the same unit, `[pairs]`.
        margins: how much better chosen is in the source's own units, `[pairs]`; None or nan where the source
            does not say.
        probabilities: how likely it is that chosen is the better one, in [0, 1], `[pairs]`: a soft label.
            None means 1.
        groups: one label per pair, the same for pairs of one prompt, which are not independent. None: all
            are.
        seed: of the resampling and of the halving for the temperature.

    Raises:
        ValueError: the arguments differ in length.
        DataError: there are no pairs, none is decided, or a number is not finite or out of range.
    """
    pairs = _better_first(chosen, rejected, chosen_lengths, rejected_lengths, margins, probabilities, groups)
    decided = pairs.labels > 0.5
    if not decided.any():
        what = "The label of every pair is one half: there is no better response to find."
        raise DataError(what, mend="Evaluate on pairs that people decided.")
    codes = pairs.codes[decided]
    right = pairs.apart[decided] > 0
    better, other = pairs.better_lengths[decided], pairs.other_lengths[decided]
    rulers: dict[Ruler, Mask] = {"longer wins": better > other, "shorter wins": better < other}
    best = max(rulers, key=lambda name: int(rulers[name].sum()))
    labelled = pairs.codes.tolist()
    tempered = cross_fitted(pairs.apart, pairs.labels, groups=labelled, seed=seed)
    judged = None
    if tempered is not None:
        judged = calibration(tempered, pairs.labels, groups=labelled, seed=seed)
    sliced_by, values = _slicing(pairs, decided)
    unknown = np.isnan(values)
    return RewardQuality(
        n=len(decided),
        groups=int(pairs.codes.max()) + 1,
        soft=int((pairs.labels < 1).sum()),
        undecided=int((~decided).sum()),
        ties=int((pairs.apart[decided] == 0).sum()),
        accuracy=_accuracy(right, codes),
        longer_wins=_accuracy(rulers["longer wins"], codes),
        shorter_wins=_accuracy(rulers["shorter wins"], codes),
        best_ruler=best,
        over_ruler=float(right.mean() - rulers[best].mean()),
        over_ruler_interval=paired_difference(right, rulers[best], groups=codes.tolist()),
        calibration=calibration(pairs.apart, pairs.labels, groups=labelled, seed=seed),
        temperature=fit_temperature(pairs.apart, pairs.labels, groups=labelled),
        calibrated=judged,
        coin_brier=float(np.square(pairs.labels - 0.5).mean()),
        sliced_by=sliced_by,
        by_margin=_slices(values[~unknown], right[~unknown], codes[~unknown]),
        without_margin=_accuracy(right[unknown], codes[unknown]) if unknown.any() else None,
        by_length=_by_length(better, other, right, codes),
        mistakes=_mistakes(pairs.apart, decided),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Pairs with the likelier response in front, `[pairs]` each; margins are nan where unknown."""

    apart: Array
    labels: Array
    better_lengths: Array
    other_lengths: Array
    margins: Array
    codes: Indices


def _better_first(
    chosen: ArrayLike,
    rejected: ArrayLike,
    chosen_lengths: ArrayLike,
    rejected_lengths: ArrayLike,
    margins: Sequence[float | None] | Array | None,
    probabilities: Sequence[float | None] | Array | None,
    groups: Sequence[Hashable] | None,
) -> _Pairs:
    n = np.size(chosen)
    if n == 0:
        raise DataError("There are no pairs to measure.", mend="Evaluate on at least one pair.")
    ups, downs = _numbers("chosen", chosen, n), _numbers("rejected", rejected, n)
    up_lengths = _numbers("chosen_lengths", chosen_lengths, n, lowest=0)
    down_lengths = _numbers("rejected_lengths", rejected_lengths, n, lowest=0)
    known = _filled(probabilities, n, missing=1.0)
    likely = _numbers("probabilities", known, n, lowest=0, highest=1)
    by_source = _numbers("margins", _filled(margins, n, missing=np.nan), n, unknown=True)
    front = likely >= 0.5
    return _Pairs(
        apart=np.where(front, ups - downs, downs - ups),
        labels=np.maximum(likely, 1 - likely),
        better_lengths=np.where(front, up_lengths, down_lengths),
        other_lengths=np.where(front, down_lengths, up_lengths),
        margins=np.where(front, by_source, -by_source),
        codes=group_codes(groups, n),
    )


def _filled(values: Sequence[float | None] | Array | None, n: int, missing: float) -> list[float]:
    return [missing] * n if values is None else [missing if v is None else float(v) for v in values]


def _numbers(
    name: str,
    values: ArrayLike,
    n: int,
    *,
    lowest: float = -np.inf,
    highest: float = np.inf,
    unknown: bool = False,
) -> Array:
    """The values as float64 `[n]`, checked; `unknown` lets nan pass."""
    data = np.asarray(values, dtype=np.float64)
    if data.shape != (n,):
        raise ValueError(f"{name} must be [{n}] like chosen, not {list(data.shape)}")
    good = np.isfinite(data) & (data >= lowest) & (data <= highest)
    if unknown:
        good |= np.isnan(data)
    if not good.all():
        pair = int(np.argmin(good))
        limits = f" between {lowest:g} and {highest:g}" if np.isfinite(lowest) else ""
        raise DataError(f"{name} of pair {pair} is {data[pair]}, not a finite number{limits}.")
    return data


def _accuracy(right: Mask, codes: Indices) -> Accuracy:
    low, high = share(right, groups=codes.tolist())
    return Accuracy(float(right.mean()), low, high, len(right))


def _slicing(pairs: _Pairs, decided: Mask) -> tuple[SlicedBy, Array]:
    """What to slice the decided pairs by, and the values, nan where a pair has none."""
    if np.isnan(pairs.margins[decided]).all():
        return "score difference", np.abs(pairs.apart[decided])
    return "margin", pairs.margins[decided]


def _slices(values: Array, right: Mask, codes: Indices) -> tuple[Slice, ...]:
    members = equal_mass(values, MARGIN_BINS)
    slices = []
    for number in range(int(members.max()) + 1):
        inside = members == number
        low, high = float(values[inside].min()), float(values[inside].max())
        slices.append(Slice(low, high, _accuracy(right[inside], codes[inside])))
    return tuple(slices)


def _by_length(better: Array, other: Array, right: Mask, codes: Indices) -> dict[LengthClass, Accuracy]:
    names: tuple[LengthClass, ...] = get_args(LengthClass)
    position = np.full(len(better), len(names) // 2)
    for times in (LONGER, MUCH_LONGER):
        position += (better > times * other).astype(int) - (other > times * better).astype(int)
    return {
        name: _accuracy(right[position == i], codes[position == i])
        for i, name in enumerate(names)
        if (position == i).any()
    }


def _mistakes(apart: Array, decided: Mask) -> tuple[int, ...]:
    wrong = np.flatnonzero(decided & (apart < 0))
    return tuple(wrong[np.argsort(apart[wrong], kind="stable")][:MOST_MISTAKES].tolist())
