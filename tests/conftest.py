"""What every test stands on: a quiet, offline, single-threaded process with a model cache of its own.

Tests marked `slow` are the exception: they use the real default model, so they see the user's own cache,
where it is converted once and stays. Tiny models are built by `tests/tiny.py`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
CACHE_VARIABLE = "HEEDFUL_CACHE"

# Before anything imports torch, matplotlib or a tokenizer, which read these once. `torch.set_num_threads`
# would do for threads too, but every test of plain records would pay for importing torch.
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"
# Command output is compared as text: no colours, and lines that do not depend on the terminal.
os.environ["NO_COLOR"] = "1"
os.environ["COLUMNS"] = "120"
os.environ.pop("FORCE_COLOR", None)
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"

_users_cache = os.environ.get(CACHE_VARIABLE)
_tests_cache = tempfile.TemporaryDirectory(prefix="heedful-tests-", ignore_cleanup_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Choose the cache before any fixture of the test runs, those of module and session scope included."""
    if item.get_closest_marker("slow") is None:
        os.environ[CACHE_VARIABLE] = _tests_cache.name
    elif _users_cache is None:
        os.environ.pop(CACHE_VARIABLE, None)
    else:
        os.environ[CACHE_VARIABLE] = _users_cache


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published data sets beside the checkout; where it is absent, the test is skipped."""
    folder = CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the published data sets of ../shared/data are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One browser for all tests of the process: Playwright takes no second one."""
    from tests.collect.web.browser import chromium

    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield found
        found.close()


@pytest.fixture
def tiny_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model cache in which `smollm2-135m` is a tiny model; returns the cache folder."""
    from tests import tiny

    cache = tmp_path / "cache"
    tiny.save_default(cache)
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    return cache
