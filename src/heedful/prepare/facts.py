"""What every step of preparation asks of a record, whatever its kind: its prompt, its source, its name."""

from __future__ import annotations

from heedful.records import Judgement, Message, Messages, Record


def prompt_of(record: Record) -> Messages:
    """What a record's answer is to; of a judgement the name of its item stands for it."""
    return (Message("user", record.item),) if isinstance(record, Judgement) else record.prompt


def source_of(record: Record) -> str:
    """Where a record comes from; a judgement does not say."""
    return "" if isinstance(record, Judgement) else record.source


def name_of(record: Record, place: int) -> str:
    """What a person finds a record by: its id, or its place from 1 where it has none."""
    name = record.item if isinstance(record, Judgement) else record.id
    return name or f"record {place + 1}"
