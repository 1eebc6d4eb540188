"""Rows of JSON files: JSONL or one JSON array, told apart by content, not by name.

Both are streamed and read once: an array's rows are decoded one by one from the text read so far.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import DataError
from .files import lines, stem, text_chunks
from .raw import RawRow

_decode = json.JSONDecoder().decode  # as `json.loads`, which first looks at its arguments
_WHITE = " \t\n\r"


def rows(path: Path, encoding: str = "utf-8") -> Iterator[RawRow]:
    """The rows of a JSON file, in order. Blank lines are no rows.

    Raises:
        DataError: as `files.text_chunks`; the file is empty, or a JSON array that does not parse: there is
            no next line to go on with.
    """
    chunks = text_chunks(path, encoding)
    head = ""
    for chunk in chunks:
        head += chunk
        if not head.isspace():
            break
    if not head:
        raise DataError("the file is empty.", where=str(path))
    if head.isspace():
        raise DataError("the file holds only blank lines.", where=str(path))
    text = chain([head], chunks)
    # A first line that is a whole list with more lines behind it is one line among others.
    first, _, more = head.lstrip().partition("\n")
    if first.startswith("[") and not (more.strip() and _is_json(first)):
        yield from _array(text, path)
    else:
        yield from _jsonl(lines(text), path)


def _jsonl(source: Iterable[str], path: Path) -> Iterator[RawRow]:
    name, file = stem(path), str(path)
    number = 0
    for line in source:
        number += 1
        try:
            yield RawRow(f"{file}:{number}", f"{name}:{number}", _decode(line))
        except (ValueError, RecursionError) as error:
            if not line.strip():
                continue
            cut_off = "" if line.endswith("\n") else "; the file ends in this line, it may be cut off"
            what = f"not JSON{_why(error)}{cut_off}"
            yield RawRow(f"{file}:{number}", f"{name}:{number}", line.rstrip("\r\n"), what)


class _Text:
    """The part of a text that is still to be decoded, with where it begins."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self.chunks = chunks
        self.buffer = ""
        self.at = 0
        self.lines = 0  # before the buffer
        self.columns = 0  # of its first line, before the buffer

    def more(self) -> bool:
        """Read on: at least as much again as is waiting, so that a long row costs no square of its length."""
        waiting = len(self.buffer) - self.at
        parts, added = [self.buffer[self.at :]], 0
        while added <= waiting and (chunk := next(self.chunks, "")):
            parts.append(chunk)
            added += len(chunk)
        if not added:
            return False
        done = self.buffer[: self.at]
        self.lines += done.count("\n")
        self.columns = len(done) - done.rfind("\n") - 1 if "\n" in done else self.columns + len(done)
        self.buffer, self.at = "".join(parts), 0
        return True

    def peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            while self.at < len(self.buffer):
                if self.buffer[self.at] not in _WHITE:
                    return self.buffer[self.at]
                self.at += 1
            if not self.more():
                return ""

    def value(self, decoder: json.JSONDecoder) -> Any:
        """The next JSON value."""
        while True:
            try:
                value, end = decoder.raw_decode(self.buffer, self.at)
            except (ValueError, RecursionError):
                if not self.more():
                    raise
                continue
            # A number may go on in the text that was not read yet.
            if end == len(self.buffer) and self.more():
                continue
            self.at = end
            return value

    def place(self, position: int) -> tuple[int, int]:
        """Line and column, from 1, of a position in the buffer."""
        before = self.buffer[:position]
        if "\n" not in before:
            return self.lines + 1, self.columns + position + 1
        return self.lines + before.count("\n") + 1, position - before.rfind("\n")


def _array(chunks: Iterator[str], path: Path) -> Iterator[RawRow]:
    text, decoder, name = _Text(chunks), json.JSONDecoder(), stem(path)
    text.peek()
    text.at += 1
    number = 0
    try:
        if text.peek() == "]":
            text.at += 1
        else:
            while True:
                text.peek()
                value = text.value(decoder)
                number += 1
                yield RawRow(f"{path} row {number}", f"{name}:{number}", value)
                mark = text.peek()
                if mark not in ("]", ","):
                    raise json.JSONDecodeError("Expecting ',' delimiter", text.buffer, text.at)
                text.at += 1
                if mark == "]":
                    break
        if text.peek():
            raise json.JSONDecodeError("Extra data", text.buffer, text.at)
    except (ValueError, RecursionError) as error:
        line, column = text.place(error.pos if isinstance(error, json.JSONDecodeError) else text.at)
        why = f" at column {column}: {error.msg}" if isinstance(error, json.JSONDecodeError) else _why(error)
        mend = "The file is one JSON array: mend it there."
        raise DataError(f"not JSON{why}.", where=f"{path}:{line}", mend=mend) from None
    if not number:
        raise DataError("the file holds an empty list.", where=str(path))


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
