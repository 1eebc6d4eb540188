"""The rows both sides learn from: the same pairs, in the same order, with the same tokens.

Truncation is where two libraries quietly do different work: one cuts the prompt, the other the response, a
third drops the row. So rows are cut here, in text, before either side sees them: a response loses its end
until it fits, a prompt that leaves too little room is left out, and nothing is left for either side to
truncate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from heedful import formats
from heedful.records import Message, Messages, Preference

# A pair with less room than this for its responses teaches nothing and measures nothing.
LEAST_RESPONSE_TOKENS = 16


@dataclass(frozen=True)
class Rows:
    """Where the rows are, and what happened to those they were made from."""

    path: Path
    kept: int
    cut: int
    left_out: int
    prompt_tokens: float
    sequence_tokens: float


def prepare(
    source: Path, target: Path, *, count: int, tokenizer: Any, max_length: int, skip: int = 0
) -> Rows:
    """Write the first `count` pairs of `source` that have room for a response to `target`, in TRL's layout.

    The first `skip` records are passed over. Raises ValueError when the source has fewer such pairs.
    """
    pairs: list[Preference] = []
    cut = left_out = 0
    for record in islice(formats.read(source), skip, None):
        if len(pairs) == count:
            break
        fitted = fit(record, tokenizer, max_length) if isinstance(record, Preference) else None
        if fitted is None:
            left_out += 1
            continue
        cut += fitted != record
        pairs.append(fitted)
    _write(pairs, target, source, count)
    prompts = [_length(tokenizer, pair.prompt) for pair in pairs]
    sequences = [
        _length(tokenizer, pair.prompt, side) for pair in pairs for side in (pair.chosen, pair.rejected)
    ]
    return Rows(target, count, cut, left_out, _mean(prompts), _mean(sequences))


def prepare_prompts(
    source: Path, target: Path, *, count: int, tokenizer: Any, longest: int, new_tokens: int
) -> Rows:
    """As `prepare`, of pairs whose prompts differ and have at most `longest` tokens: what PPO samples from.

    Nothing is cut; a sequence is a prompt with `new_tokens` more.
    """
    found: dict[Messages, Preference] = {}
    lengths: list[int] = []
    left_out = 0
    for record in formats.read(source):
        if len(found) == count:
            break
        length = _length(tokenizer, record.prompt) if isinstance(record, Preference) else longest + 1
        if length > longest or record.prompt in found:
            left_out += 1
            continue
        found[record.prompt] = record
        lengths.append(length)
    _write(list(found.values()), target, source, count)
    prompt_tokens = _mean(lengths)
    return Rows(target, count, 0, left_out, prompt_tokens, prompt_tokens + new_tokens)


def fit(pair: Preference, tokenizer: Any, max_length: int) -> Preference | None:
    """The pair with each response cut to fit `max_length` with its prompt; None where that leaves nothing."""
    if _length(tokenizer, pair.prompt) > max_length - LEAST_RESPONSE_TOKENS:
        return None
    sides = [_fit_response(pair.prompt, side, tokenizer, max_length) for side in (pair.chosen, pair.rejected)]
    if sides[0] == sides[1] or not all(side[-1].content.strip() for side in sides):
        return None
    return replace(pair, chosen=sides[0], rejected=sides[1])


def _write(pairs: Sequence[Preference], target: Path, source: Path, count: int) -> None:
    if len(pairs) < count:
        raise ValueError(f"{source}: {len(pairs)} usable pairs, {count} needed. Ask for fewer steps.")
    formats.write(pairs, target, format="trl")


def _fit_response(prompt: Messages, response: Messages, tokenizer: Any, max_length: int) -> Messages:
    while (excess := _length(tokenizer, prompt, response) - max_length) > 0:
        *before, last = response
        tokens = tokenizer(last.content, add_special_tokens=False)["input_ids"]
        shorter = tokenizer.decode(tokens[: max(len(tokens) - excess, 0)])
        # A cut inside a character decodes to a replacement mark, which can cost more tokens than it saved.
        shorter = shorter.rstrip("\ufffd")
        if len(shorter) >= len(last.content):
            shorter = last.content[:-1]
        response = (*before, Message(last.role, shorter))
    return response


def _length(tokenizer: Any, prompt: Messages, response: Messages = ()) -> int:
    """Tokens of the conversation through the model's chat template, as both sides render it."""
    messages = [{"role": message.role, "content": message.content} for message in (*prompt, *response)]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=not response)
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def _mean(values: Iterable[int]) -> float:
    values = list(values)
    return round(sum(values) / len(values), 1)
