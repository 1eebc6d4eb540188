"""Records from the rows of a request, by the reader of Heedful's own format, and what was left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from heedful.errors import DataError
from heedful.formats import native
from heedful.formats.fields import Fault, Origin
from heedful.formats.sound import check
from heedful.quarantine import Kept, Quarantined
from heedful.records import Record


def records_of_rows(rows: Sequence[dict[str, Any]]) -> Kept[Record]:
    """The records of the rows; `where` of those left out is `records[3]`."""
    kept: list[Record] = []
    left_out: list[Quarantined] = []
    for place, row in enumerate(rows):
        where = f"records[{place}]"
        try:
            _check_storable(row)
            record = native.parse(row, Origin(where, "", ""))
            check(record)
            kept.append(record)
        except Fault as fault:
            left_out.append(Quarantined(where, fault.reason, fault.detail, row))
        except DataError as error:
            left_out.append(Quarantined(where, "bad_value", f"{error.what} {error.mend}", row))
    return Kept(kept, left_out)


def _check_storable(row: dict[str, Any]) -> None:
    """Refuse what JSON lets through and a database does not: NaN, and half of a surrogate pair."""
    waiting: list[Any] = [row]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, float) and not math.isfinite(value):
            raise Fault("bad_value", f"{value} is no number that JSON has a form for")
        elif isinstance(value, str) and ("\0" in value or not _has_utf8_form(value)):
            raise Fault("broken_text", "there is a NUL or half of a surrogate pair, which no database holds")


def _has_utf8_form(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
