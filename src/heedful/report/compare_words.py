"""What a comparison comes to, in sentences, and its tables in words; decided by the intervals alone.

Knows nothing of HTML or consoles.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from heedful.evaluation.bradley_terry import Standing, Standings
from heedful.evaluation.estimates import Estimate
from heedful.evaluation.frontier import Placed, Point, clearly
from heedful.evaluation.over_optimisation import Curve
from heedful.evaluation.win_rate import WinRate
from heedful.report.compare_data import ComparisonData, Optimised, Ranked, Reached, RewardFrontier
from heedful.report.verdict import TONES, Spoken, finding_of
from heedful.report.wording import Number, Tone, Verdict, percent

NO_KL = "unknown"
_MINUS, _DASH = "\u2212", "\u2013"
_MOST_NAMED = 4  # points that are named as being above another


@dataclass(frozen=True, slots=True)
class PlaceRow:
    """One model's line of a ranking.

    Attributes:
        rank: the places that the intervals leave open.
        strength: log odds above the mean of all models, for the axis.
        elo, counts: in words.
        at_equal_length: its rank there; empty where lengths do not differ.
    """

    model: str
    rank: str
    strength: Number
    elo: str
    counts: str
    at_equal_length: str


@dataclass(frozen=True, slots=True)
class Cell:
    """How often one model beats another: a win rate, its interval, and what that allows to say."""

    text: str
    interval: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class RankedView:
    """One judge's ranking.

    Attributes:
        axis: the ends of the axis that strengths share.
        matrix: by row the model that wins, by column the one it is compared with; None on the diagonal and
            where no verdict can be read.
    """

    judge: str
    caption: str
    rows: tuple[PlaceRow, ...]
    axis: tuple[float, float]
    matrix: tuple[tuple[Cell | None, ...], ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PointRow:
    """One point of a frontier, in words; `about`: its β and what else is known of it."""

    name: str
    run: str
    about: str
    kl: str
    kl_interval: str
    reward: str
    reward_interval: str
    place: Verdict


def label(point: Point) -> str:
    """A point's name: the model's, with the step of a checkpoint."""
    return point.name if point.step is None else f"{point.name}, step {point.step}"


def verdicts(data: ComparisonData) -> list[Spoken]:
    """The first sentences: who answers best, who is not worth its KL, and whether gold turns."""
    found = [_of_ranked(one) for one in data.ranked]
    found += [_of_way(one) for one in data.optimised]
    # With a gold judge that one's: what the proxy says of models that were trained on it is no verdict.
    telling = data.frontiers[-1:] if data.optimised else data.frontiers[:1]
    found += [spoken for one in telling for spoken in _of_frontier(one)]
    return [*found, *(Spoken(f"No verdict yet by {one.judge}:", f" {one.why}") for one in data.waiting)]


def ranked_view(one: Ranked) -> RankedView:
    """A ranking as a table and a matrix, the strongest model first."""
    equal = {} if one.at_equal_length is None else {own.name: own for own in one.at_equal_length.models}
    rows = tuple(_place(own, equal.get(own.name)) for own in one.standings.models)
    bounds = [bound for row in rows for bound in row.strength.interval if math.isfinite(bound)]
    reach = 1.05 * max(map(abs, bounds), default=0.0) or 1.0  # all is tied where nothing is known
    names = [row.model for row in rows]
    return RankedView(
        judge=one.judge,
        caption=f"{_amount(one.standings)}{', each in both orders' if one.both_orders else ''}.",
        rows=rows,
        axis=(-reach, reach),
        matrix=tuple(tuple(_cell(one, first, second) for second in names) for first in names),
        remarks=tuple(_remarks(one)),
    )


def point_rows(one: RewardFrontier) -> list[PointRow]:
    """The points of a frontier in their order."""
    return [_point(placed, one.reached.get(label(placed.point))) for placed in one.placed]


def number(value: float) -> str:
    """A reward or a KL with three digits."""
    if math.isnan(value):
        return NO_KL
    return f"{value:.3g}".replace("-", _MINUS) if abs(value) >= 1e-3 or value == 0 else "0"


def interval(found: Estimate) -> str:
    """Its interval in words."""
    if math.isnan(found.low) or math.isnan(found.high):
        return NO_KL
    return f"{number(found.low)} to {number(found.high)}"


def turn_text(curve: Curve | None) -> str:
    """Where a fitted gold curve turns, as KL, in a sentence; empty without a curve."""
    if curve is None:
        return ""
    form = "d(\u03b1 \u2212 \u03b2d)" if curve.form == "best of n" else "d(\u03b1 \u2212 \u03b2 log d)"
    turn = curve.turn
    if math.isinf(turn.value):
        return f" The fitted curve {form} does not turn."
    most = f"{number(turn.high**2)} nats" if math.isfinite(turn.high) else "any more, or never"
    return (
        f" The fitted curve {form} turns at a KL of {number(turn.value**2)} nats "
        f"(95% {number(turn.low**2)} to {most})."
    )


def _of_ranked(one: Ranked) -> Spoken:
    models, judge = one.standings.models, one.judge
    by = f"judged by {judge}{', in both orders' if one.both_orders else ''}"
    first = models[0]
    size = _amount(one.standings)
    if first.worst_rank == 1:
        second = models[1].name
        wins = _win(one, first.name, second)
        beats = (
            f"it beats {second} in {percent(wins.value)} of comparisons (95% {_span(wins)}); " if wins else ""
        )
        return Spoken(f"{first.name} answers best:", f" {beats}{size}, {by}.", "good")
    open_to = [model.name for model in models if model.best_rank == 1]
    below = [model.name for model in models if model.best_rank > 1]
    told = f" their intervals leave it open; {size}, {by}."
    if below:
        told += f" Clearly below the best of them: {_listed(below)}."
    return Spoken(f"Which of {_listed(open_to)} answers best is not established:", told)


def _of_frontier(one: RewardFrontier) -> list[Spoken]:
    """The models, not their checkpoints, that are clearly below."""
    models = [
        placed for placed in one.placed if placed.point.step is None and placed.point.name in one.reached
    ]
    if not models:
        return []
    below = [placed for placed in models if placed.place == "below"]
    if not below:
        return [Spoken(f"No model is clearly below the frontier of {one.judge}\u2019s reward and KL.")]
    names = [placed.point.name for placed in below]
    head = (
        f"{_listed(names)} {'is' if len(names) == 1 else 'are'} clearly below the frontier of reward and KL:"
    )
    told = f" {'; '.join(map(_below, below))}, by {one.judge}\u2019s scores."
    return [Spoken(head, told, "bad")]


def _below(placed: Placed) -> str:
    point = placed.point
    better = next(other for other in placed.beaten_by if clearly(other, point))
    return (
        f"{label(better)} earns {number(better.reward.value)} at a KL of {number(better.kl.value)} nats, "
        f"{label(point)} {number(point.reward.value)} at {number(point.kl.value)}"
    )


def _of_way(one: Optimised) -> Spoken:
    found = one.found
    peak, last = found.points[found.peak], found.points[-1]
    proxy = f"{one.proxy}\u2019s score goes from {number(peak.proxy)} to {number(last.proxy)}"
    gold = f"{one.gold}\u2019s reward is highest about {one.labels[found.peak]} (KL {number(peak.kl)} nats)"
    turn = turn_text(found.gold)
    at_end = found.peak == len(found.points) - 1
    if found.established and not at_end:
        rest = (
            f" {gold}, at {number(peak.gold)}; by the last point (KL {number(last.kl)}) it has fallen by "
            f"{number(found.fall)}, while {proxy}.{turn}"
        )
        return Spoken(f"{one.name}: the gold reward turns.", rest, "bad")
    rest = f" {gold}, which is the last point.{turn}"
    if found.established:
        return Spoken(f"{one.name}: the gold reward falls on the way, and rises again.", rest)
    if not at_end:
        lower = f"the last point (KL {number(last.kl)} nats) is {number(found.fall)} lower"
        rest = f" {gold}; {lower}, which chance can do. Meanwhile {proxy}.{turn}"
    return Spoken(f"{one.name}: no turn of the gold reward is established.", rest)


def _place(own: Standing, equal: Standing | None) -> PlaceRow:
    strength = own.strength
    return PlaceRow(
        model=own.name,
        rank=own.rank.replace("-", _DASH),
        strength=Number(strength.value, strength.low, strength.high, own.n, "comparisons", "score"),
        elo=f"{own.elo.value:.0f}",
        counts=f"{own.wins:,} won, {own.ties:,} tied, {own.losses:,} lost",
        at_equal_length="" if equal is None else equal.rank.replace("-", _DASH),
    )


def _cell(one: Ranked, first: str, second: str) -> Cell | None:
    wins = _win(one, first, second) if first != second else None
    return None if wins is None else Cell(percent(wins.value), _span(wins), TONES[finding_of(wins.interval)])


def _win(one: Ranked, first: str, second: str) -> Estimate | None:
    """How often the first beats the second, whichever of them was the candidate."""
    found: WinRate | None = one.wins.get((first, second))
    if found is not None:
        return Estimate(found.value, found.low, found.high)
    found = one.wins.get((second, first))
    return None if found is None else Estimate(1 - found.value, 1 - found.high, 1 - found.low)


def _remarks(one: Ranked) -> list[str]:
    found = []
    if one.undecided == 1:
        found.append("One comparison has no verdict in both orders and is left out.")
    elif one.undecided:
        found.append(f"{one.undecided:,} comparisons have no verdict in both orders and are left out.")
    if one.at_equal_length is None:
        return found
    (slope,) = one.at_equal_length.styles.values()
    link = "whether longer answers win more often is not clear"
    if slope.above(0):
        link = "longer answers win more often"
    elif slope.below(0):
        link = "longer answers win less often"
    found.append(
        f"Length: {link} ({number(slope.value)} log odds for a difference of one standard deviation, 95% "
        f"{interval(slope)}). \u201cAt equal length\u201d is the rank with that taken out."
    )
    return found


def _point(placed: Placed, reached: Reached | None) -> PointRow:
    point = placed.point
    heads: dict[str, tuple[str, Tone]] = {
        "frontier": ("on the frontier", "good"),
        "not clearly below": ("not clearly below", "unclear"),
        "below": ("clearly below", "bad"),
    }
    head, tone = heads[placed.place]
    above = [label(other) for other in placed.beaten_by]
    shown = _listed(above[:_MOST_NAMED]) + (
        f" and {len(above) - _MOST_NAMED} more" if len(above) > _MOST_NAMED else ""
    )
    exact = point.kl.low == point.kl.high
    return PointRow(
        name=label(point),
        run=point.name,
        about=", ".join(_about(point, reached)),
        kl=number(point.kl.value),
        kl_interval="exact" if exact else f"95% {interval(point.kl)}",
        reward=number(point.reward.value),
        reward_interval=f"95% {interval(point.reward)}",
        place=Verdict(head, shown, tone),
    )


def _about(point: Point, reached: Reached | None) -> Iterator[str]:
    if point.beta is not None:
        yield f"\u03b2 {number(point.beta)}"
    if reached is not None:
        if reached.same_as is not None:
            yield f"the same as step {reached.same_as}"
        if reached.ended < 1:
            yield f"{percent(reached.ended)} of answers end"


def _amount(standings: Standings) -> str:
    prompts = f"{standings.groups:,} prompt{'s' if standings.groups != 1 else ''}"
    return f"{standings.n:,} comparisons on {prompts}"


def _span(found: Estimate) -> str:
    return f"{percent(found.low)[:-1]}{_DASH}{percent(found.high)}"


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
