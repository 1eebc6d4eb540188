"""What people said elsewhere, taken out of records: who said what of which responses, and how it was shown.

Votes on pairs and rankings are one record each; ratings and thumbs of one person on several responses to a
prompt belong together. Records that say nothing of who judged, or that answer another task than the
project's, are left out with a reason. Knows no database.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from heedful.checks.text import folded, text_of
from heedful.collect.answer import Answer
from heedful.collect.exchange.as_records import SCALE, SHOWN, pairwise
from heedful.collect.settings import Settings
from heedful.collect.work.making import fingerprint
from heedful.collect.work.rules import STRONGEST
from heedful.prepare.facts import name_of
from heedful.prepare.pair_settings import PairSettings
from heedful.prepare.pairs import make_pairs
from heedful.prepare.votes import turned
from heedful.quarantine import Quarantined
from heedful.records import (
    ANNOTATOR,
    EVEN,
    GENERATED_BY,
    GENERATOR,
    SECONDS,
    SHOWN_FIRST,
    VERDICT,
    Candidates,
    Feedback,
    Judgement,
    Messages,
    Preference,
    Ranking,
    Rating,
    Record,
)

LEFT_OUT = {
    "bad_value": "an answer that nothing here can hold",
    "equal_responses": "two of the responses are the same but for spacing and letter forms",
    "missing_aspect": "the person did not rate the response by every aspect of the project",
    "no_annotator": "the record does not say who judged",
    "not_a_vote": "the record says nothing that somebody judged",
    "other_aspect": "a rating by an aspect that the project does not ask for",
    "other_task": "an answer to another task than the project's",
}
"""Reasons for which a record gives no vote, beside those of `heedful.pairs` for judgements."""

TIMES = ("at", "created_at")  # metadata that say when somebody voted, the first there is
LISTED = "items"  # metadata of a tool's ranking, whose responses stand in the order in which they were shown
BESIDE = ("other_results", "answers")  # metadata that hold a person's answers to a tool's other questions
OF_A_VOTE = frozenset(
    {*TIMES, *BESIDE, LISTED, SHOWN, SCALE, "flags", "ground_truth", "question", "ties_lost", "updated_at"}
)
"""Metadata that a tool keeps with a vote, and that are nothing of the item."""


@dataclass(frozen=True, slots=True)
class Given:
    """One person's answer.

    Attributes:
        asked: what the item is made of, if it is not there yet.
        mark: the item's fingerprint.
        responses: in the order in which the answer counts them.
        shown: which of them stood in each place; empty where that is not known.
        at: when, where that is known.
        lost: what was said and cannot be kept.
        records: that say it.
    """

    asked: Record
    mark: str
    responses: tuple[Messages, ...]
    annotator: str
    answer: Answer
    shown: tuple[int, ...]
    seconds: float | None
    at: datetime | None
    lost: tuple[str, ...]
    records: tuple[Record, ...]


def given(records: Sequence[Record], settings: Settings) -> Iterator[Given | Quarantined]:
    """Everybody's answers, and the records that hold none."""
    if settings.task in ("pairwise", "ranking"):
        yield from _comparisons(records, settings)
    else:
        yield from _of_responses(records, settings)


def left(record: Record, reason: str, detail: str = "") -> Quarantined:
    return Quarantined(name_of(record, 0), reason, detail or LEFT_OUT[reason], record)


def _comparisons(records: Sequence[Record], settings: Settings) -> Iterator[Given | Quarantined]:
    """Of preferences, of judgements with the candidates they are about, and of rankings."""
    pairs: list[Record] = []
    asked: dict[str, Record] = {}
    for record in records:
        if isinstance(record, Preference | Judgement):
            pairs.append(record)
        elif isinstance(record, Candidates):
            pairs.append(record)
            asked.setdefault(fingerprint(record.prompt, record.responses), record)
        elif isinstance(record, Ranking) and settings.task == "ranking":
            yield _ranked(record)
        elif isinstance(record, Ranking) and len(record.responses) == 2:
            pairs += pairwise(record)
        else:
            yield left(record, _why_not(record))
    made = make_pairs(pairs, PairSettings())
    yield from made.quarantined
    for preference in made:
        found = _compared(preference, settings)
        if isinstance(found, Given) and found.mark in asked:
            found = dataclasses.replace(found, asked=asked[found.mark])
        yield found


def _compared(preference: Preference, settings: Settings) -> Given | Quarantined:
    """A vote on a pair; where rankings are asked for, as a ranking of two."""
    if preference.probability is not None and preference.probability < EVEN:
        preference = dataclasses.replace(
            preference,
            chosen=preference.rejected,
            rejected=preference.chosen,
            probability=1 - preference.probability,
            metadata=turned(preference.metadata),
        )
    answer: dict[str, Any] = {}
    if settings.task == "ranking":
        answer["ranks"] = (1, 1) if preference.tie else (1, 2)
    elif preference.tie:
        answer["verdict"] = "both_bad" if preference.metadata.get(VERDICT) == "both_bad" else "tie"
    else:
        answer["verdict"] = "a"
    strength = _strength(preference, settings)
    if strength is not None:
        answer["strength"] = strength
    lost = ["strength"] if preference.margin is not None and strength is None else []
    shown = {"chosen": (0, 1), "rejected": (1, 0)}.get(str(preference.metadata.get(SHOWN_FIRST)), ())
    return _given((preference,), (preference.chosen, preference.rejected), answer, shown, lost)


def _strength(preference: Preference, settings: Settings) -> int | None:
    """How much better, where that is said on the project's own scale."""
    scale, margin = settings.strength, preference.margin
    if scale is None or margin is None or settings.task != "pairwise":
        return None
    steps = range(1, STRONGEST[scale] + 1) if not preference.tie else range(1)
    ours = preference.metadata.get(SCALE, scale) == scale and margin in steps
    return int(margin) if ours else None


def _ranked(ranking: Ranking) -> Given | Quarantined:
    places = tuple(range(len(ranking.responses)))
    said = ranking.metadata.get(SHOWN)
    if isinstance(said, list) and all(isinstance(place, int) for place in said):
        shown = tuple(said) if tuple(sorted(said)) == places else ()
    else:
        shown = places if LISTED in ranking.metadata else ()
    lost = ["ties"] if ranking.metadata.get("ties_lost") else []
    return _given((ranking,), ranking.responses, {"ranks": ranking.ranks}, shown, lost)


def _of_responses(records: Sequence[Record], settings: Settings) -> Iterator[Given | Quarantined]:
    """Of ratings and thumbs: what one person said of the responses to a prompt at one time."""
    kind = Rating if settings.task == "rating" else Feedback
    groups: dict[tuple[Messages, str, str], list[Rating | Feedback]] = {}
    for record in records:
        if not isinstance(record, kind):
            yield left(record, _why_not(record))
        elif isinstance(record, Rating) and record.aspect not in settings.aspects:
            yield left(record, "other_aspect")
        elif isinstance(record, Rating) and record.score not in range(1, settings.points + 1):
            yield left(record, "bad_value", f"{record.score:g} is no score from 1 to {settings.points}")
        else:
            together = record.id.rpartition(".")[0] or record.id
            groups.setdefault((record.prompt, _annotator(record), together), []).append(record)
    for (_, _, together), group in groups.items():
        yield from _of_one_item(group, together, settings)


def _of_one_item(
    group: Sequence[Rating | Feedback], name: str, settings: Settings
) -> Iterator[Given | Quarantined]:
    first = group[0]
    said: dict[Messages, dict[str, Any]] = {}
    writers: dict[Messages, str] = {}
    for record in group:
        about = said.setdefault(record.response, {})
        writers.setdefault(record.response, str(record.metadata.get(GENERATOR, "")))
        if isinstance(record, Rating):
            about[record.aspect] = int(record.score)
        else:
            about["up"] = record.desirable
    if settings.task == "rating" and any(len(about) < len(settings.aspects) for about in said.values()):
        yield from (left(record, "missing_aspect") for record in group)
        return
    answer: dict[str, Any] = (
        {"scores": tuple(said.values())}
        if settings.task == "rating"
        else {"thumbs": tuple(about["up"] for about in said.values())}
    )
    metadata = dict(first.metadata)
    if any(writers.values()):
        metadata[GENERATED_BY] = list(writers.values())
    asked = Candidates(first.prompt, tuple(said), name, first.source, metadata)
    found = _given(group, tuple(said), answer, (), [], asked)
    if isinstance(found, Given):
        yield found
    else:
        yield from (left(record, found.reason, found.detail) for record in group)


def _given(
    records: Sequence[Preference | Ranking | Rating | Feedback],
    responses: Sequence[Messages],
    answer: Mapping[str, Any],
    shown: Sequence[int],
    lost: Sequence[str],
    asked: Candidates | None = None,
) -> Given | Quarantined:
    first = records[0]
    annotator = _annotator(first)
    if not annotator:
        return left(first, "no_annotator")
    if len(responses) > 2 and len({folded(text_of(response)) for response in responses}) < len(responses):
        return left(first, "equal_responses")
    metadata = first.metadata
    told = {"rationale": metadata.get("rationale", ""), "flags": metadata.get("flags", ())}
    try:
        made = Answer.model_validate({**answer, **told})
    except ValidationError as error:
        what = error.errors()[0]
        return left(first, "bad_value", f"{'.'.join(map(str, what['loc']))}: {what['msg']}")
    shape = asked if asked is not None else first
    assert isinstance(shape, Candidates | Preference | Ranking)
    others = ["other answers"] if any(name in metadata for name in BESIDE) else []
    return Given(
        dataclasses.replace(
            shape,
            id=_without(shape.id, annotator),
            metadata={key: value for key, value in shape.metadata.items() if key not in OF_A_VOTE},
        ),
        fingerprint(first.prompt, responses),
        tuple(responses),
        annotator,
        made,
        tuple(shown),
        _seconds(metadata),
        _time(metadata),
        (*lost, *others),
        tuple(records),
    )


def _why_not(record: Record) -> str:
    judged = isinstance(record, Preference | Ranking | Rating | Feedback | Judgement)
    return "other_task" if judged else "not_a_vote"


def _annotator(record: Preference | Ranking | Rating | Feedback) -> str:
    return str(record.metadata.get(ANNOTATOR, "")).strip()


def _without(name: str, annotator: str) -> str:
    """An item's name, of that of one person's record: `r1` of `r1.ann`, `r1.rating` of `r1.ann.rating`."""
    parts = name.removesuffix(f" by {annotator}").removesuffix(f".{annotator}")
    return parts.replace(f".{annotator}.", ".", 1)


def _seconds(metadata: Mapping[str, Any]) -> float | None:
    took = metadata.get(SECONDS)
    return float(took) if isinstance(took, int | float) and math.isfinite(took) and took >= 0 else None


def _time(metadata: Mapping[str, Any]) -> datetime | None:
    """When it was said, in UTC where no zone is named; None where that is not told in a way that is known."""
    said = next((metadata[name] for name in TIMES if isinstance(metadata.get(name), str)), None)
    if said is None:
        return None
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
