"""Machines and people interrupt: disks fill up and Ctrl-C is pressed, and a run goes on from where it was."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.training import checkpoint
from tests.cli.command import Command, demonstrations, pairs, quick

STEPS = 300


def checkpoints(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def test_a_disk_that_fills_up_leaves_the_older_checkpoint_whole(
    heedful: Command, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = checkpoint.save_file, []

    def write(tensors: Any, path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            Path(path).write_bytes(b"half a")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        whole(tensors, path)

    monkeypatch.setattr(checkpoint, "save_file", write)
    run = tmp_path / "run"
    arguments = quick(model, pairs(tmp_path / "pairs.jsonl"), run, "training.checkpoint_every=1")

    result = heedful("dpo", *arguments)

    assert result.code == 2
    assert (
        "the checkpoint was not saved: the disk is full. Make room, then resume; step-000001 is whole."
        in result.err
    )
    assert checkpoints(run) == ["step-000000", "step-000001"]
    assert checkpoint.load(run / "checkpoints" / "step-000001").state["step"] == 1

    assert heedful("dpo", *arguments, "--resume").code == 0
    assert checkpoints(run) == ["step-000001", "step-000002"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("spare", [0, 16, 40, 90, 200], ids=lambda spare: f"{spare} KiB spare")
def test_a_real_disk_that_is_full(
    heedful: Command, model: Path, tmp_path: Path, small_disk: Path, spare: int
) -> None:
    run, ballast = small_disk / "run", small_disk / "ballast"
    data = demonstrations(tmp_path / "demos.jsonl")
    more = ["training.max_steps=30", "training.epochs=30", "training.checkpoint_every=1", "lora.rank=16"]
    free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    ballast.write_bytes(b"." * (free - spare * 1024))
    arguments = quick(model, data, run, *more, "training.keep_checkpoints=99")

    result = heedful("sft", *arguments)

    assert result.code == 2
    assert "full" in result.err or "No space left" in result.err
    ballast.unlink()
    last = checkpoint.newest(run / "checkpoints")
    if last is not None:
        assert checkpoint.load(last).state["step"] == int(last.name.removeprefix("step-"))


@pytest.fixture
def interrupted(model: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """A run of its own process that got a Ctrl-C after some steps."""
    data = demonstrations(tmp_path / "demos.jsonl", 8)
    more = ["training.batch_size=1", f"training.max_steps={STEPS}", "training.epochs=100"]
    command = [sys.executable, "-m", "heedful", "sft", *quick(model, data, Path("my runs/a"), *more)]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    metrics = tmp_path / "my runs" / "a" / "metrics.jsonl"
    try:
        deadline = time.monotonic() + 120
        while not (metrics.exists() and '"kind": "train"' in metrics.read_text()):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def test_ctrl_c_writes_a_checkpoint_and_the_command_it_names_goes_on(
    heedful: Command,
    interrupted: subprocess.CompletedProcess[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "my runs" / "a"
    assert interrupted.returncode == 130
    assert "Traceback" not in interrupted.stderr
    message = interrupted.stderr.splitlines()[-1]
    said, _, command = message.partition("Resume with: ")
    last = checkpoint.newest(run / "checkpoints")
    assert last is not None
    step = int(last.name.removeprefix("step-"))
    assert 0 < step < STEPS
    assert said == f"my runs/a: interrupted at step {step} of {STEPS}; the checkpoint is written. "
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"

    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(command)
    resumed = heedful(*arguments)

    assert (program, resumed.code) == ("heedful", 0)
    assert f"Resuming at step {step} of {STEPS}." in resumed.err
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, STEPS + 1))
    assert json.loads((run / "run.json").read_text())["status"] == "finished"


def test_an_error_before_the_first_step_is_not_in_the_way_of_the_next_try(
    heedful: Command, model: Path, tmp_path: Path
) -> None:
    arguments = quick(model, demonstrations(tmp_path / "demos.jsonl"), tmp_path / "run")
    assert heedful("sft", *arguments, "lora.targets=[no_proj]").code == 2
    assert heedful("sft", *arguments).code == 0
    assert "already holds a run" in heedful("sft", *arguments).err
