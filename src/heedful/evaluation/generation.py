"""Answers to held-out prompts: seeded, kept on disk as they come, and read back instead of asked for again.

Prompts are answered in chunks. A chunk is written as one line once all its answers are there, and its seed is
made of the seed and its prompts, so that a run that was stopped goes on at the next chunk and ends with the
answers of one that was not. Lines are kept by model and sampling, in a file named after the hash of both; a
line that is broken, or says other than it did when it was written, is asked for again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from heedful.errors import RecipeError, RunError
from heedful.evaluation.behaviour import Answer
from heedful.models import fingerprints
from heedful.models.catalog import cache_folder
from heedful.models.folders import sync_names
from heedful.models.sampler import answer
from heedful.models.sharing import Voice
from heedful.quarantine import Kept, Quarantined
from heedful.records import Messages

MAX_NEW_TOKENS = 160
# The prompts that are answered, and lost, together. Chunks of another size have other seeds.
CHUNK = 32

_WHY = {
    "template_refused": "the model's chat template refuses this conversation",
    "empty_prompt": "the prompt has no tokens",
    "no_room": "the model's context leaves no room for an answer of full length",
}

Answers = tuple[Answer, ...]
"""A model's answers to one prompt."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How answers are sampled.

    Greedy where nothing is said: a win rate on given prompts is then a property of the two models alone, the
    same for everybody who measures it again, and no luck of the draw widens its interval.

    Attributes:
        max_new_tokens: an answer is cut there.
        temperature: divides the logits; 0 takes the likeliest token each time.
        samples: answers to a prompt.
        seed: of the draws.

    Raises:
        RecipeError: a number is out of range, or there are several samples at temperature 0.
    """

    max_new_tokens: int = MAX_NEW_TOKENS
    temperature: float = 0.0
    samples: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise RecipeError(f"must be at least 1, not {self.max_new_tokens}.", where="max_new_tokens")
        if not 0 <= self.temperature < float("inf"):
            raise RecipeError(f"must be 0 or more, not {self.temperature:g}.", where="temperature")
        if self.samples < 1:
            raise RecipeError(f"must be at least 1, not {self.samples}.", where="samples")
        if self.samples > 1 and self.temperature == 0:
            mend = "Set a temperature above 0, or take one sample."
            raise RecipeError("at temperature 0 all samples are the same.", where="samples", mend=mend)


def answers(
    voice: Callable[[], Voice],
    model: str,
    prompts: Sequence[Messages],
    sampling: Sampling,
    *,
    on_done: Callable[[int], None] | None = None,
) -> Kept[Answers]:
    """A model's answers to prompts, and which prompts it cannot answer and why.

    Args:
        voice: the model; called when something has to be asked, and not where all answers are kept already.
        model: a fingerprint of the model, its adapter, template and number type.
        prompts: no two the same.
        on_done: called with the number of answers behind us.

    Raises:
        RunError: the answers cannot be kept.
        NotFinite: the model's logits are no numbers.
    """
    book = AnswerBook.of(model, sampling)
    found: list[dict[str, Any]] = []
    for begin in range(0, len(prompts), CHUNK):
        chunk = prompts[begin : begin + CHUNK]
        key = fingerprints.combined(map(repr, chunk))
        entries = book.get(key)
        if entries is None:
            before = len(found) * sampling.samples
            entries = _ask(voice(), chunk, sampling, key, _later(on_done, before))
            book.add(key, entries)
        elif on_done is not None:
            on_done((len(found) + len(chunk)) * sampling.samples)
        found += entries
    left_out = [
        Quarantined(f"prompt {at + 1}", entry["left_out"], _WHY[entry["left_out"]], prompts[at])
        for at, entry in enumerate(found)
        if "left_out" in entry
    ]
    return Kept(
        [
            tuple(Answer(prompt, text, ended, len(ids) - ended, tuple(ids)) for text, ids, ended in own)
            for prompt, own in zip(prompts, (entry.get("answers") for entry in found), strict=True)
            if own is not None
        ],
        left_out,
    )


class AnswerBook:
    """A file of what one model answered under one sampling, a chunk of prompts a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines = _read(path)

    @classmethod
    def of(cls, model: str, sampling: Sampling) -> AnswerBook:
        """The book of a model's fingerprint and a sampling, in the cache folder."""
        name = fingerprints.combined([model, json.dumps(asdict(sampling), sort_keys=True), str(CHUNK)])
        return cls(cache_folder() / "answers" / f"{name}.jsonl")

    def get(self, key: str) -> list[dict[str, Any]] | None:
        """What was answered to the chunk of that key; None where it was not asked yet."""
        return self._lines.get(key)

    def add(self, key: str, entries: list[dict[str, Any]]) -> None:
        """Keep a chunk's answers; they are on the disk when this returns.

        Raises:
            RunError: they cannot be written.
        """
        line = json.dumps({"chunk": key, "check": _check(key, entries), "entries": entries}) + "\n"
        try:
            new = not self.path.exists()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                # A line that a kill cut short is left to itself, and not written on.
                if file.tell() and file.seek(-1, os.SEEK_END) and file.read(1) != b"\n":
                    line = f"\n{line}"
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            if new:
                sync_names(self.path.parent)
        except OSError as error:
            what = f"the answers cannot be kept: {error.strerror or error}."
            mend = "Point HEEDFUL_CACHE to a folder that can be written."
            raise RunError(what, where=str(self.path), mend=mend) from error
        self._lines[key] = entries


def _ask(
    voice: Voice,
    chunk: Sequence[Messages],
    sampling: Sampling,
    key: str,
    on_done: Callable[[int], None] | None,
) -> list[dict[str, Any]]:
    reasons = [voice.cannot_answer(prompt, sampling.max_new_tokens) for prompt in chunk]
    drawn = answer(
        voice.backbone,
        voice.renderer,
        [prompt for prompt, reason in zip(chunk, reasons, strict=True) if not reason],
        role=voice.role,
        max_new_tokens=sampling.max_new_tokens,
        temperature=sampling.temperature,
        samples=sampling.samples,
        seed=int(fingerprints.combined([str(sampling.seed), key])[:12], 16),
        on_done=on_done,
    )
    rows = iter([[text, sample.actions, sample.ended] for text, sample in drawn])
    return [
        {"left_out": reason} if reason else {"answers": [next(rows) for _ in range(sampling.samples)]}
        for reason in reasons
    ]


def _later(on_done: Callable[[int], None] | None, before: int) -> Callable[[int], None] | None:
    return None if on_done is None else lambda done: on_done(before + done)


def _check(key: str, entries: list[dict[str, Any]]) -> str:
    return fingerprints.combined([key, json.dumps(entries)])


def _read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The lines that say what they said when they were written, by key."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        try:
            value = json.loads(line)
            key, check, entries = value["chunk"], value["check"], value["entries"]
        except (ValueError, KeyError, TypeError):
            continue
        if check == _check(key, entries):
            found[key] = entries
    return found
