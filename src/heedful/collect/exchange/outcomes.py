"""What a project's people came to: preferences from standing votes, by the aggregation of `heedful.pairs`.

An adjudication decides its item alone; the votes on it still tell how far their annotators can be trusted.
Every word that goes in is used, or left out once with a reason. Knows no database and no files.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from heedful.collect.exchange.as_records import SCALE, pairwise, records, skipped
from heedful.collect.exchange.words import Word, left_out
from heedful.collect.settings import Settings
from heedful.prepare.pair_settings import Aggregation, PairSettings
from heedful.quarantine import Quarantined
from heedful.records import Preference, Ranking, Record

ADJUDICATED = "adjudicated"
"""Metadata of a preference that an adjudicator decided, and why the votes on it are left out."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Preferences, and the words that are behind none, each once.

    Attributes:
        used: how many words are behind the preferences.
    """

    preferences: list[Preference]
    used: int
    left_out: list[Quarantined]


def outcomes(
    votes: Sequence[Word], adjudications: Sequence[Word], settings: Settings, pairs: PairSettings
) -> Outcomes:
    """The preferences that the votes come to and, where there is one, the adjudicator's.

    Args:
        votes: that stand.
        adjudications: that stand; of several on an item the last counts.
        pairs: how preferences are made; votes on pairs and rankings are aggregated.
    """
    deciding = {word.item.id: word for word in adjudications if not word.answer.skipped}
    replaced = [word for word in adjudications if deciding.get(word.item.id, word) is not word]
    final = [word for word in adjudications if deciding.get(word.item.id, word) is word]
    soft = pairs.aggregate.soft if pairs.aggregate is not None else "probability"
    alone = dataclasses.replace(pairs, aggregate=Aggregation(soft=soft))
    voted = _made(votes, settings, pairs, decided=deciding.keys())
    decided = _made(final, settings, alone, decided=())
    by_adjudicator = [_with(preference, {ADJUDICATED: True}) for preference in decided.preferences]
    superseded = [left_out(word, "superseded", "another reviewer's word counts") for word in replaced]
    return Outcomes(
        [*voted.preferences, *by_adjudicator],
        voted.used + decided.used,
        [*voted.left_out, *decided.left_out, *superseded],
    )


@dataclass(slots=True)
class _Fed:
    """Records for `make_pairs`, and whose they are.

    Attributes:
        words: by the identity of their records.
        items: ids of items by those of their records.
        spoken: how many records each word became, by its row of the log.
    """

    records: list[Record] = field(default_factory=list)
    words: dict[int, Word] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    spoken: Counter[int] = field(default_factory=Counter)

    def add(self, record: Record, word: Word) -> None:
        self.records.append(record)
        self.words[id(record)] = word
        if isinstance(record, Preference):
            self.items[record.id] = word.item.id
        self.spoken[word.entry.id] += 1

    def unused(self, refused: Sequence[Quarantined]) -> Iterator[tuple[Word, str, str]]:
        """The words all of whose records were left out, each with the reason and detail of its first."""
        by_entry: dict[int, list[Quarantined]] = {}
        for row in refused:
            by_entry.setdefault(self.words[id(row.raw)].entry.id, []).append(row)
        for entry, rows in by_entry.items():
            if len(rows) == self.spoken[entry]:
                yield self.words[id(rows[0].raw)], rows[0].reason, rows[0].detail


def _made(
    words: Sequence[Word], settings: Settings, pairs: PairSettings, *, decided: Collection[int]
) -> Outcomes:
    """The preferences that words come to, but of items that are `decided` already."""
    fed = _Fed()
    idle: list[Quarantined] = []
    for word in words:
        if word.item.id in decided:
            idle.append(left_out(word, ADJUDICATED, "an adjudicator decided the item"))
        elif word.answer.skipped:
            idle.append(skipped(word))
        for record in _compared(word, settings):
            if isinstance(record, Preference) or word.item.id not in decided:
                fed.add(record, word)
    from heedful.prepare.pairs import make_pairs  # numpy comes with it, for which no server waits

    made = make_pairs(fed.records, pairs)
    flagged, skips = _flags(words), Counter(word.item.id for word in words if word.answer.skipped)
    preferences: list[Preference] = []
    for preference in made:
        item = fed.items.get(preference.id)
        if item is None:
            preferences.append(preference)
        elif item not in decided:
            preferences.append(
                _with(preference, _of_item(preference, flagged.get(item), skips[item], settings))
            )
    idle += (
        left_out(word, *why) for word, *why in fed.unused(made.quarantined) if word.item.id not in decided
    )
    return Outcomes(preferences, len(words) - len(idle), idle)


def _compared(word: Word, settings: Settings) -> Iterator[Record]:
    """The records of a word; a ranking as a vote on each two of its responses."""
    for record in records(word, settings):
        if isinstance(record, Ranking):
            yield from pairwise(record)
        else:
            yield record


def _flags(words: Sequence[Word]) -> dict[int, Counter[str]]:
    """How often each item was flagged as what, by voters and by those who skipped it."""
    found: dict[int, Counter[str]] = {}
    for word in words:
        if word.answer.flags:
            found.setdefault(word.item.id, Counter()).update(word.answer.flags)
    return found


def _of_item(
    preference: Preference, flags: Counter[str] | None, skips: int, settings: Settings
) -> dict[str, Any]:
    """What its item's words say beside the outcome; `flags` of one vote give way to the counts of all."""
    told: dict[str, Any] = {"flags": dict(sorted(flags.items())) if flags else None}
    if preference.margin is not None:  # of votes of which a tie may have named no scale
        told[SCALE] = settings.strength
    if skips and "votes" in preference.metadata:
        told["votes"] = {**preference.metadata["votes"], "skip": skips}
    return told


def _with(preference: Preference, told: dict[str, Any]) -> Preference:
    """With these metadata, without those that are None."""
    metadata = {key: value for key, value in {**preference.metadata, **told}.items() if value is not None}
    return dataclasses.replace(preference, metadata=metadata)
