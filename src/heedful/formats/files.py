"""Files as text: opened, unzipped and decoded on the way in; whole or not at all on the way out.

Knows bytes, gzip and encodings; knows nothing of rows. Text is streamed: memory does not grow with the file.
"""

from __future__ import annotations

import codecs
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from io import BufferedIOBase
from pathlib import Path
from typing import IO

from ..errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
FILES_NAMED = 5  # in a message about a folder
CHUNK = 1 << 16  # bytes; larger ones leave the cache of a core, and take longer
BEGINNING = 1 << 10  # bytes


def stem(path: Path) -> str:
    """The file's name without `.gz` and the suffix before it."""
    name = path.name.removesuffix(".gz")
    for suffix in (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".txt"):
        name = name.removesuffix(suffix)
    return name or path.name


def beginning(path: Path) -> bytes:
    """The first bytes of a file, unzipped; none of what is not there, or can be read only once (a pipe).

    Raises:
        DataError: the file cannot be opened, or is a damaged gzip file.
    """
    if not path.is_file():
        return b""
    with open_bytes(path) as stream:
        return _read(stream, path, 0, BEGINNING)


def copy_bytes(path: Path, target: IO[bytes]) -> None:
    """Write the file's bytes, unzipped, to an open one.

    Raises:
        DataError: the file cannot be opened, or is cut off or damaged.
    """
    with open_bytes(path) as stream:
        read = 0
        while chunk := _read(stream, path, read, CHUNK):
            target.write(chunk)
            read += len(chunk)


def text_chunks(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """The file's text in pieces, without a BOM; newlines are as in the file.

    Raises:
        DataError: the file is missing, a folder, cut off, damaged, or not in `encoding`.
    """
    decoder = _decoder(path, encoding)
    read = 0  # bytes of text before this piece
    with open_bytes(path) as stream:
        while True:
            chunk = _read(stream, path, read, CHUNK)
            if read == 0:
                if chunk.startswith(UTF16_BOMS) and encoding == "utf-8":
                    raise DataError("the file is UTF-16.", where=str(path), mend=_set_encoding("utf-16"))
                if chunk.startswith(UTF8_BOM) and encoding == "utf-8":
                    chunk, read = chunk[len(UTF8_BOM) :], len(UTF8_BOM)
            held = len(decoder.getstate()[0])  # bytes of a character that the piece before ended in
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                yield error.object[: error.start].decode(encoding)
                at = read - held + error.start
                name = "UTF-8" if encoding == "utf-8" else encoding
                what = f"not {name}: byte 0x{error.object[error.start]:02x} at offset {at}."
                other = "latin-1" if encoding == "utf-8" else "utf-8"
                raise DataError(what, where=str(path), mend=_set_encoding(other)) from None
            read += len(chunk)
            if text:
                yield text
            if not chunk:
                return


def lines(chunks: Iterator[str]) -> Iterator[str]:
    """Lines with their ends. Only "\\n" ends a line: JSON text may hold U+2028 and its like."""
    rest = ""
    for chunk in chunks:
        whole = (rest + chunk).split("\n")
        rest = whole.pop()
        for line in whole:
            yield line + "\n"
    if rest:
        yield rest


def _decoder(path: Path, encoding: str) -> codecs.IncrementalDecoder:
    try:
        return codecs.getincrementaldecoder(encoding)("strict")
    except LookupError:
        mend = "Python's names are taken: utf-8, latin-1, cp1252, utf-16, shift_jis, ..."
        raise DataError(f'there is no encoding "{encoding}".', where=str(path), mend=mend) from None


def _set_encoding(encoding: str) -> str:
    return f"Say which encoding it is, if it is this one: --encoding {encoding} (data.encoding={encoding})."


def _read(stream: BufferedIOBase, path: Path, offset: int, size: int) -> bytes:
    try:
        return stream.read(size)
    except EOFError:
        what = f"the gzip file is cut off (its text ends after about {offset} bytes)."
        raise DataError(what, where=str(path), mend="Download or copy it again.") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        what = f"the gzip file is damaged after about {offset} bytes of text: {error}."
        raise DataError(what, where=str(path), mend="Download or copy it again.") from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", where=str(path)) from None


@contextmanager
def open_bytes(path: Path) -> Iterator[BufferedIOBase]:
    """The file's bytes, unzipped where they are gzip's.

    Raises:
        DataError: the file is missing, a folder, or cannot be opened.
    """
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


@contextmanager
def written(path: Path) -> Iterator[BufferedIOBase]:
    """A file beside the target that takes its place at the end; gzipped where the target's name says so.

    Whatever is raised inside leaves the target as it was.

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
                    yield zipped
            else:
                yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror or error}", where=str(path)) from None
    finally:
        with suppress(OSError):
            beside.unlink()
