"""What checks found, for programs: one JSON object whose keys stay what they are.

`VERSION` grows when a key changes its meaning or goes; new keys may come. docs/checks.md describes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from heedful.checks.finding import SEVERITIES, Finding, Outcome
from heedful.report.data_check import CheckData, severities

VERSION = 1


def as_json(data: CheckData) -> dict[str, Any]:
    """The findings as JSON values; what is not a finite number is null."""
    checked, counts = data.checked, data.counts
    found = severities(checked.findings)
    value = {
        "version": VERSION,
        "files": [asdict(file) for file in data.files],
        "versions": dict(data.versions),
        "rows": {"read": counts.read, "kept": counts.kept, "quarantined": counts.quarantined},
        "records": dict(checked.kinds),
        "severities": {severity: found.get(severity, 0) for severity in SEVERITIES},
        "findings": [_finding(finding) for finding in checked.findings],
        "checks": [
            {
                "name": check.name,
                "asks": check.asks,
                "status": _status(outcome),
                "skipped": outcome.skipped,
                "figures": outcome.figures,
            }
            for check, outcome in checked.checks
        ],
    }
    plain: dict[str, Any] = finite(value)
    return plain


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "code": finding.code,
        "severity": finding.severity,
        "title": finding.title,
        "count": finding.count,
        "of": finding.of,
        "share": finding.share,
        "figure": None if finding.figure is None else asdict(finding.figure),
        "threshold": finding.threshold,
        "why": finding.why,
        "mend": finding.mend,
        "examples": [asdict(example) for example in finding.examples],
        "removes": None if finding.removes is None else len(finding.removes),
    }


def _status(outcome: Outcome) -> str:
    return "found" if outcome.findings else "skipped" if outcome.skipped else "clean"


def finite(value: Any) -> Any:
    """Plain JSON values: numpy's numbers as Python's, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [finite(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
