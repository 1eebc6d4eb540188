"""The check for replies that the model would not say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from heedful.checks.finding import Outcome
from heedful.checks.model_scores import CrossFit, Losses
from heedful.checks.off_distribution import OffDistribution, outlyingness
from heedful.records import Preference, assistant, user

PAIRS = 120


class Told:
    """Says losses that it was given; `above` is how far all replies are above the model's own answers."""

    def __init__(self, above: float = 0.3, far: Sequence[int] = (), absent: Sequence[int] = ()) -> None:
        chance = np.random.default_rng(0)
        own = 1.5 + 0.3 * chance.normal(size=32)
        chosen = 1.5 + above + 0.3 * chance.normal(size=PAIRS)
        rejected = 2.0 + above + 0.3 * chance.normal(size=PAIRS)
        whole = chosen.copy()
        whole[list(far)] = 12.0
        for losses in (whole, chosen, rejected):
            losses[list(absent)] = np.nan
        self.known = Losses(whole, rejected, chosen, rejected, own, 64)

    def cross_fit(self, pairs: Sequence[Preference], *, folds: int, repeats: int) -> CrossFit:
        raise AssertionError("rewards are not asked for here")

    def losses(self, pairs: Sequence[Preference], *, answers: int, start: int) -> Losses:
        assert len(pairs) == PAIRS
        self.asked = (answers, start)
        return self.known


def outcome(model: Told, **settings: Any) -> Outcome:
    check = OffDistribution(model, **settings)
    for n in range(PAIRS):
        check.see(
            Preference((user(f"{n}?"),), (assistant(f"yes {n}"),), (assistant("no"),), id=f"pair-{n}"), n
        )
    return check.outcome()


def test_replies_near_the_models_own_are_no_finding() -> None:
    model = Told()
    found = outcome(model, answers=32, start=64)
    assert not found.findings
    assert model.asked == (32, 64)
    assert found.figures["pairs"] == PAIRS
    assert found.figures["above_own"]["chosen"]["value"] == pytest.approx(0.3, abs=0.15)
    assert found.figures["above_own"]["rejected"]["value"] == pytest.approx(0.8, abs=0.15)


def test_a_far_out_reply_is_named() -> None:
    found = outcome(Told(far=[7, 60]))
    (finding,) = found.findings
    assert (finding.code, finding.severity) == ("chosen_far_out", "note")
    assert (finding.count, finding.of) == (2, PAIRS)
    assert {example.id for example in finding.examples} == {"pair-7", "pair-60"}
    assert "12.0 nats a token: yes" in finding.examples[0].text


def test_replies_far_above_the_models_own_are_a_note_with_its_interval() -> None:
    found = outcome(Told(above=2.5))
    (finding,) = found.findings
    assert finding.code == "chosen_unlike_model"
    assert finding.figure is not None
    assert finding.figure.value == pytest.approx(2.5, abs=0.15)
    assert 2.3 < finding.figure.low < finding.figure.value < finding.figure.high < 2.8
    assert "heedful sft" in finding.mend
    assert not outcome(Told(above=2.5), distance=3.0).findings


def test_what_could_not_be_rendered_is_left_out() -> None:
    found = outcome(Told(absent=[0, 1, 2]))
    assert found.figures["pairs"] == PAIRS - 3
    assert np.isfinite(found.figures["loss"]["chosen"])
    assert "rendered" in outcome(Told(absent=range(PAIRS))).skipped


def test_the_plot_holds_shares_of_each_side() -> None:
    (plot,) = outcome(Told()).plots
    assert set(plot.series) == {"chosen", "rejected", "its own"}
    assert all(sum(shares) == pytest.approx(1.0) for shares in plot.series.values())
    assert len(plot.bins) == len(plot.series["chosen"]) + 1


def test_outlyingness_is_in_robust_standard_deviations_of_the_logarithm() -> None:
    losses = np.exp([-2.0, -1.0, 0.0, 1.0, 2.0])  # the median absolute deviation is 1
    np.testing.assert_allclose(outlyingness(losses), 0.6745 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0]))
    assert not outlyingness([1.0, 1.0, 1.0, 9.0]).any()
    assert np.isnan(outlyingness([1.0, np.nan, 2.0])[1])


def test_without_pairs_it_is_skipped() -> None:
    assert OffDistribution(Told()).outcome().skipped
