"""Prompts that come far more often than others: what they ask is learned over and over, the rest hardly."""

from __future__ import annotations

from array import array
from collections import Counter

import numpy as np

from heedful.checks.finding import EXAMPLES, Example, Finding, Outcome, Table
from heedful.checks.sameness import messages_hash
from heedful.checks.text import excerpt, text_of
from heedful.records import Judgement, Record

CAP = 0
TIMES = 10.0
LEAST = 20
SHARE = 0.01
TOP = 10  # prompts shown
NAMED_FROM = 5  # records of a prompt from which on its text is remembered


class FrequentPrompts:
    """How many records the most frequent prompts have."""

    name = "frequent_prompts"
    asks = "Do a few prompts have most of the records?"

    def __init__(
        self, *, cap: int = CAP, times: float = TIMES, least: int = LEAST, share: float = SHARE
    ) -> None:
        """`cap`: the most records a prompt should have; 0: `times` as many as the median prompt, but `least`
        at least.

        `times`: how many times the median is too often; `least`: records that are never too many for a
        prompt; `share`: of all records that prompts over the cap may have before it is a finding.
        """
        self.cap, self.times, self.least, self.share = cap, times, least, share
        self.counts: Counter[int] = Counter()
        self.texts: dict[int, Example] = {}
        self.prompts, self.indices = array("q"), array("q")

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Judgement):
            return
        prompt = messages_hash(record.prompt)
        self.prompts.append(prompt)
        self.indices.append(index)
        self.counts[prompt] += 1
        if self.counts[prompt] == NAMED_FROM:
            self.texts[prompt] = Example(record.id, excerpt(text_of(record.prompt)))

    def outcome(self) -> Outcome:
        total = len(self.prompts)
        if not total:
            return Outcome(skipped="no record has a prompt")
        median = float(np.median(list(self.counts.values())))
        cap = self.cap or max(round(self.times * median), self.least)
        over = {prompt: count for prompt, count in self.counts.items() if count > cap}
        top = self.counts.most_common(TOP)
        figures = {
            "records": total,
            "prompts": len(self.counts),
            "most_of_one_prompt": top[0][1],
            "top_share": sum(count for _, count in top) / total,
            "cap": cap,
            "prompts_over_cap": len(over),
            "records_over_cap": sum(over.values()) - cap * len(over),
        }
        rows = [(self.texts[prompt].text, n, n / total) for prompt, n in top if prompt in self.texts]
        tables = (
            [Table("The most frequent prompts", ("prompt", "records", "share"), tuple(rows))] if rows else []
        )
        return Outcome(self._findings(over, cap), figures, tables)

    def _findings(self, over: dict[int, int], cap: int) -> list[Finding]:
        total, count = len(self.prompts), sum(over.values())
        if count <= self.share * total:
            return []
        most = sorted(over, key=lambda prompt: -over[prompt])
        prompts = "1 prompt has" if len(over) == 1 else f"{len(over)} prompts each have"
        return [
            Finding(
                check=self.name,
                code="frequent_prompt",
                severity="warning",
                title=f"{prompts} over {cap} records, {count / total:.1%} of all",
                count=count,
                of=total,
                why="They weigh as much as all their copies together, in training and in every average.",
                mend=f"Keep at most so many records of a prompt: heedful mix FILE OUT --per-prompt {cap}",
                threshold=self.share,
                examples=tuple(self.texts[prompt] for prompt in most if prompt in self.texts)[:EXAMPLES],
                removes=self._surplus(over, cap),
            )
        ]

    def _surplus(self, over: dict[int, int], cap: int) -> frozenset[int]:
        """The records of each frequent prompt after the first `cap`."""
        seen: Counter[int] = Counter()
        found = []
        for prompt, index in zip(self.prompts, self.indices, strict=True):
            if prompt in over:
                seen[prompt] += 1
                if seen[prompt] > cap:
                    found.append(index)
        return frozenset(found)
