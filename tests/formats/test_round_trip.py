"""What is written reads back as it was, in every format that is written: any text, any turns it can hold.

A record comes back equal, with its metadata where the format has columns, and the file is recognised without
being told its format.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heedful.formats import read, write
from heedful.formats.registry import writable
from heedful.formats.sound import alike
from heedful.records import (
    Demonstration,
    Feedback,
    Judgement,
    Message,
    Messages,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
    assistant,
    user,
)

QUICK = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ODD = (
    "e\u0301 is not \u00e9", "\u05e9\u05dc\u05d5\u05dd \u202eabc\u202c", "one\r\ntwo\rthree\u2028\x85four",
    "\x00\x1b[31m", "\ufeffmark", "\U0001f469\u200d\U0001f52c\U0001f3fd", "\n\nHuman: hi\n\nAssistant: ho",
    ' "quoted", \\ and \t tabs ',
    "[1, 2]", "null", "\uff21 full", "<|im_end|>", "  edges  ", "\u0e01\u0e33\u0e31",
)  # fmt: skip
ANY = st.one_of(st.sampled_from(ODD), st.text(max_size=30))
TEXT = ANY.filter(lambda text: bool(text.strip()))
NAME = st.text(min_size=1, max_size=12)
FINITE = st.floats(allow_nan=False, allow_infinity=False)

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), FINITE, ANY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
    max_leaves=4,
)
COLUMNS = st.dictionaries(NAME.map("x_{}".format), JSON, max_size=3)
"""Metadata that a format with columns can write beside its own."""

SYSTEM = st.lists(TEXT.map(lambda text: Message("system", text)), max_size=1)
ASKED = TEXT.map(user)
EARLIER = st.lists(st.tuples(ASKED, ANY.map(assistant)), max_size=2)
REPLY = TEXT.map(lambda text: (assistant(text),))
TOOL = ANY.map(lambda text: Message("tool", text))
TOOL_REPLY = st.tuples(ANY.map(assistant), TOOL, TEXT.map(assistant))
ANY_REPLY = st.one_of(REPLY, TOOL_REPLY)


@st.composite
def in_turn(draw: st.DrawFn) -> Messages:
    """[system], user, assistant, ..., user."""
    earlier = [message for exchange in draw(EARLIER) for message in exchange]
    return (*draw(SYSTEM), *earlier, draw(ASKED))


@st.composite
def any_turns(draw: st.DrawFn) -> Messages:
    """Turns of any role in any order, the user's or a tool's last."""
    loose = draw(st.lists(st.one_of(ASKED, ANY.map(assistant), TOOL), max_size=3))
    return (*draw(SYSTEM), *loose, draw(ASKED), *draw(st.lists(TOOL, max_size=1)))


def unequal(pair: tuple[Messages, Messages]) -> bool:
    return not alike(*pair)


def pairs(prompts: st.SearchStrategy[Messages], replies: st.SearchStrategy[Messages], **more: Any) -> Any:
    def build(sides: tuple[Messages, Messages], **given: Any) -> Preference:
        return Preference(chosen=sides[0], rejected=sides[1], **given)

    sides = st.tuples(replies, replies).filter(unequal)
    return st.builds(build, sides=sides, prompt=prompts, id=NAME, source=NAME, **more)


def answered(kind: Callable[..., Record], prompts: Any, replies: Any, **more: Any) -> Any:
    return st.builds(kind, prompt=prompts, response=replies, id=NAME, source=NAME, **more)


ALONE = st.builds(Prompt, prompt=any_turns(), id=NAME, source=NAME, metadata=COLUMNS)
WEIGHT = st.floats(0, 1e6)


@st.composite
def rankings(draw: st.DrawFn) -> Ranking:
    responses = draw(st.lists(ANY_REPLY, max_size=4))
    ranks = draw(st.lists(st.integers(1, 9), min_size=len(responses), max_size=len(responses)))
    own = {"id": draw(NAME), "source": draw(NAME), "metadata": draw(st.dictionaries(NAME, JSON, max_size=2))}
    return Ranking(draw(any_turns()), tuple(responses), tuple(ranks), **own)


def whole() -> st.SearchStrategy[Record]:
    """Every kind of record, whatever it holds."""
    metadata = {"metadata": st.dictionaries(NAME, JSON, max_size=3)}
    judgements = st.builds(
        Judgement,
        item=ANY,
        annotator=ANY,
        verdict=st.sampled_from(["a", "b", "tie", "both_bad", "skip"]),
        strength=st.none() | st.integers(),
        rationale=ANY,
        seconds=st.none() | FINITE,
        at=st.none() | st.just(datetime(2024, 2, 29, 12, 30, 1, 5, tzinfo=UTC)),
    )
    return st.one_of(
        st.builds(Prompt, prompt=any_turns(), id=NAME, source=NAME, **metadata),
        answered(Demonstration, any_turns(), ANY_REPLY, weight=WEIGHT, **metadata),
        answered(Feedback, any_turns(), ANY_REPLY, desirable=st.booleans(), weight=WEIGHT, **metadata),
        answered(Rating, any_turns(), ANY_REPLY, score=FINITE, aspect=NAME, **metadata),
        pairs(
            any_turns(),
            ANY_REPLY,
            margin=st.none() | FINITE,
            probability=st.none() | st.floats(0.5, 1),
            weight=WEIGHT,
            **metadata,
        ),
        rankings(),
        judgements,
    )


HOLDS: dict[str, st.SearchStrategy[Record]] = {
    "heedful": whole(),
    "trl": st.one_of(
        pairs(any_turns(), ANY_REPLY, margin=st.none() | FINITE, metadata=COLUMNS),
        answered(Feedback, any_turns(), ANY_REPLY, desirable=st.booleans(), metadata=COLUMNS),
        answered(Demonstration, any_turns(), ANY_REPLY, metadata=COLUMNS),
    ),
    "trl-prompt": ALONE,
    "axolotl": pairs(any_turns(), REPLY, metadata=COLUMNS),
    "sharegpt-ranking": pairs(in_turn(), REPLY, metadata=COLUMNS),
    "alpaca-ranking": pairs(in_turn(), REPLY, metadata=COLUMNS),
    "alpaca": answered(Demonstration, in_turn(), REPLY, metadata=COLUMNS),
    "llama-factory-kto": answered(Feedback, in_turn(), REPLY, desirable=st.booleans(), metadata=COLUMNS),
    "openai-chat": answered(Demonstration, in_turn(), REPLY),
    "openai-preference": pairs(in_turn(), REPLY),
}
BARE = ("openai-chat", "openai-preference")
"""Formats without columns: the service refuses a row with an id, a source or metadata."""


def test_every_format_that_is_written_is_tested_here() -> None:
    assert HOLDS.keys() >= {name for name in writable() if not name.startswith("scored")}


@pytest.mark.parametrize("name", HOLDS)
@QUICK
@given(data=st.data())
def test_what_is_written_reads_back(name: str, data: st.DataObject, tmp_path: Path) -> None:
    reads_back(data.draw(st.lists(HOLDS[name], min_size=1, max_size=2)), tmp_path / "out.jsonl", name)


@pytest.mark.parametrize("file", ["out.json", "out.jsonl.gz"])
@QUICK
@given(records=st.lists(HOLDS["heedful"], min_size=1, max_size=2))
def test_every_wrapping_holds_every_record(file: str, records: list[Record], tmp_path: Path) -> None:
    reads_back(records, tmp_path / file, "heedful")


def reads_back(records: list[Any], path: Path, name: str) -> None:
    """Write the records and hold what is read, with and without naming the format, against them."""
    written = write(records, path, format=name)
    back = read(path)

    assert (written.rows, written.left_out, back.quarantined) == (len(records), [], [])
    assert read(path, format=name)[:] == back[:]
    if name in BARE:
        records = [replace(record, id=f"out:{n}", source=path.name) for n, record in enumerate(records, 1)]
    assert back[:] == records
    assert [metadata_of(record) for record in back] == [metadata_of(record) for record in records]


def metadata_of(record: Record) -> dict[str, Any]:
    return dict(getattr(record, "metadata", {}))


@pytest.mark.parametrize("name", BARE)
@QUICK
@given(data=st.data())
def test_what_openai_has_no_place_for_is_counted_and_its_options_come_back(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    record: Any = data.draw(HOLDS[name])
    tools = {
        "tools": data.draw(st.lists(st.dictionaries(NAME, JSON), max_size=2)),
        "parallel_tool_calls": False,
    }
    written = write([replace(record, metadata=tools | {"x": 1})], tmp_path / "out.jsonl", format=name)

    assert written.lost == {"id": 1, "source": 1, "metadata.x": 1}
    assert metadata_of(read(tmp_path / "out.jsonl")[0]) == tools
