"""Claims about the arithmetic of a measurement: what counts, what does not, and what is shared out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.heedful_jobs import deal, steps_of
from benchmarks.heedful_ppo import iterations
from benchmarks.measure import (
    JobResult,
    JobSpec,
    Step,
    figures,
    from_json,
    peak_bytes,
    run_alone,
    timed,
    to_json,
)
from benchmarks.peer_trl import _count
from benchmarks.session import ROOT

# A side that reports which `trl` it gets.
SIDE = """
import trl
from benchmarks.measure import JobResult, Step

def run_job(spec):
    steps = (Step(1.0, 4, 40),)
    return JobResult(spec.side, spec.job, spec.precision, 0, steps, 1, 2, facts={"trl": trl.NAME})
"""


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


def test_repeats_agree_on_a_mean_accuracy_where_there_is_one() -> None:
    once = result((9.0, 4, 1), (1.0, 4, 8))
    assert figures([once]).held_out_accuracy is None
    both = [replace(once, held_out_accuracy=share) for share in (0.5, 0.75)]
    assert figures(both).held_out_accuracy == pytest.approx(0.625)


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


def test_a_side_gets_the_packages_of_its_folder_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "side.py").write_text(SIDE)
    (tmp_path / "trl.py").write_text("NAME = 'the folder'")
    monkeypatch.chdir(ROOT)
    spec = JobSpec("trl", "ppo-best", "side", "rows", "model", "fp32", 1, 0, packages=str(tmp_path))
    found = run_alone(spec)
    assert found.facts["trl"] == "the folder"
    assert found.steps == (Step(1.0, 4, 40),)


def iteration(**changed: Any) -> dict[str, Any]:
    return {"kind": "train", "seconds": 2.0, "length": 48.0, "updates": 4.0, **changed}


def test_ppos_iterations_are_read_from_its_metrics() -> None:
    lines = [{"kind": "sample"}, iteration(), iteration(seconds=3.0)]
    assert iterations(lines, 2, 16, 48) == (Step(2.0, 16, 768), Step(3.0, 16, 768))


@pytest.mark.parametrize(
    "lines",
    [[iteration()], [iteration(), iteration(length=47.9)], [iteration(), iteration(updates=3.0)]],
    ids=["an iteration too few", "shorter responses", "passes left out"],
)
def test_ppo_that_did_less_work_is_refused(lines: list[dict[str, Any]]) -> None:
    with pytest.raises(RuntimeError, match="2 iterations"):
        iterations(lines, 2, 16, 48)


def test_a_pair_counts_its_prompt_with_each_side_whoever_wrote_it_out() -> None:
    apart = {"prompt_ids": [1, 2, 3], "chosen_ids": [4, 5], "rejected_ids": [6]}
    whole = {"chosen_ids": [1, 2, 3, 4, 5], "rejected_ids": [1, 2, 3, 6]}
    assert _count([apart]) == _count([whole]) == (1, 9)
