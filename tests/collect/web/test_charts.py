"""Charts are well-formed SVG without styles, say what they show, and put every mark where its number is."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from heedful.collect.web import charts
from heedful.collect.web.charts import Bar, Dot

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '"><script>alert(1)</script>&'
NAN = math.nan


def read(svg: Markup) -> Any:
    return ElementTree.fromstring(svg)


def found(svg: Markup, tag: str, name: str) -> list[Any]:
    return [one for one in read(svg).iter(f"{SVG}{tag}") if one.get("class") == name]


def dot(label: str, value: float, low: float = NAN, high: float = NAN, says: str = "") -> Dot:
    return Dot(label, value, low, high, f"{value:.0%}", says)


DRAWN: dict[str, Callable[[str], Markup]] = {
    "bars": lambda text: charts.bars([Bar(text, 3, text)], says=text),
    "standing": lambda text: charts.standing([dot(text, 0.5, 0.4, 0.6, text)], says=text, reference=0.5),
    "lying": lambda text: charts.lying([dot(text, 0.5, 0.4, 0.6, text)], says=text, reference=0.5),
    "parts": lambda text: charts.parts([("done", 1, text), ("waiting", 2, text)], says=text),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_a_chart_says_what_it_shows_and_text_in_it_stays_text(kind: str) -> None:
    svg = DRAWN[kind](HOSTILE)
    root = read(svg)

    assert (root.get("role"), root.get("aria-label")) == ("img", HOSTILE)
    assert HOSTILE in [title.text for title in root.iter(f"{SVG}title")]
    assert "<script" not in svg
    assert not [one for one in root.iter() if one.get("style") or one.tag == f"{SVG}style"]


@pytest.mark.parametrize("kind", DRAWN)
def test_a_chart_stays_within_its_frame_whatever_its_labels(kind: str) -> None:
    root = read(DRAWN[kind]("a label that is far too long for where it stands"))
    _, _, width, height = map(float, root.get("viewBox").split())

    for one in root.iter():
        for name, most in (("x", width), ("cx", width), ("x2", width), ("y", height), ("cy", height)):
            assert -0.1 <= float(one.get(name, 0)) <= most + 0.1


def test_bars_are_as_high_as_what_they_count() -> None:
    svg = charts.bars([Bar("a", 0, ""), Bar("b", 5, ""), Bar("c", 10, "")], says="")
    heights = [float(bar.get("height")) for bar in found(svg, "rect", "bar")]

    assert heights[0] == 0
    assert heights[2] == pytest.approx(2 * heights[1])
    assert [tick.text for tick in found(svg, "text", "tick")][:3] == ["0", "5", "10"]
    assert found(charts.bars([Bar("a", 0, "")], says=""), "rect", "bar")[0].get("height") == "0.0"


@pytest.mark.parametrize(
    ("most", "end"), [(1, 1), (3, 3), (7, 8), (36, 40), (61, 80), (999, 1000), (1234, 1500)]
)
def test_an_axis_of_counts_ends_at_a_round_number_just_above(most: int, end: int) -> None:
    svg = charts.bars([Bar("", most, "")], says="")
    ticks = [tick.text.replace(",", "") for tick in found(svg, "text", "tick") if tick.text]

    assert ticks[-1] == str(end)
    assert 2 <= len(ticks) <= 6


def test_a_lying_dot_stands_at_its_share_with_its_interval_around_it() -> None:
    svg = charts.lying(
        [dot("a", 0.0, 0.0, 0.5), dot("b", 0.5, 0.25, 1.0), dot("c", 1.0)], says="", reference=0.5
    )
    zero, half, one = (float(dot.get("cx")) for dot in found(svg, "circle", "dot"))
    first, second = found(svg, "line", "reach")  # the third's interval is not known

    assert half == pytest.approx((zero + one) / 2, abs=0.1)
    assert float(found(svg, "line", "reference")[0].get("x1")) == pytest.approx(half, abs=0.1)
    assert [float(first.get(x)) for x in ("x1", "x2")] == pytest.approx([zero, half], abs=0.1)
    assert [float(second.get(x)) for x in ("x1", "x2")] == pytest.approx([(zero + half) / 2, one], abs=0.1)


def test_a_standing_axis_reaches_below_zero_only_where_something_does_and_gaps_are_left_out() -> None:
    above = charts.standing([dot("a", 0.4, 0.2, 0.6), dot("b", NAN)], says="")
    below = charts.standing([dot("a", -0.1, -0.3, 0.1)], says="")

    assert [tick.text for tick in found(above, "text", "tick")][:5] == ["0", "0.25", "0.5", "0.75", "1"]
    assert [tick.text for tick in found(below, "text", "tick")][:2] == ["−0.5", "−0.25"]
    assert len(found(above, "circle", "dot")) == 1
    assert "nan" not in above


def test_labels_below_a_chart_never_run_into_each_other() -> None:
    marks = [Bar(f"{n} Nov 12:00", 1, "") for n in range(30)]
    labels = [one for one in found(charts.bars(marks, says=""), "text", "tick") if "Nov" in (one.text or "")]
    places = [float(one.get("x")) for one in labels]

    assert 3 <= len(labels) <= 5
    assert min(b - a for a, b in pairwise(places)) > charts.LETTER * len("11 Nov 12:00")


def test_parts_are_as_wide_as_their_share() -> None:
    svg = charts.parts([("done", 3, "done"), ("in-hand", 0, "none"), ("waiting", 1, "waiting")], says="")
    done, waiting = found(svg, "rect", "done")[0], found(svg, "rect", "waiting")[0]

    assert float(done.get("width")) + 1 == pytest.approx(charts.WIDTH * 0.75)
    assert float(waiting.get("x")) == pytest.approx(charts.WIDTH * 0.75)
    assert not found(svg, "rect", "in-hand")
    assert found(charts.parts([("done", 0, "")], says=""), "rect", "track")


def test_a_long_name_is_cut_in_the_chart_and_whole_where_one_points() -> None:
    name = "Wolfeschlegelsteinhausen"
    svg = charts.lying([dot(name, 0.5, says=f"{name}: 50%")], says="")

    assert found(svg, "text", "name")[0].text == "Wolfeschleg…"
    assert f"{name}: 50%" in svg
