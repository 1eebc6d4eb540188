"""What makes two records the same: 64-bit hashes of what they judge, and which way they judge it.

Texts are compared folded (NFKC, white space). One person's vote is the same as another's of theirs only, so
the annotator is part of what is hashed. The hashes hold for one process: Python draws theirs anew each time.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from heedful.checks.near import normalised
from heedful.checks.text import folded, responses_of, text_of
from heedful.records import ANNOTATOR, Feedback, Judgement, Messages, Preference, Ranking, Rating, Record


class Said(NamedTuple):
    """What a record says of what.

    Attributes:
        of: a hash of prompt, responses in any order, and annotator: what a second record must share to say
            the same or the opposite.
        verdict: 1 or -1 for the two ways to judge it, 0 where there is one way only, or a tie.
    """

    of: int
    verdict: int


def said(record: Record) -> Said:
    if isinstance(record, Judgement):
        verdict = {"a": 1, "b": -1}.get(record.verdict, 0)
        return Said(hash((record.item, record.annotator, abs(verdict) or record.verdict)), verdict)
    prompt, annotator = messages_hash(record.prompt), record.metadata.get(ANNOTATOR)
    by = annotator if isinstance(annotator, str) else None
    if isinstance(record, Preference):
        chosen, rejected = messages_hash(record.chosen), messages_hash(record.rejected)
        first, second = (chosen, rejected) if chosen < rejected else (rejected, chosen)
        verdict = 0 if record.tie else 1 if chosen == first else -1
        return Said(hash((prompt, first, second, by)), verdict)
    answers = [messages_hash(response) for response in responses_of(record)]
    if isinstance(record, Feedback):
        return Said(hash((prompt, answers[0], by, Feedback)), 1 if record.desirable else -1)
    if isinstance(record, Rating):
        return Said(hash((prompt, answers[0], by, record.aspect, record.score)), 0)
    if isinstance(record, Ranking):
        return Said(hash((prompt, tuple(sorted(zip(answers, record.ranks, strict=True))), by)), 0)
    return Said(hash((prompt, *sorted(answers), type(record))), 0)


# Several checks ask for the same hashes one after the other, and records of one prompt often stand together.
@lru_cache(maxsize=4)
def messages_hash(messages: Messages) -> int:
    """Of the roles and the folded text of each turn."""
    if len(messages) == 1:
        return hash((messages[0].role, folded(messages[0].content)))
    return hash(tuple([(message.role, folded(message.content)) for message in messages]))


def question(prompt: Messages) -> str:
    """What a prompt asks, as it is compared with others: `normalised`, and without the system's turns.

    Many a set has one long system prompt in every row, which would make all of its prompts near.
    """
    return normalised(text_of(tuple(turn for turn in prompt if turn.role != "system") or prompt))
