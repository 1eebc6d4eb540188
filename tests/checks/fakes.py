"""Checks and records for tests of what runs checks, whatever the real ones find."""

from __future__ import annotations

from heedful.checks.finding import EXAMPLES, Example, Finding, Interval, Outcome, Plot, Severity, Table
from heedful.quarantine import Quarantined
from heedful.records import Preference, Record, assistant, user


def pair(number: int = 0, chosen: str = "the answer", rejected: str = "another one") -> Preference:
    return Preference(
        (user(f"what is {number}?"),), (assistant(chosen),), (assistant(rejected),), id=f"pair:{number}"
    )


class Marked:
    """Finds records whose first response holds a word, and counts left-out rows."""

    name = "marked"
    asks = "Does a response hold the word?"

    def __init__(
        self, *, word: str = "bad", severity: Severity = "error", most: int = 0, share: float = 0.5
    ) -> None:
        """`word`: that marks a record.
        `severity`: of the finding. `most`: records that may have
        the word before it is a finding; `share`: of nothing.
        """
        self.word, self.severity, self.most, self.share = word, severity, most, share
        self.found: list[tuple[int, str]] = []
        self.seen: list[int] = []
        self.left_out: list[str] = []

    def see(self, record: Record, index: int) -> None:
        self.seen.append(index)
        if isinstance(record, Preference) and self.word in record.chosen[0].content:
            self.found.append((index, record.id))

    def see_left_out(self, row: Quarantined) -> None:
        self.left_out.append(row.reason)

    def outcome(self) -> Outcome:
        figures = {"marked": len(self.found)}
        if len(self.found) <= self.most:
            return Outcome(figures=figures)
        return Outcome([finding(self.severity, self.found, len(self.seen))], figures)


class Blind:
    """Has nothing to look at."""

    name = "blind"
    asks = "Is there anything?"

    def see(self, record: Record, index: int) -> None:
        pass

    def outcome(self) -> Outcome:
        return Outcome(skipped="no record has eyes")


def finding(severity: Severity, found: list[tuple[int, str]], of: int) -> Finding:
    return Finding(
        check="marked",
        code=f"marked_{severity}",
        severity=severity,
        title=f"{len(found)} records are marked",
        count=len(found),
        of=of,
        why="Marks are learned.",
        mend="Take them out: heedful check FILE --fix OUT.",
        examples=tuple(Example(name, "it is marked") for _, name in found[:EXAMPLES]),
        removes=frozenset(index for index, _ in found),
    )


FIGURE = Finding(
    check="leaning",
    code="leans_left",
    severity="warning",
    title="the left one wins in 70% of pairs",
    count=70,
    of=100,
    why="A model learns to lean.",
    mend="Turn `half` of them.",
    figure=Interval(0.7, 0.6, 0.78, 100),
    threshold=0.55,
    examples=(Example("pair:1", "leans far"),),
)
TABLE = Table(
    "By annotator", ("", "votes", "left"), tuple((f"worker-{n}", 10 * n, n / 20) for n in range(1, 16))
)
PLOTS = (
    Plot(
        "Lengths", "histogram", "words", bins=(0.0, 10.0, 100.0, float("inf")),
        series={"chosen": (1.0, 5.0, 2.0), "rejected": (4.0, 3.0, 1.0)},
    ),
    Plot(
        "Left wins", "intervals", "share of votes", labels=("a", "b"), series={"wins": (0.5, 0.7)},
        low={"wins": (0.4, 0.6)}, high={"wins": (0.6, 0.8)}, reference=0.5,
    ),
    Plot("Sources", "bars", "pairs", labels=("forum", "lab"), series={"pairs": (10.0, 90.0)}),
)  # fmt: skip
