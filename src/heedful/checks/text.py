"""What several checks ask of a text: its words, its parts, its letters folded."""

from __future__ import annotations

import unicodedata

from heedful.records import Candidates, Judgement, Messages, Preference, Prompt, Ranking, Record


def text_of(messages: Messages) -> str:
    """The text of a prompt or a response; turns are joined by a blank line."""
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(message.content for message in messages)


def word_count(messages: Messages) -> int:
    """Words by white space; of all turns together."""
    return sum(len(message.content.split()) for message in messages)


def folded(text: str) -> str:
    """As compared for equality: NFKC, stripped, every run of white space one space."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    # The only white space that is printable is the space: most texts are folded as they stand.
    if text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]:
        return text
    return " ".join(text.split())


def responses_of(record: Record) -> tuple[Messages, ...]:
    """All responses of a record; none of a prompt or a judgement."""
    if isinstance(record, Preference):
        return record.chosen, record.rejected
    if isinstance(record, Ranking | Candidates):
        return record.responses
    return () if isinstance(record, Prompt | Judgement) else (record.response,)


def excerpt(text: str, letters: int = 200) -> str:
    """The beginning of a text, for an example."""
    return text if len(text) <= letters else text[: letters - 1] + "…"
