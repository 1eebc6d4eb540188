"""`rows`: the rows of a file, whatever wraps them.

A wrapping is told by content where content tells (JSON lines, a JSON array, Parquet) and by the file's name
where it does not (CSV, TSV). Knows the wrappings; knows nothing of layouts or records.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import json_rows
from .raw import RawRow


def rows(path: Path, encoding: str = "utf-8") -> Iterator[RawRow]:
    """The rows of `path`, in order.

    Raises:
        DataError: the file is missing, a folder, empty, cut off, damaged, not in `encoding`, or a JSON array
            that does not parse.
    """
    return json_rows.rows(path, encoding)
