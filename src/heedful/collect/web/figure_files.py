"""The dashboard's figures for machines: all of them as JSON, one line a person as CSV.

The CSV is for spreadsheets, so texts that one would take for a formula are marked as text; numbers stay
numbers. Data that leaves by `export` has to read back byte for byte, and is never changed so.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from heedful.checks.finding import Interval
from heedful.collect.findings.figures import Annotator, Figures

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula; the wide ones where East Asian text is read."""

MOMENTS = ("begin", "end", "last", "starts")
"""Fields in seconds since 1970, which are told as dates."""


def as_json(figures: Figures) -> str:
    """All figures, under the names of `figures.Figures`; what is not known is null."""
    told = _plain(figures)
    told["settings"] = figures.settings.model_dump(mode="json", exclude={"guidelines"})
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def as_csv(figures: Figures) -> str:
    """A line for everybody who said something."""
    measured = figures.measured
    rows = [_row(one, [alarm.code for alarm in measured.watch.of(one.name)]) for one in measured.people]
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]) if rows else ["annotator"])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _row(one: Annotator, alarms: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "annotator": one.name,
        "votes": one.votes,
        "skips": one.skips,
        "last_at": _moment(one.last),
        **_spread("agreement", one.agreement),
        **_spread("shown_first", one.place.figure),
        "shown_first_p": one.place.p,
        "seconds_q1": one.seconds.low,
        "seconds_median": one.seconds.median,
        "seconds_q3": one.seconds.high,
        **_spread("gold", one.gold),
        "alarms": " ".join(alarms),
    }
    return {key: cell(value) for key, value in row.items()}


def cell(value: Any) -> Any:
    """A value as it stands in a table: text is no formula there, and what is not known is nothing."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else _plain(value)


def _spread(name: str, figure: Interval) -> dict[str, float]:
    return {
        name: figure.value,
        f"{name}_low": figure.low,
        f"{name}_high": figure.high,
        f"{name}_votes": figure.n,
    }


def _plain(value: Any, name: str = "") -> Any:
    """Dataclasses as objects, moments as dates."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        # Columns are of every vote, and those are in the log.
        return {key: _plain(one, key) for key, one in fields.items() if not isinstance(one, np.ndarray)}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_plain(one, name) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, float):
        return _moment(value) if name in MOMENTS else value if math.isfinite(value) else None
    return value


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
