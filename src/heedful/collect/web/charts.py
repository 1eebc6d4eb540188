"""The few kinds of charts of the dashboard as SVG: bars, dots with intervals standing and lying, parts.

Colours and sizes of type come from classes (`static/charts.css`), because the policy of the pages allows no
style within them; one drawing serves light and dark. Every mark says what it is when it is pointed at. Knows
nothing of what the numbers mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 460.0
HEIGHT = 200.0  # of charts that stand
LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 10.0, 26.0  # around what stands
ROW = 27.0  # of a chart that lies
NAMES, VALUES = 124.0, 54.0  # beside what lies
LETTERS = 12  # of a name
LETTER, SPACE = 8.2, 14.0  # the width of a letter below a chart, on a phone, and between labels
GAP = 0.2  # between bars, of their width
SEGMENT = 14.0  # the height of parts of a whole


@dataclass(frozen=True, slots=True)
class Bar:
    """`label` stands below it, where there is room; `says` all that is to be known."""

    label: str
    value: float
    says: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A figure with its interval; the ends are NaN where there is none."""

    label: str
    value: float
    low: float
    high: float
    shown: str
    says: str


def bars(marks: Sequence[Bar], *, says: str) -> Markup:
    """Bars that stand, from zero. `says`: what the chart shows, for who cannot see it."""
    high, step = _whole_steps(max((mark.value for mark in marks), default=0))
    top, bottom = TOP, HEIGHT - BOTTOM
    room = (WIDTH - LEFT - RIGHT) / max(len(marks), 1)

    def y(value: float) -> float:
        return bottom - (bottom - top) * value / high

    parts = [_across(y(value), f"{value:,.0f}") for value in _range(0, high, step)]
    for n, mark in enumerate(marks):
        x = LEFT + n * room
        parts.append(
            Markup(
                '<g class="mark"><title>{}</title><rect class="hit" {}/><rect class="bar" {}/></g>'
            ).format(
                mark.says,
                _box(x, top, room, bottom - top),
                _box(x + room * GAP / 2, y(mark.value), room * (1 - GAP), bottom - y(mark.value)),
            )
        )
    parts += _below([mark.label for mark in marks], room)
    return _svg(HEIGHT, says, parts)


def standing(marks: Sequence[Dot], *, says: str, reference: float | None = None) -> Markup:
    """Figures side by side, each with its interval, joined by a line; up to 1."""
    known = [end for mark in marks for end in (mark.value, mark.low) if math.isfinite(end)]
    low = min([0.0, *(math.floor(end * 4) / 4 for end in known)])
    top, bottom = TOP, HEIGHT - BOTTOM
    room = (WIDTH - LEFT - RIGHT) / max(len(marks), 1)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (min(value, 1.0) - low) / (1 - low)

    parts = [_across(y(value), _signed(value)) for value in _range(low, 1, 0.25)]
    if reference is not None:
        parts.append(_line("reference", LEFT, y(reference), WIDTH - RIGHT, y(reference)))
    seen = [(LEFT + (n + 0.5) * room, mark) for n, mark in enumerate(marks) if math.isfinite(mark.value)]
    joined = " ".join(f"{x:.1f},{y(mark.value):.1f}" for x, mark in seen)
    parts.append(Markup('<polyline class="path" points="{}"/>').format(joined))
    for x, mark in seen:
        reach = (
            _line("reach", x, y(mark.low), x, y(mark.high))
            if math.isfinite(mark.low) and math.isfinite(mark.high)
            else Markup("")
        )
        hit = _box(x - room / 2, top, room, bottom - top)
        parts.append(
            Markup(
                '<g class="mark"><title>{}</title><rect class="hit" {}/>{}<circle class="dot" cx="{:.1f}" '
                'cy="{:.1f}" r="4"/></g>'
            ).format(mark.says, hit, reach, x, y(mark.value))
        )
    parts += _below([mark.label for mark in marks], room)
    return _svg(HEIGHT, says, parts)


def lying(marks: Sequence[Dot], *, says: str, reference: float | None = None) -> Markup:
    """Shares one below the other, each with its name, its interval and its value."""
    left, right, top = NAMES, WIDTH - VALUES, TOP
    bottom = top + ROW * len(marks)

    def x(value: float) -> float:
        return left + (right - left) * value

    parts: list[Markup] = []
    for value in (0.0, 0.5, 1.0):
        parts.append(_line("grid", x(value), top, x(value), bottom))
        parts.append(_text("tick", x(value), bottom + 17, f"{value:.0%}", "middle"))
    if reference is not None:
        parts.append(_line("reference", x(reference), top, x(reference), bottom))
    for n, mark in enumerate(marks):
        y = top + (n + 0.5) * ROW
        reach = (
            _line("reach", x(mark.low), y, x(mark.high), y)
            if math.isfinite(mark.low) and math.isfinite(mark.high)
            else ""
        )
        parts.append(
            Markup(
                '<g class="mark"><title>{}</title><rect class="hit" {}/>{}{}'
                '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="4.5"/>{}</g>'
            ).format(
                mark.says,
                _box(0, y - ROW / 2, WIDTH, ROW),
                _text("name", left - 12, y + 4.5, _short(mark.label), "end"),
                reach,
                x(mark.value),
                y,
                _text("value", WIDTH, y + 4.5, mark.shown, "end"),
            )
        )
    return _svg(bottom + BOTTOM, says, parts)


def parts(segments: Sequence[tuple[str, float, str]], *, says: str) -> Markup:
    """Parts of a whole side by side: of each a class, how much it is, and what it is."""
    whole = sum(amount for _, amount, _ in segments)
    found: list[Markup] = [Markup('<rect class="track" {}/>').format(_box(0, 0, WIDTH, SEGMENT))]
    x = 0.0
    for name, amount, told in segments:
        if amount:
            width = WIDTH * amount / whole
            found.append(
                Markup('<g class="mark"><title>{}</title><rect class="{}" {}/></g>').format(
                    told, name, _box(x, 0, max(width - 1, 1), SEGMENT)
                )
            )
            x += width
    return _svg(SEGMENT, says, found, stretch=True)


def _svg(height: float, says: str, content: Iterable[Markup], *, stretch: bool = False) -> Markup:
    return Markup(
        '<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {:g} {:g}" '
        'preserveAspectRatio="{}" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, height, "none" if stretch else "xMidYMid", says, Markup("").join(content))


def _across(y: float, label: str) -> Markup:
    """A line of the grid with what it stands for."""
    return _line("grid", LEFT, y, WIDTH - RIGHT, y) + _text("tick", LEFT - 6, y + 4.5, label, "end")


def _below(labels: Sequence[str], room: float) -> list[Markup]:
    """As many of the labels as fit, evenly spaced, under what they belong to."""
    widest = max((len(label) for label in labels), default=1) * LETTER
    step = max(math.ceil((widest + SPACE) / room), 1)
    y = HEIGHT - BOTTOM + 18
    places = [
        (LEFT + (n + 0.5) * room, labels[n])
        for n in range((min(step, len(labels)) - 1) // 2, len(labels), step)
    ]
    fitting = [(x, label) for x, label in places if x + len(label) * LETTER / 2 <= WIDTH] or places
    return [_text("tick", x, y, label, "middle") for x, label in fitting]


def _line(name: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        name, x1, y1, x2, y2
    )


def _text(name: str, x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        name, x, y, anchor, text
    )


def _box(x: float, y: float, width: float, height: float) -> Markup:
    return Markup('x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"').format(x, y, width, height)


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else name[: LETTERS - 1] + "…"


def _signed(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _range(low: float, high: float, step: float) -> list[float]:
    return [low + n * step for n in range(round((high - low) / step) + 1)]


def _whole_steps(most: float) -> tuple[float, float]:
    """The end of an axis of counts, and the step of its grid: 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return 1.0, 1.0
    ten = 10.0 ** math.floor(math.log10(most))
    step = next(s for s in (0.5, 1.0, 2.0, 5.0) if most / (s * ten) <= 4) * ten
    step = max(step, 1.0)
    return math.ceil(most / step) * step, step
