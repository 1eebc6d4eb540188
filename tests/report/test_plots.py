"""Curves as inline SVG: no leaks, no collisions, nothing hidden."""

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from heedful.report import Curve
from heedful.report.plots import colours, draw


def curve(**series: list[tuple[float, float]]) -> Curve:
    return Curve("Loss", "nats", series)


LONG = [(float(i), math.sin(i)) for i in range(100)]


def test_the_svg_is_well_formed_and_scales_with_the_page() -> None:
    root = ElementTree.fromstring(draw(curve(train=LONG), [], "a").svg)
    assert root.tag == "svg"
    assert "viewBox" in root.attrib
    assert "width" not in root.attrib


def test_colours_are_left_to_the_page() -> None:
    svg = draw(curve(train=LONG, other=[(0.0, 1.0), (9.0, 0.5)]), [], "a").svg
    assert "var(--series-1)" in svg
    assert "var(--grid)" in svg
    assert not re.search(r"#[0-9a-f]{6}\b", svg.replace("#000000", ""))


def test_nothing_is_loaded_from_elsewhere() -> None:
    svg = draw(curve(train=LONG), [], "a").svg
    assert "http" not in svg
    assert "<style" not in svg
    assert "DejaVu" not in svg


def test_two_plots_in_one_page_share_no_ids() -> None:
    first, second = (set(re.findall(r' id="([^"]+)"', draw(curve(train=LONG), [], x).svg)) for x in "ab")
    assert first
    assert not first & second


def test_every_reference_finds_its_target() -> None:
    svg = draw(curve(train=LONG), [], "a").svg
    targets = set(re.findall(r' id="([^"]+)"', svg))
    assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg))
    assert {a or b for a, b in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)} <= targets


def test_the_same_curve_is_drawn_the_same() -> None:
    assert draw(curve(train=LONG), [], "a") == draw(curve(train=LONG), [], "a")


def test_values_that_are_not_finite_are_counted() -> None:
    drawing = draw(curve(train=[(0.0, 1.0), (1.0, math.nan), (2.0, math.inf), (3.0, 0.25)]), [], "a")
    assert drawing.remarks == ("train: 2 of 4 values are not finite and not shown.",)
    assert drawing.legend[0].note == "last 0.25"


def test_smoothing_is_admitted() -> None:
    drawing = draw(curve(train=LONG, short=[(0.0, 1.0)]), [], "a")
    assert drawing.remarks == ("train: thin line every value, bold line the running mean of 5.",)


def test_a_smoothed_constant_stays_the_constant_to_its_ends() -> None:
    """A running mean that took nothing beyond the ends for zeros would sag there."""
    smoothed = draw(curve(train=[(float(i), 1.0) for i in range(100)]), [], "a").svg
    lines = [p for p in re.findall(r'<path d="([^"]+)" clip-path', smoothed) if p.count("L") >= 1]
    heights = {y for path in lines[-2:] for y in re.findall(r"[ML] [\d.]+ ([\d.]+)", path)}
    assert len(heights) == 1


def test_a_curve_without_a_finite_point_has_an_empty_legend() -> None:
    assert draw(curve(train=[(0.0, math.nan)]), [], "a").legend == ()
    assert draw(curve(train=[]), [], "a").legend == ()


def test_labels_are_text_never_markup_or_formulas() -> None:
    svg = draw(Curve("t", "y", {"train": LONG}, x_label="<b>$x_{$</b>\x00"), [], "a").svg
    assert "&lt;b&gt;$x_{$&lt;/b&gt;\ufffd" in svg
    ElementTree.fromstring(svg)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["base", "dpo"], {"base": 0, "dpo": 2}),
        (["train", "held out"], {"train": 3, "held out": 4}),
        (["SFT", "train"], {"SFT": 1, "train": 3}),
    ],
)
def test_a_stage_wears_its_colour_everywhere_and_nobody_else_does(
    names: list[str], expected: dict[str, int]
) -> None:
    assert colours(names, ["base", "SFT", "DPO"]) == expected


def test_many_series_still_have_colours() -> None:
    assert set(colours([str(i) for i in range(20)], ["base"]).values()) <= set(range(1, 6))
