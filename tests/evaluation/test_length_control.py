"""The length-controlled win rate by hand, on simulated truths, and of published verdicts."""

import math

import numpy as np
import pytest

import heedful
from heedful.errors import DataError
from heedful.evaluation.length_control import length_controlled
from heedful.evaluation.soft_logistic import PRIOR, fit_soft
from tests.evaluation.coverage import assert_covers, verdicts


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def test_equally_long_answers_have_the_raw_win_rate_but_for_the_imaginary_tie() -> None:
    """30 wins of 40, and one more half: (30 + ½) / 41."""
    found = length_controlled(np.repeat([1.0, 0.0], [30, 10]), np.full(40, 100), np.full(40, 100))
    assert found.raw.value == 0.75
    assert found.value == pytest.approx((30 + PRIOR / 2) / (40 + PRIOR))
    assert found.coefficient.value == pytest.approx(0.0)
    assert (found.spread, found.longer) == (0.0, 0.0)


def test_two_lengths_by_hand() -> None:
    """800 answers are 1 sd longer and win 3/4, 800 are 1 sd shorter and win 1/4: even at equal length."""
    outcomes = np.repeat([1.0, 0.0, 1.0, 0.0], [600, 200, 200, 600])
    found = length_controlled(outcomes, np.repeat([150.0, 50.0], 800), np.full(1600, 100.0))
    assert found.spread == 50.0
    assert found.value == pytest.approx(0.5)
    assert found.coefficient.value == pytest.approx(math.log(3) / math.tanh(1), rel=2e-3)


def test_lengths_that_all_differ_alike_cannot_be_controlled_for() -> None:
    found = length_controlled([1.0, 0.0, 1.0], [30, 40, 50], [10, 20, 30])
    assert found.spread == 0.0
    assert found.longer == 20.0
    assert found.coefficient.value == pytest.approx(0.0)


def test_the_truth_is_recovered() -> None:
    rng = np.random.default_rng(0)
    longer = rng.normal(300, 400, size=200_000)
    chances = 1 / (1 + np.exp(0.4 - 1.2 * np.tanh(longer / longer.std())))
    found = length_controlled(verdicts(rng, chances, ties=0.2), 5000 + longer, np.full(len(longer), 5000.0))
    assert found.value == pytest.approx(sigmoid(-0.4), abs=0.004)
    assert found.coefficient.value == pytest.approx(1.2, abs=0.02)
    assert found.by_length.value == pytest.approx(found.raw.value - found.value)
    assert found.by_length.value == pytest.approx(chances.mean() - sigmoid(-0.4), abs=0.004)
    assert found.by_length.above(0)


def test_taking_sides_the_other_way_turns_the_answer() -> None:
    rng = np.random.default_rng(1)
    own, other = rng.integers(50, 500, size=(2, 60))
    outcomes = verdicts(rng, np.full(60, 0.6), ties=0.3)
    one, turned = length_controlled(outcomes, own, other), length_controlled(1 - outcomes, other, own)
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (1 - one.value, 1 - one.high, 1 - one.low)
    )
    assert turned.coefficient.value == pytest.approx(one.coefficient.value)


def test_wins_that_length_alone_tells_apart_stay_finite() -> None:
    longer = np.linspace(-100, 100, 40)
    found = length_controlled((longer > 0).astype(float), 1000 + longer, np.full(40, 1000.0))
    assert found.value == pytest.approx(0.5)
    assert 2 < found.coefficient.value < 20
    assert found.coefficient.above(0)
    assert 0 < found.low < 0.5 < found.high < 1


def test_a_candidate_that_always_wins_is_not_certain_to() -> None:
    lengths = np.arange(100.0, 120.0)
    found = length_controlled(np.ones(20), lengths, lengths[::-1])
    assert 0.7 < found.low < found.value < found.high < 1


def test_the_fit_is_where_no_slope_is_left() -> None:
    """The other route: the gradient of the penalised likelihood, written out."""
    rng = np.random.default_rng(2)
    rows, labels = rng.normal(size=(50, 3)), rng.random(50)
    weights = fit_soft(rows, labels, np.arange(50), prior=np.eye(3)).weights
    left = labels - 1 / (1 + np.exp(-rows @ weights))
    assert left @ rows + PRIOR * (0.5 - 1 / (1 + np.exp(-weights))) == pytest.approx(np.zeros(3), abs=1e-9)


def test_copies_of_a_prompt_tell_no_more_than_one() -> None:
    rng = np.random.default_rng(3)
    own, other = rng.integers(50, 500, size=(2, 200))
    outcomes = verdicts(rng, np.full(200, 0.6), ties=0.3)
    one = length_controlled(outcomes, own, other)
    times = 5
    copied = length_controlled(
        np.repeat(outcomes, times),
        np.repeat(own, times),
        np.repeat(other, times),
        groups=[at // times for at in range(200 * times)],
    )
    assert (copied.low, copied.high) == pytest.approx((one.low, one.high), abs=0.01)


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(DataError, match="No comparison has a verdict"):
        length_controlled([], [], [])
    with pytest.raises(DataError, match="length of answer 1"):
        length_controlled([1.0, 0.0], [3, -1], [3, 3])
    with pytest.raises(ValueError, match="like the outcomes"):
        length_controlled([1.0, 0.0], [3], [3, 3])


def published(folder, name: str):
    """Outcomes of the model's answers, their lengths and those of the baseline's, in characters."""
    records = heedful.read(folder / f"alpaca-eval-{name}.json.gz")
    equal = records.counts.quarantined.get(
        "equal_sides", 0
    )  # no pairs, so that the reader leaves them out: ties
    outcomes, own, other = [0.5] * equal, [0] * equal, [0] * equal
    for record in records:
        chosen = record.metadata["generator_chosen"] == name
        probability = 1.0 if record.probability is None else record.probability
        outcomes.append(probability if chosen else 1 - probability)
        sides = (record.chosen, record.rejected) if chosen else (record.rejected, record.chosen)
        for lengths, side in zip((own, other), sides, strict=True):
            lengths.append(len(side[0].content))
    return outcomes, own, other


@pytest.mark.parametrize(
    ("name", "raw", "controlled", "longer"),
    [
        ("vicuna-7b", 0.0416261116226093, 0.0932, -1005.3),
        ("gemma-7b-it", 0.0693729437967705, 0.1301, -933.4),
        ("FuseChat-Llama-3.2-3B-Instruct", 0.512966771010187, 0.5393, -73.1),
    ],
)
def test_published_verdicts(shared_data, name: str, raw: float, controlled: float, longer: float) -> None:
    """Raw is the mean of the published `preference - 1`. The first two answer at half the length of GPT-4's
    answers, which the judge prefers the longer they are: at equal length they would win more often."""
    found = length_controlled(*published(shared_data, name))
    assert found.n == 805
    assert found.raw.value == pytest.approx(raw, abs=1e-14)
    assert found.value == pytest.approx(controlled, abs=5e-5)
    assert found.longer == pytest.approx(longer, abs=0.1)
    assert found.coefficient.above(0)
    assert found.by_length.below(0)


def experiment(
    rng: np.random.Generator, n: int, rate: float, slope: float, ties: float, longer: float
) -> tuple:
    x = rng.normal(longer, 1, size=n)
    chances = 1 / (1 + np.exp(-math.log(rate / (1 - rate)) - slope * np.tanh(x)))
    found = length_controlled(verdicts(rng, chances, ties), 9000 + 400 * x, np.full(n, 9000.0))
    return (found.low, found.high), rate


CASES = [
    (50, 0.5, 1.0, 0.5, 0.7),
    (100, 0.2, 1.0, 0.0, -0.7),
    pytest.param((300, 0.05, 1.0, 0.2, 0.0), marks=pytest.mark.slow),
    pytest.param((805, 0.5, 1.0, 0.3, 0.0), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("case", CASES)
def test_the_interval_holds_the_win_rate_at_equal_length(case: tuple) -> None:
    assert_covers(lambda rng: experiment(rng, *case), simulations=500)


@pytest.mark.slow
def test_the_interval_holds_what_goes_with_length() -> None:
    n = 200
    longer = np.random.default_rng(0).normal(0.7, 1, size=1_000_000)
    truth = float((1 / (1 + np.exp(-np.tanh(longer)))).mean()) - 0.5

    def experiment(rng: np.random.Generator) -> tuple:
        x = rng.normal(0.7, 1, size=n)
        outcomes = verdicts(rng, 1 / (1 + np.exp(-np.tanh(x))), ties=0.3)
        found = length_controlled(outcomes, 9000 + 400 * x, np.full(n, 9000.0))
        return found.by_length.interval, truth

    assert_covers(experiment, simulations=500)
