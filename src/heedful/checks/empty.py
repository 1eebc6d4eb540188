"""Replies that say nothing: empty, only marks, or next to nothing.

An empty reply teaches to say nothing, a reply of marks alone is mostly a scraper's or a renderer's accident.
The readers leave empty ones out; this counts them, and finds those of records made in Python.
"""

from __future__ import annotations

import re

from heedful.checks.finding import Finding, Outcome, Severity, Table
from heedful.checks.tally import Tally
from heedful.checks.text import responses_of
from heedful.quarantine import Quarantined
from heedful.records import Preference, Record

LETTERS = 2
MEANT = 0.2  # of replies: where so many are that short, a letter is what was asked for

WORD = re.compile(r"[^\W_]")
MARKUP = re.compile(r"<[^<>]*>|&#?\w+;|`{3,}\w*|!?\[\]\([^()]*\)")
PLAIN = r"(?:[^\w<&`\[]|_)"  # neither a letter or digit nor what opens markup
SYLLABLES = "\u0900"  # from here on, most scripts write a syllable or a word in one letter
LONG = 200  # characters: the markup of a longer reply is not looked through
REASONS = ("empty_chosen", "empty_rejected", "empty_response")  # as the readers call them


class EmptyReplies:
    """Replies without content: none at all, no word, fewer than a few letters."""

    name = "empty"
    asks = "Does every reply say something?"

    def __init__(self, *, letters: int = LETTERS) -> None:
        """`letters`: letters below which a reply without a digit is next to nothing."""
        self.letters = letters
        self.of = 0
        self.empty, self.wordless, self.short = Tally(), Tally(), Tally()
        self.by_side: dict[str, list[int]] = {}
        self._begins_plainly = re.compile(rf"(?:{PLAIN}*+[^\W_]){{{max(letters, 1)}}}").match

    def see(self, record: Record, index: int) -> None:
        responses = responses_of(record)
        if not responses:
            return
        self.of += 1
        for number, response in enumerate(responses):
            text = response[-1].content if response else ""
            # Most replies have letters before any markup, or are long: no need to look closely.
            if self._begins_plainly(text) or (len(text) > LONG and WORD.search(text)):
                continue
            self._look(record, index, text, number)

    def see_left_out(self, row: Quarantined) -> None:
        if row.reason in REASONS:
            self.of += 1
            self.empty.add_left_out(row.where, row.detail)
            self._count(row.reason.removeprefix("empty_"), 0)

    def outcome(self) -> Outcome:
        if not self.of:
            return Outcome(skipped="no record has a response")
        figures = {
            "empty": self.empty.count,
            "left_out": self.empty.count - self.empty.kept,
            "no_word": self.wordless.count,
            "near_empty": self.short.count,
            "of": self.of,
        }
        rows = tuple(
            (side, empty, wordless, short) for side, (empty, wordless, short) in sorted(self.by_side.items())
        )
        header = ("", "empty", "no word", f"under {self.letters} letters")
        tables = (Table("Replies that say nothing", header, rows),) if rows else ()
        return Outcome(self._findings(), figures, tables)

    def _look(self, record: Record, index: int, text: str, number: int) -> None:
        side = ("chosen", "rejected")[number] if isinstance(record, Preference) else "response"
        bare = MARKUP.sub("", text)
        if not text.strip():
            self.empty.add(record, index, f"{side} is empty")
            self._count(side, 0)
        elif not WORD.search(bare):
            self.wordless.add(record, index, f"{side}: {text}")
            self._count(side, 1)
        elif self._is_short(bare):
            self.short.add(record, index, f"{side}: {text}")
            self._count(side, 2)

    def _is_short(self, text: str) -> bool:
        words = WORD.findall(text)
        return len(words) < self.letters and not any(word.isdigit() or word >= SYLLABLES for word in words)

    def _count(self, side: str, fault: int) -> None:
        self.by_side.setdefault(side, [0, 0, 0])[fault] += 1

    def _findings(self) -> list[Finding]:
        left_out = self.empty.count - self.empty.kept
        found = [
            self._finding(
                self.empty,
                "empty_reply",
                "error" if self.empty.kept else "warning",
                f"{_replies(self.empty.count)} an empty reply",
                "A model that learns from an empty reply learns to stop at once."
                + (f" Heedful left {left_out} out when it read the file." if left_out else ""),
                "Take them out: heedful check FILE --fix OUT. Ask why they are missing: a failed call, a "
                "label given to nothing.",
            ),
            self._finding(
                self.wordless,
                "no_word",
                "note",
                f"{_replies(self.wordless.count)} a reply of marks, markup or emoji alone",
                "Mostly what is left of an image, a table or a failed call; sometimes what was asked for.",
                "Look at them, and take out those that answer nothing.",
            ),
            self._finding(
                self.short,
                "near_empty",
                "note",
                f"{_replies(self.short.count)} a reply of fewer than {self.letters} letters",
                "So little is rarely an answer where other replies are sentences.",
                "Look at them, and take out those that were cut off.",
            ),
        ]
        return [finding for finding in found if finding is not None]

    def _finding(
        self, tally: Tally, code: str, severity: Severity, title: str, why: str, mend: str
    ) -> Finding | None:
        if not tally.count or (tally is not self.empty and tally.count > MEANT * self.of):
            return None
        return Finding(
            check=self.name,
            code=code,
            severity=severity,
            title=title,
            count=tally.count,
            of=self.of,
            why=why,
            mend=mend,
            examples=tally.examples,
            removes=tally.indices if tally is self.empty else None,
        )


def _replies(count: int) -> str:
    return f"{count} record has" if count == 1 else f"{count} records have"
