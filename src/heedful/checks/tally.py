"""The records that have one fault: how many, which, and a few to show."""

from __future__ import annotations

from array import array

from heedful.checks.finding import Example, Finding, Severity
from heedful.checks.sample import Sample
from heedful.checks.text import excerpt
from heedful.records import Judgement, Record


class Tally:
    """Counts records, each once, and keeps their indices and a sample of examples."""

    def __init__(self) -> None:
        self._indices = array("q")
        self._left_out = 0
        self._examples = Sample[Example]()

    def add(self, record: Record, index: int, text: str) -> None:
        """The record at `index` has the fault, as `text` shows; said twice in a row, it is counted once."""
        if not self._indices or self._indices[-1] != index:
            self._indices.append(index)
            name = record.item if isinstance(record, Judgement) else record.id
            self._examples.offer(Example(name, excerpt(text)))

    def add_left_out(self, where: str, text: str) -> None:
        """A row that was quarantined has the fault: counted, and nothing to be taken out."""
        self._left_out += 1
        self._examples.offer(Example(where, excerpt(text)))

    @property
    def count(self) -> int:
        """Records and rows that were left out."""
        return len(self._indices) + self._left_out

    @property
    def kept(self) -> int:
        """Records alone."""
        return len(self._indices)

    @property
    def indices(self) -> frozenset[int]:
        return frozenset(self._indices)

    @property
    def examples(self) -> tuple[Example, ...]:
        return self._examples.taken()

    def finding(
        self,
        check: str,
        code: str,
        severity: Severity,
        what: str,
        *,
        of: int,
        why: str,
        mend: str,
        remove: bool,
    ) -> Finding:
        """The fault as a finding, "3 records have" `what`; `remove`: `--fix` takes its records out."""
        return Finding(
            check=check,
            code=code,
            severity=severity,
            title=f"{self.count} {'record has' if self.count == 1 else 'records have'} {what}",
            count=self.count,
            of=of,
            why=why,
            mend=mend,
            examples=self.examples,
            removes=self.indices if remove else None,
        )
