"""A comparison as one HTML page, by the machinery of `html`: verdicts first, then standings, frontier and
over-optimisation, each a template of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from heedful.report.compare_data import ComparisonData
from heedful.report.compare_words import point_rows, ranked_view, verdicts
from heedful.report.comparisons import COST_COLUMNS, costs
from heedful.report.html import Figure, environment

OPEN_POINTS = 12  # of a frontier's table, shown before "show more"


def render(data: ComparisonData, beside: Mapping[str, str] | None = None) -> str:
    """The whole page; `write` writes it.

    Args:
        beside: what else is written into the page's folder: name to what it is.
    """
    from heedful.report import compare_plots, plots  # matplotlib takes a second to load

    # 0 is the quiet colour, of what all started from.
    used = plots.SERIES_COLOURS - 1
    colours = {name: 1 + at % used for at, name in enumerate(data.models)}
    if data.reference is not None and data.reference in colours:
        colours[data.reference] = 0
    frontiers = [
        (one, compare_plots.draw_frontier(one, colours, f"frontier{at}"), point_rows(one))
        for at, one in enumerate(data.frontiers)
    ]
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            data=data,
            spoken=verdicts(data),
            script=None,
            beside=beside or {},
            costs=costs(data.accounts),
            cost_columns=COST_COLUMNS,
            colours=colours,
            ranked=[ranked_view(one) for one in data.ranked],
            frontier_figures=[
                Figure(f"{one.judge}\u2019s reward against KL", _caption(one.reference), drawing)
                for one, drawing, _ in frontiers
            ],
            frontiers=[(one.judge, rows) for one, _, rows in frontiers],
            open_points=OPEN_POINTS,
            ways=[
                Figure(
                    one.name,
                    "mean reward against the root of KL; curves as Gao et al. fit them",
                    compare_plots.draw_over_optimisation(one, f"way{at}"),
                )
                for at, one in enumerate(data.optimised)
            ],
        )
    )


def write(data: ComparisonData, path: Path, beside: Mapping[str, str] | None = None) -> Path:
    """Write the page, with the folders it needs; returns its path. `beside` as in `render`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(data, beside), encoding="utf-8")
    return path


def _caption(reference: str) -> str:
    return f"large: what a model is; small: its checkpoints; the diamond is {reference}"
