"""Marks of a chat template inside the texts: where a turn should end, another begins in the middle of it.

Reads text alone. What one tokenizer makes of its own template is `template_tokens`'.
"""

from __future__ import annotations

import re

from heedful.checks.finding import Finding, Outcome, Severity
from heedful.checks.tally import Tally
from heedful.checks.text import responses_of
from heedful.records import Judgement, Messages, Record

# "Human:" in the middle of a line, or "User:" at the beginning of one, is what somebody wrote.
ROLE = re.compile(r"(?:\A|\n)[ \t]*(?:Human|Assistant|USER|ASSISTANT):")
MARKER = re.compile(
    r"<\|[A-Za-z_]{2,40}\|>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
    r"|(?:\A|\n)### ?(?:Instruction|Response|Human|Assistant|User):"
    r"|\A\s*<s>|</s>\s*(?:<s>|\Z)"
)
ROLE_HINTS = ("uman:", "ssistant:", "USER:", "SSISTANT:")
CONTEXT = 40  # characters shown around a mark

KINDS: dict[str, tuple[Severity, str, str, str]] = {
    "role_in_reply": (
        "warning",
        'a turn marker ("Human:", "Assistant:") inside a reply',
        "The reply runs on into the next turn: the model learns to speak for the user.",
        "Cut the replies where the marker stands, or take those records out: heedful check FILE --fix OUT.",
    ),
    "marker_in_reply": (
        "warning",
        "a chat template's marker inside a reply",
        "The template was applied before, or the sampler did not stop: the model learns to write markers, "
        "and a tokenizer that knows them ends the turn there.",
        "Read the file without its template, or take those records out: heedful check FILE --fix OUT.",
    ),
    "role_in_prompt": (
        "note",
        'a turn marker ("Human:", "Assistant:") inside a turn of the prompt',
        "Somebody wrote it, or a transcript was split in the wrong place.",
        "Look at the examples; a blank line before the marker makes it a turn of its own in HH's layout.",
    ),
    "marker_in_prompt": (
        "warning",
        "a chat template's marker inside the prompt",
        "The template was applied before, and will be once more: markers stand where text is expected.",
        "Read the file without its template: the prompt's turns belong in a list of role and content.",
    ),
}


class TemplateTrouble:
    """Turn markers and template tokens inside prompts and replies."""

    name = "template_trouble"
    asks = "Are there marks of a chat template inside the texts?"

    def __init__(self) -> None:
        self.of = 0
        self.tallies = {kind: Tally() for kind in KINDS}

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Judgement):
            return
        self.of += 1
        responses = responses_of(record)
        text = "\n".join([message.content for part in (record.prompt, *responses) for message in part])
        # Almost every record leaves here.
        has_role = any(hint in text for hint in ROLE_HINTS)
        has_marker = "<" in text or "INST]" in text or "###" in text
        if has_role or has_marker:
            self._look(record.prompt, "prompt", record, index, (has_role, has_marker))
            for response in responses:
                self._look(response, "reply", record, index, (has_role, has_marker))

    def outcome(self) -> Outcome:
        if not self.of:
            return Outcome(skipped="no record has text")
        counts = {kind: tally.count for kind, tally in self.tallies.items()}
        findings = [self._finding(kind, tally) for kind, tally in self.tallies.items() if tally.count]
        return Outcome(findings, {**counts, "of": self.of})

    def _look(self, part: Messages, place: str, record: Record, index: int, has: tuple[bool, bool]) -> None:
        for message in part:
            text = message.content
            if has[0] and (match := ROLE.search(text)):
                self.tallies[f"role_in_{place}"].add(record, index, _around(text, match))
            if has[1] and (match := MARKER.search(text)):
                self.tallies[f"marker_in_{place}"].add(record, index, _around(text, match))

    def _finding(self, kind: str, tally: Tally) -> Finding:
        severity, what, why, mend = KINDS[kind]
        remove = kind.endswith("reply")
        return tally.finding(self.name, kind, severity, what, of=self.of, why=why, mend=mend, remove=remove)


def _around(text: str, match: re.Match[str]) -> str:
    """The mark with what stands before and after it."""
    start = max(0, match.start() - CONTEXT)
    return ("…" if start else "") + text[start : match.end() + CONTEXT].strip()
