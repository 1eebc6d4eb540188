"""A row as it stands in a file, before any layout is known."""

from __future__ import annotations

from typing import Any, NamedTuple

BROKEN_ROW = "broken_row"
"""The reason of a table's row or a text block that cannot be read."""


class RawRow(NamedTuple):
    """One row as it stands in the file.

    Attributes:
        where: `file:line` of a text file, `file row N` of a JSON array, a Parquet file or a dataset.
        id: `<file stem>:<line or row number>`, for a row that brings no id.
        value: the decoded JSON or the table's row; the text, or the cells, of a row that cannot be read.
        broken: why the row cannot be read; None where it can.
        reason: the code of that, from `fields.LAYOUT_REASONS`.
    """

    where: str
    id: str
    value: Any
    broken: str | None = None
    reason: str = "not_json"
