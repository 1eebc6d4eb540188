"""Rows to a file, wrapped as the file's name asks.

Knows the wrappings; knows nothing of layouts or records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from io import BufferedIOBase
from pathlib import Path
from typing import Any, NamedTuple

from .files import written


class OutRow(NamedTuple):
    """A row to be written, and the same as JSON on one line."""

    value: dict[str, Any]
    text: str


Writer = Callable[[Iterable[OutRow], Path], int]
"""Writes rows, which may come from a generator, and says how many; what the generator raises leaves the
target as it was."""


def writer_of(path: Path) -> Writer:
    """The writer for a file of this name."""
    return write_json


def write_json(rows: Iterable[OutRow], path: Path) -> int:
    """Write JSONL, or one JSON array where the name ends in `.json`; gzipped where in `.gz`.

    Raises:
        DataError: the target is a folder or cannot be written.
    """
    array = path.name.removesuffix(".gz").endswith(".json")
    with written(path) as file:
        return _write(rows, file, array)


def _write(rows: Iterable[OutRow], file: BufferedIOBase, array: bool) -> int:
    before, between, after = ("[\n", ",\n", "\n]\n") if array else ("", "\n", "\n")
    count = 0
    for count, row in enumerate(rows, 1):
        # A lone surrogate in metadata has no UTF-8 form; its backslash escape is valid JSON and reads back
        # the same.
        file.write(((before if count == 1 else between) + row.text).encode("utf-8", "backslashreplace"))
    if count or array:
        file.write((after if count else "[]\n").encode())
    return count
