"""What the tests of the command line share: running a command within this process, and small files for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from heedful.cli import main


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


class Command:
    """Runs `heedful` as the console script does, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: object) -> Result:
        self.capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = self.capsys.readouterr()
        assert "Traceback" not in captured.out + captured.err
        return Result(code, captured.out, captured.err)


def pair(number: int = 0, **changes: Any) -> dict[str, Any]:
    row = {
        "prompt": f"what is {number}?",
        "chosen": f"the answer is {number}",
        "rejected": f"the cat and the dog {number}",
    }
    return {**row, **changes}


def demonstration(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {"instruction": f"what is {number}?", "input": "", "output": f"the answer is {number}", **changes}


def write(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def pairs(path: Path, count: int = 8) -> Path:
    return write(path, [pair(number) for number in range(count)])


def demonstrations(path: Path, count: int = 8) -> Path:
    return write(path, [demonstration(number) for number in range(count)])


def quick(model: Path, data: Path, output: Path, *more: str) -> list[str]:
    """Arguments of a run of two steps."""
    settings = ["data.eval_fraction=0", "training.batch_size=4", "training.max_steps=2", "lora.rank=2"]
    return [f"model.name={model}", f"data.train={data}", f"output={output}", *settings, *more]
