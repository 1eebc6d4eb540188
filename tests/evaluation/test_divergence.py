"""Sequence KL by hand and of two models whose divergence is known."""

import math

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.divergence import Divergence, sequence_kl
from tests.evaluation.coverage import HIGHEST, LOWEST


def test_two_answers_by_hand() -> None:
    """Log-ratios are log 2 and 0 for one answer of two tokens, -log 4 for one of one."""
    found = sequence_kl([[-1.0, -2.0], [-3.0]], [[-1.0 - math.log(2), -2.0], [-3.0 + math.log(4)]])
    assert found.per_answer.value == pytest.approx((math.log(2) - math.log(4)) / 2)
    assert found.per_token.value == pytest.approx((math.log(2) - math.log(4)) / 3)
    k3 = [0.5 - 1 + math.log(2), 4 - 1 - math.log(4)]
    assert found.low_variance.value == pytest.approx(sum(k3) / 2)
    assert found.largest == pytest.approx(2 / 3)
    assert (found.n, found.prompts, found.tokens) == (2, 2, 3)


def test_a_model_does_not_diverge_from_itself() -> None:
    logps = [[-1.0, -0.5], [-2.0]] * 20
    found = sequence_kl(logps, logps)
    assert found.per_answer.interval == (0.0, 0.0)
    assert found.low_variance.interval == (0.0, 0.0)
    assert found.largest == 0.0
    assert found.warnings == ()


def test_warnings_say_what_the_interval_does_not() -> None:
    few = sequence_kl([[-1.0]] * 6, [[-2.0]] * 5 + [[-60.0]], groups=list("aabbcc"))
    assert few.warnings == (
        "only 3 prompts: the interval is rough below 30",
        "one answer of 6 makes up 92% of the log-ratios",
    )


POLICY = np.array([0.6, 0.3, 0.1])
REFERENCE = np.array([0.4, 0.4, 0.2])
PER_TOKEN = float((POLICY * np.log(POLICY / REFERENCE)).sum())


def sampled(rng: np.random.Generator, answers: int) -> Divergence:
    """Answers of the policy, which ends after any token with a probability of 1/10: 10 tokens in the mean."""
    lengths = rng.geometric(0.1, size=answers)
    tokens = rng.choice(3, size=lengths.sum(), p=POLICY)
    own, other = (np.split(np.log(model)[tokens], np.cumsum(lengths)[:-1]) for model in (POLICY, REFERENCE))
    return sequence_kl(own, other)


def test_the_divergence_of_known_models_is_recovered() -> None:
    """The tokens' divergence is 0.087 nats, an answer's ten times that: both end alike."""
    found = sampled(np.random.default_rng(0), 4_000)
    assert pytest.approx(0.0877, abs=1e-4) == PER_TOKEN
    assert found.per_token.value == pytest.approx(PER_TOKEN, abs=0.006)
    assert found.per_answer.value == pytest.approx(10 * PER_TOKEN, abs=0.06)
    assert found.low_variance.value == pytest.approx(10 * PER_TOKEN, abs=0.06)
    assert found.low_variance.error < 0.6 * found.per_answer.error


FIGURES = {"per_answer": 10 * PER_TOKEN, "per_token": PER_TOKEN, "low_variance": 10 * PER_TOKEN}


@pytest.mark.slow
@pytest.mark.parametrize(("answers", "simulations"), [(40, 2000), (200, 1000)])
def test_the_intervals_hold_the_truth(answers: int, simulations: int) -> None:
    rng = np.random.default_rng(17)
    held = dict.fromkeys(FIGURES, 0)
    for _ in range(simulations):
        found = sampled(rng, answers)
        for figure, truth in FIGURES.items():
            low, high = getattr(found, figure).interval
            held[figure] += low <= truth <= high
    shares = {figure: count / simulations for figure, count in held.items()}
    assert all(LOWEST <= share <= HIGHEST for share in shares.values()), shares


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(DataError, match="no answers"):
        sequence_kl([], [])
    with pytest.raises(DataError, match="Answer 1 has no tokens"):
        sequence_kl([[-1.0], []], [[-1.0], []])
    with pytest.raises(DataError, match="answer 0 is not finite"):
        sequence_kl([[-1.0]], [[-math.inf]])
    with pytest.raises(ValueError, match="answer 0"):
        sequence_kl([[-1.0]], [[-1.0, -2.0]])
    with pytest.raises(ValueError, match="1 answers of the policy"):
        sequence_kl([[-1.0]], [])
