"""The stages before anything is trained: import, check and split.

Import reads every file and makes preferences of what is compared, so that later stages read one layout. Check
looks at the files as they came. Split holds out, of all kinds together, what models are judged by: no prompt
is learned from and judged by, in whatever file it stands.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from heedful import checking, formats
from heedful.errors import DataError
from heedful.models.folders import write_text
from heedful.pipeline.places import Parts, files_of, held_out_of, parts, sources
from heedful.prepare.facts import name_of
from heedful.prepare.pair_settings import Aggregation, PairSettings
from heedful.prepare.pairs import make_pairs
from heedful.prepare.split import deal, prompt_groups
from heedful.quarantine import Kept, Quarantined, write_quarantine
from heedful.recipe import PipelineRecipe, SourceSettings
from heedful.recipe.pipeline import FeedbackSettings
from heedful.records import Demonstration, Prompt, Record
from heedful.report import check_html
from heedful.report.check_json import as_json
from heedful.training import ppo
from heedful.training.tracking import Reporter

LEFT_OUT, COUNTS = "left-out.jsonl", "counts.json"
# Why a record that could be learned from is not: the same prompt, or one like it, is judged by.
HELD_OUT = "prompt_held_out"


def bring_in(recipe: PipelineRecipe, folder: Path, reporter: Reporter) -> None:
    """Write every kind of data, read and made comparable, with counts and what was left out.

    Raises:
        DataError: a file cannot be read, or nothing of its kind is in it.
    """
    counts: dict[str, Any] = {}
    left_out: list[Quarantined] = []
    for kind, source in sources(recipe).items():
        own = parts(folder, kind)
        given = {own.train: files_of(source)}
        held_out = held_out_of(source)
        if held_out is not None:
            given[own.held_out] = [held_out]
        for path, files in given.items():
            made = _made(kind, source, files, reporter)
            reporter.say(f"{', '.join(files)}: {made.counts}, {len(made)} {kind}")
            if not made:
                what = f"there is nothing in it that can be taken for {kind} ({made.counts})."
                mend = f"Look at it with heedful inspect, or name another file in data.{kind}."
                raise DataError(what, where=", ".join(files), mend=mend)
            formats.write(made, path)
            left_out += made.quarantined
            counts[path.stem] = _counted(made)
    _account(folder, counts, left_out)


def checked_as(source: SourceSettings) -> dict[str, Any]:
    """As `taken_as`, of what the checks see."""
    return {**source.reading, "has_eval": source.eval is not None}


def taken_as(source: SourceSettings) -> dict[str, Any]:
    """What decides how the contents of a kind's files are taken; what the files are called does not."""
    return {**source.model_dump(exclude={"train", "eval"}), "has_eval": source.eval is not None}


def check(recipe: PipelineRecipe, folder: Path, reporter: Reporter) -> None:
    """Look at every kind of data, as `heedful check` does, and write what is found: a page and JSON each."""
    for kind, source in sources(recipe).items():
        held_out = held_out_of(source)
        files = checking.Source([Path(file) for file in files_of(source)], source.reading)
        settings = checking.Settings(against=None if held_out is None else Path(held_out))
        checked = checking.check(files, settings, reporter)
        command = f"heedful check {shlex.join(files_of(source))}"
        data = checking.described(files, checked, command, examples=True, reporter=reporter)
        check_html.write(data, folder / f"{kind}.html")
        write_text(folder / f"{kind}.json", json.dumps(as_json(data), ensure_ascii=False) + "\n")


def require_clean(recipe: PipelineRecipe, folder: Path) -> None:
    """Refuse data in which the check found something as bad as the recipe says, or worse.

    Raises:
        DataError: what was found, and where it is shown.
    """
    if recipe.check == "off":
        return
    refused = ("error",) if recipe.check == "error" else ("error", "warning")
    for kind in sources(recipe):
        told = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))
        bad = [one for one in told["findings"] if one["severity"] in refused]
        if bad:
            titles = "; ".join(f"{one['severity']}: {one['title']}" for one in bad)
            mend = f"See {folder / f'{kind}.html'}; mend the data, or train all the same with check=off."
            raise DataError(f"the data are not clean. {titles}.", where=f"data.{kind}", mend=mend)


def part(recipe: PipelineRecipe, imported: Path, folder: Path, reporter: Reporter) -> None:
    """Deal the imported records out to those to learn from and those to judge by.

    Raises:
        DataError: too few prompts to hold any out, or none to learn from.
    """
    given = {kind: _Rows.read(parts(imported, kind)) for kind in sources(recipe)}
    whole = [record for rows in given.values() for record in (*rows.train, *rows.held_out)]
    with reporter.task("Comparing prompts", None) as task:
        groups = prompt_groups(whole, near=recipe.split.near, progress=lambda done, _: task.update(done))
    group_of = {id(record): number for record, number in zip(whole, groups, strict=True)}
    judged = _held_out_groups(recipe, given, group_of)
    counts: dict[str, Any] = {}
    left_out: list[Quarantined] = []
    for kind, rows in given.items():
        learned = [record for record in rows.train if group_of[id(record)] not in judged]
        others = [record for record in rows.train if group_of[id(record)] in judged]
        if sources(recipe)[kind].eval is None:
            sides = Kept(learned), Kept(others)
        else:
            sides = (
                Kept(learned, [_leaks(record, at) for at, record in enumerate(others)]),
                Kept(rows.held_out),
            )
        _require_both(kind, *sides, recipe)
        own = parts(folder, kind)
        for path, records in zip((own.train, own.held_out), sides, strict=True):
            if records:
                formats.write(records, path)
            left_out += records.quarantined
            counts[path.stem] = _counted(records)
        reporter.say(f"{kind}: {len(sides[0])} to learn from, {len(sides[1])} to judge by")
    _account(folder, counts, left_out)


@dataclass(frozen=True, slots=True)
class _Rows:
    """One kind's records as they were imported."""

    train: list[Record]
    held_out: list[Record]

    @classmethod
    def read(cls, own: Parts) -> Self:
        read = [
            list(formats.read(path, format="heedful")) if path.exists() else []
            for path in (own.train, own.held_out)
        ]
        return cls(*read)


def _held_out_groups(
    recipe: PipelineRecipe, given: Mapping[str, _Rows], group_of: Mapping[int, int]
) -> set[int]:
    """The groups of prompts to judge by: those of the files that are for it, and a share of the others."""
    judged = {group_of[id(record)] for rows in given.values() for record in rows.held_out}
    share, dealt = recipe.split.held_out, set[int]()
    for kind, rows in given.items():
        if sources(recipe)[kind].eval is not None or share == 0:
            continue
        # What another kind has put on a side already stays there.
        free = [record for record in rows.train if group_of[id(record)] not in judged | dealt]
        groups = [group_of[id(record)] for record in free]
        found = deal(free, groups, {"train": 1 - share, "held_out": share}, seed=recipe.split.seed)
        judged |= {group_of[id(record)] for record in found["held_out"]}
        dealt |= set(groups)
    return judged


def _leaks(record: Record, place: int) -> Quarantined:
    detail = "its prompt, or one like it, is among those to judge by"
    return Quarantined(name_of(record, place), HELD_OUT, detail, record)


def _require_both(kind: str, learned: Kept[Record], judged: Kept[Record], recipe: PipelineRecipe) -> None:
    if not learned:
        what = f"nothing is left to learn from ({learned.counts}): every prompt is judged by."
        raise DataError(what, where=f"data.{kind}", mend="Name other files, or set split.near=null.")
    if not judged and recipe.split.held_out > 0:
        what = (
            f"of {len(learned)} records none can be held out: they have one prompt, or a chain of near ones."
        )
        mend = f"Name a file to judge by in data.{kind}.eval, or set split.near=null."
        raise DataError(what, where=f"data.{kind}", mend=mend)


def _made(kind: str, source: SourceSettings, files: Sequence[str], reporter: Reporter) -> Kept[Any]:
    """The records of one kind that files hold, or that can be made of what they hold."""
    read: list[Kept[Record]] = [formats.read(file, **source.reading) for file in files]
    records = Kept([one for kept in read for one in kept], [one for kept in read for one in kept.quarantined])
    if isinstance(source, FeedbackSettings):
        with reporter.task("Making pairs", len(records)) as task:
            return make_pairs(records, _pair_settings(source), lambda done, _: task.update(done))
    return _of_kind(records, _TAKEN[kind])


def _pair_settings(source: FeedbackSettings) -> PairSettings:
    keys = source.pairs.model_dump()
    aggregate = keys.pop("aggregate")
    return PairSettings(**keys, aggregate=None if aggregate is None else Aggregation(**aggregate))


def _demonstration(record: Record) -> Record | None:
    return record if isinstance(record, Demonstration) else None


def _prompt(record: Record) -> Record | None:
    if not isinstance(record, ppo.KINDS):
        return None
    return Prompt(record.prompt, id=record.id, source=record.source, metadata=record.metadata)


# What becomes of a record that is read as one of a kind; None where it is of another.
_TAKEN: Mapping[str, Callable[[Record], Record | None]] = {
    "demonstrations": _demonstration,
    "prompts": _prompt,
}


def _of_kind(records: Kept[Record], taken: Callable[[Record], Record | None]) -> Kept[Record]:
    kept: list[Record] = []
    others: list[Quarantined] = []
    for place, record in enumerate(records):
        own = taken(record)
        if own is not None:
            kept.append(own)
            continue
        detail = f"a {type(record).__name__.lower()} is of another kind"
        others.append(Quarantined(name_of(record, place), "other_kind", detail, record))
    return Kept(kept, [*records.quarantined, *others])


def _counted(records: Kept[Any]) -> dict[str, Any]:
    counts = records.counts
    return {"read": counts.read, "kept": counts.kept, "quarantined": counts.quarantined, "rows": len(records)}


def _account(folder: Path, counts: Mapping[str, Any], left_out: Sequence[Quarantined]) -> None:
    write_text(folder / COUNTS, json.dumps(counts, indent=2) + "\n")
    write_quarantine(left_out, folder / LEFT_OUT)
