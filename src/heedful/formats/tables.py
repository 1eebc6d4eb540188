"""Rows of CSV and TSV files: a header with the columns' names, then a row to a line, or to several where a
quoted cell holds newlines.

A file is told by its name, `.csv` or `.tsv`, with or without `.gz`. What a cell's text stands for is said by
`cells`. Knows nothing of layouts.
"""

from __future__ import annotations

import csv
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError
from .cells import NATIVE, VERDICTS, Decoder, Unreadable, decoder
from .files import lines, stem, text_chunks
from .raw import BROKEN_ROW, RawRow

log = logging.getLogger(__name__)

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SEMICOLON = ";"  # what spreadsheets write where the comma is the decimal mark
LARGEST_CELL = 1 << 27  # characters; Python's own limit, 131 072, is shorter than some conversations
LONE_RETURN = re.compile(r"(?<=\r)(?!\n)")


def is_table(path: Path) -> bool:
    return _suffix(path) in DELIMITERS


def rows(path: Path, encoding: str = "utf-8", named: Mapping[str, str] | None = None) -> Iterator[RawRow]:
    """The rows of a table, in order; each is named by the line it begins in. Blank lines are no rows.

    A missing value has no key, but for columns that say which is better (`cells.VERDICTS`), which are null.
    A column without a name is `column N`.

    Args:
        named: what columns of other names are for; their cells are read as those of that name would be.

    Raises:
        DataError: as `files.text_chunks`; the file is empty, has no row below its header, or two columns of
            one name.
    """
    csv.field_size_limit(LARGEST_CELL)
    source = _Lines(text_chunks(path, encoding))
    table = csv.reader(source, delimiter=_delimiter(source.head(), path), strict=True)
    header = next(_cells(table, source, path), None)
    if header is None:
        raise DataError(
            "the file holds only blank lines." if source.any else "the file is empty.", where=str(path)
        )
    columns = _columns(header, named or {})
    any_row = False
    for row in _cells(table, source, path):
        any_row = True
        yield row if row.broken else _row(row, columns)
    if not any_row:
        mend = "The first line names the columns, and each row below it is a record."
        raise DataError("the table has a header and no rows.", where=str(path), mend=mend)


class _Lines:
    """Lines with their ends, as `open(newline="")` gives them, and those of the row that is being read."""

    def __init__(self, chunks: Iterator[str]) -> None:
        self._lines = chain.from_iterable(map(_split, lines(chunks)))
        self.taken: list[str] = []
        self.any = False

    def head(self) -> str:
        """The first line that is not blank, which is read again; "" where there is none."""
        before = []
        for line in self._lines:
            before.append(line)
            if line.strip():
                break
        self._lines = chain(before, self._lines)
        return before[-1] if before else ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.any = True
        self.taken.append(line)
        return line


def _split(line: str) -> list[str]:
    """A lone carriage return ends a line too: Excel on a Mac writes them."""
    return LONE_RETURN.split(line) if "\r" in line[:-2] else [line]


def _cells(table: Any, source: _Lines, path: Path) -> Iterator[RawRow]:
    """Each row's cells, or the text of a row whose quotes are wrong."""
    name = stem(path)
    while True:
        line = table.line_num + 1
        source.taken.clear()
        try:
            cells = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            what = f"not a row of a table: {error}"
            if str(error) == "unexpected end of data":
                what = "a quote that is opened in this row is never closed"
            yield RawRow(f"{path}:{line}", f"{name}:{line}", "".join(source.taken), what, BROKEN_ROW)
        else:
            if len(cells) > 1 or source.taken[0].strip():  # a blank line is no row
                yield RawRow(f"{path}:{line}", f"{name}:{line}", cells)


class _Column(NamedTuple):
    name: str
    decode: Decoder
    kept_empty: bool


def _columns(header: RawRow, named: Mapping[str, str]) -> list[_Column]:
    if header.broken:
        raise DataError(f"the header cannot be read: {header.broken}.", where=header.where)
    names = [name or f"column {place}" for place, name in enumerate(header.value, 1)]
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        what = f'the header names the column "{twice[0]}" twice.'
        raise DataError(what, where=header.where, mend="Give each column a name of its own.")
    meant = [named.get(name, name) for name in names]
    if "response_a" in meant:
        # The label of a pair names a side: "1" is not true there.
        meant = ["" if column == "label" else column for column in meant]
    return [
        _Column(name, decoder(column), column in VERDICTS and NATIVE not in meant)
        for name, column in zip(names, meant, strict=True)
    ]


def _row(row: RawRow, columns: Sequence[_Column]) -> RawRow:
    if len(row.value) != len(columns):
        what = f"the row has {len(row.value)} cells and the header {len(columns)} names"
        return row._replace(broken=what, reason=BROKEN_ROW)
    values: dict[str, Any] = {}
    for column, cell in zip(columns, row.value, strict=True):
        if cell:
            try:
                values[column.name] = column.decode(cell)
            except Unreadable as error:
                return row._replace(broken=f'the column "{column.name}" {error}', reason=BROKEN_ROW)
        elif column.kept_empty:
            values[column.name] = None
    return row._replace(value=values)


def _delimiter(head: str, path: Path) -> str:
    usual = DELIMITERS[_suffix(path)]
    if usual == "," and SEMICOLON in head and usual not in head:
        log.info("%s: its columns are separated by semicolons.", path)
        return SEMICOLON
    return usual


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix
