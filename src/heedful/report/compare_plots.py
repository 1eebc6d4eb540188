"""Reward against KL, and proxy and gold reward against its root, as inline SVG in the page's colours.

Colours, text and frame are those of `plots`. Knows nothing of how a point was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from heedful.evaluation.estimates import Estimate, normal
from heedful.evaluation.frontier import Point
from heedful.evaluation.over_optimisation import Curve
from heedful.report.compare_data import Optimised, RewardFrontier
from heedful.report.plots import QUIET, STYLE, WIDTH, Drawing, LegendEntry, for_page, frame

_HEIGHT, _TALL = 3.4, 4.6  # inches
_FINE = 200  # points of a drawn curve
_PROXY, _GOLD = 2, 3  # colours
_FIRST_NAMED = 2  # n of the first best of n that is named in the plot


def draw_frontier(one: RewardFrontier, colours: Mapping[str, int], identity: str) -> Drawing:
    """Reward against KL: a run's way as a line, where it ended as a large point, best of n dashed.

    Args:
        colours: run to the number of its colour.
        identity: a prefix for the SVG's ids, unique in the page.
    """
    points = [placed.point for placed in one.placed if placed.point.name in colours]
    legend = [LegendEntry(name, colours[name]) for name in dict.fromkeys(point.name for point in points)]
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, _HEIGHT), layout="tight")
        axes = figure.add_subplot()
        if one.best_of:
            _best_of(axes, one)
            legend.append(LegendEntry(f"best of n of {one.reference}", 0, "dashed"))
        for name in dict.fromkeys(point.name for point in points):
            own = [point for point in points if point.name == name]
            _way(axes, own, one.start, f"#0000f{colours[name]}")
        _cross(axes, 0.0, one.start, QUIET, size=6, marker="D")
        _frame(axes, "KL from the reference, nats", "reward")
        legend.append(LegendEntry(one.reference, 0, "where all started"))
        return Drawing(for_page(figure, identity), tuple(legend), ())


def draw_over_optimisation(one: Optimised, identity: str) -> Drawing:
    """Proxy above gold, against √KL, with their fitted curves and where gold turns."""
    found = one.found
    d = np.sqrt([point.kl for point in found.points])
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, _TALL), layout="tight")
        upper, lower = figure.subplots(2, 1, sharex=True)
        upper.plot(d, [point.proxy for point in found.points], "o", color=f"#0000f{_PROXY}", markersize=4)
        errors = [normal() * (point.gold_error or math.nan) for point in found.points]
        lower.errorbar(
            d, [point.gold for point in found.points], yerr=errors, fmt="o", color=f"#0000f{_GOLD}",
            markersize=4, elinewidth=1,
        )  # fmt: skip
        for axes, curve, colour in ((upper, found.proxy, _PROXY), (lower, found.gold, _GOLD)):
            if curve is not None:
                fine = np.linspace(0, float(d.max()), _FINE)
                axes.plot(fine, curve(np.square(fine)), color=f"#0000f{colour}", linewidth=1.8)
        drawn = _turn(lower, found.gold, float(d.max()))
        _frame(upper, "", "proxy")
        _frame(lower, "\u221aKL, KL in nats", "gold")
        legend = (
            LegendEntry(f"proxy: {one.proxy}", _PROXY),
            LegendEntry(f"gold: {one.gold}", _GOLD, "dashed: where its curve turns" if drawn else ""),
        )
        return Drawing(for_page(figure, identity), legend, ())


def _best_of(axes: Axes, one: RewardFrontier) -> None:
    kls = [best.kl for best in one.best_of]
    rewards = [(best.gold or best.reward).value for best in one.best_of]
    axes.plot(
        kls, rewards, color=QUIET, linewidth=1.2, linestyle=(0, (4, 3)), marker="o", markersize=3.5
    )  # fmt: skip
    for best, reward in zip(one.best_of, rewards, strict=True):
        if best.n >= _FIRST_NAMED and best.n in (_FIRST_NAMED, one.best_of[-1].n):
            axes.annotate(
                f"{best.n}", (best.kl, reward), xytext=(4, 4), textcoords="offset points", color=QUIET
            )


def _way(axes: Axes, points: Sequence[Point], start: Estimate, colour: str) -> None:
    """A run from the reference over its checkpoints; what it left behind stands out."""
    kept = [point for point in points if point.step is not None]
    if kept:
        axes.plot(
            [0.0, *(point.kl.value for point in kept)],
            [start.value, *(point.reward.value for point in kept)],
            color=colour, linewidth=1.2, alpha=0.7,
        )  # fmt: skip
    for point in kept:
        _cross(axes, point.kl, point.reward, colour, size=4, faint=True)
    for point in points:
        if point.step is None:
            _cross(axes, point.kl, point.reward, colour, size=8)


def _cross(
    axes: Axes,
    kl: Estimate | float,
    reward: Estimate,
    colour: str,
    *,
    size: float,
    marker: str = "o",
    faint: bool = False,
) -> None:
    """A point with its intervals in both directions."""
    at = kl.value if isinstance(kl, Estimate) else kl
    axes.errorbar(
        [at], [reward.value], xerr=_reach(kl) if isinstance(kl, Estimate) else None, yerr=_reach(reward),
        fmt=marker, color=colour, markersize=size, elinewidth=0.8 if faint else 1.2,
        alpha=0.6 if faint else 1,
    )  # fmt: skip


def _reach(found: Estimate) -> list[list[float]] | None:
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return None
    return [[max(found.value - found.low, 0.0)], [max(found.high - found.value, 0.0)]]


def _turn(axes: Axes, curve: Curve | None, most: float) -> bool:
    """Where a curve is highest, as far as that lies within what was measured; whether it does."""
    if curve is None or not curve.turn.value <= most:
        return False
    axes.axvline(curve.turn.value, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
    low, high = max(curve.turn.low, 0.0), min(curve.turn.high, most)
    if low < high:
        axes.axvspan(low, high, color=QUIET, alpha=0.12, linewidth=0)
    return True


def _frame(axes: Axes, x_label: str, y_label: str) -> None:
    frame(axes, x_label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.set_ylabel(y_label, color=QUIET)
    axes.margins(x=0.04, y=0.08)
