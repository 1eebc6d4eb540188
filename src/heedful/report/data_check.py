"""What checks found, as pages and terminals show it: plain data, and the words that all of them share.

Knows findings and records; nothing of HTML, consoles or how anything was measured.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from heedful.checks.finding import SEVERITIES, Check, Finding, Outcome, Severity
from heedful.checks.overview import Overview
from heedful.checks.running import Checked
from heedful.quarantine import Counts, Quarantined
from heedful.records import Candidates, Judgement, Messages, Preference, Prompt, Ranking, Rating, Record
from heedful.report.wording import percent

NOUNS = {
    "preference": "pair",
    "feedback": "thumb",
}
"""What people call records of a kind, where that is not the kind's own name."""

NOTHING_FOUND = "Nothing found"
_TWO_DECIMALS = 10.0  # a number below it has as many
_PERCENTS = re.compile(r"(\d+(?:\.\d+)?)%")
_ROUNDING = 0.5001  # points between a share and what a title makes of it


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file that was checked.

    Attributes:
        path: as it was named.
        format: its layout.
        size: in bytes; None of what is no single file.
        sha256: of its bytes as they are on disk, in hex; None of what is no single file.
    """

    path: str
    format: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a record: what it is ("prompt", "chosen") and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class CheckData:
    """One check of one set of files.

    Attributes:
        checked: what was found.
        files: what was read.
        command: what gives the same findings again; empty where there is none.
        versions: name to version of what the findings depend on.
        records: the records of examples, by id.
    """

    checked: Checked
    files: Sequence[CheckedFile] = ()
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    records: Mapping[str, Sequence[Part]] = field(default_factory=dict)

    @property
    def counts(self) -> Counts:
        quarantined = dict(self.checked.quarantined)
        kept = self.checked.records
        return Counts(kept + sum(quarantined.values()), kept, quarantined)

    @property
    def overview(self) -> Outcome:
        """What the data look like, where that was measured."""
        return next((out for check, out in self.checked.checks if check.name == Overview.name), Outcome())

    @property
    def looked(self) -> list[tuple[Check, Outcome]]:
        """The checks that had something to look at."""
        own = [(check, out) for check, out in self.checked.checks if check.name != Overview.name]
        return [(check, out) for check, out in own if out.findings or not out.skipped]

    @property
    def clean(self) -> list[tuple[Check, Outcome]]:
        """The checks that looked and found nothing."""
        return [(check, out) for check, out in self.looked if not out.findings]

    @property
    def skipped(self) -> list[tuple[Check, Outcome]]:
        """The checks that had nothing to look at, or lacked what they need."""
        return [(check, out) for check, out in self.checked.checks if out.skipped and not out.findings]


def severities(findings: Iterable[Finding]) -> dict[Severity, int]:
    """How many findings there are of each severity, the worst first; those there are none of left out."""
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in SEVERITIES if counts[severity]}


def verdict(checked: Checked) -> str:
    """What came out, in one line: "3 errors, 5 warnings in 600 pairs"."""
    found = severities(checked.findings)
    counted = ", ".join(number(count, severity) for severity, count in found.items())
    return f"{counted or NOTHING_FOUND} in {kinds(checked.kinds)}"


def kinds(counts: Mapping[str, int]) -> str:
    """How many records of each kind there are: "600 pairs and 3 rankings"."""
    words = [number(count, NOUNS.get(kind, kind)) for kind, count in counts.items()]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def number(count: int, noun: str) -> str:
    plural = noun if noun.endswith("s") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"


def counts_line(counts: Counts) -> str:
    """Every row accounted for: "600 read = 598 kept + 2 quarantined (empty_chosen 2)"."""
    left_out = sum(counts.quarantined.values())
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in sorted(counts.quarantined.items()))
    return f"{counts.read:,} read = {counts.kept:,} kept + {left_out:,} quarantined" + (
        f" ({reasons})" if reasons else ""
    )


def in_percent(finding: Finding) -> bool:
    """Whether the figure is a share and shown in percent: it has the unit that the title gives it."""
    if finding.figure is None:
        return True
    said = [float(number) for number in _PERCENTS.findall(finding.title)]
    return any(abs(100 * finding.figure.value - number) <= _ROUNDING for number in said)


def shown(finding: Finding, value: float) -> str:
    """A value in the unit of the finding's figure."""
    return percent(value) if in_percent(finding) else _plain(value)


def share_text(finding: Finding) -> str:
    """How many of how many: "12 of 600 (2%)"."""
    return f"{finding.count:,} of {finding.of:,} ({percent(finding.share)})"


def _plain(value: float) -> str:
    digits = f"{value:.2f}" if abs(value) < _TWO_DECIMALS else f"{value:.3g}"
    return digits.replace("-", "\u2212")


def measured_text(finding: Finding) -> str:
    """The share and the figure with its 95% interval, each said once, and the threshold."""
    figure, told = finding.figure, [share_text(finding)]
    if figure is not None:
        known = math.isfinite(figure.low) and math.isfinite(figure.high)
        ends = f" (interval {shown(finding, figure.low)} to {shown(finding, figure.high)})" if known else ""
        value = f"{shown(finding, figure.value)}{ends}"
        if figure.n == finding.of and shown(finding, figure.value) == percent(finding.share):
            told = [f"{finding.count:,} of {finding.of:,}", value]
        else:
            told += [value, f"n = {figure.n:,}"]
    if finding.threshold is not None:
        told.append(f"threshold {shown(finding, finding.threshold)}")
    return ", ".join(told)


def parts(record: Record | Quarantined) -> list[Part]:
    """A record as text, piece by piece; a row that was left out as it came."""
    if isinstance(record, Quarantined):
        raw = (
            record.raw
            if isinstance(record.raw, str)
            else json.dumps(record.raw, ensure_ascii=False, indent=2)
        )
        return [Part(f"left out as {record.reason}", raw)]
    if isinstance(record, Judgement):
        return [Part("verdict", f"{record.annotator}: {record.verdict}")]
    found = [Part("prompt", _text(record.prompt))]
    if isinstance(record, Preference):
        found += [Part("chosen", _text(record.chosen)), Part("rejected", _text(record.rejected))]
    elif isinstance(record, Ranking):
        ranked = zip(record.ranks, record.responses, strict=True)
        found += [Part(f"rank {rank}", _text(turns)) for rank, turns in ranked]
    elif isinstance(record, Candidates):
        found += [Part("candidate", _text(turns)) for turns in record.responses]
    elif isinstance(record, Rating):
        found.append(Part(f"{record.aspect} {record.score:g}", _text(record.response)))
    elif not isinstance(record, Prompt):
        found.append(Part("response", _text(record.response)))
    return found


def _text(messages: Messages) -> str:
    """A conversation as text, its roles named where there is more than one turn."""
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(f"{message.role.capitalize()}: {message.content}" for message in messages)
