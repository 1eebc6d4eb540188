"""What stands in the log and how it came there, as columns of numbers, kept up from row to row.

The log only grows, so that what was read once need not be read again: `Tally.update` reads the rows that are
new. Keeps verdicts, places and times, and no texts. Knows nothing of what is made of them.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Text, cast, select

from heedful.collect.store import schema
from heedful.collect.store.log import VOTES

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
T = TypeVar("T")

Said = dict[str, Any]
"""An `Answer` as it is stored, without its texts."""

NONE = -1  # in place of the number of an answer that was taken back
_TEXTS = ("rationale",)  # of an answer: never counted, and long
_AT_ONCE = 5000  # rows fetched
_LOG = schema.judgements


@dataclass(frozen=True, slots=True)
class Words:
    """What people say of items now, `[words]` each, in the order of the log.

    Attributes:
        people, items: ids.
        answers, firsts: which of `said` they say now, and which they said first.
        shown: which of `orders`.
        seconds: the judging took, NaN where that is not known; changing one's mind later adds nothing.
        began: when it was first given, in seconds since 1970.
        imported: whether it came from another tool, and when it was given is not known.
        said: different answers.
        orders: which of the item's responses stood in each place; empty where that is not known.
    """

    people: Ints
    items: Ints
    answers: Ints
    firsts: Ints
    shown: Ints
    seconds: Floats
    began: Floats
    imported: NDArray[np.bool_]
    said: tuple[Said, ...]
    orders: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.people)

    def each(self, of: Callable[[Said], int]) -> Ints:
        """Something of what each word says now; asked of every different answer once."""
        return np.array([of(answer) for answer in self.said], dtype=np.int64)[self.answers]

    def where(self, chosen: NDArray[np.bool_]) -> Words:
        """These of the words."""
        return Words(
            self.people[chosen],
            self.items[chosen],
            self.answers[chosen],
            self.firsts[chosen],
            self.shown[chosen],
            self.seconds[chosen],
            self.began[chosen],
            self.imported[chosen],
            self.said,
            self.orders,
        )


class _Different(Generic[T]):
    """Different values, each of which has a number.

    Args:
        read: makes a value of its text.
        shortened: a text without what does not count.
    """

    def __init__(self, read: Callable[[str], T], shortened: Callable[[str], str] = str) -> None:
        self.values: list[T] = []
        self._read, self._shortened = read, shortened
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        known = self._numbers.get(text)
        if known is not None:
            return known
        short = self._shortened(text)
        if short not in self._numbers:
            self._numbers[short] = len(self.values)
            self.values.append(self._read(short))
        return self._numbers[short]


@dataclass(slots=True)
class _Columns:
    """A row for each person, item and kind of entry, in the order in which they first came."""

    ids: list[int] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    began: list[float] = field(default_factory=list)


class Tally:
    """The log up to one of its rows, `last`."""

    def __init__(self) -> None:
        self.last = 0
        self._rows: dict[tuple[int, int, str], int] = {}
        self._columns = _Columns()
        self._said = _Different[Said](json.loads, _without_texts)
        self._orders = _Different[tuple[int, ...]](lambda text: tuple(json.loads(text)))
        self._seen: Counter[str] = Counter()  # gives and retractions

    def update(self, connection: Connection) -> None:
        """Read what is new in the log."""
        of = _LOG.c
        columns = (of.id, of.person, of.item, of.kind, of.action, of.seconds, of.at)
        rows = select(*columns, cast(of.answer, Text), cast(of.shown, Text)).where(of.id > self.last)
        for row in connection.execute(rows.order_by(of.id), execution_options={"yield_per": _AT_ONCE}):
            self.see(*row)

    def words(self) -> Words:
        """The votes and skips that stand, one of each person and item: of several kinds the last."""
        of = self._columns
        ids, people, items = (np.array(column, dtype=np.int64) for column in (of.ids, of.people, of.items))
        answers = np.array(of.answers, dtype=np.int64)
        votes = np.array([kind in VOTES for kind in of.kinds], dtype=bool)
        standing = np.flatnonzero(votes & (answers != NONE))
        standing = standing[np.argsort(ids[standing])]
        # The last of each person and item is the first of the reversed.
        pairs = (people[standing] * (items.max(initial=0) + 1) + items[standing])[::-1]
        last = np.unique(pairs, return_index=True)[1]
        chosen = standing[np.sort(len(standing) - 1 - last)]
        return Words(
            people[chosen],
            items[chosen],
            answers[chosen],
            np.array(of.firsts, dtype=np.int64)[chosen],
            np.array(of.shown, dtype=np.int64)[chosen],
            np.array(of.seconds, dtype=np.float64)[chosen],
            np.array(of.began, dtype=np.float64)[chosen],
            np.array([kind == "import" for kind in of.kinds], dtype=bool)[chosen],
            tuple(self._said.values),
            tuple(self._orders.values),
        )

    def rows(self, words: Words) -> dict[str, int]:
        """How many rows the log has, by what became of them.

        A `vote`, a `skip` and an `adjudication` stand; one that was changed or taken back is `replaced`, and
        a `retraction` took one back. Of two words by one person on an item, the earlier is replaced too.

        Args:
            words: all that stand.
        """
        kinds, answers = self._columns.kinds, self._columns.answers
        adjudications = sum(
            kind not in VOTES and answer != NONE for kind, answer in zip(kinds, answers, strict=True)
        )
        skips = int(words.each(skipped).sum())
        return {
            "vote": len(words) - skips,
            "skip": skips,
            "adjudication": adjudications,
            "replaced": self._seen["give"] - len(words) - adjudications,
            "retraction": self._seen["retract"],
        }

    def see(
        self,
        id: int,
        person: int,
        item: int,
        kind: str,
        action: str,
        seconds: float | None,
        at: datetime,
        answer: str | None,
        shown: str,
    ) -> None:
        """Take down a row of the log, the next one; `answer` and `shown` as JSON."""
        self.last = id
        self._seen[action] += 1
        said = NONE if answer is None else self._said.number(answer)
        key, order, of = (person, item, kind), self._orders.number(shown), self._columns
        row = self._rows.get(key)
        if row is not None:
            of.ids[row], of.answers[row], of.shown[row] = id, said, order
            return
        self._rows[key] = len(of.ids)
        of.ids.append(id)
        of.people.append(person)
        of.items.append(item)
        of.kinds.append(kind)
        of.answers.append(said)
        of.firsts.append(said)
        of.shown.append(order)
        of.seconds.append(math.nan if seconds is None else seconds)
        of.began.append(at.timestamp())


def skipped(said: Said) -> int:
    """Whether an answer is a skip."""
    return int(said.get("verdict") == "skip")


def _without_texts(answer: str) -> str:
    if not any(f'"{text}"' in answer for text in _TEXTS):
        return answer
    said = json.loads(answer)
    return json.dumps({key: value for key, value in said.items() if key not in _TEXTS})
