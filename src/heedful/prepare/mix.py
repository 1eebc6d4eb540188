"""One set of records from several sources: at most so many of a source and of a prompt, and in what shares.

What is taken is drawn by lot (`order`), so that neither the order of the files nor that of their rows
matters; the mix comes in the order of the lot, its sources among one another. Nothing is taken twice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from heedful.checks.sameness import messages_hash
from heedful.checks.text import responses_of, text_of
from heedful.errors import DataError
from heedful.prepare.facts import name_of, prompt_of, source_of
from heedful.prepare.order import prompt_text, rank
from heedful.quarantine import Kept, Quarantined
from heedful.records import ANNOTATOR, Judgement, Record

RecordT = TypeVar("RecordT", bound=Record)


def mix(
    records: Sequence[RecordT],
    *,
    caps: Mapping[str, int] | None = None,
    weights: Mapping[str, float] | None = None,
    per_prompt: int | None = None,
    seed: int = 0,
) -> Kept[RecordT]:
    """Mix records by their `source`; those not taken are `prompt_cap`, `source_cap` or `weight`.

    Args:
        caps: the most records to take of a source; without one, all.
        weights: how the sources that have one share the mix between them: of {"a": 3, "b": 1} three quarters
            are a's, and as many as the scarcer source allows. A source without a weight is taken whole.
        per_prompt: the most records to take of one prompt (after folding), whatever their source.
        seed: of the lot.

    Raises:
        DataError: a cap or weight is of a source that no record has, or is not over 0.
    """
    caps, weights = caps or {}, weights or {}
    _check(records, caps, weights, per_prompt)
    order = sorted(range(len(records)), key=lambda place: (rank(_text(records[place]), seed), place))
    left_out: dict[int, Quarantined] = {}

    def leave(place: int, reason: str, detail: str) -> None:
        record = records[place]
        left_out[place] = Quarantined(name_of(record, place), reason, detail, record)

    prompts: Counter[int] = Counter()
    sources: Counter[str] = Counter()
    for place in order:
        prompt, source = messages_hash(prompt_of(records[place])), source_of(records[place])
        if per_prompt is not None and prompts[prompt] >= per_prompt:
            leave(place, "prompt_cap", f"{per_prompt} records of the prompt were taken")
        elif sources[source] >= caps.get(source, math.inf):
            leave(place, "source_cap", f'{caps[source]} records of "{source}" were taken')
        else:
            prompts[prompt] += 1
            sources[source] += 1
    quotas, taken = _quotas(sources, weights), Counter[str]()
    for place in order:
        source = source_of(records[place])
        if place in left_out:
            continue
        taken[source] += 1
        if taken[source] > quotas.get(source, math.inf):
            leave(place, "weight", f'{quotas[source]} records of "{source}" are its share')
    return Kept([records[place] for place in order if place not in left_out], list(left_out.values()))


def _text(record: Record) -> str:
    """What the lot goes by: not the id, which is often the number of the row."""
    by = record.annotator if isinstance(record, Judgement) else str(record.metadata.get(ANNOTATOR, ""))
    return "\x1d".join([by, prompt_text(prompt_of(record)), *map(text_of, responses_of(record))])


def _quotas(available: Mapping[str, int], weights: Mapping[str, float]) -> dict[str, int]:
    """How many of each weighted source: the most that keep the shares."""
    if not weights:
        return {}
    unit = min(available[source] / weight for source, weight in weights.items())
    return {source: round(unit * weight) for source, weight in weights.items()}


def _check(
    records: Sequence[Record], caps: Mapping[str, int], weights: Mapping[str, float], per_prompt: int | None
) -> None:
    known = {source_of(record) for record in records}
    for what, numbers in (("cap", caps), ("weight", weights)):
        if missing := numbers.keys() - known:
            mend = f"Sources: {', '.join(sorted(known))}."
            raise DataError(f'no record is of the source "{min(missing)}", which has a {what}.', mend=mend)
        for source, number in numbers.items():
            if not 0 < number < math.inf:
                raise DataError(f'the {what} of "{source}" must be over 0, and is {number:g}.')
    if per_prompt is not None and per_prompt < 1:
        raise DataError(f"at least one record of a prompt must be taken, not {per_prompt}.")
