"""Datasets: folders, whether saved by `datasets` or full of data files, and names on the Hugging Face hub.

    pairs/                a folder of JSON, CSV or Parquet files, or one that `save_to_disk` wrote
    pairs/:train          one split of it
    owner/name:train      a dataset of the hub, or of its cache where there is no network

The package `datasets` is needed for all but folders of files. Knows nothing of layouts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import DataError
from . import arrow_rows
from .files import FILES_NAMED
from .raw import RawRow

DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
ABOUT_DATA = frozenset({"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json"})
SPLITS = ("train", "validation", "valid", "val", "dev", "test", "eval")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(?::[\w.+-]+)?")
SHARD = re.compile(r"[-_.]?(?:\d+(?:-of-\d+)?)?$")

ReadFile = Callable[[Path], Iterator[RawRow]]


def is_name(path: Path) -> bool:
    """Whether a path that is no file is a split of a folder, or may be a dataset of the hub."""
    if path.exists():
        return False
    if _folder(path)[0].is_dir():
        return True
    text = path.as_posix()
    is_file = _suffix(path) is not None or path.parent.is_dir()
    return NAME.fullmatch(text) is not None and not is_file


def rows(path: Path, read: ReadFile) -> Iterator[RawRow]:
    """The rows of a folder, one of its splits, or a dataset of the hub.

    Args:
        read: reads a data file.

    Raises:
        DataError: it holds no data or several kinds, has several splits and none is named, or cannot be
            loaded.
    """
    folder, split = (path, None) if path.is_dir() else _folder(path)
    if not folder.is_dir():
        name = folder.as_posix()
        return _of_dataset(_chosen(_loaded(name), split, name), path.as_posix(), folder.name)
    if (folder / "dataset_dict.json").exists() or (folder / "state.json").exists():
        saved = _chosen(_saved(folder), split, str(folder))
        return _of_dataset(saved, str(path), folder.name)
    return chain.from_iterable(map(read, _files(folder, split)))


def _folder(path: Path) -> tuple[Path, str | None]:
    """A path and the split named behind it."""
    before, colon, split = path.as_posix().rpartition(":")
    return (Path(before), split) if colon and before and split else (path, None)


def _suffix(path: Path) -> str | None:
    name = path.name.lower().removesuffix(".gz")
    return next((suffix for suffix in (*DATA_SUFFIXES, ".txt") if name.endswith(suffix)), None)


def _files(folder: Path, split: str | None) -> list[Path]:
    """The data files of a folder, or of one split of it, in order."""
    inside = chain(folder.glob("*"), folder.glob("*/*"))  # the hub's datasets have theirs in `data/`
    found = sorted(path for path in inside if _is_data(path, folder))
    suffixes = {_suffix(path) for path in found}
    if len(suffixes) != 1:
        names = [str(path.relative_to(folder)) for path in found[:FILES_NAMED]]
        mend = f"Name a file in it: {', '.join(names)}." if names else "Name a JSON, CSV or Parquet file."
        raise DataError("is a folder.", where=str(folder), mend=mend)
    by_split: dict[str, list[Path]] = defaultdict(list)
    for path in found:
        by_split[_split_of(path, folder)].append(path)
    chosen: list[Path] = _chosen(by_split, split, str(folder))
    return chosen


def _is_data(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return (
        not hidden and path.name not in ABOUT_DATA and _suffix(path) not in (None, ".txt") and path.is_file()
    )


def _split_of(path: Path, folder: Path) -> str:
    """The split a file is of, by its name (`train-00000-of-00002.parquet`) or its folder's; "" for none."""
    stem = path.name.lower().split(".")[0]
    names = (SHARD.sub("", stem), *(part.lower() for part in path.relative_to(folder).parts[:-1]))
    return next((name for name in names if name in SPLITS), "")


def _chosen(splits: Any, split: str | None, name: str) -> Any:
    """The split that was asked for, or the only one; what has no splits is taken whole."""
    if not isinstance(splits, Mapping):
        if split is None:
            return splits
        raise DataError("it has no splits.", where=name, mend=f'Leave out ":{split}".')
    if split is None and len(splits) == 1:
        return next(iter(splits.values()))
    if split in splits:
        return splits[split]
    what = "it has several splits." if split is None else f'it has no split "{split}".'
    names = [f"{name}:{one}" for one in splits if one] or [name]
    raise DataError(what, where=name, mend=f"Name one: {', '.join(names)}.")


def _saved(folder: Path) -> Any:
    datasets = _datasets(str(folder))
    try:
        return datasets.load_from_disk(str(folder))
    except Exception as error:  # of many libraries
        what = f"the saved dataset cannot be read: {_first_line(error)}"
        raise DataError(what, where=str(folder), mend="Save it again with save_to_disk.") from None


def _loaded(name: str) -> Any:
    """A dataset of the hub with all its splits."""
    datasets = _datasets(name)
    try:
        return datasets.load_dataset(name)
    except Exception as error:  # of many libraries: the hub's, the network's, the data's
        what = f"there is no such file, and the dataset of that name cannot be loaded: {_first_line(error)}"
        mend = (
            "Check the name and the network; or fetch it where there is one, "
            f"hf download {name} --repo-type dataset --local-dir FOLDER, and name the folder."
        )
        raise DataError(what, where=name, mend=mend) from None


def _datasets(where: str) -> Any:
    if find_spec("datasets") is None:
        mend = "Install it: pip install 'heedful[datasets]'"
        raise DataError("reading a dataset needs the package `datasets`.", where=where, mend=mend)
    import datasets

    datasets.disable_progress_bars()
    return datasets


def _first_line(error: Exception) -> str:
    lines: Sequence[str] = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".") + "."


def _of_dataset(dataset: Any, where: str, name: str) -> Iterator[RawRow]:
    tables = dataset.with_format("arrow").iter(arrow_rows.BATCH_ROWS)
    batches = (batch for table in tables for batch in table.to_batches())
    any_row = False
    with arrow_rows.readable(where):
        for row in arrow_rows.of_batches(batches, where, name):
            any_row = True
            yield row
    if not any_row:
        raise DataError("the dataset holds no rows.", where=where)
