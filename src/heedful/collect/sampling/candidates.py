"""Prompts in, candidates out: answers of several models at several temperatures, for people to compare.

Empty answers and duplicates are removed, and who wrote each is recorded for those who may know. Models come
in as `Sampler`s: nothing here knows what a model is.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Protocol

from heedful.checks.near import NEAR, jaccard, normalised
from heedful.checks.text import folded, responses_of, text_of
from heedful.collect.sampling.journal import Drawn, Journal
from heedful.prepare.facts import name_of
from heedful.prepare.order import prompt_text
from heedful.quarantine import Kept, Quarantined
from heedful.records import (
    AGREEMENT,
    ANNOTATOR,
    GENERATED_BY,
    GENERATOR,
    GENERATORS,
    GOLD,
    SCORES,
    SECONDS,
    SHOWN_FIRST,
    VERDICT,
    Candidates,
    Judgement,
    Message,
    Messages,
    Record,
    assistant,
)

BATCH = 16
"""Prompts sampled between two entries of the journal."""

UNNAMED = "data"
"""Who wrote a response of the data that do not say."""

_OF_RESPONSES = frozenset(
    (AGREEMENT, ANNOTATOR, GENERATED_BY, GENERATOR, *GENERATORS, GOLD, *SCORES, SECONDS, SHOWN_FIRST, VERDICT)
)
"""Metadata that say something of responses or of a vote, and nothing of the prompt."""

Progress = Callable[[int, int], None]
"""Told how many answers there are, of how many."""


class Sampler(Protocol):
    """A model that answers."""

    @property
    def name(self) -> str:
        """What the metadata of an answer call it."""
        ...

    def __call__(
        self,
        conversations: Sequence[Messages],
        *,
        temperature: float,
        count: int,
        seed: int,
        on_done: Callable[[int], None],
    ) -> list[list[Drawn]]:
        """`count` answers to each conversation; none to one that it cannot take.

        Args:
            on_done: called with the number of answers that are whole, as they end.
        """
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sampled and what is kept of it.

    Attributes:
        count: the most responses of a prompt.
        temperatures: each model answers at each.
        samples: answers of each model at each temperature; None shares `count` out among them.
        near: of two answers with at least this Jaccard similarity (`checks.near`) the second is left out.
        keep_responses: take the responses that the data have as candidates too.
        keep_cut: take answers that were cut at the limit, too.
        system: a system message for prompts without one; the candidates then have it in their prompt.
    """

    count: int = 4
    temperatures: tuple[float, ...] = (0.7, 1.0)
    samples: int | None = None
    near: float = NEAR
    keep_responses: bool = False
    keep_cut: bool = False
    system: str = ""
    seed: int = 0


class Made(Kept[Candidates]):
    """Candidates, and the prompts that were left out: `no_prompt`, `same_prompt` or `too_few_answers`.

    Attributes:
        answers: what became of the answers to the prompts: `kept`, `empty`, `cut`, `same`, `near`, or `spare`
            (there were enough without it).
    """

    def __init__(
        self, kept: Sequence[Candidates], left_out: Sequence[Quarantined], answers: Counter[str]
    ) -> None:
        super().__init__(kept, left_out)
        self.answers = answers


def make_candidates(
    prompts: Iterable[Record],
    samplers: Sequence[Sampler],
    plan: Plan,
    *,
    journal: Journal | None = None,
    progress: Progress | None = None,
) -> Made:
    """Candidates for the prompt of every record, each prompt once.

    A sampler has answered all prompts before the next one is asked, so that one model at a time need be in
    memory. The same prompts, samplers and plan give the same answers, also where a journal goes on.

    Args:
        journal: what was sampled before is taken from it, and what is sampled is added.
    """
    asked, left_out = _asked(prompts, plan)
    sources = _sources(samplers, plan)
    drawn = _sample(
        [one.prompt for one in asked], sources, plan, Journal() if journal is None else journal, progress
    )
    kept: list[Candidates] = []
    tally: Counter[str] = Counter()
    for number, one in enumerate(asked):
        # Where there are more sources than places each has its turn at coming first.
        turn = number % len(sources) if sources else 0
        ordered = [*sources[turn:], *sources[:turn]]
        groups = [one.existing, *([_Answer.of(a, s.label) for a in drawn[s.label][number]] for s in ordered)]
        found, fates = _choose(groups, plan)
        if len(found) < 2:
            silent = [source.label for source in ordered if not drawn[source.label][number]]
            detail = _too_few(fates, silent)
            left_out[one.place] = Quarantined(one.name, "too_few_answers", detail, one.record)
            fates["too few"] = fates.pop("kept", 0)
        else:
            kept.append(one.candidates(found))
        tally.update(fates)
    return Made(kept, [left_out[place] for place in sorted(left_out)], +tally)


def fingerprint(prompts: Iterable[Record]) -> str:
    """Of the prompts in their order: of a journal's settings, as its batches go by their places."""
    digest = hashlib.sha256()
    for record in prompts:
        if not isinstance(record, Judgement):
            digest.update(prompt_text(record.prompt).encode("utf-8", "surrogatepass") + b"\x1d")
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Answer:
    turns: Messages
    by: str
    ended: bool = True

    @classmethod
    def of(cls, drawn: Drawn, by: str) -> _Answer:
        return cls((assistant(drawn.text),), by, drawn.ended)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A prompt that is answered; the responses the data have, those of later rows with it among them."""

    record: Record
    place: int
    prompt: Messages
    existing: list[_Answer] = field(default_factory=list)

    @property
    def name(self) -> str:
        return name_of(self.record, self.place)

    def candidates(self, answers: Sequence[_Answer]) -> Candidates:
        assert not isinstance(self.record, Judgement)
        about = {name: value for name, value in self.record.metadata.items() if name not in _OF_RESPONSES}
        return Candidates(
            self.prompt,
            tuple(answer.turns for answer in answers),
            self.record.id,
            self.record.source,
            about | {GENERATED_BY: [answer.by for answer in answers]},
        )


@dataclass(frozen=True, slots=True)
class _Source:
    """A sampler at a temperature."""

    sampler: Sampler
    temperature: float
    count: int

    @property
    def label(self) -> str:
        return generator(self.sampler.name, self.temperature)


def generator(name: str, temperature: float) -> str:
    """What metadata call a model that answered at a temperature."""
    return f"{name} t={temperature:g}"


def _asked(prompts: Iterable[Record], plan: Plan) -> tuple[list[_Asked], dict[int, Quarantined]]:
    """The different prompts, and the rows left out, by their place."""
    found: dict[tuple[tuple[str, str], ...], _Asked] = {}
    left_out: dict[int, Quarantined] = {}
    for place, record in enumerate(prompts):
        if isinstance(record, Judgement) or not any(turn.content.strip() for turn in record.prompt):
            detail = "there is no prompt in it"
            left_out[place] = Quarantined(name_of(record, place), "no_prompt", detail, record)
            continue
        key = tuple((turn.role, folded(turn.content)) for turn in record.prompt)
        first = found.setdefault(key, _Asked(record, place, _with_system(record.prompt, plan.system)))
        if first.place != place:
            detail = f"{first.name} has the same prompt"
            left_out[place] = Quarantined(name_of(record, place), "same_prompt", detail, record)
        if plan.keep_responses:
            first.existing.extend(_existing(record))
    return list(found.values()), left_out


def _with_system(prompt: Messages, system: str) -> Messages:
    if not system or any(turn.role == "system" for turn in prompt):
        return prompt
    return (Message("system", system), *prompt)


def _existing(record: Record) -> list[_Answer]:
    """The responses of a record, with whoever its metadata say wrote them."""
    assert not isinstance(record, Judgement)
    responses = responses_of(record)
    by = record.metadata.get(GENERATED_BY)
    if not isinstance(by, list | tuple) or len(by) != len(responses):
        names = {1: (GENERATOR,), 2: GENERATORS}.get(len(responses), ())
        by = [record.metadata.get(name) for name in names] or [None] * len(responses)
    return [_Answer(turns, str(name or UNNAMED)) for turns, name in zip(responses, by, strict=True)]


def _sources(samplers: Sequence[Sampler], plan: Plan) -> list[_Source]:
    """In the order of their turns: every sampler has one before any has a second."""
    number = len(samplers) * len(plan.temperatures)
    each = plan.samples or ceil(plan.count / max(number, 1))
    # At temperature 0 there is one answer, however often one asks.
    return [
        _Source(sampler, temperature, each if temperature else 1)
        for temperature in plan.temperatures
        for sampler in samplers
    ]


def _sample(
    prompts: Sequence[Messages],
    sources: Sequence[_Source],
    plan: Plan,
    journal: Journal,
    progress: Progress | None,
) -> dict[str, list[list[Drawn]]]:
    """The answers of each source to each prompt, by its label."""
    found: dict[str, list[list[Drawn]]] = {source.label: [] for source in sources}
    done, total = 0, len(prompts) * sum(source.count for source in sources)

    def tell(behind: int) -> None:
        if progress is not None:
            progress(done + behind, total)

    names = list(dict.fromkeys(source.sampler.name for source in sources))
    for source in sorted(sources, key=lambda one: names.index(one.sampler.name)):
        for number, begin in enumerate(range(0, len(prompts), BATCH)):
            some = prompts[begin : begin + BATCH]
            batch = journal.get(source.label, number)
            if batch is None:
                seed = _seed(plan.seed, source.label, number)
                batch = source.sampler(
                    some, temperature=source.temperature, count=source.count, seed=seed, on_done=tell
                )
                journal.put(source.label, number, batch)
            found[source.label] += batch
            done += len(some) * source.count
            tell(0)
    return found


def _seed(seed: int, label: str, batch: int) -> int:
    """One of a batch's own, so that a run that goes on samples as one that was never stopped."""
    return int.from_bytes(hashlib.sha256(f"{seed}\x1d{label}\x1d{batch}".encode()).digest()[:6], "big")


def _choose(groups: Sequence[Sequence[_Answer]], plan: Plan) -> tuple[list[_Answer], Counter[str]]:
    """At most `plan.count` different answers, of each group in turn, and what became of all of them."""
    kept: list[_Answer] = []
    fates: Counter[str] = Counter()
    waiting = [deque(group) for group in groups]
    while any(waiting):
        for queue in waiting:
            while queue:
                answer = queue.popleft()
                fate = _fate(answer, kept, plan)
                fates[fate] += 1
                if fate == "kept":
                    kept.append(answer)
                    break
    return kept, fates


def _fate(answer: _Answer, kept: Sequence[_Answer], plan: Plan) -> str:
    text = text_of(answer.turns)
    if not text.strip():
        return "empty"
    if not answer.ended and not plan.keep_cut:
        return "cut"
    others = [text_of(other.turns) for other in kept]
    if folded(text) in map(folded, others):
        return "same"
    own = normalised(text)
    if any(jaccard(own, normalised(other)) >= plan.near for other in others):
        return "near"
    return "spare" if len(kept) >= plan.count else "kept"


def _too_few(fates: Counter[str], silent: Sequence[str]) -> str:
    parts = [f"{count} {WORDS[fate]}" for fate, count in fates.items()]
    text = f"of {fates.total()} answers {', '.join(parts)}" if parts else "there is no answer"
    return f"{text}; {', '.join(silent)} cannot take the prompt" if silent else text


WORDS = {
    "kept": "kept",
    "empty": "empty",
    "cut": "cut at the limit",
    "same": "the same as another",
    "near": "almost the same as another",
    "spare": "more than were asked for",
    "too few": "left alone, with nothing to compare",
}
"""What became of an answer, for people."""
