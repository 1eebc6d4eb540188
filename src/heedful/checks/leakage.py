"""Whether prompts of a test set stand in the checked file too: memory would be measured as skill.

The same prompt exactly, the same but for case, marks and white space, and almost the same (`near`). Holds the
test set's prompts, and of the checked ones a hash each.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from heedful.checks.finding import EXAMPLES, Example, Finding, Outcome, Severity, Table
from heedful.checks.near import NEAR, NearIndex
from heedful.checks.sameness import question
from heedful.checks.sample import Sample
from heedful.checks.text import excerpt, text_of
from heedful.quarantine import Quarantined
from heedful.records import Judgement, Record

SHARE = 0.0
BATCH = 512  # prompts compared at a time

Level = Literal["exact", "normalised", "near", "none"]
LEVELS: tuple[Level, ...] = get_args(Level)


class _Asked(NamedTuple):
    """A prompt that waits to be compared: its hash, what it asks, and for an example its record and text."""

    key: int
    question: str
    id: str
    text: str


class SplitLeakage:
    """How many records have a prompt of the test set, or one near it."""

    name = "split_leakage"
    asks = "Are prompts of the test set in the data?"

    def __init__(
        self, against: Iterable[Record | Quarantined], *, near: float = NEAR, share: float = SHARE
    ) -> None:
        """`near`: the least Jaccard similarity of two prompts that are almost the same; `share`: of the
        records that may have a prompt of the test set before it is a finding.

        `against`: the test set; rows of it that could not be read are passed over.
        """
        self.near, self.share = near, share
        self._index = NearIndex(near)
        self._exact: set[int] = set()
        self._normalised: set[str] = set()
        for record in against:
            if isinstance(record, Quarantined | Judgement) or hash(record.prompt) in self._exact:
                continue
            asked = question(record.prompt)
            self._exact.add(hash(record.prompt))
            self._normalised.add(asked)
            self._index.add(asked)
        self._keys = array("q")  # a hash of each record's prompt
        self._indices = array("q")
        self._levels: dict[int, Level] = {}
        self._waiting: list[_Asked] = []
        self._samples: dict[Level, Sample[Example]] = {level: Sample() for level in LEVELS}

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Judgement):
            return
        key = hash(record.prompt)
        self._keys.append(key)
        self._indices.append(index)
        if key in self._levels:
            return
        self._levels[key] = "none"
        self._waiting.append(_Asked(key, question(record.prompt), record.id, excerpt(text_of(record.prompt))))
        if len(self._waiting) == BATCH:
            self._compare()

    def _compare(self) -> None:
        rest = []
        for asked in self._waiting:
            if asked.key in self._exact:
                self._take(asked, "exact", "")
            elif asked.question in self._normalised:
                self._take(asked, "normalised", "")
            else:
                rest.append(asked)
        for asked, found in zip(rest, self._index.nearest([one.question for one in rest]), strict=True):
            if found is not None:
                self._take(asked, "near", f"\n\nin the test set: {excerpt(found)}")
        self._waiting.clear()

    def _take(self, asked: _Asked, level: Level, beside: str) -> None:
        self._levels[asked.key] = level
        self._samples[level].offer(Example(asked.id, asked.text + beside))

    def outcome(self) -> Outcome:
        self._compare()
        total = len(self._keys)
        if not total or not self._exact:
            return Outcome(skipped=f"there is no prompt {'to test with' if total else 'in the data'}")
        found: dict[Level, list[int]] = {"exact": [], "normalised": [], "near": [], "none": []}
        for key, index in zip(self._keys, self._indices, strict=True):
            found[self._levels[key]].append(index)
        exact = len(found["exact"])
        normalised = exact + len(found["normalised"])
        near = normalised + len(found["near"])
        counts = {"exact": exact, "normalised": normalised, "near": near}
        names = ("exactly", "but for case, marks and white space", "almost")
        rows = [(how, count, count / total) for how, count in zip(names, counts.values(), strict=True)]
        title = "Records whose prompt is in the test set"
        table = Table(title, ("the same", "records", "share"), tuple(rows))
        figures = {"records": total, "test_prompts": len(self._exact), **counts}
        findings = [
            self._finding("error", found["exact"] + found["normalised"], "exact", "normalised"),
            self._finding("warning", found["near"], "near"),
        ]
        return Outcome([finding for finding in findings if finding is not None], figures, (table,))

    def _finding(self, severity: Severity, indices: list[int], *levels: Level) -> Finding | None:
        total, near = len(self._keys), "near" in levels
        if len(indices) <= self.share * total:
            return None
        what = "a prompt almost like one of the test set" if near else "a prompt of the test set"
        examples = [example for level in levels for example in self._samples[level].taken()]
        return Finding(
            check=self.name,
            code="near_test_prompt" if near else "test_prompt",
            severity=severity,
            title=f"{len(indices) / total:.1%} of the records have {what}",
            count=len(indices),
            of=total,
            why="A model is better on prompts it was trained on: the test measures memory, not skill.",
            mend="Leave them out with heedful check FILE --against TEST --fix OUT, or split both again by "
            "prompt with heedful split",
            threshold=self.share,
            examples=tuple(examples[:EXAMPLES]),
            removes=frozenset(indices),
        )
