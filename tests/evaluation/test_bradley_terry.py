"""Strengths by hand and against another fit, ranks no finer than intervals, and how often both are true."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.bradley_terry import Result, Standings, rank
from heedful.evaluation.soft_logistic import PRIOR
from heedful.prepare.bradley_terry import bradley_terry
from tests.evaluation.coverage import LOWEST, assert_covers, verdicts


def results(first: str, second: str, wins: int, ties: int, losses: int) -> list[Result]:
    outcomes = [1.0] * wins + [0.5] * ties + [0.0] * losses
    return [Result(first, second, outcome, (first, second, at)) for at, outcome in enumerate(outcomes)]


def strengths(found: Standings) -> dict[str, float]:
    return {model.name: model.strength.value for model in found.models}


def test_two_models_by_hand() -> None:
    """Strengths are s and -s, with 75 wins, 20 ties and 25 losses of 120 and each one's imaginary draw: the
    slope 85 - 120 σ(2s) = σ(s) - ½."""
    found = rank(results("a", "b", 75, 20, 25))
    s = strengths(found)["a"]
    assert strengths(found)["b"] == pytest.approx(-s)
    assert 85 - 120 / (1 + math.exp(-2 * s)) == pytest.approx(PRIOR * (1 / (1 + math.exp(-s)) - 0.5))
    assert found.chance("a", "b").value == pytest.approx(1 / (1 + math.exp(-2 * s)))
    assert found.chance("a", "b").value == pytest.approx(85 / 120, abs=0.003)
    first, second = found.models
    assert (first.name, first.rank, first.wins, first.ties, first.losses) == ("a", "1", 75, 20, 25)
    assert (second.name, second.rank, second.wins, second.ties, second.losses) == ("b", "2", 25, 20, 75)


def test_strengths_are_those_of_the_other_algorithm() -> None:
    """Hunter's minorise-maximise iteration, with the same imaginary draws."""
    rng = np.random.default_rng(0)
    played = [(*rng.choice(5, size=2, replace=False), rng.choice([0, 0.5, 1])) for _ in range(200)]
    names = "abcde"
    found = rank([Result(names[i], names[j], won, at) for at, (i, j, won) in enumerate(played)])
    first, second, won = zip(*played, strict=True)
    expected = bradley_terry(first, second, won, 5, prior_games=PRIOR)
    for at, name in enumerate(names):
        assert strengths(found)[name] == pytest.approx(expected[at] - expected.mean(), abs=1e-6)


def test_order_and_side_do_not_matter() -> None:
    one = results("a", "b", 12, 3, 5) + results("b", "c", 9, 2, 9)
    turned = [Result(r.second, r.first, 1 - r.outcome, r.group) for r in reversed(one)]
    assert strengths(rank(turned)) == pytest.approx(strengths(rank(one)))


def test_a_rank_says_no_more_than_the_intervals() -> None:
    found = rank(results("a", "b", 16, 0, 14) + results("b", "c", 29, 0, 1) + results("a", "c", 28, 0, 2))
    assert {model.name: model.rank for model in found.models} == {"a": "1-2", "b": "1-2", "c": "3"}
    assert found.difference("a", "c").above(0)
    assert not found.difference("a", "b").above(0)
    assert found.difference("b", "a").value == pytest.approx(-found.difference("a", "b").value)


def test_an_undefeated_model_is_finite_and_not_certain() -> None:
    found = rank(results("a", "b", 10, 0, 0))
    best = found.models[0]
    assert best.name == "a"
    assert 0.55 < found.chance("a", "b").low < 0.75 < 0.98 < found.chance("a", "b").high < 1
    assert best.rank == "1"
    assert rank(results("a", "b", 3, 0, 0)).models[0].rank == "1-2"


def test_elo_is_the_same_on_another_scale() -> None:
    """Odds of ten to one are 400 points."""
    found = rank(results("a", "b", 10_000, 0, 1_000))
    first, second = found.models
    assert first.elo.value - second.elo.value == pytest.approx(400, abs=1)
    assert first.elo.value + second.elo.value == pytest.approx(2000)
    assert first.elo.low < first.elo.value < first.elo.high


def test_results_on_one_prompt_tell_less_than_on_many() -> None:
    apart = results("a", "b", 60, 0, 40)
    together = [Result(r.first, r.second, r.outcome, at // 10) for at, r in enumerate(apart)]
    many, few = rank(apart).difference("a", "b"), rank(together).difference("a", "b")
    assert many.value == few.value
    assert few.high - few.low > 2.5 * (many.high - many.low)
    assert rank(together).groups == 10


def test_a_style_that_wins_is_told_from_strength() -> None:
    """Both models are as good; one writes longer answers, and longer answers win."""
    rng = np.random.default_rng(1)
    longer = rng.normal(1, 1, size=4000)
    chances = 1 / (1 + np.exp(-0.8 * longer))
    outcomes = verdicts(rng, chances, ties=0.2)
    played = [Result("long", "short", float(outcome), at) for at, outcome in enumerate(outcomes)]
    assert rank(played).difference("long", "short").value == pytest.approx(0.75, abs=0.15)
    found = rank(played, styles={"length": 400 * longer})
    assert found.difference("long", "short").value == pytest.approx(0, abs=0.15)
    assert found.styles["length"].value == pytest.approx(0.8 * longer.std(), abs=0.1)
    assert found.styles["length"].above(0)


def test_a_style_that_never_differs_has_no_weight() -> None:
    found = rank(results("a", "b", 6, 0, 4), styles={"emoji": np.zeros(10)})
    assert found.styles["emoji"].value == pytest.approx(0)
    assert strengths(found) == pytest.approx(strengths(rank(results("a", "b", 6, 0, 4))))


def test_models_that_never_met_are_not_ranked() -> None:
    with pytest.raises(DataError, match="c, d and a, b were never compared"):
        rank(results("a", "b", 1, 0, 1) + results("c", "d", 1, 0, 1))
    met_through_b = rank(results("a", "b", 5, 0, 1) + results("b", "c", 5, 0, 1))
    assert [model.name for model in met_through_b.models] == ["a", "b", "c"]


def test_bad_input_is_refused_in_words() -> None:
    with pytest.raises(DataError, match="a is compared with itself"):
        rank([Result("a", "a", 1.0, 0)])
    with pytest.raises(DataError, match="comparison 0 is not between"):
        rank([Result("a", "b", 2.0, 0)])
    with pytest.raises(DataError, match="No comparison"):
        rank([])
    with pytest.raises(ValueError, match="style length"):
        rank([Result("a", "b", 1.0, 0)], styles={"length": [1.0, 2.0]})
    with pytest.raises(DataError, match="length of result 0"):
        rank([Result("a", "b", 1.0, 0)], styles={"length": [math.nan]})


def tournament(rng: np.random.Generator, truth: Sequence[float], prompts: int, ties: float) -> Standings:
    """Each two models compared on every prompt."""
    names = [str(at) for at in range(len(truth))]
    pairs = [(i, j) for i in range(len(truth)) for j in range(i)] * prompts
    chances = np.array([1 / (1 + math.exp(truth[j] - truth[i])) for i, j in pairs])
    outcomes = verdicts(rng, chances, ties)
    return rank(
        [
            Result(names[i], names[j], float(outcome), at * prompts // len(pairs))
            for at, ((i, j), outcome) in enumerate(zip(pairs, outcomes, strict=True))
        ]
    )


CASES = [
    ((1.0, 0.0), 100, 0.4),
    pytest.param(((2.0, 0.5, -1.0), 50, 0.0), marks=pytest.mark.slow),
    pytest.param(((0.0, 0.0, 0.0), 50, 0.3), marks=pytest.mark.slow),
    pytest.param(((1.5, 0.5, 0.0, -2.0), 100, 0.2), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("case", CASES)
def test_the_interval_of_a_strength_holds_it(case: tuple) -> None:
    truth = np.array(case[0])

    def experiment(rng: np.random.Generator) -> tuple:
        found = {model.name: model for model in tournament(rng, *case).models}["0"]
        return found.strength.interval, truth[0] - truth.mean()

    assert_covers(experiment, simulations=500)


def rank_hits(truth: Sequence[float], prompts: int, simulations: int) -> float:
    """How often a model's places hold its true ones, in all of which its equals may be above or below it."""
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(simulations):
        for model in tournament(rng, truth, prompts, ties=0.2).models:
            own = truth[int(model.name)]
            above, below = sum(other > own for other in truth), sum(other < own for other in truth)
            hits.append(model.best_rank <= 1 + above and model.worst_rank >= len(truth) - below)
    return float(np.mean(hits))


@pytest.mark.parametrize("truth", [(0.0, 0.0, 0.0), pytest.param((0.6, 0.0, 0.0), marks=pytest.mark.slow)])
def test_a_models_places_hold_its_true_one(truth: tuple) -> None:
    """In 95 of 100 cases at least, also where all are equal: a rank is no lottery."""
    found = rank_hits(truth, prompts=40, simulations=200)
    assert found >= LOWEST, f"{found:.1%}"


def test_a_model_is_not_ranked_above_itself() -> None:
    """20 seeds, the same model three times: one place in 20 of each is to be expected."""
    ranks = [
        model.rank
        for seed in range(20)
        for model in tournament(np.random.default_rng(seed), (0, 0, 0), 50, 0.3).models
    ]
    assert len(ranks) == 60
    assert len(ranks) - ranks.count("1-3") <= 8, ranks
