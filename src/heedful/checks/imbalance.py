"""How records spread over prompts, sources, annotators, languages and scripts.

Mostly tables to look at; a note where one of several holds nearly all. The script is told by Unicode's blocks
(`scripts`) and is not the language, which is only known where the metadata name it.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping

import numpy as np

from heedful.checks.finding import Finding, Outcome, Table
from heedful.checks.sameness import messages_hash
from heedful.checks.scripts import main_script
from heedful.checks.text import excerpt, responses_of
from heedful.records import ANNOTATOR, LANGUAGE, Judgement, Record

SHARE = 0.8
PROMPT_SHARE = 0.1
LEAST = 100
ROWS = 20  # of a table
NO_LETTERS = "none"
QUARTILES = (0, 25, 50, 75, 100)


class Imbalance:
    """Records per prompt, source, annotator, language and script."""

    name = "imbalance"
    asks = "Does one source, annotator or prompt hold most of the data?"

    def __init__(
        self, *, share: float = SHARE, prompt_share: float = PROMPT_SHARE, least: int = LEAST
    ) -> None:
        """`share`: of the records that one of several sources or annotators may hold before it is a note;
        `prompt_share`: the same of one prompt; `least`: records under which nothing is said.
        """
        self.share, self.prompt_share, self.least = share, prompt_share, least
        self.prompts = array("q")
        self.by: dict[str, Counter[str]] = {
            name: Counter() for name in ("source", "annotator", "language", "script")
        }

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Judgement):
            self.by["annotator"][record.annotator] += 1
            return
        self.prompts.append(messages_hash(record.prompt))
        self.by["source"][record.source] += 1
        for name, key in (("annotator", ANNOTATOR), ("language", LANGUAGE)):
            if isinstance(value := record.metadata.get(key), str):
                self.by[name][value] += 1
        self.by["script"][_script(record)] += 1

    def outcome(self) -> Outcome:
        _, counts = np.unique(np.frombuffer(self.prompts, np.int64), return_counts=True)
        tables = [_spread(counts)] if len(counts) else []
        tables += [_table(name, found) for name, found in self.by.items() if len(found) > 1]
        figures = {name: dict(found.most_common(ROWS)) for name, found in self.by.items() if found}
        most = int(counts.max(initial=0))
        findings = [
            finding for name in ("source", "annotator") for finding in self._findings(name, self.by[name])
        ]
        if len(self.prompts) >= self.least and most > self.prompt_share * len(self.prompts):
            findings.append(self._note("prompt", "one prompt", most, len(self.prompts), self.prompt_share))
        return Outcome(findings, figures | {"prompts": len(counts), "most_of_one_prompt": most}, tables)

    def _findings(self, name: str, counts: Counter[str]) -> list[Finding]:
        total = counts.total()
        if len(counts) < 2 or total < self.least:
            return []
        (first, count), *_ = counts.most_common(1)
        if count <= self.share * total:
            return []
        return [
            self._note(name, f'one of {len(counts)} {name}s, "{excerpt(first)}",', count, total, self.share)
        ]

    def _note(self, name: str, who: str, count: int, total: int, threshold: float) -> Finding:
        mends = {
            "source": "Take less of it: heedful mix FILE OUT --cap SOURCE=NUMBER",
            "annotator": "Let others judge a part of it too, to tell one person's taste from the task.",
            "prompt": "Take less of it: heedful mix FILE OUT --per-prompt NUMBER",
        }
        return Finding(
            check=self.name,
            code=f"one_{name}",
            severity="note",
            title=f"{who} holds {count / total:.0%} of the records",
            count=count,
            of=total,
            why="What is learned is mostly what it says; averages over all records hide how the others fare.",
            mend=mends[name],
            threshold=threshold,
        )


def _script(record: Record) -> str:
    """The script of most letters of prompt and responses."""
    assert not isinstance(record, Judgement)
    text = "".join([turn.content for messages in (record.prompt, *responses_of(record)) for turn in messages])
    return main_script(text) or NO_LETTERS


def _spread(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Table:
    ends = np.percentile(counts, QUARTILES).tolist()
    rows = (("prompts", len(counts)), ("records, mean", float(counts.mean())))
    names = ("records, fewest", "lower quartile", "median", "upper quartile", "most")
    return Table("Records per prompt", ("", "number"), (*rows, *zip(names, ends, strict=True)))


def _table(name: str, counts: Mapping[str, int]) -> Table:
    total = sum(counts.values())
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rows = [(value or "not named", count, count / total) for value, count in ranked[:ROWS]]
    if rest := ranked[ROWS:]:
        count = sum(count for _, count in rest)
        rows.append((f"{len(rest)} others", count, count / total))
    return Table(f"Records per {name}", (name, "records", "share"), tuple(rows))
