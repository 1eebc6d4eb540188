"""A row as it stands in a file, before any layout is known."""

from __future__ import annotations

from typing import Any, NamedTuple


class RawRow(NamedTuple):
    """One row as it stands in the file.

    Attributes:
        where: `file:line` of a JSONL file, `file row N` of a JSON array or a table.
        id: `<file stem>:<line or row number>`, for a row that brings no id.
        value: the decoded JSON or the table's row; the line's text where it is not JSON.
        broken: why the row cannot be read; None where it can.
    """

    where: str
    id: str
    value: Any
    broken: str | None = None
