"""What a length does to the data: records cut, sides made equal, no room for a reply.

Cuts as training does (`heedful.render`), and says what a trainer that cuts the end of prompt and reply
together would make of them. Needs a tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from heedful.checks.finding import Finding, Outcome, Plot, Severity, Table
from heedful.checks.tally import Tally
from heedful.checks.tokens import Tokens, TokenStream
from heedful.records import Preference, Record

LENGTH = 1024
LENGTHS = (256, 512, 1024, 2048)
CUT = 0.05
BINS = (0, 64, 128, 256, 512, 1024, 2048, 4096)


@dataclass(slots=True)
class _AtLength:
    """What became of the records at one length."""

    cut: int = 0
    prompts: int = 0
    replies: int = 0
    equal: Tally = field(default_factory=Tally)
    no_room: Tally = field(default_factory=Tally)  # for a reply, where only the end is cut
    end_equal: int = 0  # pairs whose first difference is cut, where only the end is


class Truncation:
    """Records, pairs and replies that do not fit a length."""

    name = "truncation"
    asks = "What is lost where records are cut to the length that is trained on?"

    def __init__(
        self,
        tokens: TokenStream,
        *,
        length: int = LENGTH,
        cut: float = CUT,
        lengths: Sequence[int] = LENGTHS,
    ) -> None:
        """`length`: tokens of prompt and response that training keeps (its data.max_length).
        `cut`: share of records of which something may be cut before it is a finding.
        `lengths`: further ones, for the table.
        """
        self.length, self.cut = length, cut
        self.lengths = {at: _AtLength() for at in sorted({*lengths, length})}
        self.of = self.pairs = 0
        self.sizes = [0] * len(BINS)
        self._tokens = tokens
        tokens.listen(self._see)

    def see(self, record: Record, index: int) -> None:
        self._tokens.offer(record, index)

    def _see(self, record: Record, tokens: Tokens, index: int) -> None:
        if tokens.refused or not tokens.responses:
            return
        self.of += 1
        pair = isinstance(record, Preference) and not record.tie
        self.pairs += pair
        longest = tokens.prompt + max(tokens.responses)
        self.sizes[max(n for n, low in enumerate(BINS) if low <= longest)] += 1
        for length, at in self.lengths.items():
            if longest <= length:
                break  # the lengths grow
            cut = tokens.within(length)
            at.cut += 1
            at.prompts += cut.prompt_cut
            at.replies += cut.responses_cut
            if cut.left_out == "equal_after_truncation" and not (
                isinstance(record, Preference) and record.tie
            ):
                shown = f"prompt {tokens.prompt} tokens, the sides alike for {tokens.alike}"
                at.equal.add(record, index, shown)
            if tokens.prompt >= length:
                at.no_room.add(record, index, f"prompt {tokens.prompt} tokens")
            elif pair and tokens.prompt + tokens.alike >= length:
                at.end_equal += 1

    def outcome(self) -> Outcome:
        self._tokens.flush()
        if not self.of:
            return Outcome(skipped="no record has a prompt and a response")
        header = (
            "tokens",
            "cut",
            "share",
            "prompts",
            "replies",
            "equal sides",
            "cut at the end: no reply",
            "equal",
        )
        rows = tuple(
            (
                n,
                at.cut,
                at.cut / self.of,
                at.prompts,
                at.replies,
                at.equal.count,
                at.no_room.count,
                at.end_equal,
            )
            for n, at in self.lengths.items()
        )
        names = ("cut", "share", "prompts_cut", "replies_cut", "equal", "end_no_reply", "end_equal")
        figures = {
            "of": self.of,
            "lengths": {str(row[0]): dict(zip(names, row[1:], strict=True)) for row in rows},
        }
        edges = [f"{low} to {high - 1}" for low, high in pairwise(BINS)]
        plot = Plot(
            "Tokens of prompt and longest reply", "bars", "records",
            labels=(*edges, f"{BINS[-1]} and more"), series={"records": tuple(map(float, self.sizes))},
        )  # fmt: skip
        findings = [f for f in self._findings(self.lengths[self.length]) if f is not None]
        return Outcome(findings, figures, (Table("Cut to a length", header, rows),), (plot,))

    def _findings(self, at: _AtLength) -> list[Finding | None]:
        longer = "Train with a larger data.max_length, or leave the long ones out: data.truncation=drop."
        return [
            self._finding(
                at.equal, "equal_after_truncation", "warning",
                f"{at.equal.count} of {self.pairs} pairs have equal sides within {self.length} tokens",
                self.pairs,
                "Their first difference is cut away. Heedful trains without them; elsewhere they are noise.",
                "Train with a larger data.max_length, or take them out: heedful check FILE --fix OUT.",
            ),
            self._finding(
                at.no_room, "prompt_fills_length", "warning",
                f"the prompt alone fills {self.length} tokens in {at.no_room.count} records",
                self.of,
                "A trainer that cuts the end of prompt and reply together leaves no reply to learn from. "
                "Heedful cuts the beginning of the prompt, and with it what the reply may rest on.",
                longer,
            ),
            Finding(
                check=self.name, code="truncated", severity="warning",
                title=f"{at.cut / self.of:.0%} of records are cut at {self.length} tokens",
                count=at.cut, of=self.of,
                why="A cut reply does not teach when to stop; a reply may answer what its prompt lost.",
                mend=longer, threshold=self.cut,
            ) if at.cut > self.cut * self.of else None,
        ]  # fmt: skip

    def _finding(
        self, tally: Tally, code: str, severity: Severity, title: str, of: int, why: str, mend: str
    ) -> Finding | None:
        if not tally.count:
            return None
        return Finding(
            check=self.name,
            code=code,
            severity=severity,
            title=title,
            count=tally.count,
            of=of,
            why=why,
            mend=mend,
            examples=tally.examples,
            removes=tally.indices if code == "equal_after_truncation" else None,
        )
