"""What a record takes from its row besides its texts."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.formats.fields import Origin, provenance

ORIGIN = Origin("file:3", "file:3", "file.jsonl")


@pytest.mark.parametrize(
    ("row", "used", "own"),
    [
        ({"a": 1}, {"a"}, ("file:3", "file.jsonl", {})),
        ({"a": 1, "b": 2}, {"a"}, ("file:3", "file.jsonl", {"b": 2})),
        ({"a": 1, "id": "x", "source": "s"}, {"a"}, ("x", "s", {})),
        # A layout may name the id among its own fields; it is the record's all the same.
        ({"a": 1, "id": "x"}, {"a", "id"}, ("x", "file.jsonl", {})),
        ({"a": 1, "source": "s"}, {"a", "source"}, ("file:3", "s", {})),
    ],
)
def test_id_and_source_are_the_rows_own_where_it_has_them(
    row: dict[str, Any], used: set[str], own: tuple[str, str, dict[str, Any]]
) -> None:
    found = provenance(row, ORIGIN, used)

    assert (found["id"], found["source"], found["metadata"]) == own
