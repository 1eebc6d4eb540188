"""Who said what about which two responses: votes gathered from the records that hold them.

A vote is a `Preference` whose metadata name an annotator, or a `Judgement` together with the record that it
judges: a preference, or candidates or a ranking of two responses, among the same records, whose id is the
judgement's item (its chosen or first response is "a"). Votes on one prompt and the same two responses are of
one item, whichever way round each shows them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from heedful.prepare.ledger import Ledger
from heedful.records import (
    ANNOTATOR,
    EVEN,
    GENERATORS,
    GOLD,
    SCORES,
    SECONDS,
    SHOWN_FIRST,
    VERDICT,
    Candidates,
    Judgement,
    Messages,
    Preference,
    Ranking,
    Verdict,
)

SIDES = {"chosen": "rejected", "rejected": "chosen"}
OTHER_WAY_ROUND: dict[Verdict, Verdict] = {"a": "b", "b": "a"}
OF_A_SIDE = (GENERATORS, SCORES)  # metadata that change places when the sides do
NAMES_A_SIDE = (SHOWN_FIRST, GOLD)  # metadata whose value is a side
OF_ONE_VOTE = frozenset({ANNOTATOR, SHOWN_FIRST, VERDICT, SECONDS, "rationale", "at"})


@dataclass(slots=True)
class Vote:
    """One annotator's word on an item.

    Attributes:
        place: of its record among all.
        annotator: who; "" where the record does not say.
        verdict: of the item's two responses, a is the first.
        share: how much of the vote goes to the first: 1, 0, 0.5 for a tie, a soft label in between.
        margin: how much better, where the record says.
        metadata: with sides as the item has them.
    """

    place: int
    annotator: str
    verdict: Verdict
    share: float
    margin: float | None
    metadata: Mapping[str, Any]


@dataclass(slots=True)
class Item:
    """Two responses to a prompt that people were asked to compare.

    Attributes:
        places: of the records that show it to be judged; none where the votes are preferences themselves.
        metadata: of those records, or None.
        skipped: how many declined to vote.
    """

    id: str
    source: str
    prompt: Messages
    first: Messages
    second: Messages
    places: list[int] = field(default_factory=list)
    metadata: Mapping[str, Any] | None = None
    votes: list[Vote] = field(default_factory=list)
    skipped: int = 0

    @property
    def all_places(self) -> list[int]:
        """Of every record that has to do with the item and counts."""
        return [*self.places, *(vote.place for vote in self.votes)]

    def known(self) -> dict[str, Any]:
        """The metadata of the item itself: what its record says, or what all its votes say alike."""
        if self.metadata is not None:
            return {key: value for key, value in self.metadata.items() if key not in OF_ONE_VOTE}
        said = Counter(key for vote in self.votes for key in vote.metadata)
        return {
            key: value
            for key, value in self.votes[0].metadata.items()
            if key not in OF_ONE_VOTE
            and said[key] == len(self.votes)
            and all(vote.metadata[key] == value for vote in self.votes)
        }


Key = tuple[Messages, frozenset[Messages]]


def is_vote(record: Preference) -> bool:
    """Whether a preference is one person's vote, rather than the outcome of some."""
    return bool(record.metadata.get(ANNOTATOR))


def gather(ledger: Ledger, judgements: Sequence[int], votes: Iterable[int]) -> list[Item]:
    """The items, in order of appearance, each with its votes; of two by one annotator the later counts.

    Args:
        judgements: places of the judgements.
        votes: places of the preferences that are votes.
    """
    items: dict[Key, Item] = {}
    of_id = _judged_items(ledger, judgements, items)
    for place in votes:
        _add_preference(ledger, place, items)
    for place in judgements:
        _add_judgement(ledger, place, of_id)
    for item in items.values():
        _keep_last(ledger, item)
    return list(items.values())


def judged(ledger: Ledger, judgements: Iterable[int]) -> dict[str, list[int]]:
    """The places of the records that are judged, by id: they show an item and say nothing of it."""
    names = {_judgement(ledger, place).item for place in judgements}
    found: dict[str, list[int]] = {}
    if names:
        for place, record in enumerate(ledger.records):
            if not isinstance(record, Judgement) and record.id in names and _sides(record) is not None:
                found.setdefault(record.id, []).append(place)
    return found


def turned(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of the same pair with its sides changed over."""
    swapped = {name: other for pair in OF_A_SIDE for name, other in (pair, pair[::-1])}
    result = {swapped.get(key, key): value for key, value in metadata.items()}
    for name in NAMES_A_SIDE:
        if result.get(name) in SIDES:
            result[name] = SIDES[result[name]]
    return result


@dataclass(frozen=True, slots=True)
class _Judged:
    """An item as the record with its id shows it: `straight` where a is the item's first response."""

    item: Item
    straight: bool


def preferences_of(ledger: Ledger, items: Iterable[Item]) -> Iterator[tuple[Preference, list[int]]]:
    """Each vote as a preference of its annotator, and the places of its records."""
    for item in items:
        if not item.votes:
            ledger.leave(item.places, "no_vote", "everyone skipped the item")
        for vote in item.votes:
            told = {**item.known(), **vote.metadata}
            shown_second = told.get(SHOWN_FIRST) == "rejected"
            straight = vote.share > EVEN or (vote.share == EVEN and not shown_second)
            if vote.verdict == "both_bad":
                told[VERDICT] = vote.verdict
            likely = max(vote.share, 1 - vote.share)
            sides = (item.first, item.second) if straight else (item.second, item.first)
            preference = Preference(
                item.prompt,
                *sides,
                margin=vote.margin,
                probability=likely if likely < 1 else None,
                id=f"{item.id} by {vote.annotator}",
                source=item.source,
                metadata=told if straight else turned(told),
            )
            yield preference, [*item.places, vote.place]


def _judged_items(
    ledger: Ledger, judgements: Sequence[int], items: dict[Key, Item]
) -> dict[str, _Judged | None]:
    """The items judged, by id; None where several records have the id: it cannot be told which is meant."""
    found: dict[str, _Judged | None] = {}
    for name, places in judged(ledger, judgements).items():
        if len(places) > 1:
            found[name] = None
            ledger.leave(places, "ambiguous_item")
            continue
        record = ledger.records[places[0]]
        assert isinstance(record, Preference | Ranking | Candidates)
        sides = _sides(record)
        assert sides is not None
        item = _item_of(items, record, *sides)
        straight = item.first == sides[0]
        item.places.append(places[0])
        item.metadata = record.metadata if straight else turned(record.metadata)
        found[name] = _Judged(item, straight)
    return found


def _sides(record: object) -> tuple[Messages, Messages] | None:
    if isinstance(record, Preference):
        return record.chosen, record.rejected
    if isinstance(record, Ranking | Candidates) and len(record.responses) == 2:
        return record.responses[0], record.responses[1]
    return None


def _item_of(
    items: dict[Key, Item], record: Preference | Ranking | Candidates, first: Messages, second: Messages
) -> Item:
    key = (record.prompt, frozenset((first, second)))
    if key not in items:
        items[key] = Item(record.id, record.source, record.prompt, first, second)
    return items[key]


def _add_preference(ledger: Ledger, place: int, items: dict[Key, Item]) -> None:
    record = ledger.records[place]
    assert isinstance(record, Preference)
    shown_second = record.metadata.get(SHOWN_FIRST) == "rejected"
    sides = (record.rejected, record.chosen) if shown_second else (record.chosen, record.rejected)
    item = _item_of(items, record, *sides)
    straight = item.first == record.chosen
    chosen = 1.0 if record.probability is None else record.probability
    if record.tie:
        verdict: Verdict = "both_bad" if record.metadata.get(VERDICT) == "both_bad" else "tie"
    else:
        verdict = "a" if (chosen > EVEN) == straight else "b"
    metadata = dict(record.metadata) if straight else turned(record.metadata)
    annotator = str(record.metadata.get(ANNOTATOR, ""))
    share = chosen if straight else 1 - chosen
    item.votes.append(Vote(place, annotator, verdict, share, record.margin, metadata))


def _add_judgement(ledger: Ledger, place: int, of_id: Mapping[str, _Judged | None]) -> None:
    record = _judgement(ledger, place)
    judged = of_id.get(record.item)
    if judged is None:
        ledger.leave([place], "ambiguous_item" if record.item in of_id else "unknown_item")
    elif record.verdict == "skip":
        judged.item.skipped += 1
        ledger.leave([place], "no_vote", "the annotator skipped the item")
    else:
        verdict: Verdict = record.verdict
        said = _said(record)
        if not judged.straight:
            verdict, said = OTHER_WAY_ROUND.get(verdict, verdict), turned(said)
        margin = None if record.strength is None else float(abs(record.strength))
        share = {"a": 1.0, "b": 0.0}.get(verdict, EVEN)
        judged.item.votes.append(Vote(place, record.annotator, verdict, share, margin, said))


def _judgement(ledger: Ledger, place: int) -> Judgement:
    record = ledger.records[place]
    assert isinstance(record, Judgement)
    return record


def _said(record: Judgement) -> dict[str, Any]:
    """A judgement's details as the metadata of a vote."""
    said: dict[str, Any] = {ANNOTATOR: record.annotator}
    if record.shown_order:
        said[SHOWN_FIRST] = "chosen" if record.shown_order[0] == "a" else "rejected"
    if record.seconds is not None:
        said[SECONDS] = record.seconds
    if record.rationale:
        said["rationale"] = record.rationale
    if record.at is not None:
        said["at"] = record.at.isoformat()
    return said


def _keep_last(ledger: Ledger, item: Item) -> None:
    """Of several votes by one annotator on one item the last: the others were corrected by it."""
    last = {vote.annotator: vote.place for vote in item.votes if vote.annotator}
    if len(last) == len(item.votes):
        return
    kept: list[Vote] = []
    for vote in item.votes:
        if last.get(vote.annotator, vote.place) == vote.place:
            kept.append(vote)
        else:
            ledger.leave([vote.place], "superseded")
    item.votes = kept
