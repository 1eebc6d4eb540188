"""What a check is and what it says: records in, findings out.

A check sees records one at a time and keeps counts, hashes and a few examples, never the records: a file of
any size is checked in one pass. Each fault has one file in this folder. Knows records; what needs a tokenizer
or a model is handed token counts and scores by the floor that computes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from heedful.quarantine import Quarantined
from heedful.records import Record

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)  # the worst first

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95% interval, from `n` observations; the ends are NaN where there is none."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Example:
    """A record that shows the fault.

    Attributes:
        id: the record's.
        text: what is wrong with it, or the part of it that shows it; may be long, comes from the file.
    """

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Figures for people to look at: one row an annotator, a source, a style, a bin of lengths."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str | float | int, ...], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """Numbers to be drawn.

    Attributes:
        kind: `histogram` draws each series of counts over `bins` edges (one more than counts); `intervals` a
            dot with its interval per label; `bars` a bar per label.
        series: by name: counts, values.
        low, high: ends of the intervals by series, of `intervals`.
        reference: a line where there would be no fault (0.5 for a win share), None for none.
    """

    title: str
    kind: Literal["histogram", "intervals", "bars"]
    unit: str
    labels: tuple[str, ...] = ()
    bins: tuple[float, ...] = ()
    series: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    low: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    high: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    reference: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault found, or one thing worth knowing.

    Attributes:
        check: the name of the check that found it, `length_bias`.
        code: which of the check's faults it is, unique over all checks: `longer_wins`.
        severity: an error makes training on the data wrong; a warning makes it worse; a note is to be known.
        title: the finding in one sentence with its figure, for a person.
        count: records that have the fault.
        of: records that were looked at for it.
        why: why it matters, one or two sentences.
        mend: what to do about it, one or two sentences, with the command where there is one.
        figure: the measured figure with its interval, where there is one; in the unit that `title` says.
        threshold: what the figure or share was held against; None where any is too many.
        examples: up to `EXAMPLES` records.
        removes: the indices of every record that `--fix` takes out; None where taking records out is no mend.
    """

    check: str
    code: str
    severity: Severity
    title: str
    count: int
    of: int
    why: str
    mend: str
    figure: Interval | None = None
    threshold: float | None = None
    examples: tuple[Example, ...] = ()
    removes: frozenset[int] | None = None

    @property
    def share(self) -> float:
        """Of the records looked at; 0 where there were none."""
        return self.count / self.of if self.of else 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check has to say after the last record.

    Attributes:
        findings: none where the data are clean.
        figures: what was measured, clean or not, for machines: JSON values by name.
        tables, plots: what was measured, for people.
        skipped: why the check had nothing to look at ("no record names an annotator"); "" where it had.
    """

    findings: Sequence[Finding] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    plots: Sequence[Plot] = ()
    skipped: str = ""


class Check(Protocol):
    """One check over one file.

    A check is a class whose `__init__` takes its thresholds as keyword arguments with defaults; `name` is
    what options and reports call it, `asks` the question it answers.
    """

    name: str
    asks: str

    def see(self, record: Record, index: int) -> None:
        """Look at the record at `index` of the kept ones, from 0; called once for each, in order."""

    def outcome(self) -> Outcome:
        """What was found; called once, after the last record."""


@runtime_checkable
class SeesLeftOut(Protocol):
    """A check that also counts rows that could not be read: a fault may be why they were left out."""

    def see_left_out(self, row: Quarantined) -> None:
        """Look at a row that was left out; called once for each, between the records."""


def worst(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, the most severe first; of one severity the largest share first."""
    return sorted(findings, key=lambda found: (SEVERITIES.index(found.severity), -found.share, found.code))
