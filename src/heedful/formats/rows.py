"""`rows`: the rows of a file, whatever wraps them.

A wrapping is told by content where content tells (JSON lines, a JSON array, Parquet, text blocks) and by the
name where it does not (CSV, TSV, a dataset's). Knows the wrappings; knows nothing of layouts or records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from . import arrow_rows, hub, json_rows, tables, text_blocks
from .files import beginning
from .raw import RawRow


def rows(path: Path, encoding: str = "utf-8", named: Mapping[str, str] | None = None) -> Iterator[RawRow]:
    """The rows of a file, of a dataset's folder or of a dataset of the hub, in order.

    Args:
        path: of a file or folder, `FOLDER:SPLIT`, or a dataset's name on the hub, `OWNER/NAME:SPLIT`.
        encoding: of text files.
        named: what a table's columns of other names are for.

    Raises:
        DataError: the file is missing, empty, cut off, damaged, not in `encoding`, or broken in a way that
            leaves no next row to go on with; the folder or dataset cannot be read.
    """
    if path.is_dir() or hub.is_name(path):
        return hub.rows(path, lambda file: rows(file, encoding, named))
    if tables.is_table(path):
        return tables.rows(path, encoding, named)
    start = beginning(path)
    if start.startswith(arrow_rows.MAGIC):
        return arrow_rows.rows(path)
    if text_blocks.is_text(path, start):
        return text_blocks.rows(path, encoding)
    return json_rows.rows(path, encoding)
