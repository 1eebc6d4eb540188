"""Several processes are one run: they end where a single one ends, and only one of them writes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from heedful.errors import RunError
from heedful.training import processes
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import read_metrics
from tests.integration import victim

CHECKOUT = Path(__file__).parents[2]
TIMES = ("seconds", "tokens_per_second")


def test_one_process_is_the_plain_thing_itself() -> None:
    assert (processes.count(), processes.index(), processes.is_main()) == (1, 0, True)
    assert list(processes.share(range(5))) == [0, 1, 2, 3, 4]
    assert processes.gather("a") == ["a"]
    assert processes.total({"loss": 1.5}) == {"loss": 1.5}
    assert processes.on_main(lambda: 7) == 7


def test_parts_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    monkeypatch.setattr(processes, "count", lambda: 3)
    for number in range(3):
        monkeypatch.setattr(processes, "index", lambda number=number: number)
        parts.append(list(processes.share(range(7))))
    assert parts == [[0, 3, 6], [1, 4], [2, 5]]


def test_sums_take_names_that_not_every_process_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "gather", lambda value: [value, {"loss": 2.0, "nll": 3.0}])
    assert processes.total({"loss": 1.0}) == {"loss": 3.0, "nll": 3.0}


def launch(
    folder: Path, stage: str, settings: dict[str, Any], **more: Any
) -> subprocess.CompletedProcess[str]:
    """Run on two processes that talk over the loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    given = json.dumps({"stage": stage, "folder": str(folder), "settings": settings, **more})
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HEEDFUL_CACHE": str(folder.parent / "cache")}
    return subprocess.run(
        [*torchrun, "-m", "tests.integration.victim", given],
        env=environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=150,
    )


# 18 rows: steps of 17 rows and of 1, so that in every second step one process has nothing to do.
UNEVEN = {"batch_size": 17, "epochs": 3.0, "tokens_per_row": 60}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        ("dpo", UNEVEN),
        ("sft", {**UNEVEN, "method": "full"}),
        ("dpo", {**UNEVEN, "gradient_checkpointing": True}),
    ],
)
def test_two_processes_end_where_one_ends(stage: str, settings: dict[str, Any], tmp_path: Path) -> None:
    launched = launch(tmp_path / "two", stage, settings)
    assert launched.returncode == 0, launched.stderr
    victim.run(stage, str(tmp_path / "one"), settings)
    name = "merged/model.safetensors" if "method" in settings else "adapter/adapter_model.safetensors"
    two, one = (load_file(tmp_path / which / name) for which in ("two", "one"))
    assert two.keys() == one.keys()
    assert max(float((two[key] - one[key]).abs().max()) for key in one) < 1e-5
    logs = [read_metrics(tmp_path / which / "metrics.jsonl") for which in ("two", "one")]
    for ours, theirs in zip(*logs, strict=True):
        assert ours["kind"] == theirs["kind"]
        for key in ours.keys() - {"kind", *TIMES}:
            assert ours[key] == pytest.approx(theirs[key], abs=1e-4), key
    assert RunFolder(tmp_path / "two").info()["status"] == "finished"


@pytest.mark.slow
def test_two_processes_killed_and_resumed_end_where_they_would_have(tmp_path: Path) -> None:
    settings = {"batch_size": 3, "epochs": 1.0, "checkpoint_every": 2, "dropout": 0.2}
    assert launch(tmp_path / "whole", "dpo", settings).returncode == 0
    killed = launch(tmp_path / "run", "dpo", settings, die=["torch_save", 6])
    assert killed.returncode != 0
    assert signal.Signals.SIGKILL.name in killed.stderr
    assert launch(tmp_path / "run", "dpo", settings).returncode == 0
    adapters = [
        (tmp_path / name / "adapter/adapter_model.safetensors").read_bytes() for name in ("whole", "run")
    ]
    assert adapters[0] == adapters[1]
    steps = [
        line["step"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl") if line["kind"] == "train"
    ]
    assert steps == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_what_stops_the_main_process_stops_all_with_the_same_words(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("precious")
    launched = launch(tmp_path / "run", "sft", {"batch_size": 3})
    assert launched.returncode != 0
    assert (
        launched.stderr.count(f"{RunError.__name__}: {tmp_path / 'run'}: the output folder is not empty.")
        == 2
    )
