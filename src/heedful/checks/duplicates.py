"""Records that are there twice, pairs judged both ways, and responses that beat one another in a circle.

Keeps 64-bit hashes only (`sameness`), no texts. One person's vote repeats only their own, so several
annotators who agree or differ about a pair are neither duplicates nor contradictions here.
"""

from __future__ import annotations

from array import array

import numpy as np

from heedful.checks.cycles import LEAST, components, majority
from heedful.checks.finding import Example, Finding, Outcome
from heedful.checks.sameness import messages_hash, said
from heedful.checks.sample import Sample
from heedful.checks.text import excerpt, text_of
from heedful.records import Judgement, Preference, Record

SHARE = 0.01


class Duplicates:
    """How many records repeat an earlier one, say its opposite, or stand in a cycle of preferences."""

    name = "duplicates"
    asks = "Is a record there twice, or a pair judged both ways?"

    def __init__(self, *, share: float = SHARE) -> None:
        """`share`: of records that may repeat an earlier one before it is a warning, not a note."""
        self.share = share
        self.firsts: dict[int, int] = {}  # by a hash of what is said of what: the first record that says it
        self.judged = array("q")  # what each record judges
        self.copies = array("q")  # indices
        self.clashing: set[int] = set()  # what is judged both ways
        self.edges = array("q")  # index, prompt, winner, loser of each preference
        self.copied, self.clashes = Sample[Example](), Sample[Example]()

    def see(self, record: Record, index: int) -> None:
        found = said(record)
        self.judged.append(found.of)
        first = self.firsts.setdefault(hash(found), index)
        if first != index:
            self.copies.append(index)
            self.copied.offer(_example(record, f"the same as record {first + 1}"))
        elif found.verdict:
            opposite = self.firsts.get(hash((found.of, -found.verdict)))
            if opposite is not None:
                self.clashing.add(found.of)
                self.clashes.offer(_example(record, f"the opposite of record {opposite + 1}"))
        if isinstance(record, Preference) and not record.tie:
            sides = messages_hash(record.chosen), messages_hash(record.rejected)
            self.edges.extend((index, messages_hash(record.prompt), *sides))

    def outcome(self) -> Outcome:
        if not self.judged:
            return Outcome(skipped="there is no record")
        judged = np.frombuffer(self.judged, np.int64)
        clashing = np.flatnonzero(np.isin(judged, np.fromiter(self.clashing, np.int64)))
        circles, inside = self._cycles()
        figures = {
            "records": len(judged),
            "duplicates": len(self.copies),
            "contradicted_pairs": len(self.clashing),
            "records_in_contradictions": len(clashing),
            "prompts_with_cycles": circles,
            "records_in_cycles": len(inside),
        }
        findings = [
            *self._copies(),
            *self._contradictions(clashing.tolist()),
            *self._circles(circles, inside),
        ]
        return Outcome(findings, figures)

    def _cycles(self) -> tuple[int, list[int]]:
        """How many prompts have a cycle, and the records whose two responses both stand in one."""
        edges = np.frombuffer(self.edges, np.int64).reshape(-1, 4)
        edges = edges[np.argsort(edges[:, 1], kind="stable")]
        starts = np.flatnonzero(np.diff(edges[:, 1], prepend=edges[:1, 1] - 1))
        sizes = np.diff(starts, append=len(edges))
        prompts, inside = 0, []
        for start, size in zip(starts[sizes >= LEAST].tolist(), sizes[sizes >= LEAST].tolist(), strict=True):
            rows = [tuple(row) for row in edges[start : start + size, [0, 2, 3]].tolist()]
            circles = components(majority((winner, loser) for _, winner, loser in rows))
            prompts += bool(circles)
            for circle in circles:
                inside += [index for index, *sides in rows if circle.issuperset(sides)]
        return prompts, inside

    def _copies(self) -> list[Finding]:
        count, total = len(self.copies), len(self.judged)
        if not count:
            return []
        return [
            Finding(
                check=self.name,
                code="duplicate",
                severity="warning" if count > self.share * total else "note",
                title=f"{count / total:.1%} of the records repeat an earlier one",
                count=count,
                of=total,
                why="A repeated record counts twice in training, and may stand in training and test at once.",
                mend="Keep the first of each: heedful dedupe FILE OUT",
                threshold=self.share,
                examples=self.copied.taken(),
                removes=frozenset(self.copies),
            )
        ]

    def _contradictions(self, indices: list[int]) -> list[Finding]:
        if not indices:
            return []
        return [
            Finding(
                check=self.name,
                code="contradiction",
                severity="error",
                title=f"{len(self.clashing)} pairs are judged both ways",
                count=len(indices),
                of=len(self.judged),
                why="One of two opposite labels is wrong and nothing says which: they teach only noise.",
                mend="Judge again, or leave both out: heedful dedupe FILE OUT --contradictions drop_both",
                examples=self.clashes.taken(),
                removes=frozenset(indices),
            )
        ]

    def _circles(self, prompts: int, indices: list[int]) -> list[Finding]:
        if not prompts:
            return []
        return [
            Finding(
                check=self.name,
                code="preference_cycle",
                severity="warning",
                title=f"{prompts} prompts have responses that beat one another in a circle",
                count=len(indices),
                of=len(self.edges) // 4,
                why="No scores can put a before b, b before c and c before a: one of the labels is wrong.",
                mend="Judge these prompts again, or leave the pairs out: heedful check FILE --fix OUT",
                removes=frozenset(indices),
            )
        ]


def _example(record: Record, what: str) -> Example:
    if isinstance(record, Judgement):
        return Example(record.item, f"{record.annotator}: {what}")
    return Example(record.id, f"{what}: {excerpt(text_of(record.prompt))}")
