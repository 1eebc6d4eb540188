"""A speed is that of a smaller model of the same shape, scaled up; and a duration is work times speed."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import LlamaConfig

from heedful.models import shape
from heedful.models.backbone import Backbone
from heedful.recipe import LoraSettings
from heedful.recipe.stages import SFTTraining
from heedful.render.rows import Row
from heedful.training import speed
from heedful.training.duration import LEAST_OFF, Duration, durations, total
from heedful.training.memory import Rollout
from heedful.training.speed import Pace, Speed, measure
from heedful.training.work import Work
from tests import tiny

ROWS = [Row(str(number), [5] * 6, ([7] * 4,)) for number in range(3)]


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that says one second later each time it is asked."""
    clock = itertools.count()
    monkeypatch.setattr(speed.time, "perf_counter", lambda: float(next(clock)))


def hollow(layers: int = 40, vocabulary: int = 1000) -> Backbone:
    """A model without numbers, of which only a part is tried."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return _Outline(config)


class _Outline(Backbone):
    def __init__(self, config: Any) -> None:
        super().__init__(shape.hollow(config), tiny.tokenizer(), name="hollow", compute_dtype=torch.float32)

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")


def tried(backbone: Backbone, **settings: Any) -> Speed:
    """What ten seconds of a clock that ticks find."""
    rollout = settings.pop("rollout", None)
    seconds = settings.pop("seconds", 10.0)
    training = SFTTraining(**settings)
    return measure(
        backbone, ROWS, training=training, lora=LoraSettings(rank=4), rollout=rollout, seconds=seconds
    )


@pytest.mark.usefixtures("ticking")
def test_layers_and_vocabulary_are_scaled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lap is a second: of layers forward one, and backward another."""
    a_layer = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64
    monkeypatch.setattr(speed, "_LAYER_PARAMETERS", 10 * a_layer)
    monkeypatch.setattr(speed, "_HEAD_PARAMETERS", 32 * 250)

    found = tried(hollow(layers=40, vocabulary=1000), seconds=1000.0)

    assert (found.layers, found.tokens) == (10, 30)
    assert found.passing == Pace(pytest.approx(1.0 * 4 / 30), 0.0)
    assert found.learning == Pace(pytest.approx(2.0 * 4 / 30), 0.0)
    assert found.reading == Pace(pytest.approx(1.0 * 4 / 12), 0.0)
    assert found.teaching == Pace(pytest.approx(1.0 * 4 / 12), 0.0)
    assert found.updating.seconds == pytest.approx(4.0)  # an adapter has four times the layers
    assert found.drawing is None


@pytest.mark.usefixtures("ticking")
def test_a_small_model_is_tried_as_a_whole() -> None:
    found = tried(hollow(layers=3), seconds=1000.0)
    assert found.layers == 3
    assert found.passing.seconds == pytest.approx(1 / 30)
    assert found.updating.seconds == 1.0


@pytest.mark.usefixtures("ticking")
def test_of_a_slow_machine_fewer_rows_are_asked() -> None:
    """A row takes four seconds, and one share of the time is two."""
    assert tried(hollow(layers=3), seconds=10.0).tokens == 10


def test_padding_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_Trial", _Counting)
    tried(hollow(layers=3), padded=True, seconds=0.0)
    assert _Counting.found == 10


class _Counting(speed._Trial):
    found = 0

    def learn(self, seconds: float) -> tuple[Pace, Pace, Pace]:
        type(self).found = self.tokens
        return super().learn(seconds)


@pytest.mark.parametrize("settings", [{"method": "full"}, {"gradient_checkpointing": True}], ids=str)
def test_every_way_to_train_is_tried_as_it_is(settings: dict[str, Any]) -> None:
    found = tried(hollow(layers=3), seconds=0.0, **settings)
    paces = (found.passing, found.learning, found.reading, found.teaching, found.updating)
    assert all(pace.seconds > 0 for pace in paces)


def test_sampling_is_tried_with_as_many_responses(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []
    sample: Callable[..., Any] = speed.sample

    def noted(model: Any, prompts: Any, **options: Any) -> Any:
        asked.append((len(prompts), len(prompts[0]), options["max_new_tokens"]))
        found = sample(model, prompts, **options)
        assert all(len(one.tokens) == options["max_new_tokens"] for one in found)
        return found

    monkeypatch.setattr(speed, "sample", noted)
    found = tried(hollow(layers=3), rollout=Rollout(responses=5, prompt=7, new=30), seconds=0.0)
    assert found.drawing is not None
    assert set(asked) == {(5, 7, 9), (5, 7, 1)}


def test_what_is_tried_leaves_the_model_and_randomness_alone() -> None:
    backbone = tiny.backbone()
    before, state = backbone.fingerprint(), torch.random.get_rng_state()
    tried(backbone, seconds=0.0)
    assert backbone.fingerprint() == before
    assert torch.equal(torch.random.get_rng_state(), state)


SPEED = Speed(
    passing=Pace(0.1, 0.0),
    learning=Pace(0.3, 0.5),
    reading=Pace(0.01, 0.0),
    teaching=Pace(0.02, 0.0),
    updating=Pace(2.0, 0.0),
    drawing=Pace(0.5, 0.0),
    layers=2,
    tokens=10,
)


def test_a_duration_is_work_times_speed() -> None:
    parts = (
        Work("training", learned=100, taught=50, updates=3),
        Work("rollout", prompts=20, drawn=8),
        Work("evaluation", passed=10, read=5),
    )
    training, rollout, evaluation = durations(parts, SPEED)
    assert training.seconds == pytest.approx(100 * 0.3 + 50 * 0.02 + 3 * 2)
    assert rollout.seconds == pytest.approx(20 * 0.1 + 8 * 0.5)
    assert evaluation.seconds == pytest.approx(10 * 0.1 + 5 * 0.01)
    # What varied more than a few seconds can tell is that unsure; the rest as unsure as anything.
    assert training.off == pytest.approx((30 * 0.5 + 7 * LEAST_OFF) / 37)
    assert rollout.off == evaluation.off == pytest.approx(LEAST_OFF)


def test_durations_add_up_and_are_off_together() -> None:
    found = total([Duration("a", 10.0, 0.2), Duration("b", 30.0, 0.4)])
    assert (found.seconds, found.off) == (40.0, pytest.approx(0.35))
    assert total([]) == Duration("total", 0.0, 0.0)
