"""A checkpoint is whole or not there."""

from __future__ import annotations

import errno
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from heedful.errors import RunError
from heedful.training import checkpoint
from heedful.training.checkpoint import Saved


def saved(value: float = 1.0) -> Saved:
    """Weights, a real optimiser's state after one step, and randomness."""
    weight = torch.nn.Parameter(torch.full((2, 3), value))
    optimizer = torch.optim.AdamW([weight])
    weight.sum().backward()
    optimizer.step()
    randomness = [checkpoint.random_states(), checkpoint.random_states()]
    return Saved({"layer.weight": weight}, optimizer.state_dict(), randomness, {"guard": {"skipped": 2}})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def break_saving(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Have the second file of a checkpoint fail."""

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(checkpoint.torch, "save", fail)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    before = saved()
    final = checkpoint.save(tmp_path, 7, before, keep=2)
    after = checkpoint.load(final)
    assert final == tmp_path / "step-000007"
    assert torch.equal(after.weights["layer.weight"], before.weights["layer.weight"])
    assert after.state == {"step": 7, "guard": {"skipped": 2}}
    for name in ("exp_avg", "exp_avg_sq", "step"):
        assert torch.equal(after.optimizer["state"][0][name], before.optimizer["state"][0][name])
    assert len(after.randomness) == 2


def test_randomness_goes_on_where_it_was(tmp_path: Path) -> None:
    final = checkpoint.save(tmp_path, 1, saved(), keep=1)

    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.normal()), float(torch.rand(()))

    first = draw()
    draw()
    checkpoint.set_random_states(checkpoint.load(final).randomness[1])
    assert draw() == first


def test_the_newest_few_are_kept(tmp_path: Path) -> None:
    for step in (5, 50, 100, 1000):
        checkpoint.save(tmp_path, step, saved(), keep=2)
    assert names(tmp_path) == ["step-000100", "step-001000"]
    assert checkpoint.newest(tmp_path) == tmp_path / "step-001000"


def test_no_checkpoint_has_no_newest(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "none") is None


def test_a_step_saved_again_is_the_later_one(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 3, saved(1.0), keep=1)
    final = checkpoint.save(tmp_path, 3, saved(5.0), keep=1)
    assert float(checkpoint.load(final).weights["layer.weight"].detach().max()) > 4
    assert names(tmp_path) == ["step-000003"]


def test_a_full_disk_is_said_and_leaves_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, 1, saved(), keep=1)
    break_saving(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(RunError) as error:
        checkpoint.save(tmp_path, 2, saved(), keep=1)
    assert "the disk is full" in str(error.value)
    assert "Make room, then resume; step-000001 is whole." in str(error.value)
    assert names(tmp_path) == ["step-000001"]


def test_a_full_disk_before_the_first_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What torch makes of a failed write.
    break_saving(
        monkeypatch, RuntimeError("PytorchStreamWriter failed writing file: No space left on device")
    )
    with pytest.raises(RunError, match=r"the disk is full.*Make room, then start again"):
        checkpoint.save(tmp_path, 2, saved(), keep=1)
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="it cannot be written"):
        checkpoint.save(tmp_path / "file", 2, saved(), keep=1)


def test_our_own_mistakes_are_not_called_disk_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_saving(monkeypatch, TypeError("cannot pickle"))
    with pytest.raises(TypeError):
        checkpoint.save(tmp_path, 2, saved(), keep=1)
    assert names(tmp_path) == []


def test_what_killed_processes_left_is_cleared(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, saved(), keep=1)
    part = tmp_path / ".part-000002-1234"
    part.mkdir()
    (part / "trainable.safetensors").write_bytes(b"half")
    assert checkpoint.newest(tmp_path) == tmp_path / "step-000001"
    checkpoint.clear_parts(tmp_path)
    assert names(tmp_path) == ["step-000001"]


def test_a_removal_cut_short_leaves_no_half_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, 1, saved(), keep=1)

    def killed(folder: Path, **_: Any) -> None:
        if folder.exists():
            (folder / "state.json").unlink()
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path, 2, saved(), keep=1)
    monkeypatch.undo()
    assert [name for name in names(tmp_path) if name.startswith("step-")] == ["step-000002"]
    checkpoint.clear_parts(tmp_path)
    assert names(tmp_path) == ["step-000002"]


@pytest.mark.parametrize("file", ["trainable.safetensors", "optimizer.pt", "random.pt", "state.json"])
@pytest.mark.parametrize("gone", [False, True])
def test_a_damaged_one_is_named_with_the_one_before(file: str, gone: bool, tmp_path: Path) -> None:
    for step in (1, 2):
        checkpoint.save(tmp_path, step, saved(), keep=2)
    path = tmp_path / "step-000002" / file
    if gone:
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(RunError) as error:
        checkpoint.load(tmp_path / "step-000002")
    assert str(error.value).startswith(f"{tmp_path / 'step-000002'}: the checkpoint cannot be read: ")
    assert str(error.value).endswith("Remove this folder; the run then resumes from step-000001.")
    assert "\n" not in str(error.value)


def test_the_only_one_damaged_means_starting_anew(tmp_path: Path) -> None:
    final = checkpoint.save(tmp_path, 1, saved(), keep=1)
    (final / "state.json").unlink()
    with pytest.raises(RunError, match=r"Start the run anew\.$"):
        checkpoint.load(final)
