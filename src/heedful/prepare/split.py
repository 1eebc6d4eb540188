"""Records in named parts (train, test), split by prompt: no prompt is ever in two of them.

Nor are prompts that are almost the same: a test set is worth little where training has seen it in other
words. Prompts are drawn by lot (`order`): the order of the rows does not matter, and rows added later move
few of the others. Knows records, not files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from heedful.checks.near import NEAR, NearIndex, Progress
from heedful.checks.sameness import question
from heedful.errors import DataError
from heedful.prepare.facts import prompt_of, source_of
from heedful.prepare.order import prompt_text, rank
from heedful.quarantine import Kept
from heedful.records import Messages, Record

RecordT = TypeVar("RecordT", bound=Record)

EXACT = 1e-6
"""How far the shares may be from 1 together."""


def split(
    records: Sequence[RecordT],
    parts: Mapping[str, float],
    *,
    seed: int = 0,
    near: float | None = NEAR,
    by_source: bool = True,
) -> dict[str, Kept[RecordT]]:
    """Split records into named parts, each with about its share of the prompts.

        parts = heedful.split(pairs, {"train": 0.9, "test": 0.1})

    Within a part, records keep their order. Where there are enough prompts, each part whose share is over 0
    gets at least one.

    Args:
        parts: the shares by name; together 1.
        seed: of the lot that is drawn.
        near: prompts whose `question`s have at least this Jaccard similarity (see `checks.near`) stay
            together; None where only the very same prompts do.
        by_source: give each part its share of each source's prompts; otherwise only of all together.

    Raises:
        DataError: the shares are not between 0 and 1 or do not add up to 1.
    """
    return deal(records, prompt_groups(records, near=near), parts, seed=seed, by_source=by_source)


def prompt_groups(
    records: Sequence[Record], *, near: float | None = NEAR, progress: Progress | None = None
) -> list[int]:
    """The group of each record: those of one prompt, and of prompts near it, have the same number."""
    places: dict[Messages, int] = {}
    prompts = [places.setdefault(prompt_of(record), len(places)) for record in records]
    if near is None:
        return prompts
    index = NearIndex(near)
    for prompt in places:
        index.add(question(prompt))
    groups = index.groups(progress=progress).tolist()
    return [groups[prompt] for prompt in prompts]


def deal(
    records: Sequence[RecordT],
    groups: Sequence[int],
    parts: Mapping[str, float],
    *,
    seed: int = 0,
    by_source: bool = True,
) -> dict[str, Kept[RecordT]]:
    """`split`, with the groups that stay together known: the number of each record's, `[records]`."""
    _check(parts)
    strata: dict[str, list[_Group]] = {}
    for group in _gathered(records, groups, seed):
        strata.setdefault(group.source if by_source else "", []).append(group)
    home: dict[int, str] = {}
    for source, members in sorted(strata.items()):
        # One source's count is rounded; of many small ones some are rounded up and some down, by lot.
        nudge = _lot(source, seed) - 0.5 if len(strata) > 1 else 0.0
        home |= _homes(sorted(members, key=lambda group: group.rank), parts, nudge)
    _leave_none_empty([group for members in strata.values() for group in members], home, parts)
    rows: dict[str, list[RecordT]] = {name: [] for name in parts}
    for record, number in zip(records, groups, strict=True):
        rows[home[number]].append(record)
    return {name: Kept(part) for name, part in rows.items()}


def _check(parts: Mapping[str, float]) -> None:
    for name, share in parts.items():
        if not 0 <= share <= 1:
            what = f'the share of "{name}" must be between 0 and 1, and is {share:g}.'
            raise DataError(what, mend="Say for example train=0.9,test=0.1.")
    if abs(sum(parts.values()) - 1) > EXACT:
        what = f"the shares of {', '.join(parts) or 'no part'} add up to {sum(parts.values()):g}, not to 1."
        raise DataError(what, mend="Say for example train=0.9,test=0.1.")


@dataclass(slots=True)
class _Group:
    """Prompts that stay together.

    Attributes:
        rank: where the lot puts it: that of its first prompt by the alphabet, which no seed prefers.
        source: the first of its records' by the alphabet.
        prompts: how many different ones it has.
    """

    number: int
    rank: bytes
    source: str
    prompts: int


def _gathered(records: Sequence[Record], groups: Sequence[int], seed: int) -> list[_Group]:
    prompts: dict[int, set[Messages]] = {}
    sources: dict[int, str] = {}
    for record, number in zip(records, groups, strict=True):
        prompts.setdefault(number, set()).add(prompt_of(record))
        sources[number] = min(sources.get(number, source_of(record)), source_of(record))
    return [
        _Group(number, rank(min(map(prompt_text, those)), seed), sources[number], len(those))
        for number, those in prompts.items()
    ]


def _lot(text: str, seed: int) -> float:
    """A number from 0 to 1 drawn by the text."""
    return int.from_bytes(rank(text, seed)[:8], "big") / (1 << 64)


def _homes(groups: Sequence[_Group], parts: Mapping[str, float], nudge: float) -> dict[int, str]:
    """The part of each of one source's groups: the last part takes the first ones, the first what is left."""
    total = sum(group.prompts for group in groups)
    names = list(parts)[::-1]
    ends = [round(total * share + nudge) for share in accumulate(parts[name] for name in names)]
    home, before, part = {}, 0, 0
    for group in groups:
        while part < len(names) - 1 and before + group.prompts / 2 >= ends[part]:
            part += 1
        home[group.number] = names[part]
        before += group.prompts
    return home


def _leave_none_empty(groups: Sequence[_Group], home: dict[int, str], parts: Mapping[str, float]) -> None:
    """Give a part that was asked for and got nothing a group of the part that has most."""
    sizes = Counter({name: 0 for name, share in parts.items() if share > 0})
    sizes.update(home.values())
    names = list(sizes)
    for name in names:
        donor = max(names, key=lambda other: sizes[other])
        if sizes[name] or sizes[donor] < 2:
            continue
        held = sorted((g for g in groups if home[g.number] == donor), key=lambda group: group.rank)
        later = names.index(name) > names.index(donor)  # later parts take the first of the order
        home[held[0 if later else -1].number] = name
        sizes[name], sizes[donor] = 1, sizes[donor] - 1
