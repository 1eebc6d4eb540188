"""Win rates by hand, against published intervals, and how often the interval holds the truth."""

import math

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.duels import Choice, Duel
from heedful.evaluation.win_rate import score_interval, win_rate, win_rate_of
from heedful.intervals import bootstrap, group_codes, wilson
from heedful.records import user
from tests.evaluation.coverage import HIGHEST, LOWEST, assert_covers, verdicts


def duel(forward: Choice | None, backward: Choice | None, prompt: str = "?") -> Duel:
    return Duel((user(prompt),), "one", "other", forward, backward)


WIN = ("first", "second")
LOSS = ("second", "first")


def test_duels_by_hand() -> None:
    """Two wins, a loss, a tie, one that changed its mind, one without a verdict."""
    verdicts = [WIN, WIN, LOSS, ("tie", "tie"), ("first", "first"), ("first", None)]
    found = win_rate([duel(*pair, prompt=str(at)) for at, pair in enumerate(verdicts)])
    assert found.value == (2 + 2 / 2) / 5
    assert (found.n, found.prompts) == (5, 5)
    assert (found.wins, found.ties, found.losses) == (2, 2, 1)
    assert (found.inconsistent, found.undecided) == (1, 1)
    assert found.first_share is not None
    assert found.first_share.value == pytest.approx(6 / 9)  # 3 of 6 where both agree, and 3 of 3
    assert found.finding == "no difference"


def test_half_a_tie_is_one_that_changed_its_mind() -> None:
    found = win_rate([duel("first", "tie")])
    assert (found.value, found.ties, found.inconsistent) == (0.5, 1, 1)


def test_a_judge_that_takes_the_first_is_found_out() -> None:
    found = win_rate([duel("first", "first", str(at)) for at in range(40)])
    assert (found.value, found.ties) == (0.5, 40)
    assert found.first_share is not None
    assert found.first_share.value == 1.0
    assert found.first_share.above(0.5)
    fair = win_rate([duel(*(WIN if at % 3 else LOSS), prompt=str(at)) for at in range(40)])
    assert fair.first_share is not None
    assert fair.first_share.value == 0.5


def test_a_judge_that_never_chooses_prefers_no_place() -> None:
    assert win_rate([duel("tie", "tie")]).first_share is None


def test_without_ties_the_interval_is_wilsons() -> None:
    for wins in (0, 1, 7, 20):
        outcomes = np.repeat([1.0, 0.0], [wins, 20 - wins])
        assert win_rate_of(outcomes).interval == pytest.approx(wilson(wins, 20))


def test_bounds_solve_the_score_equation() -> None:
    """The other route: the likeliest shares of wins, ties and losses at each bound, found by trying them."""
    wins, ties, losses, n = 12, 30, 2, 44
    outcomes = np.repeat([1.0, 0.5, 0.0], [wins, ties, losses])
    for bound in win_rate_of(outcomes).interval:
        difference = 2 * bound - 1
        lost = np.linspace(1e-6, (1 - difference) / 2 - 1e-6, 400_001)
        likelihood = (
            wins * np.log(lost + difference)
            + losses * np.log(lost)
            + ties * np.log(1 - 2 * lost - difference)
        )
        best = lost[np.argmax(likelihood)]
        error = math.sqrt((2 * best + difference - difference**2) / n)
        assert abs((wins - losses) / n - difference) == pytest.approx(1.959964 * error, rel=1e-4)


def test_ties_make_a_win_rate_surer() -> None:
    low, high = win_rate_of(np.repeat([1.0, 0.5, 0.0], [10, 80, 10])).interval
    wide_low, wide_high = win_rate_of(np.repeat([1.0, 0.0], [50, 50])).interval
    assert (low + high) / 2 == pytest.approx(0.5)
    assert high - low < 0.5 * (wide_high - wide_low)


def test_the_ends_are_sensible_where_a_bootstrap_is_a_point() -> None:
    for value, low, high in ((0.0, 0.0, 0.114), (1.0, 0.886, 1.0), (0.5, 0.443, 0.557)):
        outcomes = np.full(30, value)
        assert win_rate_of(outcomes).interval == pytest.approx((low, high), abs=5e-4)
        assert bootstrap(outcomes) == (value, value)


def test_turning_sides_turns_the_interval() -> None:
    outcomes = np.repeat([1.0, 0.5, 0.0], [9, 5, 3])
    low, high = win_rate_of(outcomes).interval
    assert win_rate_of(1 - outcomes).interval == pytest.approx((1 - high, 1 - low))


def test_soft_outcomes_stand_for_what_has_their_mean_and_spread() -> None:
    """Half of 0.9 and half of 0.1 vary as 32% wins, 36% ties and 32% losses do."""
    soft = win_rate_of(np.repeat([0.9, 0.1], [50, 50]))
    hard = win_rate_of(np.repeat([1.0, 0.5, 0.0], [32, 36, 32]))
    assert soft.interval == pytest.approx(hard.interval)
    assert (soft.wins, soft.ties, soft.losses) == (50, 0, 50)


def test_copies_of_a_prompt_tell_hardly_more_than_one() -> None:
    outcomes = np.repeat([1.0, 0.5, 0.0], [12, 10, 8])
    low, high = win_rate_of(outcomes).interval
    copied = win_rate_of(np.repeat(outcomes, 5), [at // 5 for at in range(150)])
    assert (copied.n, copied.prompts) == (150, 30)
    assert copied.low == pytest.approx(low, abs=0.015)
    assert copied.high == pytest.approx(high, abs=0.015)
    assert copied.low < low
    alone = win_rate_of(np.repeat(outcomes, 5))
    assert alone.high - alone.low < 0.5 * (high - low)


def test_one_prompt_says_little_however_often_it_is_asked() -> None:
    found = win_rate_of([1.0, 1.0, 1.0], ["same"] * 3)
    assert found.interval == pytest.approx(wilson(1, 1))


def test_the_finding_is_the_intervals() -> None:
    for wins, losses, finding in ((15, 5, "better"), (14, 6, "no difference"), (5, 15, "worse")):
        found = win_rate_of(np.repeat([1.0, 0.0], [wins, losses]))
        assert found.finding == finding


def test_bad_outcomes_are_refused_in_words() -> None:
    with pytest.raises(DataError, match="No comparison has a verdict"):
        win_rate([duel(None, None)])
    with pytest.raises(DataError, match="comparison 1 is not between"):
        win_rate_of([0.5, 1.5])
    with pytest.raises(DataError, match="comparison 0 is not between"):
        win_rate_of([math.nan])


def exact_coverage(n: int, chances: np.ndarray, ties: float) -> np.ndarray:
    """How likely the interval holds each win rate, from all ways that n duels can end: no simulation.

    `ties`: their share where chances are even, as in `verdicts`.
    """
    covered = np.zeros(len(chances))
    tied = ties * 2 * np.minimum(chances, 1 - chances)
    logs = [math.lgamma(k + 1) for k in range(n + 1)]
    with np.errstate(divide="ignore"):
        won, lost, drawn = (np.log(p) for p in (chances - tied / 2, 1 - chances - tied / 2, tied))
    for wins in range(n + 1):
        for losses in range(n + 1 - wins):
            even = n - wins - losses
            if even and not ties:
                continue
            ways = logs[n] - logs[wins] - logs[losses] - logs[even]
            likely = np.exp(ways + wins * won + losses * lost + (even * drawn if even else 0.0))
            low, high = score_interval(np.repeat([1.0, 0.5, 0.0], [wins, even, losses]), np.arange(n))
            covered += likely * ((low <= chances) & (chances <= high))
    return covered


BANDS = {"1-10%": (0.01, 0.1), "10-50%": (0.1, 0.5), "50-90%": (0.5, 0.9), "90-99%": (0.9, 0.99)}


def exact_mean_coverage(n: int, ties: float) -> dict[str, float]:
    """Mean over win rates of each band. At a single rate the figure hops about: n duels end in few ways."""
    return {
        name: float(exact_coverage(n, np.linspace(*ends, 81), ties).mean()) for name, ends in BANDS.items()
    }


@pytest.mark.parametrize("ties", [0.0, 0.3])
def test_thirty_duels_hold_the_win_rate(ties: float) -> None:
    found = exact_mean_coverage(30, ties)
    assert all(LOWEST <= share <= HIGHEST for share in found.values()), found


def grouped(rng: np.random.Generator, prompts: int, each: int, rate: float, alike: float) -> tuple:
    """Several duels to a prompt, with beta numbers for rates; `alike`: 0 all the same, 1 all or none."""
    size = (1 - alike) / alike if alike else math.inf
    own = np.full(prompts, rate) if not alike else rng.beta(rate * size, (1 - rate) * size, size=prompts)
    outcomes = verdicts(rng, np.repeat(own, each), ties=0.3)
    return score_interval(
        outcomes, group_codes((np.arange(prompts * each) // each).tolist(), len(outcomes))
    ), rate


@pytest.mark.parametrize(
    ("prompts", "each", "rate", "alike"),
    [
        (30, 4, 0.5, 0.3),
        (100, 4, 0.1, 0.3),
        (805, 1, 0.07, 0.0),
        pytest.param(30, 4, 0.8, 0.7, marks=pytest.mark.slow),
        pytest.param(100, 2, 0.5, 0.0, marks=pytest.mark.slow),
    ],
)
def test_grouped_prompts_hold_the_win_rate(prompts: int, each: int, rate: float, alike: float) -> None:
    assert_covers(lambda rng: grouped(rng, prompts, each, rate, alike))


def against_itself(rng: np.random.Generator, prompts: int, noise: float, first: float) -> list[Duel]:
    """A model against itself: worth differs by chance, and the judge is noisy and likes what is first."""
    worth = rng.normal(size=prompts) - rng.normal(size=prompts)
    forward = worth + first + noise * rng.normal(size=prompts)
    backward = -worth + first + noise * rng.normal(size=prompts)
    return [
        duel("first" if a > 0 else "second", "first" if b > 0 else "second", str(at))
        for at, (a, b) in enumerate(zip(forward, backward, strict=True))
    ]


@pytest.mark.parametrize(("noise", "first"), [(0.0, 0.0), (1.0, 0.0), (1.0, 1.5), (5.0, 0.5)])
def test_a_model_is_not_better_than_itself(noise: float, first: float) -> None:
    """In 20 evaluations at 95% one finding of either kind is to be expected, and 4 come once in 40."""
    found = [
        win_rate(against_itself(np.random.default_rng(seed), 100, noise, first)).finding for seed in range(20)
    ]
    assert len(found) - found.count("no difference") <= 3, found


@pytest.mark.parametrize(("noise", "first"), [(1.0, 0.0), (1.0, 1.5)])
def test_false_findings_come_as_seldom_as_is_stated(noise: float, first: float) -> None:
    def experiment(rng: np.random.Generator) -> tuple:
        return win_rate(against_itself(rng, 50, noise, first)).interval, 0.5

    assert_covers(experiment, simulations=500)
