"""Histograms of scores and margins: shares of each model's own answers, nothing hidden."""

import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from heedful.report.distributions import LEAST_BINS, MOST_BINS, _edges, draw_margins, draw_scores


def test_scores_wear_their_stages_colours_and_say_median_and_n() -> None:
    drawing = draw_scores({"base": [0.0, 1.0, 2.0], "DPO": [1.0, 3.0]}, {"base": 0, "DPO": 1}, "a")
    assert [(one.name, one.colour, one.note) for one in drawing.legend] == [
        ("base", 0, "median 1, n = 3"),
        ("DPO", 1, "median 2, n = 2"),
    ]
    assert "var(--series-0)" in drawing.svg
    assert "var(--series-1)" in drawing.svg
    ElementTree.fromstring(drawing.svg)


def test_answers_without_a_score_are_counted_and_a_stage_without_any_is_not_drawn() -> None:
    cut = math.nan
    drawing = draw_scores({"base": [cut, cut], "DPO": [1.0, cut, 2.0]}, {"base": 0, "DPO": 1}, "a")
    assert drawing.remarks == ("base: 2 without a score, not shown.", "DPO: 1 without a score, not shown.")
    assert [one.name for one in drawing.legend] == ["DPO"]
    assert draw_scores({"base": [cut]}, {"base": 0}, "a").legend == ()


def test_margins_are_drawn_with_no_difference_in_sight() -> None:
    drawing = draw_margins([2.0, 3.0, math.inf], "DPO over base", "a")
    assert drawing.legend[0].note == "median 2.5, n = 2"
    assert drawing.remarks == ("1 without a margin, not shown.",)


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], list(range(5)), [0.0, 1e6], np.arange(9999.0)])
def test_bins_are_equally_wide_hold_all_and_are_neither_few_nor_many(values: list[float]) -> None:
    data = np.array(values, dtype=np.float64)
    edges = _edges(data)
    assert LEAST_BINS <= len(edges) - 1 <= MOST_BINS
    assert np.allclose(np.diff(edges), np.diff(edges)[0])
    assert np.histogram(data, edges)[0].sum() == len(data)
