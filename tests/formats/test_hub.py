"""Folders of data files, saved datasets, names on the hub: one split of one kind, or an error that helps."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from heedful.errors import DataError
from heedful.formats import hub, read
from heedful.formats.rows import rows


def row(name: str) -> dict[str, Any]:
    return {"prompt": name, "chosen": "a", "rejected": "b"}


def lines(path: Path, *names: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row(name)) + "\n" for name in names))
    return path


def prompts(path: Path | str) -> list[str]:
    return [record.prompt[0].content for record in read(path)]


def error_of(path: Path | str) -> str:
    with pytest.raises(DataError) as caught:
        read(path)
    return str(caught.value)


def test_the_files_of_a_folder_are_read_in_order_and_named_by_their_lines(tmp_path: Path) -> None:
    second = lines(tmp_path / "part-1.jsonl", "c")
    first = lines(tmp_path / "part-0.jsonl", "a", "b")
    (tmp_path / "README.md").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "dataset_infos.json").write_text("{}")
    lines(tmp_path / ".cache" / "x.jsonl", "hidden")

    assert prompts(tmp_path) == ["a", "b", "c"]
    assert [one.where for one in rows(tmp_path)] == [f"{first}:1", f"{first}:2", f"{second}:1"]


def test_a_folder_of_parquet_shards_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for shard, name in enumerate("ab"):
        table = pa.Table.from_pylist([row(name)])
        pq.write_table(table, tmp_path / "data" / f"train-0000{shard}-of-00002.parquet")

    assert prompts(tmp_path) == prompts(f"{tmp_path}:train") == ["a", "b"]


def test_splits_of_a_folder_are_never_read_together(tmp_path: Path) -> None:
    lines(tmp_path / "train.jsonl", "a")
    lines(tmp_path / "test.jsonl", "b")
    lines(tmp_path / "validation" / "0.jsonl", "c")

    names = ", ".join(f"{tmp_path}:{split}" for split in ("test", "train", "validation"))
    assert error_of(tmp_path) == f"{tmp_path}: it has several splits. Name one: {names}."
    assert error_of(f"{tmp_path}:dev") == f'{tmp_path}: it has no split "dev". Name one: {names}.'
    assert prompts(tmp_path / ":test") == prompts(f"{tmp_path}:test") == ["b"]
    assert prompts(f"{tmp_path}:validation") == ["c"]


def test_a_folder_of_several_kinds_or_of_none_names_its_files(tmp_path: Path) -> None:
    lines(tmp_path / "b.json", "b")
    lines(tmp_path / "a.jsonl.gz", "a")
    (tmp_path / "empty").mkdir()

    assert error_of(tmp_path) == f"{tmp_path}: is a folder. Name a file in it: a.jsonl.gz, b.json."
    assert (
        error_of(tmp_path / "empty")
        == f"{tmp_path / 'empty'}: is a folder. Name a JSON, CSV or Parquet file."
    )


@pytest.fixture
def datasets() -> Any:
    found = pytest.importorskip("datasets")
    found.disable_progress_bars()
    return found


def test_a_saved_dataset_is_read_row_by_row(tmp_path: Path, datasets: Any) -> None:
    saved = datasets.Dataset.from_list([row("a") | {"x": float("nan")}, row("b") | {"x": 1.0}])
    saved.select([1, 0]).save_to_disk(tmp_path / "pairs")

    kept = read(tmp_path / "pairs")

    assert [(record.id, record.prompt[0].content) for record in kept] == [("pairs:1", "b"), ("pairs:2", "a")]
    assert [record.metadata for record in kept] == [{"x": 1.0}, {}]
    assert kept[0].source == "pairs"
    assert 'has no splits. Leave out ":train"' in error_of(f"{tmp_path / 'pairs'}:train")


def test_a_saved_dataset_of_several_splits_needs_a_choice(tmp_path: Path, datasets: Any) -> None:
    splits = {name: datasets.Dataset.from_list([row(name)]) for name in ("train", "test")}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "pairs")

    assert prompts(f"{tmp_path / 'pairs'}:test") == ["test"]
    assert f"Name one: {tmp_path / 'pairs'}:train, {tmp_path / 'pairs'}:test." in error_of(tmp_path / "pairs")


def test_a_damaged_saved_dataset_is_an_error(tmp_path: Path, datasets: Any) -> None:
    (tmp_path / "state.json").write_text("{}")

    assert "the saved dataset cannot be read" in error_of(tmp_path)


def test_a_name_that_is_no_path_is_looked_for_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, datasets: Any
) -> None:
    asked = []

    def load(name: str) -> Any:
        asked.append(name)
        return datasets.DatasetDict(
            {split: datasets.Dataset.from_list([row(split)]) for split in ("train", "test")}
        )

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.chdir(tmp_path)

    kept = read(Path("owner/name:train"))
    assert [(one.id, one.source, one.prompt[0].content) for one in kept] == [
        ("name:1", "name:train", "train")
    ]
    assert prompts("owner/name:test") == ["test"]
    assert "owner/name: it has several splits. Name one: owner/name:train, owner/name:test." in error_of(
        "owner/name"
    )
    assert asked == ["owner/name"] * 3


def test_a_dataset_that_cannot_be_had_says_what_to_do(tmp_path: Path, monkeypatch, datasets: Any) -> None:
    monkeypatch.chdir(tmp_path)  # the tests run with HF_HUB_OFFLINE

    message = error_of("owner/no-such-data:train")
    assert message.startswith(
        "owner/no-such-data: there is no such file, and the dataset of that name cannot be loaded: "
    )
    assert "hf download owner/no-such-data --repo-type dataset --local-dir FOLDER" in message


def test_without_the_package_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)

    assert error_of("owner/name").endswith("Install it: pip install 'heedful[datasets]'")
    assert prompts(lines(tmp_path / "pairs" / "a.jsonl", "a").parent) == ["a"]


@pytest.mark.parametrize(
    "path", ["data/pairs.jsonl", "data/pairs.csv.gz", "/owner/name", "owner", "a/b/c", "known/name"]
)
def test_a_path_that_can_only_be_a_file_is_not_asked_of_the_hub(
    tmp_path: Path, monkeypatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace())
    (tmp_path / "known").mkdir()

    assert "no such file." in error_of(path)
