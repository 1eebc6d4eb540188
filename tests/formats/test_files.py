"""Rows come out of every wrapping, and every broken wrapping says what is wrong and where."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from heedful.errors import DataError
from heedful.formats.raw import RawRow
from heedful.formats.rows import rows
from heedful.formats.writers import OutRow, write_json

ROWS = [{"a": 1}, {"a": "naïve \u2028 text"}]


def write_rows(texts: Iterable[str], path: Path) -> int:
    return write_json((OutRow({}, text) for text in texts), path)


def raw(path: Path) -> list[RawRow]:
    return list(rows(path))


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("layout", ["lines", "array", "pretty array", "crlf lines", "no last newline", "bom"])
def test_layout_and_gzip_are_recognised_by_content_not_by_name(
    tmp_path: Path, layout: str, zipped: bool
) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in ROWS]
    text = {
        "lines": "\n".join(lines) + "\n",
        "array": json.dumps(ROWS, ensure_ascii=False),
        "pretty array": "\n\n" + json.dumps(ROWS, indent=2),
        "crlf lines": "\r\n".join(lines) + "\r\n",
        "no last newline": "\n".join(lines),
        "bom": "\ufeff" + "\n".join(lines),
    }[layout]
    path = tmp_path / "data.bin"
    path.write_bytes(gzip.compress(text.encode()) if zipped else text.encode())

    assert [row.value for row in rows(path)] == ROWS


def test_line_numbers_count_blank_lines_and_ids_name_the_stem(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress(b'\n{"a": 1}\n  \n\n{"a": 2}\n'))

    assert [(row.where, row.id) for row in rows(path)] == [(f"{path}:2", "pairs:2"), (f"{path}:5", "pairs:5")]


def test_rows_of_an_array_are_numbered_from_one(tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    path.write_text('[{"a": 1},\n\n\n {"a": 2}]')

    assert [(row.where, row.id) for row in rows(path)] == [
        (f"{path} row 1", "pairs:1"),
        (f"{path} row 2", "pairs:2"),
    ]


def test_lines_whose_first_row_is_a_list_are_still_lines(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('[1, 2]\n\n\n{"a": 1}\n')

    assert [(row.where, row.value) for row in rows(path)] == [(f"{path}:1", [1, 2]), (f"{path}:4", {"a": 1})]


def test_a_line_that_is_not_json_is_marked_with_its_column_and_reading_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"a": 1}\n{"a": oops}\n{"a": 2}\n{"a": ')

    broken = {row.where: row.broken for row in rows(path) if row.broken}

    assert broken == {
        f"{path}:2": "not JSON at column 7: Expecting value",
        f"{path}:4": "not JSON at column 7: Expecting value; the file ends in this line, it may be cut off",
    }


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"a": ' + "9" * 5000 + "}"], ids=["nested too deeply", "number too long"]
)
def test_json_that_python_cannot_hold_is_a_broken_line_not_a_crash(tmp_path: Path, line: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"a": 1}\n' + line + "\n")

    first, second = rows(path)

    assert first.broken is None
    assert second.broken is not None
    assert second.broken.startswith("not JSON: ")


def test_rows_before_trouble_are_handed_out_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"a": 1}\n' * 3 + b'{"a": "\xff"}\n')
    reading = rows(path)

    assert [next(reading).value for _ in range(3)] == [{"a": 1}] * 3
    with pytest.raises(DataError):
        next(reading)


def error_of(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        raw(path)
    return str(caught.value)


def test_a_missing_file_names_the_nearest_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").touch()

    assert error_of(tmp_path / "pair.jsonl") == (
        f"{tmp_path / 'pair.jsonl'}: no such file. Did you mean {tmp_path / 'pairs.jsonl'}?"
    )
    assert error_of(tmp_path / "elsewhere" / "x.jsonl").endswith("no such file. Check the path.")


def test_a_folder_names_the_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "b.json").touch()
    (tmp_path / "a.jsonl.gz").touch()
    (tmp_path / "notes.txt").touch()

    assert error_of(tmp_path) == f"{tmp_path}: is a folder. Name a file in it: a.jsonl.gz, b.json."


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the file is empty."),
        (b"\xef\xbb\xbf", "the file is empty."),
        (b"\n \r\n\t\n", "the file holds only blank lines."),
        (b" [ ] ", "the file holds an empty list."),
        (gzip.compress(b"", mtime=0), "the file is empty."),
    ],
)
def test_a_file_without_rows_is_an_error(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(content)

    assert error_of(path) == f"{path}: {what}"


def test_an_array_that_does_not_parse_names_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text('[\n{"a": 1},\n{"a" 2}\n]')

    assert error_of(path).startswith(f"{path}:3: not JSON at column 6: Expecting ':' delimiter.")


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf" + '{"a": "é"}\n'.encode()])
def test_bytes_that_are_not_utf8_are_named_by_their_offset_in_the_file(tmp_path: Path, before: bytes) -> None:
    content = before + b'{"a": "caf\xe9"}\n'
    path = tmp_path / "data.jsonl"
    path.write_bytes(content)

    assert f"not UTF-8: byte 0xe9 at offset {content.index(bytes([0xE9]))}." in error_of(path)
    assert "--encoding latin-1 (data.encoding=latin-1)" in error_of(path)


def test_utf16_is_called_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes('{"a": 1}\n'.encode("utf-16"))

    assert "the file is UTF-16. Say which encoding it is" in error_of(path)


def test_another_encoding_is_read_when_it_is_named(tmp_path: Path) -> None:
    text = '{"a": "café"}\n{"a": "\u2026"}\n'
    path = tmp_path / "data.jsonl"
    for encoding in ("utf-16", "cp1252"):
        path.write_bytes(text.encode(encoding))
        assert [row.value["a"] for row in rows(path, encoding)] == ["café", "…"]
    with pytest.raises(DataError, match='there is no encoding "latin-uno"'):
        list(rows(path, "latin-uno"))


def test_rows_of_an_array_are_decoded_across_pieces_of_the_text(tmp_path: Path, monkeypatch) -> None:
    values = [{"a": "é" * n, "b": [n, {"c": None}]} for n in range(40)] + [1.5, 12345, "x"]
    path = tmp_path / "data.json"
    for indent in (None, 2):
        path.write_text(json.dumps(values, ensure_ascii=False, indent=indent), encoding="utf-8")
        for size in (1, 7, 64):
            monkeypatch.setattr("heedful.formats.files.CHUNK", size)
            assert [row.value for row in rows(path)] == values


def test_rows_of_an_array_before_its_fault_are_handed_out(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("heedful.formats.files.CHUNK", 16)
    path = tmp_path / "data.json"
    path.write_text('[{"a": 1},\n {"a": 2},\n {"a" 3}]')
    reading = rows(path)

    assert [next(reading).value for _ in range(2)] == [{"a": 1}, {"a": 2}]
    with pytest.raises(DataError, match=r"data\.json:3: not JSON at column 7: Expecting ':' delimiter"):
        next(reading)


@pytest.mark.parametrize("lost", [1, 8, 200])
def test_a_gzip_file_that_is_cut_off_is_an_error_even_in_its_last_byte(tmp_path: Path, lost: int) -> None:
    whole = gzip.compress(b"".join(b'{"a": "%d"}\n' % (n * 7919) for n in range(500)))
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(whole[:-lost])

    assert "the gzip file is cut off" in error_of(path)


def test_a_damaged_gzip_file_is_an_error(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(b'{"a": 1}\n' * 500))
    content[-6] ^= 0xFF  # in the checksum
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(content)

    assert "the gzip file is damaged" in error_of(path)


def test_gzip_files_joined_by_cat_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n') + gzip.compress(b'{"a": 2}\n'))

    assert [row.value for row in rows(path)] == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.json.gz", "new/folder/a.jsonl"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    assert write_rows((json.dumps(row, ensure_ascii=False) for row in ROWS), path) == 2
    assert [row.value for row in rows(path)] == ROWS
    assert path.read_bytes().startswith(b"\x1f\x8b") == name.endswith(".gz")
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_json_file_is_one_array_even_when_empty(tmp_path: Path) -> None:
    write_rows([], tmp_path / "none.json")
    write_rows(['{"a": 1}'], tmp_path / "one.json")
    write_rows([], tmp_path / "none.jsonl")

    assert json.loads((tmp_path / "none.json").read_text()) == []
    assert json.loads((tmp_path / "one.json").read_text()) == [{"a": 1}]
    assert (tmp_path / "none.jsonl").read_bytes() == b""


def test_the_same_rows_give_the_same_gzip_bytes(tmp_path: Path) -> None:
    write_rows(['{"a": 1}'], tmp_path / "x.gz")
    write_rows(['{"a": 1}'], tmp_path / "y.gz")

    assert (tmp_path / "x.gz").read_bytes() == (tmp_path / "y.gz").read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("old\n")

    def texts():
        yield '{"a": 1}'
        raise DataError("no more")

    with pytest.raises(DataError, match="no more"):
        write_rows(texts(), path)
    assert path.read_text() == "old\n"
    assert os.listdir(tmp_path) == ["data.jsonl"]


def test_writing_to_a_folder_or_below_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(DataError, match="is a folder"):
        write_rows([], tmp_path)
    with pytest.raises(DataError, match="cannot be written"):
        write_rows([], tmp_path / "file" / "data.jsonl")
