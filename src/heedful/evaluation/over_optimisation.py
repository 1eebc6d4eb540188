"""Where a reward model stops being a guide: proxy and gold reward against d = √KL (Gao et al. 2210.10760).

They found that gold reward follows `d(α - βd)` for best of n and `d(α - β log d)` for reinforcement learning:
it rises, turns, and falls while the proxy goes on rising. Takes measured points; numpy only.

Their rewards start at 0. Here the reward before optimisation is fitted as well: rewards come in any unit, and
the error of the starting point, which all differences from it would share, stays where it belongs. What the
prompts at hand add to all points alike goes there too. Errors in KL are taken to be small beside those in
reward.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from heedful.errors import DataError
from heedful.evaluation.estimates import Array, Estimate, normal, student
from heedful.intervals import LEVEL

Form = Literal["best of n", "rl"]

TERMS: dict[Form, Callable[[Array], Array]] = {
    "best of n": np.square,
    "rl": lambda d: d * np.log(np.where(d > 0, d, 1.0)),
}
"""What β is the coefficient of (with a minus), as a function of d."""

PARAMETERS = 3  # start, α and β
ROUNDING = 1e-9  # of rewards, relative: what is smaller is no fall
COMMON = 1e-12  # of a variance, relative: points that differ by less have their errors in common
NEIGHBOURS = 3  # points that are smoothed over, the point itself among them
DRAWS = 4_000  # of what falls are seen where the gold reward does not fall


@dataclass(frozen=True, slots=True)
class Point:
    """A policy on the way.

    Attributes:
        kl: from the reference, nats per answer.
        proxy: mean reward by the model that is optimised.
        gold: mean reward by the one that is not.
        gold_error: standard error of `gold`; None (or 0, or nan) where it is unknown.
    """

    kl: float
    proxy: float
    gold: float
    gold_error: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """A fitted curve, `start + α d - β · d²` or `· d log d`, with 95% intervals.

    Attributes:
        form: which of the two.
        start: the reward at d = 0.
        alpha, beta: the coefficients, reward per d and per d² or d log d.
        turn: the d at which the curve is highest, infinite where it never turns. Fieller's interval,
            unbounded where the points allow a curve that does not turn.
        scatter: root mean square distance of the points from the curve, in the reward's unit.
    """

    form: Form
    start: Estimate
    alpha: Estimate
    beta: Estimate
    turn: Estimate
    scatter: float

    def __call__(self, kl: ArrayLike) -> Array:
        """The curve's reward at a KL, nats."""
        d = np.sqrt(np.asarray(kl, dtype=np.float64))
        result: Array = self.start.value + self.alpha.value * d - self.beta.value * TERMS[self.form](d)
        return result


@dataclass(frozen=True, slots=True)
class OverOptimisation:
    """What became of the gold reward.

    Attributes:
        points: by KL.
        proxy, gold: the two fitted curves; None with too few points.
        peak: the point with the highest gold reward, smoothed over its neighbours.
        fall: how far the last point's gold reward is below that peak's, both smoothed; 0 or more.
        established: whether gold clearly falls: some later point is further below an earlier one than chance
            would show, in 95 of 100 cases, among that many points of a reward that never falls.
    """

    points: tuple[Point, ...]
    proxy: Curve | None
    gold: Curve | None
    peak: int
    fall: float
    established: bool


def over_optimisation(
    points: Sequence[Point], *, form: Form, by_prompt: ArrayLike | None = None, seed: int = 0
) -> OverOptimisation:
    """Fit both rewards and say whether gold turns.

    Args:
        points: of one way of optimising, the start among them where it is known (KL 0); any order.
        form: of the curves.
        by_prompt: every point's gold reward on each of the prompts that all points share, at least two,
            `[points, prompts]` in the order of the points. It tells what of the errors is common to points,
            and takes the place of `gold_error`: neither a fall nor a curve's bend is made less sure by what
            a prompt adds to all points, and points whose answers are in part the same stand for no more
            than they tell.
        seed: of the draws that tell a fall from chance.

    Raises:
        ValueError: `by_prompt` is not `[points, prompts]`.
        DataError: there are fewer than two points, or a figure is out of range.
    """
    order = sorted(range(len(points)), key=lambda at: points[at].kl)
    ordered = [points[at] for at in order]
    if len(ordered) < 2:
        raise DataError(
            f"{len(ordered)} point shows no turn.", mend="Measure several checkpoints, or best of several n."
        )
    kls = np.array([point.kl for point in ordered])
    golds = np.array([point.gold for point in ordered])
    shared = None if by_prompt is None else _covariance(by_prompt, order)
    errors = _errors(ordered) if shared is None else None
    several = len(ordered) > PARAMETERS and len(np.unique(kls)) >= PARAMETERS
    gold = None
    if several and shared is not None:
        gold = fit(kls, golds, form=form, covariance=shared[0], freedom=shared[1])
    elif several:
        gold = fit(kls, golds, form=form, errors=errors)
    smooth = smoothed(golds, errors)
    established = _falls_by(golds, *shared, seed) if shared else _falls(golds, errors, gold, seed)
    peak = int(np.argmax(smooth))
    return OverOptimisation(
        points=tuple(ordered),
        proxy=fit(kls, [point.proxy for point in ordered], form=form) if several else None,
        gold=gold,
        peak=peak,
        fall=float(smooth[peak] - smooth[-1]),
        established=established,
    )


def fit(
    kl: ArrayLike,
    reward: ArrayLike,
    *,
    form: Form,
    errors: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    freedom: int = 0,
) -> Curve:
    """Least squares, with points weighed by their errors where those are known.

    With known errors the intervals are normal. Without, the error of every point is estimated from the
    scatter about the curve, and they are Student's.

    Args:
        kl: `[points]`, nats, at least 0.
        reward: `[points]`.
        errors: standard errors of the rewards, `[points]`, above 0.
        covariance: of the rewards' errors, `[points, points]`, in the place of `errors`. Points then count
            alike: weights that undo a covariance which is itself estimated are less sure than none.
        freedom: of Student's t where the covariance is an estimate; 0 where it is known.

    Raises:
        ValueError: the lengths differ.
        DataError: there are too few different KLs, or a figure is out of range.
    """
    kls, rewards = np.asarray(kl, dtype=np.float64), np.asarray(reward, dtype=np.float64)
    if kls.ndim != 1 or kls.shape != rewards.shape:
        raise ValueError(f"kl {list(kls.shape)} and reward {list(rewards.shape)} must be [points]")
    if not (np.isfinite(rewards) & np.isfinite(kls) & (kls >= 0)).all():
        raise DataError("A KL is below 0, or a KL or reward is not a finite number.")
    least = PARAMETERS + (errors is None and covariance is None)
    if len(np.unique(kls)) < PARAMETERS or len(kls) < least:
        raise DataError(
            f"{len(kls)} points at {len(np.unique(kls))} different KLs are too few for a curve.",
            mend=f"Measure at least {least}.",
        )
    d = np.sqrt(kls)
    design = np.stack([np.ones_like(d), d, -TERMS[form](d)], axis=1)
    known = np.ones_like(d) if errors is None else _positive(errors, d)
    weighted = design / known[:, None]
    inverse = np.linalg.inv(weighted.T @ weighted)
    found = inverse @ (weighted.T @ (rewards / known))
    left = rewards - design @ found
    wide = normal()
    if covariance is not None:
        turned = inverse @ weighted.T
        inverse = turned @ np.asarray(covariance, dtype=np.float64) @ turned.T
        wide = student(freedom) if freedom else normal()
    elif errors is None:
        freedom = len(d) - PARAMETERS
        inverse = inverse * float(left @ left) / freedom
        wide = student(freedom)
    halves = wide * np.sqrt(np.maximum(np.diag(inverse), 0.0))  # rounding may take a 0 below
    start, alpha, beta = (
        Estimate(float(at), float(at - half), float(at + half))
        for at, half in zip(found, halves, strict=True)
    )
    return Curve(
        form=form,
        start=start,
        alpha=alpha,
        beta=beta,
        turn=_turn(form, found[1:], inverse[1:, 1:], wide),
        scatter=float(np.sqrt(np.square(left).mean())),
    )


def _turn(form: Form, found: Array, covariance: Array, wide: float) -> Estimate:
    """Where the curve is highest: both forms turn at a rising function of α/β.

    Fieller 1954: the ratios ρ for which α - ρβ is not clearly different from 0. They are an interval only
    where β clearly differs from 0.
    """
    alpha, beta = float(found[0]), float(found[1])
    square = beta**2 - wide**2 * float(covariance[1, 1])
    middle = alpha * beta - wide**2 * float(covariance[0, 1])
    rest = alpha**2 - wide**2 * float(covariance[0, 0])
    inside = middle**2 - square * rest
    if square > 0:
        inside = max(inside, 0.0)  # α/β itself is always possible; rounding may say otherwise
    value, low, high = (alpha / beta if beta > 0 else math.inf), -math.inf, math.inf
    if square > 0 and beta <= 0:
        low = math.inf  # the curve clearly bends upwards
    elif inside >= 0 and square != 0:
        ends = sorted(((middle - math.sqrt(inside)) / square, (middle + math.sqrt(inside)) / square))
        # With β not clear of 0 what lies outside the two ends is possible; above them β is small, below 0.
        low, high = (ends[0], ends[1]) if square > 0 else (ends[1], math.inf)
    return Estimate(*(_turn_at(form, ratio) for ratio in (value, low, high)))


def _turn_at(form: Form, ratio: float) -> float:
    if form == "best of n":
        return max(0.0, ratio / 2)
    try:
        return math.exp(ratio - 1)
    except OverflowError:
        return math.inf


def smoothed(values: ArrayLike, errors: ArrayLike | None = None) -> Array:
    """Each point's mean with its two neighbours, weighed by their errors where known, `[points]`."""
    data = np.asarray(values, dtype=np.float64)
    weights = np.ones_like(data) if errors is None else 1 / np.square(np.asarray(errors, dtype=np.float64))
    window = np.ones(NEIGHBOURS)
    result: Array = np.convolve(data * weights, window)[1:-1] / np.convolve(weights, window)[1:-1]
    return result


def _falls(golds: Array, errors: Array | None, gold: Curve | None, seed: int) -> bool:
    """Whether the largest fall is larger than chance makes it where gold stays as it is.

    Of all rewards that never fall, a level one shows the largest falls, so that the level of the test is kept
    for every other. Looking for the largest among many is accounted for: the draws are searched alike.
    """
    freedom = 0
    if errors is None:
        if gold is None:
            return False
        freedom = len(golds) - PARAMETERS
        errors = np.full(len(golds), gold.scatter * math.sqrt(len(golds) / freedom))
    return _falls_by(golds, np.diag(np.square(errors)), freedom, seed)


def _falls_by(golds: Array, covariance: Array, freedom: int, seed: int) -> bool:
    """The same with the errors' covariance, `[points, points]`, estimated with so many degrees of freedom; 0
    where it is known.
    """
    smallest = np.square(ROUNDING * np.abs(golds).max())
    if not covariance.any() and not smallest:
        return False
    covariance = covariance + smallest * np.eye(len(golds))
    rng = np.random.default_rng(seed)
    sizes, axes = np.linalg.eigh(covariance)
    spread = axes * np.sqrt(np.maximum(sizes, 0.0))
    chance = _largest_fall(rng.normal(size=(DRAWS, len(golds))) @ spread.T, covariance)
    if freedom:
        chance /= np.sqrt(rng.chisquare(freedom, size=DRAWS) / freedom)
    return float(_largest_fall(golds[None], covariance)[0]) > float(np.quantile(chance, LEVEL))


def _largest_fall(golds: Array, covariance: Array) -> Array:
    """The largest fall in its own standard errors, from one to another mean of 1 to `NEIGHBOURS` points.

    Args:
        golds: `[draws, points]`.
        covariance: of their errors, `[points, points]`.
    """
    least = COMMON * np.diag(covariance).max()
    largest = np.full(len(golds), -math.inf)
    for width in range(1, min(NEIGHBOURS, golds.shape[1] // 2) + 1):
        means_of = np.lib.stride_tricks.sliding_window_view(np.eye(golds.shape[1]), width, axis=0).mean(
            axis=-1
        )
        means, shared = golds @ means_of.T, means_of @ covariance @ means_of.T
        variances = np.diag(shared)
        for later in range(width, means.shape[1]):
            earlier = slice(0, later - width + 1)
            squares = variances[earlier] + variances[later] - 2 * shared[earlier, later]
            apart = np.sqrt(np.maximum(squares, least))
            np.maximum(largest, ((means[:, earlier] - means[:, [later]]) / apart).max(axis=1), out=largest)
    return largest


def _covariance(by_prompt: ArrayLike, order: Sequence[int]) -> tuple[Array, int]:
    """Of the points' means over prompts, `[points, points]`, and its degrees of freedom."""
    data = np.asarray(by_prompt, dtype=np.float64)
    if data.ndim != 2 or len(data) != len(order):
        raise ValueError(f"by_prompt {list(data.shape)} must be [{len(order)}, prompts] like the points")
    if data.shape[1] < 2:
        raise DataError("One prompt does not tell what is chance.", mend="Measure on several prompts.")
    if not np.isfinite(data).all():
        raise DataError("A prompt's gold reward is not a finite number.")
    found: Array = np.cov(data[list(order)]) / data.shape[1]
    return found, data.shape[1] - 1


def _errors(points: Sequence[Point]) -> Array | None:
    """Every point's gold error, or None where one is unknown."""
    given = [point.gold_error for point in points]
    known = [error for error in given if error is not None and error > 0]
    return np.array(known) if len(known) == len(points) else None


def _positive(errors: ArrayLike, like: Array) -> Array:
    data = np.asarray(errors, dtype=np.float64)
    if data.shape != like.shape:
        raise ValueError(f"errors {list(data.shape)} must be [{len(like)}] like the points")
    if not (np.isfinite(data) & (data > 0)).all():
        raise DataError("The standard error of a reward is not a number above 0.")
    return data
