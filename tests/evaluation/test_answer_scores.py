"""What a reward makes of answers: a mean, and a difference prompt by prompt."""

from __future__ import annotations

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.answer_scores import LEAST_ANSWERS, AnswerScores

SCORES = np.array([-3.0, -1.0, 0.0, 1.0, 2.0, 4.0])
CUT = np.nan


def test_prompts_that_differ_more_than_models_hide_no_difference() -> None:
    one, other = AnswerScores(SCORES), AnswerScores(SCORES + 0.5)
    assert (one.mean.value, other.mean.value, one.mean.n) == (0.5, 1.0, 6)
    assert one.mean.low < 0 < one.mean.high
    change = other.change(one)
    assert (change.value, change.low, change.high, change.n) == (0.5, 0.5, 0.5, 6)
    assert one.change(other).interval == (-0.5, -0.5)


def test_a_change_is_over_the_prompts_that_both_answered_to_the_end() -> None:
    """The one ends where scores are low and the other where they are high, and neither is the better."""
    low = AnswerScores([*SCORES, 9.0, CUT, CUT])
    high = AnswerScores([CUT, *SCORES[1:], 9.0, 20.0, 30.0])
    assert (low.mean.value, low.mean.n) == (pytest.approx(12 / 7), 7)
    assert (high.mean.value, high.mean.n) == (pytest.approx(65 / 8), 8)
    change = high.change(low)
    assert (change.value, change.interval, change.n) == (0.0, (0.0, 0.0), 6)


def test_too_few_whole_answers_have_no_mean_and_no_change() -> None:
    few = AnswerScores([*SCORES[: LEAST_ANSWERS - 1], CUT, CUT])
    enough = AnswerScores([CUT, *SCORES[1:]])
    assert (few.mean.n, enough.mean.n) == (LEAST_ANSWERS - 1, LEAST_ANSWERS)
    assert enough.mean.value == pytest.approx(6 / 5)
    assert not np.isnan(enough.mean.interval).any()
    change = enough.change(few)
    assert change.n == LEAST_ANSWERS - 2
    assert np.isnan([few.mean.value, *few.mean.interval, change.value, *change.interval]).all()


def test_what_was_not_asked_of_the_same_prompts_is_refused() -> None:
    with pytest.raises(ValueError, match="6 answers and 5"):
        AnswerScores(SCORES).change(AnswerScores(SCORES[1:]))
    with pytest.raises(DataError, match="no answers"):
        AnswerScores(SCORES[:0])
