"""Whether the two sides of a pair say the same: then there is nothing to prefer.

Compared after NFKC, strip and folding of white space. The readers leave such rows out; this counts them, and
finds those of records made in Python. Sides that are equal only within a length are the truncation check's.
"""

from __future__ import annotations

from heedful.checks.finding import Finding, Outcome
from heedful.checks.tally import Tally
from heedful.checks.text import folded, text_of
from heedful.formats.sound import alike
from heedful.quarantine import Quarantined
from heedful.records import Messages, Preference, Ranking, Record

REASON = "equal_sides"  # as the readers call it


class EqualSides:
    """Pairs whose chosen and rejected are the same, and rankings that rank one text twice."""

    name = "equal_sides"
    asks = "Do the two sides say the same?"

    def __init__(self) -> None:
        self.of = 0
        self.equal = Tally()

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Preference):
            self.of += 1
            if _same(record.chosen, record.rejected):
                self.equal.add(record, index, text_of(record.chosen))
        elif isinstance(record, Ranking):
            self.of += 1
            self._see_ranking(record, index)

    def see_left_out(self, row: Quarantined) -> None:
        if row.reason == REASON:
            self.of += 1
            self.equal.add_left_out(row.where, row.detail)

    def outcome(self) -> Outcome:
        if not self.of:
            return Outcome(skipped="no record has two responses")
        figures = {"equal": self.equal.count, "left_out": self.equal.count - self.equal.kept, "of": self.of}
        return Outcome(self._findings(), figures)

    def _see_ranking(self, record: Ranking, index: int) -> None:
        rank_of: dict[str, int] = {}
        for response, rank in zip(record.responses, record.ranks, strict=True):
            text = folded(text_of(response))
            if rank_of.setdefault(text, rank) != rank:
                self.equal.add(record, index, text)

    def _findings(self) -> list[Finding]:
        equal = self.equal
        if not equal.count:
            return []
        pairs = f"{equal.count} pair has" if equal.count == 1 else f"{equal.count} pairs have"
        all_left_out = not equal.kept
        return [
            Finding(
                check=self.name,
                code=REASON,
                severity="warning" if all_left_out else "error",
                title=f"{pairs} the same response on both sides",
                count=equal.count,
                of=self.of,
                why="Whichever side was marked, the label is noise: a loss on such a pair is a constant."
                + (
                    " Heedful leaves them out when it reads the file; another trainer may not." * all_left_out
                ),
                mend="Take them out: heedful check FILE --fix OUT. If there are many, look for the step that "
                "copied one response over the other.",
                examples=equal.examples,
                removes=equal.indices,
            )
        ]


def _same(chosen: Messages, rejected: Messages) -> bool:
    """`alike`, after a look at the first and last words, which tell most pairs apart sooner."""
    if chosen and rejected:
        left, right = chosen[0].content, rejected[0].content
        if _word(left.split(None, 1)[:1]) != _word(right.split(None, 1)[:1]):
            return False
        if _word(left.rsplit(None, 1)[-1:]) != _word(right.rsplit(None, 1)[-1:]):
            return False
    return alike(chosen, rejected)


def _word(words: list[str]) -> str:
    return folded(words[0]) if words else ""
