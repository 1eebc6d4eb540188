"""The report as one HTML file that needs nothing else: no font, no network, and all to read without a script.

Everything that came from a model, a file or a user is escaped (and a content policy in the page forbids
requests and scripts should that ever fail; the one that searches examples is allowed by its hash). Words live
in `wording` and the modules named after a section, drawing in `plots` and `distributions`, looks in
`templates/`, a file a section.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from heedful.report.cards import card
from heedful.report.comparisons import COST_COLUMNS, compared_views, costs
from heedful.report.data import ReportData, RewardFindings
from heedful.report.diversity import diversity_view
from heedful.report.drift import Part, drift_parts
from heedful.report.examples import choose
from heedful.report.reward import AFTER, AS_SCORED, reward_view
from heedful.report.verdict import spoken
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
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot ready for the page."""

    title: str
    caption: str
    drawing: plots.Drawing

    @property
    def svg(self) -> Markup:
        return Markup(self.drawing.svg)


@dataclass(frozen=True, slots=True)
class Script:
    """A script of the house's own, and its hash as a content policy has it."""

    text: Markup
    hash: str

    @classmethod
    def named(cls, name: str) -> Script:
        text = (_TEMPLATES / name).read_text(encoding="utf-8")
        digest = hashlib.sha256(text.encode("utf-8")).digest()
        return cls(Markup(text), f"sha256-{base64.b64encode(digest).decode()}")


def render(data: ReportData, beside: Mapping[str, str] | None = None) -> str:
    """The whole page; `write` writes it.

    Args:
        beside: what else is written into the page's folder: name to what it is.
    """
    from heedful.report import plots  # matplotlib takes a second to load, and the terminal needs none of it

    accuracy, scores, behaviour = accuracy_groups(data), score_groups(data), behaviour_groups(data)
    reward = reward_view(data.reward) if data.reward else None
    asked = [*accuracy, *scores, *behaviour, *([reward.accuracy] if reward else [])]
    names = [*data.stages, *(stage for stage in data.behaviour if stage not in data.stages)]
    stage_colours = {name: i % plots.SERIES_COLOURS for i, name in enumerate(names)}
    chosen = choose(data.examples) if data.examples else None
    both = {one.judge: one.both_orders for one in data.comparisons}
    evaluated = bool(data.subject or data.comparisons or data.waiting)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            data=data,
            subject=data.subject,
            evaluated=evaluated,
            script=Script.named("search.js") if chosen else None,
            beside=beside or {},
            spoken=spoken(data) if evaluated else [],
            paragraphs=[text for text in re.split(r"\n\s*\n", data.intro) if text.strip()],
            # An evaluation's page opens with its verdicts, and what tiles would say stands below them.
            tiles=[] if data.subject else [group for group in asked if group.headline and group.ends],
            comparisons=compared_views(data.comparisons),
            costs=costs(data.accounts),
            cost_columns=COST_COLUMNS,
            accuracy=accuracy,
            scores=scores,
            distributions=_distributions(data, stage_colours),
            drift=[(part, _part_figures(part, i)) for i, part in enumerate(_drift(data))],
            behaviour=behaviour,
            diversity=diversity_view(data),
            ruler_notes=ruler_notes(accuracy),
            curves=[
                Figure(curve.title, curve.y_label, plots.draw(curve, data.stages, f"plot{i}"))
                for i, curve in enumerate(data.curves)
            ],
            stage_colours=stage_colours,
            reward=reward,
            reward_colours={data.reward.name: _REWARD_COLOUR} if data.reward else {},
            reliability=_reliability(data.reward) if data.reward else None,
            chosen=chosen,
            lists=[(one, [card(item, both) for item in one.items]) for one in chosen.lists] if chosen else [],
            first_answers=data.side_by_side[:OPEN_ANSWERS],
            more_answers=data.side_by_side[OPEN_ANSWERS:],
        )
    )


def write(data: ReportData, path: Path, beside: Mapping[str, str] | None = None) -> Path:
    """Write the page, with the folders it needs; returns its path. `beside` as in `render`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(data, beside), encoding="utf-8")
    return path


def _drift(data: ReportData) -> Sequence[Part]:
    return drift_parts(data.drift) if data.drift else ()


def _part_figures(part: Part, number: int) -> list[Figure]:
    from heedful.report import plots

    if part.calibration is None:
        return []
    drawing = plots.draw_reliability({"\u03c3(margin)": part.calibration.bins}, f"implied{number}")
    told = "share in which people preferred what the model prefers, by how sure it is"
    return [Figure("Is it as often right as it is sure?", told, drawing)]


def _distributions(data: ReportData, colours: Mapping[str, int]) -> list[Figure]:
    """Scores by stage, and margins by comparison, of every judge that gives them."""
    from heedful.report.distributions import draw_margins, draw_scores

    found = []
    for at, (judge, scores) in enumerate(data.scores.items()):
        own = {stage: scores[stage].scores for stage in data.stages if stage in scores}
        drawing = draw_scores(own, colours, f"scores{at}")
        caption = "share of each model\u2019s whole answers, by score; the dashed lines are medians"
        found.append(Figure(f"{judge}\u2019s scores", caption, drawing))
    for at, one in enumerate(data.comparisons):
        margins = [duel.margin for duel in one.duels if duel.margin is not None]
        if margins:
            drawing = draw_margins(margins, f"{one.model} over {one.baseline}", f"margins{at}")
            caption = (
                "share of comparisons, by how much better the answer is; the dashed line is no difference"
            )
            found.append(Figure(f"{one.judge}\u2019s margins, against {one.baseline}", caption, drawing))
    return found


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
        loader=FileSystemLoader(_TEMPLATES),
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
