"""Records in a tokenizer's eyes, for the checks that need one.

Knows no tokenizer: a floor above hands in what makes `Tokens` of records, many at a time because that is
faster. `TokenStream` does so once for all checks that ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from heedful.records import Record


@dataclass(frozen=True, slots=True)
class Cut:
    """What training leaves of a record within a length.

    Attributes:
        left_out: the reason why it would leave the record out (`equal_after_truncation`, `too_long`); ""
            where it is kept.
        prompt_cut: whether the prompt was cut.
        responses_cut: how many responses were cut.
    """

    left_out: str
    prompt_cut: bool
    responses_cut: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """A record as training renders and tokenises it. All lengths are in tokens.

    Attributes:
        prompt: the prompt's length.
        responses: the responses' lengths.
        alike: how many tokens all responses share from their start.
        within: what is left of it within a length of prompt and response together.
        refused: why the chat template would not render it; "" where it did. The rest says nothing then.
        rewritten: whether the template writes the prompt differently once a response follows.
        merged: whether prompt and response would be tokenised differently if they were tokenised as one.
        double_bos: whether the prompt's text begins with two BOS once the tokenizer has added its own.
        special: the tokenizer's special tokens that stand in the record's own text.
    """

    prompt: int
    responses: tuple[int, ...]
    alike: int
    within: Callable[[int], Cut]
    refused: str = ""
    rewritten: bool = False
    merged: bool = False
    double_bos: bool = False
    special: tuple[str, ...] = ()


Tokenize = Callable[[Sequence[Record]], Sequence[Tokens | None]]
"""One `Tokens` per record; None for one that is no conversation (a judgement)."""

See = Callable[[Record, Tokens, int], None]

BATCH = 256  # records tokenised at a time, the only ones that are held


class TokenStream:
    """Tokenises a stream of records once for several checks, and hands it to them in order."""

    def __init__(self, tokenize: Tokenize, *, batch: int = BATCH) -> None:
        self._tokenize = tokenize
        self._batch = batch
        self._listeners: list[See] = []
        self._waiting: list[tuple[Record, int]] = []
        self._last = -1

    def listen(self, see: See) -> None:
        """Have `see(record, tokens, index)` called for every record that has tokens."""
        self._listeners.append(see)

    def offer(self, record: Record, index: int) -> None:
        """The next record; each listener may offer it, and it is taken once."""
        if index == self._last:
            return
        self._last = index
        self._waiting.append((record, index))
        if len(self._waiting) == self._batch:
            self.flush()

    def flush(self) -> None:
        """Hand on what is waiting; nothing where nothing is."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        for (record, index), tokens in zip(
            waiting, self._tokenize([record for record, _ in waiting]), strict=True
        ):
            if tokens is not None:
                for see in self._listeners:
                    see(record, tokens, index)
