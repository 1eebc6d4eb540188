"""The plots of checks as inline SVG: histograms, bars, and dots with their intervals.

Bars and dots lie down, so that a label of any length stands beside its own. Colours, text and frame are
those of `plots`. Knows nothing of what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from heedful.checks.finding import Plot
from heedful.report.plots import (
    GRID,
    QUIET,
    SERIES_COLOURS,
    STYLE,
    WIDTH,
    Drawing,
    LegendEntry,
    for_page,
    frame,
)
from heedful.report.wording import clean

MOST_LABELS = 30  # drawn; a taller plot is a table
MOST_LETTERS = 28  # of a label
_OWN_COLOURS = {"chosen": 3, "rejected": 5}
_PLAIN = 2
_HEIGHT, _ROW, _ENDS = 2.6, 0.27, 0.75  # inches: a histogram's, a label's, what stands above and below labels
_CLOSER = 0.7  # of a label's row, for each of its bars where it has several
_THICK = 0.74  # of a label's row, all its bars together
_TICKS = 8
_THOUSAND = 1000
_STEPS = [1, 2, 5, 10]


def draw(plot: Plot, identity: str) -> Drawing:
    """Draw one plot.

    Args:
        identity: a prefix for the SVG's ids, unique in the page.
    """
    palette = _palette(list(plot.series))
    remarks = []
    if len(plot.labels) > MOST_LABELS:
        remarks.append(f"The first {MOST_LABELS} of {len(plot.labels):,}.")
    with rc_context(STYLE):
        if plot.kind == "histogram":
            figure = Figure(figsize=(WIDTH, _HEIGHT), layout="tight")
            _histogram(figure.add_subplot(), plot, palette)
        else:
            rows = min(len(plot.labels), MOST_LABELS)
            height = _ENDS + _ROW * rows * max(1, len(plot.series) * _CLOSER)
            figure = Figure(figsize=(WIDTH, height), layout="tight")
            _lying(figure.add_subplot(), plot, palette)
        legend = [LegendEntry(name, colour) for name, colour in palette.items()] if len(palette) > 1 else []
        return Drawing(for_page(figure, identity), tuple(legend), tuple(remarks))


def _palette(names: Sequence[str]) -> dict[str, int]:
    """A colour of each series; what is alone is plain."""
    if len(names) == 1:
        return {names[0]: _PLAIN}
    taken = {name: _OWN_COLOURS[name] for name in names if name in _OWN_COLOURS}
    free = [n for n in range(1, SERIES_COLOURS) if n not in taken.values()]
    others = [name for name in names if name not in taken]
    taken |= {name: free[n % len(free)] for n, name in enumerate(others)}
    return {name: taken[name] for name in names}


def _histogram(axes: Axes, plot: Plot, palette: Mapping[str, int]) -> None:
    """Every bin as wide as the others, whatever its edges: bins that widen would hide the short ones.

    What is counted stands upright; the page says it above the plot.
    """
    edges = np.arange(len(plot.bins))
    for name, counts in plot.series.items():
        colour = f"#0000f{palette[name]}"
        alpha = 0.3 if len(palette) > 1 else 0.75
        axes.stairs(counts, edges, fill=True, color=colour, alpha=alpha, linewidth=0)
        axes.stairs(counts, edges, color=colour, linewidth=1.4)
    frame(axes, "")
    axes.margins(x=0)
    step = math.ceil(len(edges) / _TICKS)
    axes.set_xticks(edges[::step], [_edge(edge) for edge in plot.bins[::step]])
    if plot.reference is not None:
        axes.axvline(_place(plot.reference, plot.bins), color=QUIET, linewidth=1, linestyle=(0, (4, 3)))


def _edge(value: float) -> str:
    if math.isfinite(value) and abs(value) >= _THOUSAND:
        return f"{value / _THOUSAND:g}k".replace("-", "\u2212")
    return f"{value:.3g}".replace("inf", "\u221e").replace("-", "\u2212")


def _place(value: float, edges: Sequence[float]) -> float:
    """Where a value lies among bins that are drawn one unit wide each."""
    finite = [edge if math.isfinite(edge) else math.copysign(1e308, edge) for edge in edges]
    return float(np.interp(value, finite, np.arange(len(edges))))


def _lying(axes: Axes, plot: Plot, palette: Mapping[str, int]) -> None:
    labels = plot.labels[:MOST_LABELS]
    thick = _THICK / max(1, len(palette))
    rows = np.arange(len(labels))
    for n, (name, values) in enumerate(plot.series.items()):
        own, colour = np.asarray(values[:MOST_LABELS], dtype=np.float64), f"#0000f{palette[name]}"
        at = rows - _THICK / 2 + thick * (n + 0.5)
        if plot.kind == "bars":
            axes.barh(at, own, height=thick * 0.9, color=colour)
            continue
        low = np.asarray(plot.low.get(name, values)[:MOST_LABELS], dtype=np.float64)
        high = np.asarray(plot.high.get(name, values)[:MOST_LABELS], dtype=np.float64)
        axes.hlines(at, low, high, color=colour, linewidth=4, alpha=0.35)
        axes.plot(own, at, color=colour, marker="o", markersize=5, linewidth=0)
    shares = "share" in plot.unit or "%" in plot.unit
    frame(axes, clean(plot.unit))
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.spines["bottom"].set_visible(False)
    axes.set_yticks(rows, [_short(clean(label)) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.xaxis.set_major_locator(
        MaxNLocator(nbins=5, integer=not shares and plot.kind == "bars", steps=_STEPS)
    )
    if shares:
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if plot.reference is not None:
        axes.axvline(plot.reference, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))


def _short(label: str) -> str:
    line = " ".join(label.split())
    return line if len(line) <= MOST_LETTERS else line[: MOST_LETTERS - 1] + "\u2026"
