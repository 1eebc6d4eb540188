"""Rows that could not be used, for reasons that no other check counts: broken JSON, missing fields, ties.

Reading leaves them out and training goes on without them, which is right for a few and wrong for many.
"""

from __future__ import annotations

from collections import Counter

from heedful.checks import empty, sides
from heedful.checks.finding import Finding, Outcome
from heedful.checks.tally import Tally
from heedful.quarantine import Quarantined
from heedful.records import Record

COUNTED_ELSEWHERE = {*empty.REASONS, sides.REASON}


class UnreadableRows:
    """Rows that were left out, by reason."""

    name = "unreadable"
    asks = "Could every row be used?"

    def __init__(self) -> None:
        self.of = 0
        self.rows = Tally()
        self.reasons: Counter[str] = Counter()

    def see(self, record: Record, index: int) -> None:
        self.of += 1

    def see_left_out(self, row: Quarantined) -> None:
        self.of += 1
        if row.reason not in COUNTED_ELSEWHERE:
            self.reasons[row.reason] += 1
            self.rows.add_left_out(row.where, f"{row.reason}: {row.detail}")

    def outcome(self) -> Outcome:
        return Outcome(self._findings(), {"rows": self.of, "unreadable": dict(self.reasons)})

    def _findings(self) -> list[Finding]:
        count = self.rows.count
        if not count:
            return []
        reasons = ", ".join(f"{reason} {number}" for reason, number in self.reasons.most_common())
        return [
            Finding(
                check=self.name,
                code="unreadable_row",
                severity="warning",
                title=f"{count} {'row' if count == 1 else 'rows'} could not be used ({reasons})",
                count=count,
                of=self.of,
                why="Training goes on without them: what they would have taught is missing.",
                mend="Write them out, mend them and read them again: heedful inspect FILE --quarantine OUT.",
                examples=self.rows.examples,
                removes=frozenset(),
            )
        ]
