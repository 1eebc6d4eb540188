"""CSV and TSV: what stands in a file's cells comes out of them, and every ragged row is named by its line."""

from __future__ import annotations

import csv
import gzip
import logging
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import names, read, write
from heedful.formats.rows import rows
from heedful.records import Demonstration, Feedback, Message, Preference, Rating, assistant, user

ODD = (
    "two\nlines",
    "a\r\nb\rc",
    "שלום \u202eabc\u202c",
    "e\u0301",
    "👩\u200d🔬",
    'say "x", ok',
    "a\x85b\u2028c",
    "=1+1",
)


def table(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def values(path: Path) -> list[Any]:
    return [row.value for row in rows(path)]


def error_of(path: Path, **arguments: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(path, **arguments)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.csv", "a.CSV", "a.csv.gz", "a.tsv", "a.tsv.gz"])
def test_cells_hold_newlines_quotes_and_every_script(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    opener = gzip.open if name.endswith(".gz") else open
    with opener(path, "wt", encoding="utf-8", newline="") as file:
        out = csv.writer(file, delimiter="\t" if ".tsv" in name else ",")
        out.writerow(["prompt", "response"])
        out.writerows([text, "r"] for text in ODD)

    assert [row["prompt"] for row in values(path)] == list(ODD)
    assert [record.prompt for record in read(path)] == [(user(text),) for text in ODD]


def test_a_row_is_named_by_the_line_it_begins_in(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", 'p,q\n"1\n\n",2\n\n3,4\n')

    assert [(row.where, row.id, row.value) for row in rows(path)] == [
        (f"{path}:2", "a:2", {"p": "1\n\n", "q": "2"}),
        (f"{path}:6", "a:6", {"p": "3", "q": "4"}),
    ]


def test_lines_may_end_as_a_mac_ended_them(tmp_path: Path) -> None:
    assert values(table(tmp_path / "a.csv", 'p,q\r1,"a\rb"\r3,4')) == [
        {"p": "1", "q": "a\rb"},
        {"p": "3", "q": "4"},
    ]


def test_an_empty_cell_is_a_missing_value_but_a_verdict_is_null(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "prompt,response,label,note\nq,a,,\nq,b,1,n\n")

    assert values(path) == [
        {"prompt": "q", "response": "a", "label": None},
        {"prompt": "q", "response": "b", "label": True, "note": "n"},
    ]
    kept = read(path)
    assert kept.counts.quarantined == {"no_vote": 1}  # and is no demonstration
    assert kept[0] == Feedback((user("q"),), (assistant("b"),), True, id="a:3", source="a.csv")


def test_columns_that_pandas_left_without_a_name_are_numbered(tmp_path: Path) -> None:
    assert values(table(tmp_path / "a.csv", ",p,\n0,x,y\n")) == [{"column 1": "0", "p": "x", "column 3": "y"}]


def test_a_ragged_row_stops_the_reading_or_is_left_out_with_its_cells(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "prompt,chosen,rejected\nq,a,b\nq,a\nq,a,b,c\n")

    assert error_of(path).startswith(f"{path}:3: the row has 2 cells and the header 3 names. Mend it, or")
    kept = read(path, bad_lines="quarantine")
    assert (kept.counts.read, kept.counts.quarantined) == (3, {"broken_row": 2})
    assert [(row.where, row.raw) for row in kept.quarantined] == [
        (f"{path}:3", ["q", "a"]),
        (f"{path}:4", ["q", "a", "b", "c"]),
    ]


def test_a_row_whose_quotes_are_wrong_is_left_out_as_it_stands(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", 'prompt,response\n"q"x,a\nq,b\nq,"never\nclosed\n')

    kept = read(path, bad_lines="quarantine")

    assert [record.response for record in kept] == [(assistant("b"),)]
    first, last = kept.quarantined
    assert (first.where, first.raw) == (f"{path}:2", '"q"x,a\n')
    assert first.detail.startswith("not a row of a table: ")
    assert (last.where, last.raw) == (f"{path}:4", 'q,"never\nclosed\n')
    assert last.detail == "a quote that is opened in this row is never closed"


def test_turns_that_cannot_be_read_break_their_row(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "prompt,response\nq,[{'role': oops}]\nq,a\n")

    (row,) = read(path, bad_lines="quarantine").quarantined
    assert row.detail == 'the column "response" holds turns that are neither JSON nor Python'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the file is empty."),
        ("\n \n", "the file holds only blank lines."),
        ("prompt,chosen\n", "the table has a header and no rows."),
        ('prompt,"x', "the header cannot be read: a quote that is opened in this row is never closed."),
        ("prompt,chosen,prompt\n1,2,3\n", 'the header names the column "prompt" twice.'),
    ],
)
def test_a_table_without_rows_or_with_a_bad_header_is_an_error(tmp_path: Path, text: str, what: str) -> None:
    assert what in error_of(table(tmp_path / "a.csv", text))


def test_semicolons_are_told_by_the_header_alone_and_said(tmp_path: Path, caplog) -> None:
    caplog.set_level(logging.INFO, "heedful")

    assert values(table(tmp_path / "a.csv", "p;q\n1,5;x\n")) == [{"p": "1,5", "q": "x"}]
    assert caplog.messages == [f"{tmp_path / 'a.csv'}: its columns are separated by semicolons."]
    assert values(table(tmp_path / "b.csv", "p,q\n1;5,x\n")) == [{"p": "1;5", "q": "x"}]
    assert values(table(tmp_path / "c.tsv", "p;q\n1\n")) == [{"p;q": "1"}]
    assert len(caplog.messages) == 1


def test_cells_are_longer_than_pythons_limit(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", f"prompt,response\n{'long ' * 40_000},a\n")

    assert len(values(path)[0]["prompt"]) == 200_000


def test_columns_are_decoded_as_what_they_are_said_to_be(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "question,good,gap,bad\nq,a,2.5,b\n")
    columns = {"prompt": "question", "chosen": "good", "rejected": "bad", "margin": "gap"}
    (pair,) = read(path, columns=columns)
    assert isinstance(pair, Preference)
    assert (pair.margin, pair.chosen) == (2.5, (assistant("a"),))

    thumbs = table(tmp_path / "b.csv", "prompt,completion,good\nq,a,0\n")
    (thumb,) = read(thumbs, columns={"label": "good"})
    assert thumb == Feedback((user("q"),), (assistant("a"),), False, id="b:2", source="b.csv")


def test_the_label_of_a_pair_is_never_true_or_false(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "prompt,response_a,response_b,label\nq,x,y,b\nq,x,z,1\n")

    assert values(path)[1]["label"] == "1"
    assert read(path).counts.quarantined == {"bad_value": 1}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig"])
def test_tables_are_read_in_the_encoding_that_is_said(tmp_path: Path, encoding: str) -> None:
    text = {"latin-1": "caf\xe9\x85\x93", "cp1252": "“café” …"}.get(encoding, "שלום")
    path = table(tmp_path / "a.csv", f"prompt,response\n{text},a\n", encoding)

    assert read(path, encoding=encoding)[0].prompt == (user(text),)


def test_the_wrong_encoding_names_the_byte_and_the_option(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", "prompt,response\ncaf\xe9,a\n", "latin-1")

    assert "not UTF-8: byte 0xe9 at offset 19." in error_of(path)
    assert "--encoding latin-1" in error_of(path)


def pair(prompt: str, chosen: str = "a", **more: Any) -> Preference:
    return Preference((user(prompt),), (assistant(chosen),), (assistant("b"),), id="p", source="s", **more)


def test_a_table_has_the_columns_of_all_rows_and_plain_text_where_it_reads_back(tmp_path: Path) -> None:
    system = Preference((Message("system", "s"), user("q")), (assistant("a"),), (assistant("b"),), id="2")
    records = [pair("q", margin=2), system, pair("q", metadata={"note": "x", "tags": ["y"]})]

    written = write(records, tmp_path / "a.csv", format="trl")

    assert written.rows == 3
    lines = (tmp_path / "a.csv").read_bytes().decode().split("\r\n")
    assert lines[0] == "prompt,chosen,rejected,margin,id,source,note,tags"
    assert lines[1] == "q,a,b,2,p,s,,"
    assert lines[2].startswith('"[{""role"": ""system"", ""content"": ""s""}')
    assert lines[3] == 'q,a,b,,p,s,x,"[""y""]"'
    assert lines[4:] == [""]
    assert read(tmp_path / "a.csv")[:] == [records[0], read(tmp_path / "a.csv")[1], records[2]]


@pytest.mark.parametrize(
    "text", [*ODD, '[{"role": "user", "content": "x"}]', "[{'role': x", '"q"', "1", "true", "[]"]
)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz"])
def test_text_that_looks_like_something_else_survives_in_every_layout(
    tmp_path: Path, name: str, text: str
) -> None:
    said = Demonstration((user(text),), (assistant(text),), id="d", source="s")
    for format, record in (("trl", pair(text, f"x{text}")), ("alpaca", said), ("heedful", said)):
        write([record], tmp_path / name, format=format)
        assert read(tmp_path / name)[:] == [record]


def test_an_empty_text_and_none_are_told_apart_in_heedfuls_own_rows(tmp_path: Path) -> None:
    record = Rating((user("q"),), (assistant("a"),), 1.0, "", id="", source="")
    write([record], tmp_path / "a.csv")

    assert read(tmp_path / "a.csv")[:] == [record]


def test_records_that_a_table_could_not_tell_apart_are_refused(tmp_path: Path) -> None:
    thumb = Feedback((user("q"),), (assistant("a"),), True)
    demonstration = Demonstration((user("q"),), (assistant("a"),))

    with pytest.raises(DataError, match='some records have a "label" and some have none'):
        write([thumb, demonstration], tmp_path / "a.csv", format="trl")
    assert list(tmp_path.iterdir()) == []
    assert write([thumb, demonstration], tmp_path / "a.csv").rows == 2


def test_half_a_surrogate_pair_in_metadata_is_written_as_its_escape(tmp_path: Path) -> None:
    for name in ("a.csv", "a.parquet"):
        write([pair("q", metadata={"note": "\ud83d"})], tmp_path / name, format="trl")
        assert read(tmp_path / name)[0].metadata == {"note": "\\ud83d"}


def test_a_generator_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def records():
        yield pair("q")
        raise DataError("no more")

    for name in ("a.csv", "a.parquet"):
        with pytest.raises(DataError, match="no more"):
            write(records(), tmp_path / name, format="trl")
    assert list(tmp_path.iterdir()) == []


DAMAGE = (b'"', b"\n", b"\r", b"\x00", b",", b"\xff", b'[{"role":', b"[{'role'", b"Prompt:", b"Response A:")


@pytest.mark.parametrize("name", ["a.csv", "a.tsv.gz", "a.parquet", "a.parquet.gz", "a.txt"])
def test_however_a_file_is_damaged_reading_ends_in_counts_or_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write([pair(f"q{n} é\n", 'a "x",', margin=n) for n in range(5)], path, format="trl")
    if name == "a.txt":
        path.write_text("Prompt: é\nResponse A: b → Score: 4\nResponse B: c -> Score: 2\n" * 3)
    whole = path.read_bytes()
    draw = random.Random(0)
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(damaged))
            damaged[place : place + draw.choice((0, 0, 1, 9))] = draw.choice(
                (*DAMAGE, bytes([draw.randrange(256)]))
            )
        path.write_bytes(damaged[: draw.choice((len(damaged), draw.randrange(len(damaged))))])
        with suppress(DataError):
            counts = read(path, bad_lines="quarantine").counts
            assert counts.read == counts.kept + sum(counts.quarantined.values())


def test_no_records_make_a_table_without_a_header(tmp_path: Path) -> None:
    assert write([], tmp_path / "a.csv", format="trl").rows == 0
    assert (tmp_path / "a.csv").read_bytes() == b""


def test_every_reader_can_stand_behind_a_table(tmp_path: Path) -> None:
    assert Counter(names())["plain"] == 1
    path = table(tmp_path / "a.csv", "prompt,response,score\nq,a,4.5\nq,b,N/A\n")
    kept = read(path)
    assert kept[0] == Rating((user("q"),), (assistant("a"),), 4.5, "overall", id="a:2", source="a.csv")
    assert kept.counts.quarantined == {"bad_value": 1}
