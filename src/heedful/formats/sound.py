"""What holds for a record from any format: nothing to be learned is empty, and two sides differ."""

from __future__ import annotations

import unicodedata

from ..records import (
    Candidates,
    Demonstration,
    Feedback,
    Judgement,
    Messages,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
)
from .fields import Fault


def check(record: Record) -> None:
    """Raise `Fault` for a record nobody can learn from: an empty prompt or response, or two equal sides."""
    if isinstance(record, Judgement):
        return
    for message in record.prompt:
        if message.content.strip():
            break
    else:
        raise Fault("empty_prompt", "the prompt is empty")
    if isinstance(record, Preference):
        for side, messages in (("chosen", record.chosen), ("rejected", record.rejected)):
            if _blank(messages):
                raise Fault(f"empty_{side}", f'"{side}" is empty')
        if alike(record.chosen, record.rejected):
            raise Fault("equal_sides", "chosen and rejected are the same but for spacing and letter forms")
    elif isinstance(record, Demonstration | Feedback | Rating):
        if _blank(record.response):
            raise Fault("empty_response", "the response is empty")
    elif isinstance(record, Ranking | Candidates):
        if any(_blank(response) for response in record.responses):
            raise Fault("empty_response", "one of the responses is empty")
    else:
        assert isinstance(record, Prompt)


def _blank(messages: Messages) -> bool:
    """Whether the reply that is to be judged or learned, its last message, says nothing."""
    return not messages or not messages[-1].content.strip()


def alike(left: Messages, right: Messages) -> bool:
    """Whether two conversations are the same after NFKC, strip and whitespace folding."""
    if len(left) != len(right):
        return False
    for one, other in zip(left, right, strict=True):
        if one.role != other.role or not _same_words(one.content, other.content):
            return False
    return True


def _same_words(left: str, right: str) -> bool:
    """Told by the last words alone in most cases; where both are ASCII, NFKC leaves them as they are."""
    end, other = left.rsplit(None, 1)[-1:], right.rsplit(None, 1)[-1:]
    if end != other and "".join(end + other).isascii():
        return False
    return _words(left) == _words(right)


def _words(text: str) -> list[str]:
    return (text if text.isascii() else unicodedata.normalize("NFKC", text)).split()
