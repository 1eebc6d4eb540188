"""A reward model's quality by hand, by brute force, and of models made up to be good, bad or blind."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from heedful.errors import DataError
from heedful.evaluation.calibration import calibration, cross_fitted, fit_temperature
from heedful.evaluation.reward_quality import MOST_MISTAKES, RewardQuality, reward_quality
from heedful.intervals import paired_difference, share, wilson

#         right  wrong  tie   right
CHOSEN = [2.0, -1.0, 0.5, 3.0]
REJECTED = [1.0, 0.5, 0.5, -1.0]
LENGTHS: dict[str, Any] = {"chosen_lengths": [10, 10, 10, 10], "rejected_lengths": [5, 10, 20, 9]}


def simulated(n: int, seed: int = 0, factor: float = 1.0) -> dict[str, Any]:
    """Pairs with chosen first whose preferences fall as σ(score difference / factor) says."""
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(2, n))
    first = rng.random(n) < 1 / (1 + np.exp(two - one))
    return {
        "chosen": factor * np.where(first, one, two),
        "rejected": factor * np.where(first, two, one),
        "chosen_lengths": rng.integers(5, 200, size=n),
        "rejected_lengths": rng.integers(5, 200, size=n),
    }


def test_four_pairs_by_hand() -> None:
    """Right, wrong, a tie and so wrong, right. Longer wins pairs 0 and 3, shorter pair 2; pair 1 is a tie."""
    found = reward_quality(CHOSEN, REJECTED, **LENGTHS)
    assert (found.n, found.groups, found.soft, found.undecided, found.ties) == (4, 4, 0, 0, 1)
    assert (found.accuracy.value, found.accuracy.n) == (0.5, 4)
    assert (found.accuracy.low, found.accuracy.high) == wilson(2, 4)
    assert (found.longer_wins.value, found.shorter_wins.value) == (0.5, 0.25)
    assert found.best_ruler == "longer wins"
    assert found.over_ruler == 0.0
    assert not found.beats_ruler
    assert found.mistakes == (1,)
    assert found.coin_brier == 0.25


def test_calibration_is_of_the_score_differences() -> None:
    found = reward_quality(CHOSEN, REJECTED, **LENGTHS)
    apart, ones = np.array([1.0, -1.5, 0.0, 4.0]), np.ones(4)
    assert found.calibration == calibration(apart, ones)
    assert found.temperature == fit_temperature(apart, ones)
    divided = cross_fitted(apart, ones)
    assert divided is not None
    assert found.calibrated == calibration(divided, ones)


def test_a_calibrated_model_is_found_calibrated() -> None:
    found = reward_quality(**simulated(4000))
    assert found.calibration.ece < 0.03
    assert found.calibration.ece <= found.calibration.ece_by_chance
    assert found.temperature.low < 1 < found.temperature.high
    assert found.temperature.value == pytest.approx(1, abs=0.1)


def test_scores_times_three_are_found_out_and_mended() -> None:
    plain, found = reward_quality(**simulated(4000)), reward_quality(**simulated(4000, factor=3.0))
    assert found.temperature.value == pytest.approx(3, abs=0.3)
    assert found.temperature.value == pytest.approx(3 * plain.temperature.value)
    assert found.calibration.ece > 0.1
    assert found.calibrated is not None
    assert plain.calibrated is not None
    assert found.calibrated.ece == pytest.approx(plain.calibrated.ece)
    assert found.calibrated.ece < 0.03
    assert found.calibrated.log_loss < found.calibration.log_loss - 0.1
    assert found.accuracy == plain.accuracy


def numbers(found: RewardQuality) -> dict[str, Any]:
    """Everything as plain data, floats cut where the order of a sum may show."""

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [cut(inner) for inner in value]
        return round(value, 9) if isinstance(value, float) else value

    return cut(asdict(found))  # type: ignore[no-any-return]


def test_turning_pairs_round_changes_nothing() -> None:
    """Sides swapped, p to 1 - p, margin to -margin, for half of the pairs."""
    rng = np.random.default_rng(4)
    data = simulated(300)
    labels = rng.choice([0.0, 0.2, 0.5, 0.9, 1.0], size=300)
    margins = rng.normal(1, 1, size=300)
    turn = rng.random(300) < 0.5
    turned = {}
    for one, other in (("chosen", "rejected"), ("chosen_lengths", "rejected_lengths")):
        turned[one] = np.where(turn, data[other], data[one])
        turned[other] = np.where(turn, data[one], data[other])
    before = reward_quality(**data, probabilities=labels, margins=margins)
    after = reward_quality(
        **turned,
        probabilities=np.where(turn, 1 - labels, labels),
        margins=np.where(turn, -margins, margins),
    )
    assert numbers(before) == numbers(after)


def test_a_soft_label_counts_its_likelier_side_for_accuracy_and_itself_for_calibration() -> None:
    """Scores prefer the first by log 3: wrong where the label says 0.2, right where it says 0.8."""
    for label, right in ((0.2, 0.0), (0.8, 1.0)):
        found = reward_quality(
            [math.log(3)], [0.0], chosen_lengths=[2], rejected_lengths=[1], probabilities=[label]
        )
        assert found.accuracy.value == right
        assert found.longer_wins.value == right
        assert found.calibration.brier == pytest.approx((0.75 - label) ** 2)
        assert found.coin_brier == pytest.approx(0.09)
        assert found.soft == 1


def test_a_label_of_one_half_is_for_calibration_only() -> None:
    found = reward_quality(CHOSEN, REJECTED, **LENGTHS, probabilities=[None, 0.5, 1.0, None])
    assert (found.n, found.soft, found.undecided) == (4, 1, 1)
    assert found.accuracy.n == found.longer_wins.n == 3
    assert found.calibration.n == 4
    assert found.mistakes == ()
    assert sum(cut.accuracy.n for cut in found.by_margin) == 3
    assert sum(accuracy.n for accuracy in found.by_length.values()) == 3


def test_the_best_ruler_is_beaten_only_where_the_difference_is_clear() -> None:
    """The same pairs: 20 the model alone gets right, 5 the ruler alone, 35 both, 40 neither."""
    model = np.repeat([1.0, -1.0, 1.0, -1.0], [20, 5, 35, 40])
    longer = np.repeat([1, 2, 2, 1], [20, 5, 35, 40])
    found = reward_quality(model, np.zeros(100), chosen_lengths=longer, rejected_lengths=np.full(100, 1.5))
    assert (found.best_ruler, found.longer_wins.value, found.shorter_wins.value) == ("shorter wins", 0.4, 0.6)
    longer = np.repeat([1, 2, 2, 1], [20, 5, 35, 40])
    found = reward_quality(model, np.zeros(100), chosen_lengths=longer, rejected_lengths=np.ones(100))
    assert (found.best_ruler, found.longer_wins.value, found.shorter_wins.value) == ("longer wins", 0.4, 0.0)
    assert found.over_ruler == pytest.approx(0.15)
    assert found.over_ruler_interval == paired_difference(model > 0, longer > 1)
    assert found.beats_ruler
    few = slice(None, None, 4)
    found = reward_quality(model[few], np.zeros(25), chosen_lengths=longer[few], rejected_lengths=np.ones(25))
    assert found.over_ruler > 0.1
    assert not found.beats_ruler


def test_a_ruler_in_disguise_never_beats_the_ruler() -> None:
    data = simulated(500)
    data["chosen"], data["rejected"] = data["chosen_lengths"], data["rejected_lengths"]
    data["chosen_lengths"] = np.maximum(data["chosen_lengths"], data["rejected_lengths"] - 20)
    data["chosen"] = data["chosen_lengths"]
    found = reward_quality(**data)
    assert found.best_ruler == "longer wins"
    assert (found.over_ruler, found.beats_ruler) == (0.0, False)


def test_all_equal_scores_are_always_wrong() -> None:
    data = simulated(80) | {"chosen": np.ones(80), "rejected": np.ones(80)}
    found = reward_quality(**data)
    assert (found.accuracy.value, found.ties, found.mistakes) == (0.0, 80, ())
    assert found.calibration.ece == 0.0
    assert math.isinf(found.temperature.value)
    assert found.calibrated is not None
    assert found.calibrated.log_loss == pytest.approx(math.log(2))
    assert len(found.by_margin) == 1


def test_a_single_pair_is_judged_but_never_clearly() -> None:
    found = reward_quality([2.0], [1.0], chosen_lengths=[1], rejected_lengths=[3])
    assert (found.accuracy.value, found.best_ruler) == (1.0, "shorter wins")
    assert found.calibrated is None
    found = reward_quality([2.0], [1.0], chosen_lengths=[3], rejected_lengths=[3])
    assert found.over_ruler == 1.0
    assert not found.beats_ruler


def test_pairs_of_one_prompt_widen_every_interval() -> None:
    data = {name: np.repeat(values, 4) for name, values in simulated(50).items()}
    groups = [("prompt", i // 4) for i in range(200)]
    alone, grouped = reward_quality(**data), reward_quality(**data, groups=groups)
    right = data["chosen"] > data["rejected"]
    assert (grouped.groups, grouped.n) == (50, 200)
    assert (grouped.accuracy.low, grouped.accuracy.high) == share(right, groups=groups)
    for narrow, wide in (
        ((alone.accuracy.low, alone.accuracy.high), (grouped.accuracy.low, grouped.accuracy.high)),
        (alone.over_ruler_interval, grouped.over_ruler_interval),
        (alone.calibration.brier_interval, grouped.calibration.brier_interval),
        (
            (alone.temperature.low, alone.temperature.high),
            (grouped.temperature.low, grouped.temperature.high),
        ),
    ):
        assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])


def test_one_prompt_is_no_ground_for_a_temperature_to_be_judged() -> None:
    assert reward_quality(CHOSEN, REJECTED, **LENGTHS, groups=["a"] * 4).calibrated is None


def test_accuracy_by_margin_in_quarters_agrees_with_plain_loops() -> None:
    data = simulated(400)
    margins = np.random.default_rng(7).exponential(size=400)
    found = reward_quality(**data, margins=margins)
    assert found.sliced_by == "margin"
    assert found.without_margin is None
    order = sorted(range(400), key=lambda i: margins[i])
    for k, cut in enumerate(found.by_margin):
        quarter = order[100 * k : 100 * k + 100]
        assert (cut.low, cut.high) == (margins[quarter[0]], margins[quarter[-1]])
        assert cut.accuracy.n == 100
        assert cut.accuracy.value == sum(data["chosen"][i] > data["rejected"][i] for i in quarter) / 100


def test_margins_of_a_few_kinds_are_kept_apart() -> None:
    found = reward_quality(CHOSEN, REJECTED, **LENGTHS, margins=[1, 2, 2, 1])
    assert [(cut.low, cut.high, cut.accuracy.value, cut.accuracy.n) for cut in found.by_margin] == [
        (1, 1, 1.0, 2),
        (2, 2, 0.0, 2),
    ]


def test_pairs_without_a_margin_stand_beside_those_with_one() -> None:
    found = reward_quality(CHOSEN, REJECTED, **LENGTHS, margins=[None, 2.0, math.nan, 1.0])
    assert [(cut.low, cut.accuracy.value) for cut in found.by_margin] == [(1.0, 1.0), (2.0, 0.0)]
    assert found.without_margin is not None
    assert (found.without_margin.value, found.without_margin.n) == (0.5, 2)


@pytest.mark.parametrize("margins", [None, [None] * 4, [math.nan] * 4])
def test_without_margins_the_score_difference_takes_their_place(margins: Any) -> None:
    found = reward_quality(CHOSEN, REJECTED, **LENGTHS, margins=margins)
    assert found.sliced_by == "score difference"
    assert found.without_margin is None
    assert [(cut.low, cut.accuracy.value) for cut in found.by_margin] == [
        (0.0, 0.0), (1.0, 1.0), (1.5, 0.0), (4.0, 1.0),
    ]  # fmt: skip


def test_accuracy_by_length_looks_from_the_better_response() -> None:
    lengths = [
        (10, 16),
        (10, 15),
        (10, 12),
        (10, 11),
        (10, 10),
        (11, 10),
        (12, 10),
        (15, 10),
        (16, 10),
        (0, 0),
    ]
    one, other = zip(*lengths, strict=True)
    found = reward_quality(
        [1.0, 0, 0, 1, 1, 1, 0, 1, 1, 1], [0.5] * 10, chosen_lengths=one, rejected_lengths=other
    )
    assert {name: (a.value, a.n) for name, a in found.by_length.items()} == {
        "much shorter": (1.0, 1),
        "shorter": (0.0, 2),
        "about as long": (1.0, 4),
        "longer": (0.5, 2),
        "much longer": (1.0, 1),
    }
    turned = reward_quality([0.5], [1.0], chosen_lengths=[10], rejected_lengths=[30], probabilities=[0.0])
    assert list(turned.by_length) == ["much longer"]


def test_the_surest_mistakes_come_first() -> None:
    apart = np.array([-1.0, 2.0, -5.0, -0.1, -5.0, 0.0, -7.0])
    ones = np.ones(7)
    labels = [1, 1, 1, 1, 1, 1, 0.5]
    found = reward_quality(apart, 0 * ones, chosen_lengths=ones, rejected_lengths=ones, probabilities=labels)
    assert found.mistakes == (2, 4, 0, 3)
    many = -np.arange(1.0, 40.0)
    found = reward_quality(many, 0 * many, chosen_lengths=-many, rejected_lengths=-many)
    assert found.mistakes == tuple(range(38, 38 - MOST_MISTAKES, -1))


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert reward_quality(**simulated(60), seed=2) == reward_quality(**simulated(60), seed=2)
    assert reward_quality(**simulated(60), seed=2) != reward_quality(**simulated(60), seed=3)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"chosen": [1.0, math.nan, 0, 0]}, "chosen of pair 1 is nan, not a finite number"),
        ({"rejected": [1.0, 0, 0, math.inf]}, "rejected of pair 3 is inf"),
        ({"chosen_lengths": [1, 1, -1, 1]}, "chosen_lengths of pair 2 is -1.0"),
        ({"probabilities": [1, 1, 1, 1.2]}, "probabilities of pair 3 is 1.2, .* between 0 and 1"),
        ({"probabilities": [1, math.nan, 1, 1]}, "probabilities of pair 1 is nan"),
        ({"probabilities": [0.5] * 4}, "every pair is one half"),
        ({"margins": [1, math.inf, 1, 1]}, "margins of pair 1 is inf"),
    ],
)
def test_what_cannot_be_judged_is_named(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        reward_quality(**({"chosen": CHOSEN, "rejected": REJECTED} | LENGTHS | changed))


def test_no_pairs_are_refused() -> None:
    with pytest.raises(DataError, match="no pairs"):
        reward_quality([], [], chosen_lengths=[], rejected_lengths=[])


@pytest.mark.parametrize("short", ["rejected", "chosen_lengths", "margins", "probabilities", "groups"])
def test_arguments_must_be_of_one_length(short: str) -> None:
    data = {"chosen": CHOSEN, "rejected": REJECTED} | LENGTHS | {short: [1.0]}
    with pytest.raises(ValueError, match=r"like chosen|group labels"):
        reward_quality(**data)
