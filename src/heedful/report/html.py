"""The report as one HTML file that needs nothing else: no script, no font, no network.

Everything that came from a model, a file or a user is escaped (and a content policy in the page forbids
scripts and requests should that ever fail). Wording lives in `wording`, drawing in `plots`, looks in
`templates/`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from heedful.report.data import ReportData, RewardFindings
from heedful.report.reward import AFTER, AS_SCORED, reward_view
from heedful.report.wording import (
    Number,
    accuracy_groups,
    behaviour_groups,
    clean,
    ruler_notes,
    score_groups,
)

if TYPE_CHECKING:
    from heedful.report import plots

OPEN_ANSWERS = 6  # side-by-side answers shown before "show more"
_REWARD_COLOUR = 2


def render(data: ReportData) -> str:
    """The whole page; `write` writes it."""
    from heedful.report import plots  # matplotlib takes a second to load, and the terminal needs none of it

    accuracy, scores, behaviour = accuracy_groups(data), score_groups(data), behaviour_groups(data)
    drawings = [(curve, plots.draw(curve, data.stages, f"plot{i}")) for i, curve in enumerate(data.curves)]
    reward = reward_view(data.reward) if data.reward else None
    asked = [*accuracy, *scores, *behaviour, *([reward.accuracy] if reward else [])]
    names = [*data.stages, *(stage for stage in data.behaviour if stage not in data.stages)]
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            data=data,
            paragraphs=[text for text in re.split(r"\n\s*\n", data.intro) if text.strip()],
            tiles=[group for group in asked if group.headline and group.ends],
            accuracy=accuracy,
            scores=scores,
            behaviour=behaviour,
            ruler_notes=ruler_notes(accuracy),
            curves=[(curve, drawing, Markup(drawing.svg)) for curve, drawing in drawings],
            stage_colours={name: i % plots.SERIES_COLOURS for i, name in enumerate(names)},
            reward=reward,
            reward_colours={data.reward.name: _REWARD_COLOUR} if data.reward else {},
            reliability=_reliability(data.reward) if data.reward else None,
            first_answers=data.side_by_side[:OPEN_ANSWERS],
            more_answers=data.side_by_side[OPEN_ANSWERS:],
        )
    )


def write(data: ReportData, path: Path) -> Path:
    """Write the page, with the folders it needs; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(data), encoding="utf-8")
    return path


def _reliability(findings: RewardFindings) -> tuple[plots.Drawing, Markup]:
    from heedful.report import plots

    quality = findings.quality
    series = {AS_SCORED: quality.calibration.bins}
    if quality.calibrated:
        series[AFTER] = quality.calibrated.bins
    drawing = plots.draw_reliability(series, "reliability")
    return drawing, Markup(drawing.svg)


def environment() -> Environment:
    """Where the pages' templates are found and what they can call; all text is escaped and cleaned."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    found.globals |= {"span": _span, "place": _place}
    found.filters["word_count"] = lambda text: len(text.split())
    return found


def _printable(value: Any) -> Any:
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _span(number: Number, axis: tuple[float, float]) -> dict[str, float]:
    """Where a number and its interval lie on an axis with these ends, in percent."""
    low, high = (number.value if bound != bound else bound for bound in number.interval)
    left, right = _place(low, axis), _place(high, axis)
    return {"left": left, "width": right - left, "dot": _place(number.value, axis)}


def _place(value: float, axis: tuple[float, float]) -> float:
    left, right = axis
    return min(max(100 * (value - left) / (right - left), 0.0), 100.0)
