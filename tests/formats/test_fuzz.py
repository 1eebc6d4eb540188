"""Whatever a file holds, reading ends in records, in quarantine, or in an error that a person can mend."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heedful.errors import DataError
from heedful.formats import names, read
from heedful.formats.fields import REASONS
from tests.formats.test_registry import SAMPLES

ROWS: dict[str, list[dict[str, Any]]] = {}
for _name, _row in SAMPLES:
    ROWS.setdefault(_name, []).append(_row)

FUZZ = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ODD_TEXT = (
    "",
    " ",
    "\x00",
    "\ud83d",
    "\u202eabc",
    "e\u0301" * 9,
    "\n\nHuman:",
    "\n\nAssistant: ",
    "[]",
    "{}",
    "N/A",
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(ODD_TEXT),
    st.just("long " * 20_000),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=5)), max_size=3),
    st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers()), max_size=3),
    st.just([{"role": "user", "content": None}]),
    st.just([{"role": "assistant", "content": [{"type": "image_url"}]}]),
    st.builds(lambda depth: _deep(depth), st.integers(1, 300)),
)


def _deep(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value] if depth % 2 else {"replies": [value]}
    return value


def mangled(value: Any, odd: list[Any], chance: random.Random) -> Any:
    """A copy in which some parts are something else, missing, twice or renamed."""
    if chance.random() < 0.12:
        return chance.choice(odd)
    if isinstance(value, dict):
        kept = {key: mangled(inner, odd, chance) for key, inner in value.items() if chance.random() > 0.08}
        if chance.random() < 0.1:
            kept[chance.choice(["role", "content", "id", "source", "metadata", "\ud83d", "label"])] = (
                chance.choice(odd)
            )
        return kept
    if isinstance(value, list):
        kept_items = [mangled(inner, odd, chance) for inner in value if chance.random() > 0.05]
        return kept_items * 2 if chance.random() < 0.05 else kept_items
    return value


def accounted(path: Path, rows: int | None, **options: Any) -> None:
    """Read the file: records, quarantine with known reasons, or one clear error; and nothing else."""
    try:
        kept = read(path, bad_lines="quarantine", **options)
    except DataError:
        return
    counts = kept.counts
    assert counts.read == counts.kept + sum(counts.quarantined.values())
    assert rows is None or counts.read >= rows
    assert counts.quarantined.keys() <= REASONS.keys()
    assert all(row.detail for row in kept.quarantined)
    repr([(record, getattr(record, "metadata", None)) for record in kept])


def lines_of(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", names())
@FUZZ
@given(odd=st.lists(ODD, min_size=3, max_size=6), seed=st.integers(0, 10_000))
def test_mangled_rows_are_records_or_quarantined(
    name: str, odd: list[Any], seed: int, tmp_path: Path
) -> None:
    assert name in ROWS or name.endswith("-synthetic"), f"no sample row of {name}"
    chance = random.Random(seed)
    rows = [mangled(row, odd, chance) for row in ROWS.get(name, []) for _ in range(6)]
    path = tmp_path / f"{seed}.jsonl"
    path.write_bytes(lines_of(rows))

    accounted(path, len(rows), format=name)
    accounted(path, len(rows))


@pytest.mark.parametrize("wrapped", ["lines", "array"])
@FUZZ
@given(seed=st.integers(0, 10_000))
def test_mangled_bytes_are_rows_or_one_clear_error(wrapped: str, seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    rows = [row for rows in ROWS.values() for row in rows]
    chance.shuffle(rows)
    text = bytearray(lines_of(rows[:8]) if wrapped == "lines" else json.dumps(rows[:8]).encode())
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(text))
        match chance.randrange(4):
            case 0:
                text[at] = chance.randrange(256)
            case 1:
                del text[at : at + chance.randint(1, 40)]
            case 2:
                text[at:at] = chance.choice(
                    [b"\xff", b"\x00", b"{", b"]", b'"', b"\n", b"\\u12", b"\xef\xbb\xbf", b"1e999"]
                )
            case _:
                text[at:at] = text[: chance.randint(1, 60)]
        if not text:
            text = bytearray(b"{}")
    path = tmp_path / f"{seed}.{wrapped}"
    path.write_bytes(bytes(text))

    accounted(path, None)
    accounted(path, None, encoding="latin-1", format=chance.choice(names()))
