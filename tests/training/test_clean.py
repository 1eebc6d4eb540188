"""`data.check`: a run does not start on data in which the checks find something as bad as the recipe says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful import formats
from heedful.checks import registry
from heedful.errors import DataError
from heedful.quarantine import Kept, Quarantined
from heedful.recipe import load
from heedful.training import dpo
from heedful.training.job import Given
from heedful.training.reading import gather
from tests import tiny
from tests.checks.fakes import Blind, Marked
from tests.training import small


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CHECKS", {"marked": Warns, "blind": Blind})


class Warns(Marked):
    """Warns of any record whose chosen response holds "the"."""

    def __init__(self) -> None:
        super().__init__(word="the", severity="warning")


def prepared(tmp_path: Path, given: Given | None = None, **settings: Any) -> Any:
    given = given or Given(backbone=tiny.backbone())
    return dpo.prepare(small.recipe("dpo", tmp_path / "run", **settings), given, reporter=small.QUIET)


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    path = tmp_path / "pairs.jsonl"
    formats.write(small.pairs(40), path)
    return str(path)


def test_data_that_are_not_clean_are_refused_with_what_was_found(pairs: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, train=pairs, check="warning")

    assert str(caught.value).startswith(f"{pairs}: the data are not clean. warning: ")
    assert "records are marked" in str(caught.value)
    assert f"heedful check {pairs} --html report.html" in str(caught.value)
    assert caught.value.exit_code == 2


def test_what_is_less_bad_than_asked_for_or_not_asked_for_trains(pairs: str, tmp_path: Path) -> None:
    assert len(prepared(tmp_path, train=pairs, check="error", eval_fraction=0).train) == 40
    assert len(prepared(tmp_path, train=pairs, eval_fraction=0).train) == 40


def test_records_in_memory_are_checked_too(tmp_path: Path) -> None:
    given = Given(train=small.pairs(40), backbone=tiny.backbone())

    with pytest.raises(DataError, match=r"records in memory: .* heedful\.check\(records\)"):
        prepared(tmp_path, given, check="warning")


def test_the_rows_that_reading_left_out_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    made = registry.made

    def spying(*arguments: Any, **named: Any) -> Any:
        seen.extend(made(*arguments, **named))
        return seen

    monkeypatch.setattr(registry, "made", spying)
    data = load(None, ["data.train=unused", "data.check=error"], stage="dpo").data  # type: ignore[attr-defined]
    rows = [Quarantined("f:1", "empty_chosen", "", {})]

    gather(data, (object,), Kept(small.pairs(5), rows), None, None)  # type: ignore[arg-type]

    assert seen[0].left_out == ["empty_chosen"]
    assert len(seen[0].seen) == 5


@pytest.mark.parametrize("text", ["off", "'off'", "false"])
def test_off_is_off_as_yaml_has_it(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(f"data:\n  train: a.jsonl\n  check: {text}\n")

    assert load(path, stage="dpo").data.check == "off"  # type: ignore[attr-defined]
