"""The study's figure: gold reward against KL for every method, and PPO's gold reward by iteration.

Colours and manners are those of the report's plots, drawn on white. Knows the report, and no files but the
one it writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from benchmarks.sentiment.tables import METHODS, REACHED, seeds

_COLOURS = {"ppo-gold": "#c9821a", "ppo-learned": "#c2476f", "dpo": "#2f6bd0", "trl-dpo": "#0f766e"}
_SFT, _GRID, _QUIET = "#8b909a", "#e3e5e9", "#6b7078"
_SIZE, _DPI = (9.6, 4.2), 150


@dataclass(frozen=True, slots=True)
class Point:
    """A measured policy: KL (nats) and gold reward, each (value, low, high)."""

    kl: tuple[float, ...]
    gold: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One run: what was measured of it, in order, and what its own iterations say, (KL, gold reward)."""

    method: str
    beta: float
    points: tuple[Point, ...]
    trail: tuple[tuple[float, float], ...] = ()


def frontier(report: Mapping[str, Any]) -> list[Line]:
    """Every run with a measured policy; the trail is that of runs on the gold reward alone."""
    found = []
    for name, run in sorted(report["runs"].items()):
        policies = [policy for policy in report["policies"].values() if policy["run"] == name]
        if not policies:
            continue
        # What a run left behind is its best state, which need not be its last: it is a point by itself.
        along = sorted((p for p in policies if p["step"] is not None), key=lambda p: p["step"])
        ends = [p for p in policies if p["step"] is None]
        trail = run["iterations"] if run["method"] == "ppo-gold" else ()
        found.append(
            Line(
                run["method"],
                run["beta"],
                tuple(_point(policy) for policy in along or ends),
                tuple((row["kl"], row["reward"]) for row in trail),
            )
        )
    return found


def by_iteration(report: Mapping[str, Any]) -> dict[int, list[tuple[int, float]]]:
    """(iteration, gold reward of its responses) of PPO on the gold reward at its default β, by seed."""
    return {
        seed: [(row["step"], row["reward"]) for row in report["runs"][name]["iterations"]]
        for seed, name in seeds(report).items()
    }


def _point(policy: Mapping[str, Any]) -> Point:
    return Point(*(tuple(policy[name][key] for key in ("value", "low", "high")) for name in ("kl", "gold")))


def draw(report: Mapping[str, Any], file: Path) -> None:
    """Write the figure as PNG."""
    with rc_context({"font.size": 9, "axes.unicode_minus": True}):
        figure = Figure(figsize=_SIZE, layout="constrained", facecolor="white")
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _draw_frontier(left, report)
        _draw_iterations(right, report)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, dpi=_DPI)


def _draw_frontier(axes: Axes, report: Mapping[str, Any]) -> None:
    start = _point(report["policies"]["sft"])
    _marker(axes, start, _SFT)
    handles = [Line2D([], [], color=_SFT, marker="o", linestyle="", label="SFT")]
    unlabelled = _default_beta(report)
    for line in frontier(report):
        colour, end = _COLOURS[line.method], line.points[-1]
        if line.trail:
            axes.plot(*zip(*line.trail, strict=True), color=colour, linewidth=0.7, alpha=0.4)
        else:
            way = (start, *line.points)
            axes.plot([p.kl[0] for p in way], [p.gold[0] for p in way], color=colour, linewidth=1.2)
        for point in line.points[:-1]:
            _marker(axes, point, colour, on_the_way=True)
        _marker(axes, end, colour)
        if not line.trail or line.beta != unlabelled:
            at = (5, -10) if line.method == "trl-dpo" else (5, 4)
            axes.annotate(
                f"β {line.beta:g}", (end.kl[0], end.gold[0]), xytext=at, textcoords="offset points",
                color=colour, fontsize=7,
            )  # fmt: skip
    shown = {line.method for line in frontier(report)}
    handles += [
        Line2D([], [], color=_COLOURS[method], marker="o", label=name)
        for method, name in METHODS.items()
        if method in shown
    ]
    axes.legend(handles=handles, frameon=False, loc="lower right", labelcolor=_QUIET)
    _frame(axes, "sequence KL to the SFT model, nats", "gold reward")


def _draw_iterations(axes: Axes, report: Mapping[str, Any]) -> None:
    colour = _COLOURS["ppo-gold"]
    lines = by_iteration(report)
    for points in lines.values():
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.1, alpha=0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.axhline(REACHED, color=_QUIET, linewidth=0.8, linestyle=(0, (4, 3)))
    _frame(axes, f"iteration of PPO, {len(lines)} seeds", "gold reward")


def _default_beta(report: Mapping[str, Any]) -> float | None:
    """The β of PPO where none was asked for; its seeds would hide each other's labels."""
    return next((float(report["runs"][name]["beta"]) for name in seeds(report).values()), None)


def _marker(axes: Axes, point: Point, colour: str, *, on_the_way: bool = False) -> None:
    """A point with its intervals in both directions; where a run only came by, it is small and faint."""
    (x, x_low, x_high), (y, y_low, y_high) = point.kl, point.gold
    axes.errorbar(
        [x], [y], xerr=[[x - x_low], [x_high - x]], yerr=[[y - y_low], [y_high - y]], color=colour,
        marker="o", markersize=3 if on_the_way else 6, elinewidth=0.7, alpha=0.4 if on_the_way else 0.9,
        zorder=3,
    )  # fmt: skip


def _frame(axes: Axes, x_label: str, y_label: str) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=_QUIET, pad=5)
    axes.set_xlabel(x_label, color=_QUIET)
    axes.set_ylabel(y_label, color=_QUIET)
    axes.margins(x=0.03)
