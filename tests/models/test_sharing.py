"""Models that share weights, and what a run was at its checkpoints."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from heedful.errors import ModelError, RunError
from heedful.models import adapters
from heedful.models.loading import load
from heedful.models.sharing import Models, Voice
from heedful.training import checkpoint
from heedful.training.job import Given
from tests import tiny
from tests.training import ppo_runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PPO run of three iterations over a saved model, with all its checkpoints."""
    folder = tmp_path_factory.mktemp("run")
    backbone = load(str(tiny.save(folder / "model")))
    every = {"checkpoint_every": 1, "keep_checkpoints": 9}
    ppo_runs.train(folder / "ppo", given=Given(ppo_runs.PROMPTS, None, backbone), **every)
    return folder / "ppo"


def filled(models: Models, run: Path, step: int) -> Voice:
    place = run / "checkpoints" / f"step-{step:06d}"
    return models.filled(str(run), str(place), partial(checkpoint.weights, place))


def weights(voice: Voice) -> dict[str, Tensor]:
    found = adapters.parameters(voice.backbone.model, voice.role)
    return {name.replace(voice.role, "policy"): weight.detach().clone() for name, weight in found.items()}


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of full fine-tuning."""
    folder = tmp_path_factory.mktemp("full")
    backbone = load(str(tiny.save(folder / "model")), full=True)
    every = {"checkpoint_every": 1, "keep_checkpoints": 9, "method": "full"}
    ppo_runs.train(folder / "ppo", given=Given(ppo_runs.PROMPTS, None, backbone), **every)
    return folder / "ppo"


def test_a_checkpoint_on_its_run_has_the_checkpoints_weights(run: Path) -> None:
    models = Models()
    for step in (1, 2, 1):
        saved = checkpoint.weights(run / "checkpoints" / f"step-{step:06d}")
        own = weights(filled(models, run, step))
        assert own
        assert all(torch.equal(weight, saved[name]) for name, weight in own.items())


def test_the_last_checkpoint_of_a_run_without_held_out_prompts_is_what_it_left_behind(run: Path) -> None:
    models = Models()
    left, last = weights(models.get(str(run))), weights(filled(models, run, 3))
    assert all(torch.equal(left[name], last[name]) for name in left)
    assert any(not torch.equal(left[name], other) for name, other in weights(filled(models, run, 1)).items())


def test_checkpoints_share_the_weights_of_their_run_and_leave_its_own_adapter_alone(run: Path) -> None:
    models = Models()
    own = models.get(str(run))
    before = weights(own)
    other = filled(models, run, 1)
    assert other.backbone is own.backbone
    assert all(torch.equal(before[name], weight) for name, weight in weights(own).items())


def test_weights_of_another_adapter_are_refused(run: Path) -> None:
    with pytest.raises(ModelError, match="do not fit the adapter"):
        Models().filled(str(run), "elsewhere", dict)


def test_checkpoints_of_full_fine_tuning_take_turns_in_a_copy(full: Path) -> None:
    models = Models()
    left = models.get(str(full))
    before = {name: weight.clone() for name, weight in left.backbone.model.named_parameters()}
    for step in (1, 2, 1):
        saved = checkpoint.weights(full / "checkpoints" / f"step-{step:06d}")
        voice = filled(models, full, step)
        own = dict(voice.backbone.model.named_parameters())
        assert own
        assert all(torch.equal(weight, saved[name]) for name, weight in own.items())
        assert any(not torch.equal(weight, before[name]) for name, weight in own.items())
    assert voice.backbone is not left.backbone
    assert all(torch.equal(weight, before[name]) for name, weight in left.backbone.model.named_parameters())


def test_weights_of_another_model_are_refused(run: Path, full: Path) -> None:
    place = run / "checkpoints" / "step-000001"
    with pytest.raises(ModelError, match="step-000001: these weights do not fit the model"):
        Models().filled(str(full), str(place), partial(checkpoint.weights, place))


def test_a_damaged_checkpoint_is_named(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "step-000007"
    place.mkdir()
    checkpoint.weights_file(place).write_bytes(b"nothing")
    with pytest.raises(RunError, match="step-000007: the checkpoint cannot be read"):
        checkpoint.weights(place)
