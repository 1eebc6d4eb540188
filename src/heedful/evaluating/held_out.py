"""The held-out records that a model is judged by, and what was left out on the way to them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from heedful import formats
from heedful.errors import DataError
from heedful.quarantine import Kept, Quarantined
from heedful.records import Demonstration, Messages, Preference, Prompt, Ranking, Rating, Record
from heedful.training.reading import without_ties

Held = Sequence[Preference | Demonstration | Prompt]
Data = Sequence[Record] | str | os.PathLike[str]

# What a policy and what a reward model can be judged by.
POLICY_JUDGES = (Preference, Demonstration, Prompt)
REWARD_JUDGES = (Preference, Ranking, Rating)


def held_out(data: Data, kinds: tuple[type[Record], ...] = POLICY_JUDGES) -> Kept[Any]:
    """The records of `data` that a model can be judged by, and what was left out on the way.

    Args:
        kinds: of record: `POLICY_JUDGES`, or `REWARD_JUDGES` for a reward model.

    Raises:
        DataError: none is of these kinds, or the file cannot be read.
    """
    records: Any = formats.read(data) if isinstance(data, str | os.PathLike) else data
    wanted = " and no ".join(kind.__name__.lower() for kind in kinds)
    others = [
        Quarantined(record.id, "other_kind", f"a {type(record).__name__.lower()} is no {wanted}", record)
        for record in records
        if not isinstance(record, kinds)
    ]
    usable = Kept([record for record in records if isinstance(record, kinds)])
    if kinds == POLICY_JUDGES:  # what a reward model scores alike may be a tie; a policy has to take a side
        (usable,) = without_ties(usable)
    before = records.quarantined if isinstance(records, Kept) else []
    kept = Kept(usable, [*before, *others, *usable.quarantined])
    if not usable:
        raise DataError(f"there is no {wanted} to evaluate on ({kept.counts}).")
    return kept


def prompts_of(records: Held, most: int) -> list[Messages]:
    """The first prompts of the records, each once."""
    return list(dict.fromkeys(record.prompt for record in records))[:most]


def preferred(record: Preference | Demonstration | Prompt) -> str | None:
    """The answer that people preferred or wrote, as text."""
    if isinstance(record, Prompt):
        return None
    return (record.chosen if isinstance(record, Preference) else record.response)[-1].content
