"""A reward model's report: what it says, in page and terminal, and what it must not claim."""

import io
import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from heedful.evaluation.calibration import Bin
from heedful.evaluation.reward_quality import RewardQuality, reward_quality
from heedful.report import Mistake, ReportData, RewardFindings, render, reward_report, summary
from heedful.report.plots import draw_reliability
from heedful.report.reward import reward_view
from tests.report.test_html import HOSTILE, Page, words


def quality(n: int = 400, factor: float = 1.0, **more: Any) -> RewardQuality:
    """Of pairs whose preferences fall as σ(score difference / factor) says."""
    rng = np.random.default_rng(0)
    one, two = 1.5 * rng.normal(size=(2, n))
    first = rng.random(n) < 1 / (1 + np.exp(two - one))
    return reward_quality(
        factor * np.where(first, one, two),
        factor * np.where(first, two, one),
        chosen_lengths=rng.integers(5, 50, size=n),
        rejected_lengths=rng.integers(5, 50, size=n),
        **more,
    )


@pytest.fixture(scope="module")
def calibrated() -> RewardQuality:
    return quality()


@pytest.fixture(scope="module")
def too_sure() -> RewardQuality:
    return quality(factor=3.0, margins=[i % 3 - 1 if i % 7 else None for i in range(400)])


@pytest.fixture(scope="module")
def single() -> RewardQuality:
    return reward_quality([1.0], [1.0], chosen_lengths=[2], rejected_lengths=[1], probabilities=[0.8])


def view(found: RewardQuality) -> Any:
    return reward_view(RewardFindings("ours", found))


def printed(data: ReportData, *, terminal: bool, width: int = 120) -> str:
    buffer = io.StringIO()
    summary(data, Console(file=buffer, force_terminal=terminal, color_system=None, width=width))
    return buffer.getvalue()


def test_the_model_is_held_against_the_best_ruler_on_the_same_pairs(calibrated: RewardQuality) -> None:
    own, *rulers = view(calibrated).accuracy.rows
    assert own.stage == "ours"
    assert own.verdict.headline == f"clearly above \u201c{calibrated.best_ruler}\u201d"
    assert own.verdict.tone == "good"
    low, high = (round(100 * bound) for bound in calibrated.over_ruler_interval)
    assert own.verdict.detail.endswith(f"(+{low} to +{high})")
    assert [(row.stage, row.verdict) for row in rulers] == [("longer wins", None), ("shorter wins", None)]


@pytest.mark.parametrize(
    ("interval", "value", "headline", "tone"),
    [
        ((-0.3, -0.1), -0.2, "clearly below", "bad"),
        ((-0.1, 0.2), 0.05, "no clear difference from", "unclear"),
        ((0.01, 0.2), 0.1, "clearly above", "good"),
    ],
)
def test_the_paired_interval_decides(
    calibrated: RewardQuality, interval: tuple[float, float], value: float, headline: str, tone: str
) -> None:
    best = calibrated.longer_wins
    told = replace(
        calibrated,
        accuracy=replace(calibrated.accuracy, value=best.value + value),
        best_ruler="longer wins",
        over_ruler=value,
        over_ruler_interval=interval,
    )
    verdict = view(told).accuracy.ends[0].verdict
    assert (verdict.headline, verdict.tone) == (f"{headline} \u201clonger wins\u201d", tone)


def test_a_calibrated_model_is_not_accused(calibrated: RewardQuality) -> None:
    found = view(calibrated)
    assert found.calibration.verdict.headline == "no clear miscalibration"
    assert found.temperature.verdict.headline == "no clear difference from 1"


def test_a_model_too_sure_of_itself_is_told_so_and_by_how_much(too_sure: RewardQuality) -> None:
    found = view(too_sure)
    assert found.calibration.verdict.headline == "clearly too sure"
    points = f"{100 * too_sure.calibration.excess:.1f} points"
    assert found.calibration.verdict.detail == f"by {points} on average"
    assert found.temperature.verdict.headline == "clearly above 1"
    assert found.temperature.value == f"{too_sure.temperature.value:.2f}"


def test_errors_in_both_directions_are_not_called_too_sure(calibrated: RewardQuality) -> None:
    bins = (Bin(0.6, 0.9, 0.8, 1.0, 100), Bin(0.9, 0.6, 0.5, 0.7, 100))
    odd = replace(calibrated.calibration, ece=0.3, ece_by_chance=0.1, bins=bins)
    assert view(replace(calibrated, calibration=odd)).calibration.verdict.headline == "clearly miscalibrated"


def test_a_modest_model_is_told_so() -> None:
    found = view(quality(factor=0.2))
    assert found.calibration.verdict.headline == "clearly too modest"
    assert found.temperature.verdict.headline == "clearly below 1"


def test_the_table_holds_both_calibrations_and_always_half(too_sure: RewardQuality) -> None:
    found = view(too_sure)
    assert found.columns == ("as scored", "after the temperature", "always 50%")
    ece, brier, loss = found.lines
    assert too_sure.calibrated is not None
    assert ece.cells[0][0] == f"{100 * too_sure.calibration.ece:.1f}"
    assert ece.cells[1][1] == f"by chance to {100 * too_sure.calibrated.ece_by_chance:.1f}"
    low, high = too_sure.calibration.brier_interval
    assert brier.cells[0] == (f"{too_sure.calibration.brier:.3f}", f"{low:.3f}\u2013{high:.3f}")
    assert brier.cells[2] == ("0.250", "")
    assert loss.cells[1][0] == f"{too_sure.calibrated.log_loss:.3f}"
    assert loss.cells[2] == ("0.693", "")


def test_slices_have_their_numbers(too_sure: RewardQuality) -> None:
    margins, lengths = view(too_sure).slices
    assert [row.stage for row in margins.rows] == ["\u22121", "0", "1", "no margin given"]
    assert sum(row.number.n for row in margins.rows) == 400
    assert [row.stage for row in lengths.rows] == list(too_sure.by_length)
    assert all(row.verdict is not None for row in lengths.rows)


def test_without_margins_the_score_difference_is_named(calibrated: RewardQuality) -> None:
    margins, _ = view(calibrated).slices
    assert margins.label == "By score difference"
    assert re.fullmatch(r"[\d.e\u2212]+ to [\d.]+", margins.rows[0].stage)


def test_what_is_counted_apart_is_said(single: RewardQuality) -> None:
    assert view(single).remarks == (
        "1 pair has equal scores and counts as wrong.",
        "1 pair has a soft label: accuracy counts the likelier side, Brier score and log loss the label.",
    )
    many = reward_quality(
        [1.0] * 4,
        [1.0, 1.0, 0.0, 0.0],
        chosen_lengths=[1] * 4,
        rejected_lengths=[1] * 4,
        probabilities=[1, 1, 0.5, 0.5],
        groups="aabb",
    )
    assert view(many).remarks == (
        "2 pairs have equal scores and count as wrong.",
        "2 pairs are labelled one half: counted in calibration, not in accuracy.",
        "2 pairs have soft labels: accuracy counts the likelier side, Brier score and log loss the label.",
        "The 4 pairs are of 2 prompts; the intervals allow for pairs of one prompt being alike.",
    )


def test_a_single_pair_claims_nothing(single: RewardQuality) -> None:
    found = view(single)
    assert found.columns == ("as scored", "always 50%")
    assert found.temperature.value == "\u221e"
    assert found.temperature.verdict.headline == "too few to tell"
    assert found.lines[1].cells[0] == ("0.090", "unknown")
    assert found.accuracy.ends[0].verdict.tone == "unclear"
    for text in (
        words(render(reward_report(single, {}))),
        printed(reward_report(single, {}), terminal=False),
    ):
        assert "nan" not in text
        assert "1 pair has equal scores" in text


def test_the_page_holds_the_findings(too_sure: RewardQuality) -> None:
    mistake = Mistake("How do I boil an egg?", "Eight minutes.", "Eggs are eggs.", -0.5, 3.25)
    data = reward_report(
        too_sure,
        {"Model": "tiny"},
        name="ours",
        mistakes=[mistake],
        notes=["Only simulated."],
        quarantine={"equal_sides": 2},
    )
    html = render(data)
    text = words(html)
    for part in (
        "How good is the reward model?",
        "clearly too sure",
        "Best temperature",
        "by chance to",
        "no margin given",
        "much longer",
        "People preferred score -0.50 Eight minutes.",
        "The model preferred score 3.25 Eggs are eggs.",
        "Only simulated.",
        "equal_sides 2",
        "Model tiny",
    ):
        assert part in text
    page = Page(html)
    assert page.unclosed == []
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert "http:" not in html
    assert "https:" not in html
    assert html == render(data)


def test_a_page_about_something_else_says_nothing_of_rewards() -> None:
    html = render(ReportData("Bare"))
    for section in ("reward", "calibration", "slices", "mistakes"):
        assert f'<section id="{section}"' not in html
    assert "temperature" not in words(html)


def test_hostile_text_stays_text(calibrated: RewardQuality) -> None:
    mistake = Mistake(HOSTILE, HOSTILE, HOSTILE, 0.0, math.inf)
    html = render(reward_report(calibrated, {HOSTILE: HOSTILE}, name=HOSTILE, mistakes=[mistake]))
    page = Page(html)
    assert not {"script", "img"} & set(page.tags)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert page.text.count("{{ 7*7 }}") >= 6
    assert page.unclosed == []


def test_off_the_terminal_every_finding_is_one_plain_line(too_sure: RewardQuality) -> None:
    lines = printed(reward_report(too_sure, {}, name="ours"), terminal=False, width=40).splitlines()
    found = too_sure.temperature
    told = f"Best temperature: {found.value:.2f} (95% {found.low:.2f}\u2013{found.high:.2f}, n = 400 pairs)"
    assert f"  {told}, clearly above 1: scores lie too far apart" in lines
    assert any(line.startswith("  Log loss, nats: as scored ") for line in lines)
    assert any(line.split()[:2] == ["Accuracy", "ours"] for line in lines)
    assert any("much longer" in line for line in lines)


def test_on_the_terminal_it_fits(too_sure: RewardQuality) -> None:
    text = printed(reward_report(too_sure, {}), terminal=True, width=80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "Where is it right?" in text


def test_reliability_is_drawn_where_the_numbers_are() -> None:
    """Higher on the page is a smaller y; on the diagonal both bins would lie on the dashed line."""
    bins = [Bin(0.6, 0.55, 0.5, 0.6, 50), Bin(0.9, 0.95, 0.9, 1.0, 50)]
    drawing = draw_reliability({"as scored": bins}, "r")
    root = ElementTree.fromstring(drawing.svg)
    assert root.tag == "svg"
    paths = re.findall(r'<path d="M ([\d.]+) ([\d.]+) \nL ([\d.]+) ([\d.]+) \n" clip-path', drawing.svg)
    spans = [tuple(float(x) for x in path) for path in paths]
    diagonal, line = (s for s in spans if abs(s[0] - s[2]) > 1 and abs(s[1] - s[3]) > 1)
    scale = (diagonal[2] - diagonal[0]) / 0.5
    assert line[0] == pytest.approx(diagonal[0] + 0.1 * scale, abs=0.01)
    assert line[2] == pytest.approx(diagonal[0] + 0.4 * scale, abs=0.01)
    rise = (diagonal[1] - diagonal[3]) / 0.5
    assert line[1] == pytest.approx(diagonal[1] - 0.05 * rise, abs=0.01)
    assert line[3] == pytest.approx(diagonal[1] - 0.45 * rise, abs=0.01)


def test_reliability_leaves_colours_and_ids_to_the_page() -> None:
    bins = [Bin(0.7, 0.7, 0.6, 0.8, 50)]
    drawing = draw_reliability({"as scored": bins, "after": bins}, "r")
    assert [entry.name for entry in drawing.legend] == ["as scored", "after"]
    assert len({entry.colour for entry in drawing.legend}) == 2
    assert "stroke-dasharray" in drawing.svg
    assert not re.search(r"#[0-9a-f]{6}\b", drawing.svg.replace("#000000", ""))
    assert all(found.startswith("r-") for found in re.findall(r' id="([^"]+)"', drawing.svg))
