"""Training curves and reliability as inline SVG, drawn by matplotlib and coloured by the page.

A plot is drawn in stand-in colours that are then replaced by the page's CSS variables, so that one drawing
serves light and dark. Text stays text in the page's own font. Knows nothing of what the numbers mean.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator, PercentFormatter
from numpy.typing import NDArray

from heedful.evaluation.calibration import Bin
from heedful.report.data import Curve
from heedful.report.wording import clean

SERIES_COLOURS = 6  # --series-0 ... --series-5 in the style sheet; 0 is the quiet one, for the baseline
SMOOTH_FROM = 40  # points from which a series is drawn with a running mean
WIDTH, _HEIGHT, _TALL, _FONT = 5.0, 2.7, 3.6, 10  # inches, inches, inches, points
_STAND_INS = {f"#0000f{i}": f"var(--series-{i})" for i in range(SERIES_COLOURS)} | {
    "#0000e0": "var(--grid)",
    "#0000e1": "var(--quiet)",
}
GRID, QUIET = "#0000e0", "#0000e1"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "heedful",
    "text.parse_math": False,  # a label with two dollar signs is no formula
    "font.size": _FONT,
    "axes.unicode_minus": True,
}


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A series' name, its colour (the number of a `--series-` variable) and what else is said of it."""

    name: str
    colour: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plot ready for the page: SVG markup, what stands beside it, and what a reader must be told."""

    svg: str
    legend: tuple[LegendEntry, ...]
    remarks: tuple[str, ...]


def colours(names: Sequence[str], stages: Sequence[str]) -> dict[str, int]:
    """A colour for each name: a stage's own where the name is a stage, else one that no stage wears."""
    known = {stage.casefold(): i % SERIES_COLOURS for i, stage in enumerate(stages)}
    result = {name: known[name.casefold()] for name in names if name.casefold() in known}
    free = sorted(range(1, SERIES_COLOURS), key=lambda i: (i in result.values(), i in known.values(), i))
    for i, name in enumerate(name for name in names if name not in result):
        result[name] = free[i % len(free)]
    return result


def draw(curve: Curve, stages: Sequence[str], identity: str) -> Drawing:
    """Draw one curve.

    Args:
        curve: what to draw.
        stages: the report's stages, so that a series named after one wears its colour.
        identity: a prefix for the SVG's ids, unique in the page.
    """
    palette = colours(list(curve.series), stages)
    remarks: list[str] = []
    legend: list[LegendEntry] = []
    windows: dict[int, list[str]] = {}
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, _HEIGHT), layout="tight")
        axes = figure.add_subplot()
        for name, points in curve.series.items():
            x, y, dropped = _finite(points)
            if dropped:
                remarks.append(f"{name}: {dropped} of {len(points)} values are not finite and not shown.")
            if len(x):
                last = f"last {y[-1]:.3g}".replace("-", "\u2212")
                legend.append(LegendEntry(name, palette[name], last))
                window = _line(axes, x, y, f"#0000f{palette[name]}")
                windows.setdefault(window, []).append(name)
        frame(axes, clean(curve.x_label))
        for window, names in windows.items():
            if window:
                smoothed = f"thin line every value, bold line the running mean of {window}."
                remarks.append(f"{', '.join(names)}: {smoothed}")
        return Drawing(for_page(figure, identity), tuple(legend), tuple(remarks))


def draw_reliability(series: Mapping[str, Sequence[Bin]], identity: str) -> Drawing:
    """Draw what was predicted against what was seen, each bin with its interval, beside the diagonal.

    Args:
        series: name to bins, the least sure first.
        identity: a prefix for the SVG's ids, unique in the page.
    """
    palette = colours(list(series), [])
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, _TALL), layout="tight")
        axes = figure.add_subplot()
        axes.plot([0.5, 1], [0.5, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 3)))
        for name, bins in series.items():
            seen = np.array([bin.observed for bin in bins])
            reach = np.array([[bin.observed - bin.low, bin.high - bin.observed] for bin in bins]).T
            axes.errorbar(
                [bin.predicted for bin in bins], seen, yerr=reach, color=f"#0000f{palette[name]}",
                linewidth=1.8, marker="o", markersize=5, elinewidth=1, solid_capstyle="round",
            )  # fmt: skip
        frame(axes, "how sure the model is")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MultipleLocator(0.1))
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
        legend = tuple(LegendEntry(name, palette[name]) for name in series)
        return Drawing(for_page(figure, identity), legend, ())


def _finite(points: Sequence[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    data = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    good = np.isfinite(data).all(axis=1)
    return data[good, 0], data[good, 1], int((~good).sum())


def _line(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], colour: str) -> int:
    """Draw one series; returns the running mean's window, 0 where the values stand as they are."""
    if len(x) < SMOOTH_FROM:
        marker = "o" if len(x) < 15 else ""
        axes.plot(x, y, color=colour, linewidth=1.8, marker=marker, markersize=4, solid_capstyle="round")
        return 0
    window = max(5, len(x) // 20) | 1
    counts = np.convolve(np.ones(len(y)), np.ones(window), mode="same")  # fewer neighbours at both ends
    axes.plot(x, y, color=colour, linewidth=0.8, alpha=0.3)
    axes.plot(x, np.convolve(y, np.ones(window), mode="same") / counts, color=colour, linewidth=2)
    return window


def frame(axes: Axes, x_label: str) -> None:
    """Leave of the axes' frame a base line and a light grid, in the page's colours."""
    axes.set_facecolor("none")
    axes.figure.set_facecolor("none")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=QUIET, pad=5)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.xaxis.get_offset_text().set_color(QUIET)
    axes.yaxis.get_offset_text().set_color(QUIET)
    axes.set_xlabel(x_label, color=QUIET)
    axes.margins(x=0.02)


def for_page(figure: Figure, identity: str) -> str:
    """Strip what an inline SVG must not bring along, make ids unique, hand colours and font to the page."""
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*;? ?", "", svg)
    svg = re.sub(r' id="([^"]+)"', rf' id="{identity}-\1"', svg)
    svg = re.sub(r'(?:xlink:)?href="#', f'href="#{identity}-', svg)
    svg = svg.replace("url(#", f"url(#{identity}-")
    for stand_in, variable in _STAND_INS.items():
        svg = svg.replace(stand_in, variable)
    box = re.search(r'viewBox="[^"]+"', svg)
    assert box is not None, "matplotlib writes a viewBox"
    return re.sub(r"<svg[^>]*>", f'<svg {box.group()} role="img" aria-hidden="true">', svg, count=1).strip()
