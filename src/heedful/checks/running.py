"""All checks over one file in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from heedful.checks.finding import SEVERITIES, Check, Finding, Outcome, SeesLeftOut, Severity, worst
from heedful.errors import DataError
from heedful.quarantine import Quarantined
from heedful.records import Record


@dataclass(frozen=True, slots=True)
class Checked:
    """What the checks of one file found.

    Attributes:
        kinds: records of each kind, by name.
        quarantined: rows that could not be read, by reason.
        checks: each check with its outcome, in the order they ran; some had nothing to look at.
    """

    kinds: Mapping[str, int]
    quarantined: Mapping[str, int]
    checks: Sequence[tuple[Check, Outcome]]

    @property
    def records(self) -> int:
        return sum(self.kinds.values())

    @property
    def findings(self) -> list[Finding]:
        """Of all checks, the most severe first."""
        return worst(finding for _, outcome in self.checks for finding in outcome.findings)

    def at_least(self, severity: Severity) -> list[Finding]:
        """The findings of this severity and worse."""
        return [f for f in self.findings if SEVERITIES.index(f.severity) <= SEVERITIES.index(severity)]


def run(records: Iterable[Record | Quarantined], checks: Sequence[Check]) -> Checked:
    """Show every record to every check, once, in order.

    What was quarantined is counted, and shown to those that ask for it (`SeesLeftOut`).

    Raises:
        DataError: there is no record.
    """
    kinds: Counter[str] = Counter()
    quarantined: Counter[str] = Counter()
    index = 0
    for record in records:
        if isinstance(record, Quarantined):
            quarantined[record.reason] += 1
            for check in checks:
                if isinstance(check, SeesLeftOut):
                    check.see_left_out(record)
            continue
        kinds[type(record).__name__.lower()] += 1
        for check in checks:
            check.see(record, index)
        index += 1
    if not index:
        reasons = ", ".join(f"{reason} {count}" for reason, count in quarantined.items())
        raise DataError(f"no record is left to check ({reasons or 'none was read'}).")
    return Checked(dict(kinds), dict(quarantined), [(check, check.outcome()) for check in checks])
