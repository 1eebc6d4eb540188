"""Items in the database: adding what records come to, each once, and reading one.

What a record comes to is for `making` to say. Two items are the same if their prompt and their set of
responses are, whatever they are called; adding the same data again adds nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text

from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.model import Item, Origin, Stage, turns
from heedful.collect.store.project import now
from heedful.collect.work import order
from heedful.collect.work.making import Made, Unit, left_out, make
from heedful.quarantine import Counts, Kept, Quarantined
from heedful.records import Record

AT_ONCE = 1000  # units of records whose items are inserted together
LONGEST_KEY = 300  # letters
_MARK = 12  # letters of a fingerprint that tell apart two items of one name


@dataclass(slots=True)
class Loaded:
    """What became of records that were to be items.

    Attributes:
        used: records that an item of the project was made of, now or before.
        added, known: items that are new, and that were there already.
        quarantined: records that were left out, those that were before they came here first.
    """

    used: int = 0
    added: int = 0
    known: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)

    @property
    def counts(self) -> Counts:
        """Of records; they add up."""
        reasons = Counter(row.reason for row in self.quarantined)
        return Counts(self.used + len(self.quarantined), self.used, dict(reasons))

    def __str__(self) -> str:
        text = f"{self.counts}; {self.added} items added"
        return f"{text}, {self.known} known already" if self.known else text


def add_records(
    connection: Connection,
    records: Iterable[Record],
    settings: Settings,
    *,
    stage: Stage = "main",
    origin: Origin = "data",
) -> Loaded:
    """Make items of records of any kind, and add those that are new. Records are read as they are used.

    In the stages gold and calibration what a record says of its responses is the right answer: chosen is
    better than rejected, a tie is a tie. Gold items need one. In the main stage only `metadata["gold"]` of a
    preference tells it; such an item is a gold one where the project mixes these in (`gold_every`).

    Args:
        records: what a `Kept` left out is counted here too.
    """
    loaded = Loaded(quarantined=list(records.quarantined) if isinstance(records, Kept) else [])
    batch: list[Unit] = []
    for found in make(records, settings, stage):
        if isinstance(found, Quarantined):
            loaded.quarantined.append(found)
            continue
        batch.append(found)
        if len(batch) == AT_ONCE:
            _add(connection, batch, settings, stage, origin, loaded)
            batch = []
    _add(connection, batch, settings, stage, origin, loaded)
    if loaded.added and connection.dialect.name == "postgresql":
        # It plans by what it knows of a table, which by itself it looks at a minute later.
        connection.execute(text("ANALYZE items"))
    return loaded


_BY_ID = select(schema.items).where(schema.items.c.id == bindparam("of"))


def get(connection: Connection, id: int) -> Item:
    """The item of that id, which there must be."""
    return Item.of(connection.execute(_BY_ID, {"of": id}).one())


def _add(
    connection: Connection,
    units: Sequence[Unit],
    settings: Settings,
    stage: Stage,
    origin: Origin,
    loaded: Loaded,
) -> None:
    stages = _stages(connection, [made.fingerprint for unit in units for made in unit.made])
    new: list[Made] = []
    for unit in units:
        fits = False
        for made in unit.made:
            there = stages.get(made.fingerprint)
            if there is None:
                new.append(made)
                stages[made.fingerprint] = made.stage
                fits = True
            elif stage in ("main", there):
                loaded.known += 1
                fits = True
        if fits:
            loaded.used += len(unit.records)
        else:
            loaded.quarantined += (left_out(record, "other_stage") for record in unit.records)
    loaded.added += len(new)
    if new:
        rows = list(_rows(connection, new, settings, origin))
        connection.execute(insert(schema.items), rows)


def _rows(
    connection: Connection, new: Sequence[Made], settings: Settings, origin: Origin
) -> Iterator[dict[str, Any]]:
    names = [_name(made) for made in new]
    taken = _taken(connection, names)
    at = now()
    for made, key in zip(new, names, strict=True):
        if key in taken:
            key = f"{key[: LONGEST_KEY - _MARK - 1]}-{made.fingerprint[:_MARK]}"
        taken.add(key)
        yield {
            "key": key,
            "fingerprint": made.fingerprint,
            "prompt": turns(made.prompt),
            "responses": [
                {"turns": turns(response.turns), "generator": response.generator}
                for response in made.responses
            ],
            "gold": None if made.gold is None else made.gold.model_dump(mode="json", exclude_defaults=True),
            "stage": made.stage,
            "origin": origin,
            "source": _storable(made.source),
            "metadata": made.metadata,
            "wanted": settings.overlap,
            "priority": order.first_priority(settings, made.fingerprint),
            "created_at": at,
        }


def _name(made: Made) -> str:
    """What the item is called if no other is: by its record's id, or by its texts."""
    return _storable(made.name)[:LONGEST_KEY] or f"item-{made.fingerprint[:_MARK]}"


def _storable(text: str) -> str:
    """Without what a database's texts cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _stages(connection: Connection, marks: Sequence[str]) -> dict[str, str]:
    """The stage of each item that is there, by its fingerprint."""
    found: dict[str, str] = {}
    for begin in range(0, len(marks), AT_ONCE):
        some = schema.items.c.fingerprint.in_(marks[begin : begin + AT_ONCE])
        known = select(schema.items.c.fingerprint, schema.items.c.stage).where(some)
        found.update({row.fingerprint: row.stage for row in connection.execute(known)})
    return found


def _taken(connection: Connection, keys: Sequence[str]) -> set[str]:
    """Which of the keys an item has already."""
    found: set[str] = set()
    for begin in range(0, len(keys), AT_ONCE):
        some = schema.items.c.key.in_(keys[begin : begin + AT_ONCE])
        found.update(connection.execute(select(schema.items.c.key).where(some)).scalars())
    return found
