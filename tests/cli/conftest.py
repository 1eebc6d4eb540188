"""Fixtures of the command line's tests: a command to call, a tiny model's folder, and a finished run."""

from __future__ import annotations

from pathlib import Path

import pytest

from heedful.cli import main
from tests import tiny
from tests.cli.command import Command, pairs, quick


@pytest.fixture
def heedful(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def run(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DPO run of two steps over the tiny model."""
    folder = tmp_path_factory.mktemp("run")
    code = main(["dpo", "--quiet", *quick(model, pairs(folder / "pairs.jsonl"), folder / "dpo")])
    assert code == 0
    return folder / "dpo"
