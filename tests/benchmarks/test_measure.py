"""Claims about the arithmetic of a measurement: what counts, what does not, and what is shared out."""

from __future__ import annotations

import json

import pytest

from benchmarks.heedful_jobs import deal, steps_of
from benchmarks.measure import JobResult, Step, figures, from_json, peak_bytes, timed, to_json


def result(
    *steps: tuple[float, int, int], warmup: int = 1, reference: float = 0.0, peak: int = 4
) -> JobResult:
    made = tuple(Step(*step) for step in steps)
    return JobResult("heedful", "dpo", "fp32", warmup, made, 1, peak, reference_seconds_per_pair=reference)


def test_warmup_steps_do_not_count() -> None:
    found = figures([result((100.0, 4, 900), (2.0, 4, 1000), (2.0, 4, 1400))])
    assert found.pairs_per_second == pytest.approx(8 / 4)
    assert found.tokens_per_second == pytest.approx(2400 / 4)
    assert found.seconds_per_step == pytest.approx(2.0)
    assert found.reference_share == 0


def test_speed_is_total_over_total_not_a_mean_of_rates() -> None:
    found = figures([result((1.0, 4, 10), (1.0, 4, 10), (3.0, 4, 10))])
    assert found.pairs_per_second == pytest.approx(8 / 4)  # a mean of rates would say 2.67


def test_a_reference_made_once_is_shared_out_over_the_epochs() -> None:
    # 8 timed pairs at 0.6 s a pair over 3 epochs: 1.6 s beside 4 s of steps.
    found = figures([result((9.0, 4, 1), (2.0, 4, 1), (2.0, 4, 1), reference=0.6)], epochs=3)
    assert found.pairs_per_second == pytest.approx(8 / 5.6)
    assert found.reference_share == pytest.approx(1.6 / 5.6)


def test_repeats_are_pooled_and_memory_is_the_largest_seen() -> None:
    first = result((9.0, 4, 1), (1.0, 4, 8), peak=10)
    second = result((9.0, 4, 1), (3.0, 4, 8), peak=7)
    found = figures([first, second])
    assert found.pairs_per_second == pytest.approx(2.0)
    assert found.peak_bytes == 10


def test_a_run_of_nothing_but_warmup_is_refused() -> None:
    with pytest.raises(ValueError, match="all of them warm-up"):
        timed(result((1.0, 4, 1), warmup=1))


def test_results_survive_json() -> None:
    before = result((1.0, 4, 10), (2.0, 3, 20), reference=0.5)
    assert from_json(json.loads(json.dumps(to_json(before)))) == before


def test_peak_memory_is_in_bytes() -> None:
    assert 5_000_000 < peak_bytes() < 1e12


def test_steps_are_read_in_order_and_other_lines_are_left_alone() -> None:
    lines = [
        {"kind": "eval", "step": 0, "loss": 0.7},
        {"kind": "train", "step": 2, "seconds": 3.0, "rows": 3, "tokens": 30},
        {"kind": "train", "step": 1, "seconds": 2.0, "rows": 4, "tokens": 20},
        {"kind": "guard", "step": 2, "event": "skip"},
    ]
    assert steps_of(lines) == (Step(2.0, 4, 20), Step(3.0, 3, 30))


def test_dealt_records_come_back_in_their_own_order() -> None:
    order = [2, 0, 3, 1]
    dealt = deal("abcd", order)
    assert [dealt[place] for place in order] == list("abcd")
    assert dealt == ["b", "d", "a", "c"]


def test_an_order_that_misses_a_record_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        deal("abcd", [0, 1, 2])
