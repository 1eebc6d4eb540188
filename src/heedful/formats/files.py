"""Rows of JSON files: JSONL or one JSON array, each plain or gzipped, told apart by content, not by name.

Knows bytes, encodings and line numbers; knows nothing of layouts or records. JSONL is streamed and read once.
Writing goes to a file beside the target, which then takes its place: a reader sees the old or the new file.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import get_close_matches
from io import BufferedIOBase
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
FILES_NAMED = 5  # in a message about a folder


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stands in the file.

    Attributes:
        where: `file:line` of a JSONL file, `file row N` of a JSON array.
        id: `<file stem>:<line or row number>`, for a row that brings no id.
        value: the decoded JSON, or the line's text where it is not JSON.
        broken: why the line is not JSON; None where it is.
    """

    where: str
    id: str
    value: Any
    broken: str | None = None


def stem(path: Path) -> str:
    """The file's name without `.gz`, `.json` and `.jsonl`."""
    name = path.name.removesuffix(".gz")
    return name.removesuffix(".jsonl").removesuffix(".json") or path.name


def rows(path: Path) -> Iterator[RawRow]:
    """The rows of `path`, in order. Blank lines are no rows.

    Raises:
        DataError: the file is missing, a folder, empty, cut off, damaged, not UTF-8, or a JSON array that
            does not parse (there is no next line to go on with, so such a file yields nothing).
    """
    lines = _lines(path)
    head = _through_text(lines)
    if not head:
        raise DataError("the file is empty.", where=str(path))
    if not head[-1].strip():
        raise DataError("the file holds only blank lines.", where=str(path))
    if head[-1].lstrip().startswith("["):
        more = _through_text(lines)
        alone = not more or not more[-1].strip()
        if alone or not _is_json(head[-1]):
            yield from _array("".join(chain(head, more, lines)), path)
            return
        lines = chain(more, lines)
    yield from _jsonl(chain(head, lines), path)


def _through_text(lines: Iterator[str]) -> list[str]:
    """The next lines, up to and with the first that is not blank."""
    taken = []
    for line in lines:
        taken.append(line)
        if line.strip():
            break
    return taken


def _jsonl(lines: Iterable[str], path: Path) -> Iterator[RawRow]:
    name = stem(path)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where, id = f"{path}:{number}", f"{name}:{number}"
        try:
            yield RawRow(where, id, json.loads(line))
        except (ValueError, RecursionError) as error:
            cut_off = "" if line.endswith("\n") else "; the file ends in this line, it may be cut off"
            yield RawRow(where, id, line.rstrip("\r\n"), f"not JSON{_why(error)}{cut_off}")


def _array(content: str, path: Path) -> Iterator[RawRow]:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(
            f"not JSON{_why(error)}.",
            where=f"{path}{line}",
            mend="The file is one JSON array: mend it there.",
        ) from None
    if not values:
        raise DataError("the file holds an empty list.", where=str(path))
    name = stem(path)
    for number, value in enumerate(values, 1):
        yield RawRow(f"{path} row {number}", f"{name}:{number}", value)


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f" at column {error.colno}: {error.msg}"
    return ": nested too deeply" if isinstance(error, RecursionError) else f": {error}"


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _lines(path: Path) -> Iterator[str]:
    """Decoded lines with their line ends. Only "\\n" ends a line: JSON text may hold U+2028 and its like."""
    offset = 0
    with _open(path) as stream:
        while line := _readline(stream, path, offset):
            if offset == 0 and line.startswith(UTF16_BOMS):
                raise DataError("the file is UTF-16.", where=str(path), mend=_convert(path, "UTF-16"))
            bom = len(UTF8_BOM) if offset == 0 and line.startswith(UTF8_BOM) else 0
            try:
                decoded = line[bom:].decode("utf-8")
            except UnicodeDecodeError as error:
                at = offset + bom + error.start
                what = f"not UTF-8: byte 0x{line[bom + error.start]:02x} at offset {at}."
                raise DataError(what, where=str(path), mend=_convert(path, "LATIN1")) from None
            offset += len(line)
            yield decoded


def _readline(stream: BufferedIOBase, path: Path, offset: int) -> bytes:
    try:
        return stream.readline()
    except EOFError:
        what = f"the gzip file is cut off (its text ends after about {offset} bytes)."
        raise DataError(what, where=str(path), mend="Download or copy it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        what = f"the gzip file is damaged after about {offset} bytes of text: {error}."
        raise DataError(what, where=str(path), mend="Download or copy it again.") from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(path)) from None


def _convert(path: Path, encoding: str) -> str:
    return f"Convert it first, if it is {encoding}: iconv -f {encoding} -t UTF-8 {path.name}"


@contextmanager
def _open(path: Path) -> Iterator[BufferedIOBase]:
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if p.is_file() and ".json" in p.name)[:FILES_NAMED]
        mend = f"Name a file in it: {', '.join(inside)}." if inside else "Name a JSON or JSONL file."
        raise DataError("is a folder.", where=str(path), mend=mend)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise DataError("no such file.", where=str(path), mend=_nearest_file(path)) from None
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror or error}", where=str(path)) from None
    with file:
        if file.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
            with gzip.GzipFile(fileobj=file) as unzipped:
                yield unzipped
        else:
            yield file


def _nearest_file(path: Path) -> str:
    names: list[str] = []
    with suppress(OSError):
        names = get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1)
    return f"Did you mean {path.parent / names[0]}?" if names else "Check the path."


def write_rows(texts: Iterable[str], path: Path) -> int:
    """Write JSON objects as JSONL, or as one JSON array where the name ends in `.json`; gzipped where in
    `.gz`.

    Args:
        texts: each object as JSON on one line; may be a generator: what it raises leaves the target as it
            was.

    Returns:
        How many rows were written.

    Raises:
        DataError: the target is a folder or cannot be written.
    """
    if path.is_dir():
        raise DataError("is a folder.", where=str(path), mend="Name a file.")
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            if path.name.endswith(".gz"):
                # No name and no time in the gzip header: the same records give the same bytes.
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as zipped:
                    count = _write(texts, zipped, path)
            else:
                count = _write(texts, file, path)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}", where=str(path)) from None
    finally:
        with suppress(OSError):
            beside.unlink()
    return count


def _write(texts: Iterable[str], file: BufferedIOBase, path: Path) -> int:
    array = path.name.removesuffix(".gz").endswith(".json")
    before, between, after = ("[\n", ",\n", "\n]\n") if array else ("", "\n", "\n")
    count = 0
    for count, text in enumerate(texts, 1):
        # A lone surrogate in metadata has no UTF-8 form; its backslash escape is valid JSON and reads back
        # the same.
        file.write(((before if count == 1 else between) + text).encode("utf-8", "backslashreplace"))
    if count or array:
        file.write((after if count else "[]\n").encode())
    return count
