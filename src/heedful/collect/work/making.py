"""Items made of records, by the project's task: which responses stand side by side, and what is known.

Pure. A record of several responses is one item, or for the task pairwise all pairs of them. Records of one
response are items by themselves where each response is judged alone (ratings, thumbs), and are put together
by prompt where responses are compared. The responses of an item stand in an order that says nothing of which
one is thought better: candidates as they were sampled, all others by a hash of their texts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

from heedful.checks.text import folded
from heedful.collect.answer import MOST, Answer
from heedful.collect.settings import Settings
from heedful.collect.store.model import Response, Stage
from heedful.prepare.facts import name_of
from heedful.quarantine import Quarantined
from heedful.records import (
    AGREEMENT,
    ANNOTATOR,
    GENERATED_BY,
    GENERATOR,
    GENERATORS,
    GOLD,
    SCORES,
    SECONDS,
    SHOWN_FIRST,
    VERDICT,
    Candidates,
    Demonstration,
    Feedback,
    Judgement,
    Messages,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
)

LEFT_OUT = {
    "broken_text": "half of a surrogate pair: text that no page can show",
    "equal_responses": "the responses are the same but for spacing and letter forms",
    "judgement": "a vote: heedful collect import adds votes to the log",
    "no_gold": "its right answer is not known, or not one that can be given here",
    "no_response": "a prompt alone: heedful collect candidates samples responses to it",
    "one_response": "there is no other response to compare it with",
    "other_stage": "the project has the same item already, for another stage",
    "too_many_responses": f"more than {MOST} responses",
}
"""Every reason for which a record makes no item."""

# Of one vote, of one side, or kept elsewhere: nothing that an item is to carry along.
NOT_OF_ITEMS = frozenset(
    {
        AGREEMENT,
        ANNOTATOR,
        GENERATED_BY,
        GENERATOR,
        GOLD,
        SECONDS,
        SHOWN_FIRST,
        VERDICT,
        *GENERATORS,
        *SCORES,
        "at",
        "rationale",
    }
)

SIDES = ("chosen", "rejected")
COMPARING = ("pairwise", "ranking")
"""Tasks whose items need at least two responses."""


class Made(NamedTuple):
    """An item that is in no database yet; `name` is what it is to be called, "" where nothing says."""

    fingerprint: str
    name: str
    prompt: Messages
    responses: tuple[Response, ...]
    gold: Answer | None
    stage: Stage
    source: str
    metadata: dict[str, Any]


class Unit(NamedTuple):
    """Records that belong together and the items they make, at least one."""

    records: Sequence[Record]
    made: Sequence[Made]


@dataclass(slots=True)
class _Told:
    """A response with what its records tell of it.

    Attributes:
        worth: the better one's is higher; compared within one item.
        thumb: True is up.
        scores: by aspect; None where two records differ.
        digest: of its turns.
    """

    turns: Messages
    generator: str = ""
    worth: float | None = None
    thumb: bool | None = None
    scores: dict[str, float | None] = field(default_factory=dict)
    digest: str = ""


def make(records: Iterable[Record], settings: Settings, stage: Stage) -> Iterator[Unit | Quarantined]:
    """The items of records, as they are read; those of records of one response come last."""
    alone: dict[Any, list[Record]] = {}
    for place, record in enumerate(records):
        if isinstance(record, Judgement | Prompt):
            reason = "judgement" if isinstance(record, Judgement) else "no_response"
            yield left_out(record, reason, place)
        elif isinstance(record, Demonstration | Feedback | Rating):
            together = record.prompt if settings.task in COMPARING else (record.prompt, record.response)
            alone.setdefault(together, []).append(record)
        else:
            yield from _unit([record], settings, stage)
    for group in alone.values():
        yield from _unit(group, settings, stage)


def left_out(record: Record, reason: str, place: int = 0) -> Quarantined:
    """A record that makes no item, for a reason of `LEFT_OUT`."""
    return Quarantined(name_of(record, place), reason, LEFT_OUT[reason], record)


def fingerprint(prompt: Messages, responses: Iterable[Messages]) -> str:
    """Of a prompt and a set of responses in any order: what two items that are the same have in common.

    Raises:
        UnicodeEncodeError: there is half of a surrogate pair in a text.
    """
    return _fingerprint(_digest(prompt), map(_digest, responses))


def _fingerprint(prompt: str, responses: Iterable[str]) -> str:
    return hashlib.sha256("".join([prompt, *sorted(responses)]).encode()).hexdigest()


def _digest(messages: Messages) -> str:
    digest = hashlib.sha256()
    for message in messages:  # lengths, so that no text can pass for the end of another
        content = message.content.encode()
        digest.update(f"{message.role} {len(content)} ".encode() + content)
    return digest.hexdigest()


def _unit(records: Sequence[Record], settings: Settings, stage: Stage) -> Iterator[Unit | Quarantined]:
    made = _made(records, settings, stage)
    if isinstance(made, str):
        yield from (left_out(record, made) for record in records)
    else:
        yield Unit(records, made)


def _made(records: Sequence[Record], settings: Settings, stage: Stage) -> list[Made] | str:
    """The items of records of one prompt, or why there is none."""
    first = records[0]
    assert not isinstance(first, Judgement)
    given = [one for record in records for one in _told(record)]
    told = _distinct(given)
    least = 2 if settings.task in COMPARING else 1
    if len(told) < least:
        return "one_response" if len(given) < least else "equal_responses"
    if len(told) > MOST:
        return "too_many_responses"
    try:
        prompt = _digest(first.prompt)
        for one in told:
            one.digest = _digest(one.turns)
    except UnicodeEncodeError:
        return "broken_text"
    if not isinstance(first, Candidates):
        told.sort(key=lambda one: one.digest)
    known = stage != "main" or (isinstance(first, Preference) and first.metadata.get(GOLD) in SIDES)
    both_bad = first.metadata.get(VERDICT) == "both_bad"
    metadata = _metadata(records)
    n_each = 2 if settings.task == "pairwise" else len(told)
    made = []
    for places in combinations(range(len(told)), n_each):
        part = [told[place] for place in places]
        gold = _right(part, settings, both_bad) if known else None
        if stage == "gold" and gold is None:
            continue
        # Where the project mixes known answers in, those among its data are such.
        mixed_in = stage == "main" and gold is not None and settings.gold_every is not None
        item = Made(
            _fingerprint(prompt, (one.digest for one in part)),
            first.id if len(told) == n_each else _name_of_part(first.id, places),
            first.prompt,
            tuple(Response(one.turns, one.generator) for one in part),
            gold,
            "gold" if mixed_in else stage,
            first.source,
            metadata,
        )
        made.append(item)
    return made or "no_gold"


def _name_of_part(name: str, places: Sequence[int]) -> str:
    return f"{name}.{'-'.join(str(place + 1) for place in places)}" if name else ""


def _told(record: Record) -> list[_Told]:
    """The responses of a record, with what it tells of them."""
    metadata: Mapping[str, Any] = {} if isinstance(record, Judgement) else record.metadata
    if isinstance(record, Preference):
        worths = _worths(record)
        sides = (record.chosen, record.rejected)
        return [
            _Told(turns, str(metadata.get(name, "")), worth)
            for turns, name, worth in zip(sides, GENERATORS, worths, strict=True)
        ]
    if isinstance(record, Candidates | Ranking):
        names = metadata.get(GENERATED_BY)
        if not isinstance(names, list | tuple) or len(names) != len(record.responses):
            names = [""] * len(record.responses)
        ranks: Sequence[int | None] = [None] * len(names)
        if isinstance(record, Ranking):
            ranks = record.ranks
        return [
            _Told(turns, str(name), None if rank is None else -float(rank))
            for turns, name, rank in zip(record.responses, names, ranks, strict=True)
        ]
    assert isinstance(record, Demonstration | Feedback | Rating)
    generator = str(metadata.get(GENERATOR, ""))
    if isinstance(record, Feedback):
        return [_Told(record.response, generator, float(record.desirable), record.desirable)]
    if isinstance(record, Rating):
        return [_Told(record.response, generator, record.score, scores={record.aspect: record.score})]
    return [_Told(record.response, generator)]


def _worths(record: Preference) -> tuple[float, float]:
    """Of chosen and rejected, by the answer that is known to be right where the record names one."""
    right = record.metadata.get(GOLD)
    if right not in SIDES:
        if record.tie:
            return 0.0, 0.0
        right = "chosen" if record.probability is None or record.probability > 0.5 else "rejected"
    return (1.0, 0.0) if right == "chosen" else (0.0, 1.0)


def _distinct(told: Sequence[_Told]) -> list[_Told]:
    """The responses without repetition, those that are the same taken together with all that is told of them.

    What two records tell differently is not known. Ratings are compared only where all are of one aspect.
    """
    found: dict[tuple[tuple[str, str], ...], _Told] = {}
    for one in told:
        same = tuple((message.role, folded(message.content)) for message in one.turns)
        other = found.setdefault(same, one)
        if other is one:
            continue
        other.worth = other.worth if other.worth == one.worth else None
        other.thumb = other.thumb if other.thumb == one.thumb else None
        for aspect, score in one.scores.items():
            other.scores[aspect] = score if other.scores.get(aspect, score) == score else None
    if len({aspect for one in found.values() for aspect in one.scores}) > 1:
        for one in found.values():
            one.worth = None
    return list(found.values())


def _right(told: Sequence[_Told], settings: Settings, both_bad: bool) -> Answer | None:
    """The right answer as the item counts, where it is known and can be given."""
    if settings.task == "thumbs":
        thumbs = tuple(one.thumb for one in told if one.thumb is not None)
        return Answer(thumbs=thumbs) if len(thumbs) == len(told) else None
    if settings.task == "rating":
        scores = tuple(_scores(one, settings) for one in told)
        return Answer(scores=scores) if all(scores) else None
    worths = [one.worth for one in told if one.worth is not None]
    if len(worths) < len(told):
        return None
    if settings.task == "ranking":
        steps = sorted(set(worths), reverse=True)
        return Answer(ranks=tuple(steps.index(worth) + 1 for worth in worths))
    if worths[0] != worths[1]:
        return Answer(verdict="a" if worths[0] > worths[1] else "b")
    if both_bad:
        return Answer(verdict="both_bad") if settings.both_bad else None
    return Answer(verdict="tie") if settings.tie else None


def _scores(told: _Told, settings: Settings) -> dict[str, int]:
    """The scores that can be given here."""
    return {
        aspect: int(score)
        for aspect, score in told.scores.items()
        if score is not None and aspect in settings.aspects and score in range(1, settings.points + 1)
    }


def _metadata(records: Sequence[Record]) -> dict[str, Any]:
    """What all the records say alike of the item, as JSON has it."""
    told = [record.metadata for record in records if not isinstance(record, Judgement)]
    alike = {
        key: value
        for key, value in told[0].items()
        if key not in NOT_OF_ITEMS and all(key in other and other[key] == value for other in told[1:])
    }
    if not alike:
        return {}
    plain: dict[str, Any] = json.loads(json.dumps(alike, default=str), parse_constant=lambda _: None)
    return plain
