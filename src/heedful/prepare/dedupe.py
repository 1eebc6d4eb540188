"""Records without their duplicates: the very same, and those that are almost the same.

A record is its prompt and responses (of a preference the two in any order) and, where it is one person's
vote, the annotator; `checks.sameness` says when two are the same. Two that say the opposite of one pair are a
contradiction: one of them is wrong and nothing in them says which.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Literal, NamedTuple, TypeVar

from heedful.checks.near import NEAR, NearIndex, Progress, jaccard, normalised
from heedful.checks.sameness import Said, said
from heedful.checks.text import responses_of, text_of
from heedful.prepare.facts import name_of
from heedful.quarantine import Kept, Quarantined
from heedful.records import ANNOTATOR, Candidates, Feedback, Judgement, Preference, Ranking, Rating, Record

RecordT = TypeVar("RecordT", bound=Record)

Contradictions = Literal["keep_first", "drop_both", "report"]


class Deduped(Kept[RecordT]):
    """The records that are left; those taken out are `duplicate`, `near_duplicate` or `contradiction`.

    Attributes:
        contradictions: records that say the opposite of an earlier one, whether they were taken out or not.
    """

    def __init__(self, kept: Sequence[RecordT], left_out: Sequence[Quarantined], contradictions: int) -> None:
        super().__init__(kept, left_out)
        self.contradictions = contradictions


def dedupe(
    records: Sequence[RecordT],
    *,
    near: float | None = NEAR,
    contradictions: Contradictions = "report",
    progress: Progress | None = None,
) -> Deduped[RecordT]:
    """Keep the first of each set of duplicates.

    Args:
        near: records that say the same of prompts and responses which all have at least this Jaccard
            similarity (see `checks.near`) are duplicates too; None where only the very same are.
        contradictions: of two opposite records keep the first, neither (`drop_both`), or both and only count
            them (`report`).
        progress: told how many of the records are hashed.
    """
    left_out: dict[int, Quarantined] = {}
    clashes = _exact(records, contradictions, left_out)
    if near is not None:
        _near(records, near, left_out, progress)
    kept = [record for place, record in enumerate(records) if place not in left_out]
    return Deduped(kept, [left_out[place] for place in sorted(left_out)], clashes)


def _exact(records: Sequence[Record], policy: Contradictions, left_out: dict[int, Quarantined]) -> int:
    """Leave out duplicates and, as the policy says, contradictions, of which it says how many there are."""
    firsts: dict[Said, int] = {}
    clashes = 0
    for place, record in enumerate(records):
        found = said(record)
        twin = firsts.setdefault(found, place)
        opposite = firsts.get(found._replace(verdict=-found.verdict)) if found.verdict else None
        clashes += opposite is not None
        if opposite is not None and (policy == "drop_both" or (policy == "keep_first" and opposite < twin)):
            left_out[place] = _opposite(record, place, records[opposite], opposite)
            if policy == "drop_both" and opposite not in left_out:
                left_out[opposite] = _opposite(records[opposite], opposite, record, place)
        elif twin != place:
            detail = f"the same prompt and responses as {name_of(records[twin], twin)}"
            left_out[place] = Quarantined(name_of(record, place), "duplicate", detail, record)
    return clashes


def _opposite(record: Record, place: int, other: Record, at: int) -> Quarantined:
    detail = f"says the opposite of {name_of(other, at)} about the same responses"
    return Quarantined(name_of(record, place), "contradiction", detail, record)


class _Parts(NamedTuple):
    """What of two records must be the same, and which texts near, one by one."""

    same: tuple[Hashable, ...]
    texts: list[str]


def _parts(record: Record) -> _Parts:
    assert not isinstance(record, Judgement)
    same: tuple[Hashable, ...] = (type(record).__name__, str(record.metadata.get(ANNOTATOR)))
    responses = [normalised(text_of(response)) for response in responses_of(record)]
    if isinstance(record, Rating):
        same += (record.aspect, record.score)
    elif isinstance(record, Feedback):
        same += (record.desirable,)
    elif isinstance(record, Preference):
        same += (record.tie,)
        responses = sorted(responses) if record.tie else responses
    elif isinstance(record, Ranking):
        ranked = sorted(zip(record.ranks, responses, strict=True))
        same += tuple(rank for rank, _ in ranked)
        responses = [text for _, text in ranked]
    elif isinstance(record, Candidates):
        responses = sorted(responses)
    return _Parts(same, [normalised(text_of(record.prompt)), *responses])


def _near(
    records: Sequence[Record], near: float, left_out: dict[int, Quarantined], progress: Progress | None
) -> None:
    """Leave out all but the first of each group of records that are near one another."""
    comparable: dict[tuple[Hashable, ...], list[int]] = {}
    for place, record in enumerate(records):
        # Of a judgement there is only the name of an item, and items of near names are different ones.
        if place not in left_out and not isinstance(record, Judgement):
            comparable.setdefault(_parts(record).same, []).append(place)
    done, total = 0, sum(map(len, comparable.values()))
    for places in comparable.values():
        told = None if progress is None else partial(_told, progress, done, total)
        for place, first in _near_firsts(records, places, near, told):
            detail = f"prompt and responses are almost those of {name_of(records[first], first)}"
            name = name_of(records[place], place)
            left_out[place] = Quarantined(name, "near_duplicate", detail, records[place])
        done += len(places)


def _told(progress: Progress, before: int, total: int, done: int, _: int) -> None:
    progress(before + done, total)


def _near_firsts(
    records: Sequence[Record], places: Sequence[int], near: float, progress: Progress | None
) -> list[tuple[int, int]]:
    """Each place whose record is near an earlier one, with the first of its group."""
    index = NearIndex(near)
    for place in places:
        index.add("\n".join(_parts(records[place]).texts))  # no normalised text has a line's end

    def agree(left: int, right: int) -> bool:
        texts = (_parts(records[places[number]]).texts for number in (left, right))
        return all(jaccard(one, other) >= near for one, other in zip(*texts, strict=True))

    groups = index.groups(agree=agree, progress=progress).tolist()
    return [(places[number], places[group]) for number, group in enumerate(groups) if number != group]
