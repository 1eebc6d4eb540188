"""How strong each of several models is, from who beat whom, and a rank that says no more than the data do.

Bradley and Terry 1952, `P(i beats j) = σ(strength i - strength j)`; a tie is half a win for each. Style can
be controlled for as Chatbot Arena does: what two answers differ in (length, say) enters the same regression,
and the strengths are those of answers that do not differ in it. (`heedful.prepare.bradley_terry` is the same
model for the few responses to one prompt, where only strengths are asked for.)
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from heedful.errors import DataError
from heedful.evaluation.calibration import sigmoid
from heedful.evaluation.estimates import Array, Estimate
from heedful.evaluation.soft_logistic import SoftFit, fit_soft
from heedful.evaluation.win_rate import checked_outcomes
from heedful.intervals import LEVEL, group_codes

ELO_CENTRE = 1000.0
ELO_PER_LOG_ODDS = 400 / math.log(10)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of comparing two models' answers.

    Attributes:
        first, second: the models' names.
        outcome: 1 where the first won, 0 where the second did, 0.5 for a tie, or how likely the first is the
            better one.
        group: what makes results belong together, the prompt.
    """

    first: str
    second: str
    outcome: float
    group: Hashable


@dataclass(frozen=True, slots=True)
class Standing:
    """One model's place.

    Attributes:
        name: the model.
        strength: log odds above the mean of all models, with its 95% interval.
        best_rank: 1 and the number of models clearly above it.
        worst_rank: the number of models less those clearly below it.
        n: comparisons it was in.
        wins, ties, losses: of those.
    """

    name: str
    strength: Estimate
    best_rank: int
    worst_rank: int
    n: int
    wins: int
    ties: int
    losses: int

    @property
    def rank(self) -> str:
        """ "2" or "1-3": the places that the intervals leave open."""
        one = self.best_rank == self.worst_rank
        return str(self.best_rank) if one else f"{self.best_rank}-{self.worst_rank}"

    @property
    def elo(self) -> Estimate:
        """The strength on Elo's scale: 400 points are odds of ten to one, the mean of all models is 1000."""
        scaled = self.strength.times(ELO_PER_LOG_ODDS)
        return Estimate(*(ELO_CENTRE + number for number in (scaled.value, scaled.low, scaled.high)))


@dataclass(frozen=True, slots=True, eq=False)
class Standings:
    """A ranking, the strongest first.

    Attributes:
        models: every model's place.
        styles: log odds per standard deviation of each style's difference, by name.
        n: comparisons.
        groups: prompts they were on.
    """

    models: tuple[Standing, ...]
    styles: Mapping[str, Estimate]
    n: int
    groups: int
    fit: SoftFit
    places: Mapping[str, int]

    def difference(self, first: str, second: str, *, level: float = LEVEL) -> Estimate:
        """How much stronger the first model is than the second, log odds, with its interval."""
        return self.fit.contrast(_against(self.places, first, second, len(self.fit.weights)), level=level)

    def chance(self, first: str, second: str) -> Estimate:
        """The probability that the first model's answer beats the second's, with its interval."""
        odds = self.difference(first, second)
        return Estimate(*sigmoid(np.array([odds.value, odds.low, odds.high])).tolist())


def rank(results: Sequence[Result], *, styles: Mapping[str, ArrayLike] | None = None) -> Standings:
    """Rank models.

    Every model is taken to have drawn `soft_logistic.PRIOR` comparisons with a model of strength 0, so that
    one that never lost stays finite. Intervals are the sandwich estimator's over groups, not far below those
    of independent outcomes: a bootstrap has nothing to say of a model that won every time.

    One model is above another clearly if the interval of their difference is above 0. For a rank that
    interval is as wide as it takes to be right about all of a model's rivals together, in 95 of 100 cases
    (Bonferroni): the places of a model miss its true one in 5 of 100 at most, also where all are equal.

    Args:
        results: at least one; in each, two different models.
        styles: of each result, the first answer's figure less the second's, `[n]` by name (lengths, list
            items); strengths are then those between answers that are alike in them.

    Raises:
        ValueError: a style is not `[n]`.
        DataError: there are no results, an outcome or a style is out of range, a model meets itself, or some
            models were never compared with the others, directly or through others.
    """
    outcomes = checked_outcomes([result.outcome for result in results])
    names = list(dict.fromkeys(name for result in results for name in (result.first, result.second)))
    places = {name: at for at, name in enumerate(names)}
    one = np.array([places[result.first] for result in results])
    other = np.array([places[result.second] for result in results])
    _check_connected(names, one, other)
    own = np.zeros((len(results), len(names)))
    own[np.arange(len(results)), one] += 1
    own[np.arange(len(results)), other] -= 1
    covariates = _covariates(styles or {}, len(results))
    design = np.concatenate([own, covariates], axis=1)
    codes = group_codes([result.group for result in results], len(results))
    fit = fit_soft(design, outcomes, codes, prior=np.eye(design.shape[1]))
    found = [_standing(name, fit, places, own[:, at], outcomes) for name, at in places.items()]
    features = np.eye(design.shape[1])[len(names) :]
    return Standings(
        models=tuple(sorted(found, key=lambda model: -model.strength.value)),
        styles={name: fit.contrast(row) for name, row in zip(styles or {}, features, strict=True)},
        n=len(results),
        groups=int(codes.max()) + 1,
        fit=fit,
        places=places,
    )


def _standing(name: str, fit: SoftFit, places: Mapping[str, int], side: Array, outcomes: Array) -> Standing:
    """One model's place; `side`: 1 where it is the first of a comparison, -1 where the second."""
    features, models = len(fit.weights), len(places)
    centred = np.zeros(features)
    centred[:models] = -1 / models
    centred[places[name]] += 1
    level = 1 - (1 - LEVEL) / (models - 1)
    rivals = [
        fit.contrast(_against(places, rival, name, features), level=level)
        for rival in places
        if rival != name
    ]
    met = side != 0
    won = np.where(side > 0, outcomes, 1 - outcomes)[met]
    return Standing(
        name=name,
        strength=fit.contrast(centred),
        best_rank=1 + sum(rival.above(0) for rival in rivals),
        worst_rank=models - sum(rival.below(0) for rival in rivals),
        n=int(met.sum()),
        wins=int((won > 0.5).sum()),
        ties=int((won == 0.5).sum()),
        losses=int((won < 0.5).sum()),
    )


def _against(places: Mapping[str, int], first: str, second: str, features: int) -> Array:
    row = np.zeros(features)
    row[places[first]] += 1
    row[places[second]] -= 1
    return row


def _covariates(styles: Mapping[str, ArrayLike], n: int) -> Array:
    """Every style's differences in units of their standard deviation, `[n, styles]`."""
    columns = np.zeros((n, len(styles)))
    for at, (name, values) in enumerate(styles.items()):
        data = np.asarray(values, dtype=np.float64)
        if data.shape != (n,):
            raise ValueError(f"style {name} must be [{n}] like the results, not {list(data.shape)}")
        if not np.isfinite(data).all():
            raise DataError(f"{name} of result {int(np.argmin(np.isfinite(data)))} is not a finite number.")
        columns[:, at] = data / (data.std() or 1.0)
    return columns


def _check_connected(names: Sequence[str], one: Array, other: Array) -> None:
    if (one == other).any():
        name = names[int(one[np.argmax(one == other)])]
        raise DataError(f"{name} is compared with itself.", mend="Name two different models in each result.")
    reached = {0}
    met = list(zip(one.tolist(), other.tolist(), strict=True))
    met = list(dict.fromkeys(met))
    while True:
        more = {side for pair in met if reached & set(pair) for side in pair} | reached
        if more == reached:
            break
        reached = more
    apart = [name for at, name in enumerate(names) if at not in reached]
    if apart:
        raise DataError(
            f"{', '.join(apart)} and {', '.join(n for n in names if n not in apart)} were never compared, "
            "directly or through others.",
            mend="Compare at least one model of each, or rank them apart.",
        )
