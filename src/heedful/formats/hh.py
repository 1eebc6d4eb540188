"""Anthropic HH: `{chosen, rejected}`, each a whole transcript "\\n\\nHuman: ...\\n\\nAssistant: ...".

Which side is better: `chosen` beats `rejected`. The two transcripts often begin their last reply with the
same words, so a common prefix of characters would end in mid-reply: both are taken apart into turns, the
prompt is the common run of *turns*, and exactly one Assistant turn must be left on each side.
"""

from __future__ import annotations

import re

from ..records import Message, Messages, Preference, Role
from .fields import Fault, Fields, Origin, common_turns, field, provenance, text
from .format import Format

SIDES = frozenset({"chosen", "rejected"})
LAYOUTS = (SIDES,)
ROLE_OF: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}

SPEAKER = re.compile(r"\n\n(Human|Assistant):")
"""A turn begins after a blank line (or opens a transcript whose blank line was stripped, see `_opened`); a
"Human:" elsewhere in a line, or after one newline only, is what someone wrote."""


OTHER_PROMPTS = frozenset(
    {
        "conversations", "messages", "instruction", "question", "query", "input", "text", "context",
        "history", "post",
    }
)  # fmt: skip
"""Columns that hold the prompt in layouts with one: with it, no side holds a prompt of its own."""


def fits(row: Fields) -> bool:
    """Whether a side is a transcript. With a prompt of its own the row is in another layout."""
    if not row.keys() >= SIDES or "prompt" in row or row.keys() & OTHER_PROMPTS:
        return False
    return any(isinstance(row[side], str) and SPEAKER.search(_opened(row[side])) for side in SIDES)


def parse(row: Fields, origin: Origin) -> Preference:
    """`chosen` is the better transcript. Turns lose the whitespace around them and nothing else."""
    chosen, rejected = _turns(row, "chosen"), _turns(row, "rejected")
    for key, (speaker, reply) in (("chosen", chosen[-1]), ("rejected", rejected[-1])):
        if speaker != "Assistant":
            raise Fault("no_final_assistant", f'"{key}" ends with the human')
        if not reply:
            raise Fault(f"empty_{key}", f'the last reply of "{key}" is empty')
    shared = common_turns(chosen, rejected)
    left = len(chosen) - shared, len(rejected) - shared
    if left != (1, 1):
        what = f"after {shared} common turns chosen has {left[0]} more and rejected {left[1]}, not one each"
        raise Fault("extra_turns", what)
    prompt, better, worse = map(_messages, (chosen[:shared], chosen[shared:], rejected[shared:]))
    return Preference(prompt, better, worse, **provenance(row, origin, SIDES))


def _turns(row: Fields, key: str) -> list[tuple[str, str]]:
    """Who spoke and what. Messages are made later, and of the prompt once: it stands in both transcripts."""
    before, *parts = SPEAKER.split(_opened(text(field(row, key), key)))
    if not parts:
        raise Fault("not_a_transcript", f'"{key}" has no turn "\\n\\nHuman:" or "\\n\\nAssistant:"')
    if before.strip():
        raise Fault("leading_text", f'"{key}" has text before its first turn')
    return list(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))


def _opened(transcript: str) -> str:
    """The transcript with the blank line that its first turn must follow. Asked of the pattern, "or at the
    beginning" would make it five times as slow."""
    return "\n\n" + transcript if transcript.startswith(("Human:", "Assistant:")) else transcript


def _messages(turns: list[tuple[str, str]]) -> Messages:
    return tuple([Message(ROLE_OF[speaker], said) for speaker, said in turns])


FORMAT = Format(
    name="hh", about="Anthropic HH's pairs of transcripts", layouts=LAYOUTS, fits=fits, parse=parse
)
