"""Small files for the format tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

WriteLines = Callable[..., Path]


@pytest.fixture
def jsonl(tmp_path: Path) -> WriteLines:
    """`jsonl(rows, name)` writes each row as a line; text is taken as the line itself."""

    def write(rows: Iterable[Any], name: str = "data.jsonl") -> Path:
        lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
        path = tmp_path / name
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="\n")
        return path

    return write
