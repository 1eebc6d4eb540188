"""The example data that come with Heedful, as files on disk. Each folder says in its README what it holds."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from heedful.errors import DataError


def path(name: str) -> Path:
    """Where a shipped file is, such as "everyday/preferences-train.jsonl".

    Raises:
        DataError: no file of that name is shipped.
    """
    here = Path(str(files(__name__)))
    file = here.joinpath(*name.split("/"))
    if not file.is_file():
        shipped = sorted(entry.relative_to(here).as_posix() for entry in here.rglob("*.jsonl"))
        raise DataError(f'Heedful ships no data named "{name}".', mend=f"Shipped: {', '.join(shipped)}.")
    return file
