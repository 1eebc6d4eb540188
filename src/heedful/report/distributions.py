"""Scores and margins as histograms, inline SVG in the page's colours: what lies behind a mean.

Colours, text and frame are those of `plots`. Knows nothing of what was scored.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike, NDArray

from heedful.report.plots import QUIET, STYLE, WIDTH, Drawing, LegendEntry, for_page, frame

MOST_BINS = 24
LEAST_BINS = 6
_HEIGHT = 2.7  # inches
_PLAIN = 2  # the colour of what is alone

Array = NDArray[np.float64]


def draw_scores(scores: Mapping[str, ArrayLike], colours: Mapping[str, int], identity: str) -> Drawing:
    """The scores of each stage's answers, over the same bins, as shares of its own answers.

    Args:
        scores: stage to `[n]`; what is not finite, an answer that was cut, is left out and counted.
        colours: stage to the number of its colour.
        identity: a prefix for the SVG's ids, unique in the page.
    """
    kept = {stage: _finite(values) for stage, values in scores.items()}
    left = {stage: len(np.asarray(scores[stage])) - len(values) for stage, values in kept.items()}
    remarks = tuple(f"{stage}: {n:,} without a score, not shown." for stage, n in left.items() if n)
    shown = {stage: values for stage, values in kept.items() if len(values)}
    if not shown:
        return Drawing("", (), remarks)
    edges = _edges(np.concatenate(list(shown.values())))
    with rc_context(STYLE):
        axes, figure = _axes()
        for stage, values in shown.items():
            _stairs(axes, values, edges, colours[stage], alone=len(shown) == 1)
            middle = float(np.median(values))
            axes.axvline(middle, color=f"#0000f{colours[stage]}", linewidth=1.4, linestyle=(0, (2, 2)))
        frame(axes, "score")
        _finish(axes)
        legend = tuple(
            LegendEntry(
                stage, colours[stage], f"median {_short(float(np.median(values)))}, n = {len(values):,}"
            )
            for stage, values in shown.items()
        )
        return Drawing(for_page(figure, identity), legend, remarks)


def draw_margins(margins: ArrayLike, name: str, identity: str) -> Drawing:
    """How much better the answers are, comparison by comparison, with a line at 0, where they are alike.

    Args:
        margins: `[n]`; what is not finite is left out and counted.
        name: what is drawn.
        identity: a prefix for the SVG's ids, unique in the page.
    """
    values = _finite(margins)
    left = len(np.asarray(margins)) - len(values)
    remarks = (f"{left:,} without a margin, not shown.",) if left else ()
    if not len(values):
        return Drawing("", (), remarks)
    with rc_context(STYLE):
        axes, figure = _axes()
        _stairs(axes, values, _edges(np.append(values, 0.0)), _PLAIN, alone=True)
        axes.axvline(0, color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        frame(axes, "margin")
        _finish(axes)
        legend = (
            LegendEntry(name, _PLAIN, f"median {_short(float(np.median(values)))}, n = {len(values):,}"),
        )
        return Drawing(for_page(figure, identity), legend, remarks)


def _finite(values: ArrayLike) -> Array:
    data = np.asarray(values, dtype=np.float64)
    found: Array = data[np.isfinite(data)]
    return found


def _edges(values: Array) -> Array:
    """Edges of equally wide bins, as many as the data bear: Sturges' or Freedman and Diaconis' number."""
    low, high = float(values.min()), float(values.max())
    if not high > low:
        low, high = low - 0.5, high + 0.5
    bins = len(np.histogram_bin_edges(values, "sturges")) - 1
    quarters = np.subtract(*np.percentile(values, [75, 25]))
    if quarters > 0:
        bins = max(bins, int(np.ceil((high - low) / (2 * quarters / len(values) ** (1 / 3)))))
    return np.linspace(low, high, min(max(bins, LEAST_BINS), MOST_BINS) + 1)


def _axes() -> tuple[Axes, Figure]:
    figure = Figure(figsize=(WIDTH, _HEIGHT), layout="tight")
    return figure.add_subplot(), figure


def _stairs(axes: Axes, values: Array, edges: Array, colour: int, *, alone: bool) -> None:
    counts, _ = np.histogram(values, edges)
    shares, paint = counts / len(values), f"#0000f{colour}"
    axes.stairs(shares, edges, fill=True, color=paint, alpha=0.6 if alone else 0.28, linewidth=0)
    axes.stairs(shares, edges, color=paint, linewidth=1.4)


def _finish(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(bottom=0)


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "\u2212")
