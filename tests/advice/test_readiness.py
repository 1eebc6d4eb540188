"""Can the model do the task yet? Asked of measured figures, both ways, and where they are too close."""

from __future__ import annotations

from dataclasses import replace

import pytest

from heedful.advice.readiness import Readiness, readiness
from heedful.checks.finding import Interval
from tests.advice.made import READY, gap, share


def failed(found: Readiness) -> list[str]:
    return [one.question for one in found.judged if not one.passed]


def test_a_model_that_ends_keeps_the_form_and_is_near_is_ready() -> None:
    found = readiness(READY)
    assert (found.ready, found.sure) == (True, True)
    assert [one.question for one in found.judged] == ["ends", "format", "loops", "distance"]
    assert len(found.reasons) == 4
    assert (
        "96% (86 to 99%, n = 48) of its own answers end by themselves within 96 tokens at temperature 1"
        in found.reasons[0]
    )
    assert "0.40 nats a token (0.30 to 0.50, n = 64) more than its own answers" in found.reasons[3]


@pytest.mark.parametrize(
    ("change", "question", "number"),
    [
        ({"ended": share(0.5, 48)}, "ends", "50% (36 to 64%, n = 48)"),
        ({"in_format": share(0.25, 48), "traits": ("JSON",)}, "format", "25% (15 to 39%, n = 48)"),
        ({"looping": share(0.5, 48)}, "loops", "50% (36 to 64%, n = 48)"),
        ({"good_above_own": gap(1.4)}, "distance", "1.40 nats a token (1.30 to 1.50, n = 64)"),
    ],
)
def test_each_question_can_keep_a_model_back(change: dict[str, object], question: str, number: str) -> None:
    found = readiness(replace(READY, **change))  # type: ignore[arg-type]
    assert (found.ready, found.sure, failed(found)) == (False, True, [question])
    (reason,) = found.reasons  # what speaks for it is left out
    assert number in reason


def test_the_form_that_is_missed_is_named() -> None:
    found = readiness(replace(READY, in_format=share(0.25, 48), traits=("JSON", "latin letters")))
    assert "(JSON, latin letters)" in found.reasons[0]


def test_at_the_threshold_a_question_is_passed() -> None:
    edge = replace(
        READY,
        ended=Interval(0.8, 0.8, 0.9, 9),
        in_format=Interval(0.8, 0.8, 0.9, 9),
        looping=Interval(0.2, 0.1, 0.2, 9),
        good_above_own=Interval(1.0, 0.9, 1.0, 9),
    )
    assert (readiness(edge).ready, readiness(edge).sure) == (True, True)


def test_what_was_not_measured_is_not_asked() -> None:
    bare = replace(READY, in_format=None, good_above_own=None, traits=())
    assert [one.question for one in readiness(bare).judged] == ["ends", "loops"]


def test_the_figure_decides_and_its_interval_says_how_surely() -> None:
    just = readiness(replace(READY, good_above_own=gap(0.95, 0.2)))
    assert (just.ready, just.sure) == (True, False)
    assert "too close to be sure" in just.reasons[3]
    hardly = readiness(replace(READY, good_above_own=gap(1.05, 0.2)))
    assert (hardly.ready, hardly.sure) == (False, False)
    assert "too close to be sure" in hardly.reasons[0]


def test_one_clear_failure_makes_a_refusal_sure() -> None:
    found = readiness(replace(READY, ended=share(0.1, 48), good_above_own=gap(1.05, 0.2)))
    assert failed(found) == ["ends", "distance"]
    assert found.sure
