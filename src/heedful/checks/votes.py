"""The votes of a stream of records, a few numbers each: who voted how on which item.

A vote is a preference whose metadata name an annotator, or a judgement. Preferences are of one item where
they share prompt and both responses, whichever way round; judgements where they name the same item. Keeps
hashes and numbers, no texts.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heedful.agreement import count_votes
from heedful.checks.sameness import messages_hash
from heedful.records import ANNOTATOR, GOLD, SECONDS, SHOWN_FIRST, Judgement, Preference, Record

ONE, OTHER, TIE = range(3)  # what a vote says of an item's two responses
CATEGORIES = 3
UNKNOWN = -1

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Votes:
    """The votes, `[votes]` each, in the order of the records; of two by one annotator on an item the later.

    Attributes:
        items, annotators: whole numbers from 0.
        said: ONE, OTHER or TIE; which response is called which is arbitrary.
        strength: how strongly, in the source's units; 1 where it does not say, 0 for a tie.
        seconds: how long it took; NaN where the record does not say.
        shown: the place of the side voted for, 0 for the first and 1 for the second; UNKNOWN for a tie and
            where the record does not say.
        gold: what would be right, as in `said`; UNKNOWN where that is not known.
        records: the index of each vote's record.
        names: of the annotators.
        ids: of the record of each item's first vote.
        skipped: judgements that were none.
    """

    items: Ints
    annotators: Ints
    said: Ints
    strength: Floats
    seconds: Floats
    shown: Ints
    gold: Ints
    records: Ints
    names: list[str]
    ids: list[str]
    skipped: int

    def __len__(self) -> int:
        return len(self.items)

    def counts(self) -> Ints:
        """How many say what of each item, `[items, CATEGORIES]`."""
        return count_votes(self.items, self.said, CATEGORIES)


class VoteCollector:
    """Takes the votes down while records stream by."""

    def __init__(self) -> None:
        self._items: dict[Hashable, int] = {}
        self._ids: list[str] = []
        self._one = array("q")  # by item: the hash of the response called ONE
        self._annotators: dict[str, int] = {}
        self._gold: dict[Hashable, int] = {}
        self._columns = {name: array("q") for name in ("items", "annotators", "said", "shown", "records")}
        self._strength, self._seconds = array("d"), array("d")
        self._skipped = 0

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Judgement):
            self._see_judgement(record, index)
        elif record.metadata:
            gold = record.metadata.get(GOLD)
            if isinstance(record, Preference) and record.metadata.get(ANNOTATOR):
                self._see_preference(record, index, gold)
            elif gold in ("chosen", "rejected"):
                self._gold[record.id] = ONE if gold == "chosen" else OTHER

    def votes(self) -> Votes:
        """All of them."""
        gold = np.full(len(self._ids), UNKNOWN, dtype=np.int64)
        for key, right in self._gold.items():
            if key in self._items:
                gold[self._items[key]] = right
        items, annotators = self._numbers("items"), self._numbers("annotators")
        # The last vote of each annotator on each item: the first of the reversed.
        pair = items * max(len(self._annotators), 1) + annotators
        kept = np.sort(len(pair) - 1 - np.unique(pair[::-1], return_index=True)[1])
        return Votes(
            items=items[kept],
            annotators=annotators[kept],
            said=self._numbers("said")[kept],
            strength=np.array(self._strength)[kept],
            seconds=np.array(self._seconds)[kept],
            shown=self._numbers("shown")[kept],
            gold=gold[items[kept]],
            records=self._numbers("records")[kept],
            names=list(self._annotators),
            ids=self._ids,
            skipped=self._skipped,
        )

    def _numbers(self, name: str) -> Ints:
        return np.array(self._columns[name], dtype=np.int64)

    def _see_preference(self, record: Preference, index: int, gold: object) -> None:
        chosen, rejected = messages_hash(record.chosen), messages_hash(record.rejected)
        pair = (chosen, rejected) if chosen < rejected else (rejected, chosen)
        key = (messages_hash(record.prompt), *pair)
        item = self._item(key, record.id, one=chosen)
        mine, theirs = (ONE, OTHER) if self._one[item] == chosen else (OTHER, ONE)
        if gold in ("chosen", "rejected"):
            self._gold[key] = mine if gold == "chosen" else theirs
        first = record.metadata.get(SHOWN_FIRST)
        place = {"chosen": 0, "rejected": 1}.get(first, UNKNOWN) if isinstance(first, str) else UNKNOWN
        seconds = record.metadata.get(SECONDS)
        self._add(
            index, item, str(record.metadata[ANNOTATOR]), TIE if record.tie else mine, place,
            record.margin, seconds if isinstance(seconds, int | float) else None,
        )  # fmt: skip

    def _see_judgement(self, record: Judgement, index: int) -> None:
        if record.verdict == "skip":
            self._skipped += 1
            return
        item = self._item(record.item, record.item, one=0)
        said = {"a": ONE, "b": OTHER}.get(record.verdict, TIE)
        place = record.shown_order.index(record.verdict) if record.verdict in record.shown_order else UNKNOWN
        self._add(index, item, record.annotator, said, place, record.strength, record.seconds)

    def _item(self, key: Hashable, id: str, *, one: int) -> int:
        if key not in self._items:
            self._items[key] = len(self._items)
            self._ids.append(id)
            self._one.append(one)
        return self._items[key]

    def _add(
        self,
        index: int,
        item: int,
        annotator: str,
        said: int,
        place: int,
        strength: float | None,
        seconds: float | None,
    ) -> None:
        self._columns["items"].append(item)
        self._columns["annotators"].append(self._annotators.setdefault(annotator, len(self._annotators)))
        self._columns["said"].append(said)
        self._columns["shown"].append(UNKNOWN if said == TIE else place)
        self._columns["records"].append(index)
        self._strength.append(0 if said == TIE else 1 if strength is None else abs(strength))
        self._seconds.append(math.nan if seconds is None else seconds)
