"""Train and held-out rows, split by prompt: no prompt is ever on both sides.

Prompts are ordered by a hash of their text and the seed and the first ones are held out: the order of the
rows does not matter, and rows added later move few of the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

from heedful.records import Demonstration, Feedback, Messages, Preference, Prompt, Ranking, Rating

# Whatever has a prompt.
RecordT = TypeVar("RecordT", bound=Prompt | Demonstration | Preference | Feedback | Ranking | Rating)


def split_by_prompt(
    records: Sequence[RecordT], fraction: float, *, seed: int = 0
) -> tuple[list[RecordT], list[RecordT]]:
    """Split into `(train, held_out)` with about `fraction` of the prompts held out.

    Of two prompts or more at least one stays on each side when `0 < fraction < 1`.
    """
    prompts = sorted({record.prompt for record in records}, key=lambda prompt: _rank(prompt, seed))
    count = round(len(prompts) * fraction)
    if 0 < fraction < 1 and len(prompts) > 1:
        count = min(max(count, 1), len(prompts) - 1)
    held_out = set(prompts[:count])
    train = [record for record in records if record.prompt not in held_out]
    return train, [record for record in records if record.prompt in held_out]


def _rank(prompt: Messages, seed: int) -> bytes:
    text = "\x1e".join(f"{message.role}\x1f{message.content}" for message in prompt)
    return hashlib.sha256(f"{seed}\x1d{text}".encode()).digest()
