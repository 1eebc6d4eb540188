"""What a reward makes of answers: a mean, and a difference prompt by prompt."""

from __future__ import annotations

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.answer_scores import AnswerScores

SCORES = np.array([-3.0, -1.0, 0.0, 1.0, 2.0, 4.0])


def test_prompts_that_differ_more_than_models_hide_no_difference() -> None:
    one, other = AnswerScores(SCORES), AnswerScores(SCORES + 0.5)
    assert (one.mean, other.mean) == (0.5, 1.0)
    assert one.interval[0] < 0 < one.interval[1]
    assert other.change(one) == (0.5, 0.5)
    assert one.change(other) == (-0.5, -0.5)


def test_one_answer_says_nothing_about_its_spread() -> None:
    assert np.isnan(AnswerScores(SCORES[:1]).interval).all()


def test_what_was_not_asked_of_the_same_prompts_is_refused() -> None:
    with pytest.raises(ValueError, match="6 answers and 5"):
        AnswerScores(SCORES).change(AnswerScores(SCORES[1:]))
    with pytest.raises(DataError, match="no answers"):
        AnswerScores(SCORES[:0])
