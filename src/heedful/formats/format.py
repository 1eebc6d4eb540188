"""What a format is: how its rows are recognised, taken apart and made.

Each file of this folder that knows a layout defines one `Format` for it; `registry` lists them. Knows records
and rows, not files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..records import Record, Role
from .fields import Fault, Fields, Origin

Outcome = Record | Sequence[Record | Fault]
"""What a row becomes: its record, or, where a row holds several, each of them or why it could not be used."""

NUMBERS = frozenset({"margin", "weight", "probability"})
"""What says how much a record counts; a format that has no place for one loses it."""


@dataclass(frozen=True, slots=True)
class Format:
    """One layout, or a family of layouts under one name.

    Attributes:
        name: what `format=` and `--format` take.
        about: what its rows look like, one clause for a person: "Anthropic HH transcripts ...".
        layouts: the keys that each of its layouts needs.
        fits: whether a row looks like one of them, by its keys and their types; made so that at most one
            format's says yes to a well-formed row. Never raises, whatever the row holds.
        parse: the row's record, or a sequence where a row holds several (a tree, rated completions); raises
            `Fault` where it has none. Raises nothing else, whatever the row holds.
        dump: the record's row; raises `Unfit` for a record that the format cannot hold. None: it is only
            read. It is never handed a number that is not in `carries`.
        columns: whether a row may have further columns. They become metadata when read, and columns again
            when written.
        reserved: names that a further column cannot have.
        carries: which of `NUMBERS` it has a place for.
        keeps: names of metadata that have a place in a row, where others have none.
        texts: columns of conversations in which plain text is read too, as one message of this role. A table
            holds such text and not its JSON.
        whole: whether it holds a record's id, source and metadata as they are (Heedful's own does).
    """

    name: str
    about: str
    layouts: Sequence[frozenset[str]]
    fits: Callable[[Fields], bool]
    parse: Callable[[Fields, Origin], Outcome]
    dump: Callable[[Record], dict[str, Any]] | None = None
    columns: bool = False
    reserved: frozenset[str] = frozenset()
    carries: frozenset[str] = frozenset()
    keeps: frozenset[str] = frozenset()
    whole: bool = False
    texts: Mapping[str, Role] = field(default_factory=dict)


class Unfit(Exception):
    """A record that a format cannot hold: a code from `UNFIT` and one sentence for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        if reason not in UNFIT:
            raise ValueError(f"unknown reason {reason!r}")
        super().__init__(detail)
        self.reason, self.detail = reason, detail


UNFIT = {
    "kind": "the format has no place for records of this kind",
    "number": "a margin, weight or probability, which the format has no place for",
    "tie": "neither side is preferred, and the format has no way to say so",
    "turns": "the prompt's turns are not those the format can hold",
    "response": "the response has more or other turns than the format can hold",
    "column": "the metadata hold a name that is a column of the format",
    "not_json": "the metadata hold a value that JSON has no form for",
}
