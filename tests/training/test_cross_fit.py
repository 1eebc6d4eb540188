"""Cross-fitted reward models score what they were not trained on, and tell how many labels are flipped."""

from __future__ import annotations

import random
import tempfile
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from heedful.checks.noise_estimate import estimate
from heedful.models.scoring import end_states, score
from heedful.recipe import DataSettings, RewardTraining
from heedful.records import Preference, assistant, user
from heedful.render.chat import Renderer
from heedful.render.rows import Rows, render
from heedful.render.truncate import Limits
from heedful.training.cross_fit import adapters, folds_by_group, heads, heads_of
from heedful.training.tracking import Reporter, Task
from tests import tiny
from tests.checks.noise import flip, flip_by_length, turned
from tests.training import small

WORDS = ("yes", "no", "cat", "dog", "mat")
PAIRS = 500


def cat_pairs(count: int, *, seed: int = 0) -> list[Preference]:
    """The response with more cats is the better one: what even a tiny frozen model's states tell."""
    chance = random.Random(seed)
    found = []
    while len(found) < count:
        one, other = (chance.choices(WORDS, k=chance.randint(4, 8)) for _ in range(2))
        if one.count("cat") > other.count("cat"):
            sides = ((assistant(" ".join(words)),) for words in (one, other))
            found.append(Preference((user(f"{len(found)}?"),), *sides, id=f"pair-{len(found)}"))
    return found


def rendered(pairs: list[Preference]) -> Rows:
    return render(pairs, Renderer(tiny.tokenizer()), Limits(128))


@pytest.fixture(scope="module")
def gold() -> list[Preference]:
    return cat_pairs(PAIRS)


@pytest.fixture(scope="module")
def states(gold: list[Preference]) -> torch.Tensor:
    return end_states(tiny.backbone().role("reference"), rendered(gold))


@pytest.mark.parametrize(
    ("simulate", "planted"), [(flip, 0.0), (flip, 0.1), (flip, 0.2), (flip, 0.3), (flip_by_length, 0.2)]
)
def test_planted_flips_come_back_within_five_points(
    simulate: object, planted: float, gold: list[Preference], states: torch.Tensor
) -> None:
    noisy, flipped = simulate(gold, planted, seed=2)  # type: ignore[operator]
    swapped = states.clone()
    swapped[sorted(flipped)] = states[sorted(flipped)].flip(1)
    folds = folds_by_group(range(PAIRS), 5, 3)
    found = heads(swapped, noisy, folds)
    noise = estimate(found.differences, folds=found.folds)
    assert noise.share is not None
    assert noise.share.value == pytest.approx(planted, abs=0.05)
    assert noise.share.low <= planted <= noise.share.high


def test_states_of_a_swapped_pair_are_the_states_swapped(gold: list[Preference]) -> None:
    role = tiny.backbone().role("reference")
    one = end_states(role, rendered(gold[:3]))
    other = end_states(role, rendered([turned(pair) for pair in gold[:3]]))
    assert one.shape == (3, 2, 32)
    torch.testing.assert_close(other, one.flip(1), atol=1e-5, rtol=0)


def test_a_reward_models_score_is_its_head_over_the_end_states(gold: list[Preference]) -> None:
    backbone, rows = tiny.backbone(), rendered(gold[:3])
    backbone.add_head("reward", seed=0)
    states = end_states(backbone.role("reference"), rows)
    torch.testing.assert_close(
        backbone.heads["reward"](states), score(backbone.role("reward"), rows), atol=1e-5, rtol=0
    )


def test_a_label_has_no_say_in_its_own_pairs_score(gold: list[Preference], states: torch.Tensor) -> None:
    """Turning one pair turns its own difference, and moves those of its own fold no other way."""
    few, folds = states[:60], folds_by_group(range(60), 3, 1)
    before = heads(few, gold[:60], folds).differences[0]
    swapped = few.clone()
    swapped[7] = few[7].flip(0)
    after = heads(swapped, gold[:60], folds).differences[0]
    same = folds[0] == folds[0, 7]
    expected = before.copy()
    expected[7] *= -1
    np.testing.assert_allclose(after[same], expected[same], rtol=1e-3)
    assert not np.allclose(after[~same], expected[~same], rtol=1e-3)


def test_soft_labels_and_weights_are_learned_from(gold: list[Preference], states: torch.Tensor) -> None:
    """Half the pairs are flipped and count for nothing, or say so themselves: the rest is learned."""
    few, flipped = states[:120].clone(), list(range(0, 120, 2))
    few[flipped] = states[flipped].flip(1)
    folds = folds_by_group(range(120), 4, 1)
    for told in ({"weight": 0.0}, {"probability": 0.0}):
        pairs = [
            replace(pair, **told) if at in flipped else pair  # type: ignore[arg-type]
            for at, pair in enumerate(gold[:120])
        ]
        right = heads(few, pairs, folds).differences[0] > 0
        assert right[1::2].mean() > 0.75
        assert right[flipped].mean() < 0.25


def test_a_prompt_is_never_parted_and_folds_are_even() -> None:
    prompts = [n // 3 for n in range(90)]
    folds = folds_by_group(prompts, 5, 4, seed=1)
    assert folds.shape == (4, 90)
    for own in folds:
        assert all(len(set(own[start : start + 3])) == 1 for start in range(0, 90, 3))
        assert np.bincount(own).tolist() == [18] * 5
    assert not np.array_equal(folds[0], folds[1])
    np.testing.assert_array_equal(folds, folds_by_group(prompts, 5, 4, seed=1))


def test_folds_without_prompts_enough_are_refused() -> None:
    for folds in (1, 4):
        with pytest.raises(ValueError, match=f"{folds} folds of 3 groups"):
            folds_by_group([0, 1, 2], folds, 1)


def test_progress_counts_every_head(gold: list[Preference], states: torch.Tensor) -> None:
    folds = folds_by_group(range(30), 3, 2)
    told: list[int] = []
    heads(states[:30], gold[:30], folds, on_done=told.append)
    assert told == list(range(1, heads_of(folds) + 1))


class Watched(Reporter):
    """Remembers the tasks that were begun, with their steps."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.totals: dict[str, int | None] = {}

    def task(self, title: str, total: int | None, start: int = 0) -> AbstractContextManager[Task]:
        self.totals[title] = total
        return super().task(title, total, start)


def test_adapters_score_what_they_were_not_trained_on_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    backbone, reporter = tiny.backbone(), Watched()
    before = backbone.fingerprint()
    pairs = small.pairs(40)  # every rejected response begins with "no"
    pairs[5] = turned(pairs[5])
    folds = folds_by_group(range(40), 2, 1)
    training = RewardTraining(epochs=4, learning_rate=1e-2, batch_size=4)
    data = DataSettings(train="(none)", eval_fraction=0.0, max_length=128)
    found = adapters(backbone, rendered(pairs), pairs, folds, data, training, reporter)
    assert found.differences.shape == (1, 40)
    against = np.flatnonzero(found.differences[0] < 0)
    assert 5 in against
    assert len(against) <= 5
    assert reporter.totals == {"Training reward models, steps": 2 * 5 * 4}
    assert list(tmp_path.iterdir()) == []
    assert (backbone.peft, backbone.heads) == (None, {})
    assert backbone.fingerprint() == before
