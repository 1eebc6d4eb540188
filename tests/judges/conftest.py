"""A chat endpoint and a cache of its own for every test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.judges.endpoint import Endpoint


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tests may get the same port one after the other, and would share what was answered there."""
    folder = tmp_path / "judges-cache"
    monkeypatch.setenv("HEEDFUL_CACHE", str(folder))
    return folder


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Endpoint()
    yield running
    running.close()
