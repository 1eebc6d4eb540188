"""Folders and files that are whole on disk before anyone is told of them."""

from __future__ import annotations

import os
from pathlib import Path


def sync(folder: Path) -> None:
    """Flush all that stands in `folder`, so that a rename never outruns the bytes it names.

    Raises:
        OSError: the disk refuses.
    """
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_names(folder)


def sync_names(folder: Path) -> None:
    """Flush which names `folder` holds: a rename into it lasts from here on."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a file anew; a reader sees the old text or the new one, never half.

    Raises:
        OSError: the disk refuses.
    """
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
