"""Heedful's own JSONL: every kind of record, one row each, nothing lost.

Every row carries the schema version and its kind, so a file survives `cat`, `head`, `shuf` and `grep`: there
is no header line to lose or to meet twice.

    {"heedful": 1, "kind": "preference", "id": "p1", "prompt": [{"role": "user", "content": "Hi"}], "chosen":
    [...], ...}

Fields are those of the record of that kind; one that has its default may be left out. Which side is better:
`chosen` beats `rejected`; `desirable` true is good; a higher `score` and a lower `rank` are better; a verdict
names its side.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, get_args

from ..errors import DataError
from ..records import (
    ROLES,
    Candidates,
    Demonstration,
    Feedback,
    Judgement,
    Message,
    Messages,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
    Verdict,
)
from .fields import Fault, Fields, Origin, field, flag, kind_of, number, text, turns
from .format import NUMBERS, Format

SCHEMA = 1
KINDS: dict[str, type[Any]] = {
    "prompt": Prompt,
    "candidates": Candidates,
    "demonstration": Demonstration,
    "preference": Preference,
    "feedback": Feedback,
    "rating": Rating,
    "ranking": Ranking,
    "judgement": Judgement,
}
KIND_OF = {record: kind for kind, record in KINDS.items()}
LAYOUTS = (frozenset({"heedful", "kind"}),)


def _defaults(kind: type[Any]) -> dict[str, Any]:
    """The fields of a kind of record, the id first (it is what people look for), and what each is by itself;
    MISSING where it must be given."""
    declared = sorted(dataclasses.fields(kind), key=lambda f: f.name != "id")
    made = {f.name: f.default_factory() for f in declared if f.default_factory is not dataclasses.MISSING}
    return {f.name: made.get(f.name, f.default) for f in declared}


DEFAULTS = {name: _defaults(kind) for name, kind in KINDS.items()}


def fits(row: Fields) -> bool:
    return "heedful" in row


def parse(row: Fields, origin: Origin) -> Record:
    """The record of a native row.

    Raises:
        Fault: a field is missing, unknown or of the wrong type.
        DataError: the row was written under a newer schema; guessing at the rest of the file would be wrong.
    """
    schema = field(row, "heedful")
    if isinstance(schema, bool) or not isinstance(schema, int):
        raise Fault("wrong_type", f'"heedful" must be the schema number, not {kind_of(schema)}')
    if schema > SCHEMA:
        what = f"the row has schema {schema}; this Heedful reads schemas up to {SCHEMA}."
        raise DataError(what, where=origin.where, mend="Upgrade Heedful to read the file.")
    kind = text(field(row, "kind"), "kind")
    if schema < 1 or kind not in KINDS:
        what = (
            f'"kind" is "{kind}", none of {", ".join(KINDS)}'
            if schema >= 1
            else f"there is no schema {schema}"
        )
        raise Fault("bad_value", what)
    defaults = DEFAULTS[kind]
    for key in row:
        if key not in defaults and key not in ("heedful", "kind"):
            raise Fault("unknown_field", f'a {kind} has no "{key}"; what is yours belongs under "metadata"')
    values = {name: DECODERS[name](row[name], name) for name in defaults if name in row}
    for name, default in defaults.items():
        if default is dataclasses.MISSING and name not in values:
            raise Fault("missing_field", f'"{name}" is missing')
    if "id" in defaults:
        values.setdefault("id", origin.id)
    return _make(kind, values)


def _make(kind: str, values: dict[str, Any]) -> Record:
    try:
        record: Record = KINDS[kind](**values)
    except ValueError as error:
        raise Fault("bad_value", str(error)) from None
    return record


def dump(record: Record) -> dict[str, Any]:
    """The row of a record. The id is always written, other fields where they differ from their default."""
    kind = KIND_OF[type(record)]
    row: dict[str, Any] = {"heedful": SCHEMA, "kind": kind}
    for name, default in DEFAULTS[kind].items():
        value = getattr(record, name)
        if name == "id" or value != default:
            row[name] = _encode(value, name)
    return row


def _encode(value: Any, name: str) -> Any:
    if name in ("prompt", "response", "chosen", "rejected"):
        return turns(value)
    if name == "responses":
        return [turns(response) for response in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value


def _messages(value: Any, key: str) -> Messages:
    return tuple(_message(turn, f"{key}[{n}]") for n, turn in enumerate(_list(value, key)))


def _message(turn: Any, key: str) -> Message:
    """Strict, unlike the readers of outside formats: what Heedful wrote has two fields and known roles."""
    if not isinstance(turn, dict):
        raise Fault("wrong_type", f'"{key}" must be {{role, content}}, not {kind_of(turn)}')
    if unknown := turn.keys() - {"role", "content"}:
        raise Fault("unknown_field", f'a message has no "{min(unknown)}"')
    role, content = text(field(turn, "role"), f"{key}.role"), text(field(turn, "content"), f"{key}.content")
    if role not in ROLES:
        raise Fault("bad_role", f'"{key}.role" is "{role}", none of {", ".join(ROLES)}')
    return Message(role, content)  # type: ignore[arg-type]  # checked against ROLES on the line above


def _list(value: Any, key: str) -> list[Any]:
    if not isinstance(value, list):
        raise Fault("wrong_type", f'"{key}" must be a list, not {kind_of(value)}')
    return value


def _responses(value: Any, key: str) -> tuple[Messages, ...]:
    return tuple(_messages(response, f"{key}[{n}]") for n, response in enumerate(_list(value, key)))


def _whole(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Fault("wrong_type", f'"{key}" must be a whole number, not {kind_of(value)}')
    return value


def _weight(value: Any, key: str) -> float:
    weight = number(value, key)
    if weight < 0:
        raise Fault("bad_value", f'"{key}" must not be negative, and is {weight:g}')
    return weight


def _metadata(value: Any, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Fault("wrong_type", f'"{key}" must be an object, not {kind_of(value)}')
    return value


def _verdict(value: Any, key: str) -> str:
    verdicts = get_args(Verdict)
    if text(value, key) not in verdicts:
        raise Fault("bad_value", f'"{key}" is "{value}", none of {", ".join(verdicts)}')
    return str(value)


def _time(value: Any, key: str) -> datetime:
    try:
        return datetime.fromisoformat(text(value, key))
    except ValueError:
        raise Fault("bad_value", f'"{key}" must be an ISO 8601 time, and is "{value}"') from None


def _or_null(decode: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, key: None if value is None else decode(value, key)


DECODERS: dict[str, Callable[[Any, str], Any]] = {
    "prompt": _messages,
    "response": _messages,
    "chosen": _messages,
    "rejected": _messages,
    "responses": _responses,
    "ranks": lambda value, key: tuple(_whole(rank, key) for rank in _list(value, key)),
    "margin": _or_null(number),
    "probability": _or_null(number),
    "weight": _weight,
    "score": number,
    "desirable": flag,
    "id": text,
    "source": text,
    "aspect": text,
    "metadata": _metadata,
    "item": text,
    "annotator": text,
    "verdict": _verdict,
    "strength": _or_null(_whole),
    "shown_order": lambda value, key: tuple(text(side, key) for side in _list(value, key)),
    "rationale": text,
    "seconds": _or_null(number),
    "at": _or_null(_time),
}


FORMAT = Format(
    name="heedful",
    about="Heedful's own rows",
    layouts=LAYOUTS,
    fits=fits,
    parse=parse,
    dump=dump,
    carries=NUMBERS,
    whole=True,
)
