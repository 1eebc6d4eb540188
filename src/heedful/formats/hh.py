"""Anthropic HH: `{chosen, rejected}`, each a whole transcript "\\n\\nHuman: ...\\n\\nAssistant: ...".

Which side is better: `chosen` beats `rejected`. The two transcripts often begin their last reply with the
same words, so a common prefix of characters would end in mid-reply: both are taken apart into turns, the
prompt is the common run of *turns*, and exactly one Assistant turn must be left on each side.
"""

from __future__ import annotations

import re

from ..records import Message, Messages, Preference, assistant, user
from .fields import Fault, Fields, Origin, common_turns, field, provenance, text
from .format import Format

SIDES = frozenset({"chosen", "rejected"})
LAYOUTS = (SIDES,)

SPEAKER = re.compile(r"(?:\A|\n\n)(Human|Assistant):")
"""A turn begins after a blank line (or opens a transcript whose blank line was stripped); a "Human:"
elsewhere in a line, or after one newline only, is what someone wrote."""


def fits(row: Fields) -> bool:
    """Whether a side is a transcript. With a prompt of its own the row is TRL's, whatever its text."""
    if not row.keys() >= SIDES or "prompt" in row:
        return False
    return any(isinstance(row[side], str) and SPEAKER.search(row[side]) for side in SIDES)


def parse(row: Fields, origin: Origin) -> Preference:
    """`chosen` is the better transcript. Turns lose the whitespace around them and nothing else."""
    chosen, rejected = _turns(row, "chosen"), _turns(row, "rejected")
    for key, side in (("chosen", chosen), ("rejected", rejected)):
        if side[-1].role != "assistant":
            raise Fault("no_final_assistant", f'"{key}" ends with the human')
        if not side[-1].content:
            raise Fault(f"empty_{key}", f'the last reply of "{key}" is empty')
    shared = common_turns(chosen, rejected)
    left = len(chosen) - shared, len(rejected) - shared
    if left != (1, 1):
        what = f"after {shared} common turns chosen has {left[0]} more and rejected {left[1]}, not one each"
        raise Fault("extra_turns", what)
    return Preference(chosen[:shared], chosen[shared:], rejected[shared:], **provenance(row, origin, SIDES))


def _turns(row: Fields, key: str) -> Messages:
    before, *parts = SPEAKER.split(text(field(row, key), key))
    if not parts:
        raise Fault("not_a_transcript", f'"{key}" has no turn "\\n\\nHuman:" or "\\n\\nAssistant:"')
    if before.strip():
        raise Fault("leading_text", f'"{key}" has text before its first turn')
    return tuple(_message(*turn) for turn in zip(parts[::2], parts[1::2], strict=True))


def _message(speaker: str, content: str) -> Message:
    return user(content.strip()) if speaker == "Human" else assistant(content.strip())


FORMAT = Format(
    name="hh", about="Anthropic HH's pairs of transcripts", layouts=LAYOUTS, fits=fits, parse=parse
)
