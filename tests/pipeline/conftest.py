"""Working folders for the tests of pipelines: one with data alone, and one with a finished pipeline in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from heedful import pipeline
from tests import pipelines
from tests.training import small


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model and data, and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "cache"))
    pipelines.furnish(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a finished pipeline of SFT and DPO in it."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setenv("HEEDFUL_CACHE", str(folder / "cache"))
        pipelines.furnish(folder)
        pipeline.run(pipelines.recipe(), reporter=small.QUIET)
    return folder


@pytest.fixture
def done(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder like `finished`, to spoil."""
    folder = tmp_path / "work"
    shutil.copytree(finished, folder, copy_function=shutil.copy2)
    for config in folder.rglob("adapter_config.json"):  # which name their base by its path
        config.write_text(config.read_text().replace(str(finished), str(folder)))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HEEDFUL_CACHE", str(folder / "cache"))
    return folder
