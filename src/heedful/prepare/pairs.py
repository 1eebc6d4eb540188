"""Preferences from whatever feedback there is: ratings, rankings, thumbs and the votes of several annotators.

Sorts records by what they are, hands each kind to the file that knows it, and keeps the policies for ties and
for two bad responses. Every record that goes in is used for a preference or quarantined with a reason, which
`ledger` takes down.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from heedful import formats
from heedful.prepare.aggregate import aggregate
from heedful.prepare.feedback import Thumbs, both_down, from_ranking, from_ratings, from_thumbs, gather_thumbs
from heedful.prepare.ledger import Ledger, Pairs, Progress
from heedful.prepare.pair_settings import PairSettings
from heedful.prepare.votes import gather, is_vote, judged, preferences_of
from heedful.quarantine import Kept
from heedful.records import (
    VERDICT,
    Candidates,
    Demonstration,
    Feedback,
    Judgement,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
)


def pairs(records: Iterable[Record] | str | os.PathLike[str], **settings: Any) -> Pairs:
    """Preferences from feedback of any kind.

        made = heedful.pairs("ratings.jsonl", mode="best-worst", tie_epsilon=0.5)
        print(made.counts, len(made))

    Ratings and thumbs are compared with others of their prompt, those of one response taken together (their
    mean; most thumbs); a ranking within itself. Preferences go through. A judgement is a vote on
    the preference, or the candidates or ranking of two responses, whose id it names; that record says nothing
    itself. What cannot be compared is quarantined with a reason of `ledger.LEFT_OUT`.

    Args:
        records: a file's path, or records; what a `Kept` left out is counted here too.
        settings: the attributes of `PairSettings`.

    Raises:
        DataError: the file cannot be read, or the ratings are of several aspects and none is chosen.
    """
    given = formats.read(records) if isinstance(records, str | os.PathLike) else records
    return make_pairs(given, PairSettings(**settings))


def make_pairs(records: Iterable[Record], settings: PairSettings, progress: Progress | None = None) -> Pairs:
    """As `pairs`, with settings in hand; `progress` is told now and then how many records were used."""
    before = records.quarantined if isinstance(records, Kept) else ()
    ledger = Ledger(list(records), progress)
    places: dict[type, list[int]] = {}
    for place, record in enumerate(ledger.records):
        places.setdefault(type(record), []).append(place)
    judgements = places.get(Judgement, [])
    carriers = {place for of_one_id in judged(ledger, judgements).values() for place in of_one_id}

    def of(kind: type) -> list[int]:
        return [place for place in places.get(kind, []) if place not in carriers]

    thumbs = gather_thumbs(ledger, of(Feedback))
    for preference, its_places in _preferences(ledger, of(Preference), judgements, settings):
        _admit(ledger, preference, its_places, thumbs, settings)
    from_ratings(ledger, of(Rating), settings)
    from_thumbs(ledger, thumbs, settings)
    for place in of(Ranking):
        from_ranking(ledger, place, settings)
    for kind in (Prompt, Candidates, Demonstration):
        ledger.leave(of(kind), "no_comparison")
    return ledger.close(before)


def _preferences(
    ledger: Ledger, places: Sequence[int], judgements: Sequence[int], settings: PairSettings
) -> Iterator[tuple[Preference, list[int]]]:
    """What is a preference already, and what votes come to, with the places of the records behind each."""
    records: list[tuple[int, Preference]] = []
    votes: list[int] = []
    for place in places:
        record = ledger.records[place]
        assert isinstance(record, Preference)
        if settings.aggregate is not None and is_vote(record):
            votes.append(place)
        else:
            records.append((place, record))
    items = gather(ledger, judgements, votes)
    yield from ((record, [place]) for place, record in records)
    if settings.aggregate is None:
        yield from preferences_of(ledger, items)
    else:
        yield from aggregate(ledger, items, settings.aggregate)


def _admit(
    ledger: Ledger,
    preference: Preference,
    places: list[int],
    thumbs: Thumbs,
    settings: PairSettings,
) -> None:
    """Make the preference, or do with a tie and with two bad responses what the settings say."""
    both_bad = preference.tie and preference.metadata.get(VERDICT) == "both_bad"
    if both_bad and settings.both_bad == "drop":
        ledger.leave(places, "both_bad")
    elif both_bad and settings.both_bad == "thumbs":
        both_down(thumbs, preference, places)
    elif preference.tie and settings.ties == "drop":
        ledger.leave(places, "tie")
    else:
        ledger.make(preference, places)
