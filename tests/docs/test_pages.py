"""Every command and every code block of README and docs is run, page by page, in the order they stand in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from heedful.recipe.judges import JudgeSettings
from heedful.recipe.load import STAGES
from tests.docs.blocks import Block, blocks, pages
from tests.docs.running import Page
from tests.docs.world import furnish, train
from tests.judges.endpoint import Endpoint

PLAIN = ("text", "")  # drawings and outputs


@pytest.fixture
def work(tiny_default: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    served = Endpoint()
    yield served
    served.close()


@pytest.mark.parametrize(
    "page", [page for page in pages() if any(b.language not in PLAIN for b in blocks(page))]
)
def test_what_a_page_says_runs(
    page: str, work: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(work, page)
    train(page)
    names: dict[str, object] = {}
    runs = Page(monkeypatch, endpoint.url)
    for block in blocks(page):
        match block.language:
            case "console":
                assert block.commands, f"{block.where} has no command"
                for command in block.commands:
                    runs.run(command)
            case "python":
                exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
            case "yaml":
                _check_yaml(block)
            case "json":
                json.loads(block.text)
            case language:
                assert language in PLAIN, f"{block.where}: nobody runs {language}"


def _check_yaml(block: Block) -> None:
    """Keys of a recipe or of a judge, or a part of them."""
    if block.text.startswith("--8<--"):  # a file of `recipes/`, all of which are dry-run elsewhere
        return
    found = yaml.safe_load(block.text)
    kinds = [*STAGES.values(), JudgeSettings]
    known = {key for kind in kinds for key in kind.model_fields}
    assert set(found) <= known, block.where
