"""Asking all who are compared: answers for judges, and draws at temperature 1 with how likely they are.

Reward and KL of a point are of the same draws, of the distribution that was trained, whatever the answers
that judges compare are sampled at. One set of weights is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from heedful.comparing.entrants import Entrant, Entrants
from heedful.errors import ModelError
from heedful.evaluating.examined import ask
from heedful.evaluating.look import ANOTHER_DRAW
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.divergence import Divergence, sequence_kl
from heedful.evaluation.generation import Sampling
from heedful.evaluation.subject import Array, Subject
from heedful.quarantine import Quarantined
from heedful.records import Messages
from heedful.training.tracking import Reporter, Task

AS_TRAINED = 1.0
"""The temperature that log-probs are those of the distribution sampled from at."""

DRAWING = "sampling, at temperature 1,"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one model drew at temperature 1.

    Attributes:
        entrant: the model.
        answers: those to one prompt together.
        divergence: from the reference.
    """

    entrant: Entrant
    answers: list[Answer]
    divergence: Divergence


@dataclass(frozen=True, slots=True)
class Asked:
    """What the models said.

    Attributes:
        answers: by model, to compare.
        unanswered: by model, the prompts that it cannot answer.
        drawn: models and checkpoints, where KL was wanted and can be measured.
        reference: the reference's own draws, several to a prompt; empty where KL was not wanted.
        notes: why something was not measured.
    """

    answers: dict[str, list[Answer]]
    unanswered: dict[str, Sequence[Quarantined]]
    drawn: list[Drawn] = field(default_factory=list)
    reference: list[Answer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Scored:
    """Draws, and how likely the one who drew them finds their tokens."""

    entrant: Entrant
    answers: list[Answer]
    logps: list[Array]
    tokens: str


def ask_all(
    who: Entrants,
    prompts: Sequence[Messages],
    sampling: Sampling,
    reporter: Reporter,
    *,
    draws: bool,
    best_of: int | None = None,
) -> Asked:
    """Ask every model, then what all were trained from.

    Args:
        draws: whether KL is wanted.
        best_of: so many draws of the reference to a prompt; as many as of the others when absent.

    Raises:
        ModelError: a model cannot be loaded, or can answer none of the prompts.
    """
    answers: dict[str, list[Answer]] = {}
    unanswered: dict[str, Sequence[Quarantined]] = {}
    scored: list[_Scored] = []
    plain = replace(sampling, temperature=AS_TRAINED)
    draws = draws and who.reference is not None
    for entrant in who.models:
        what = DRAWING if sampling == plain else "answering"
        answers[entrant.run], unanswered[entrant.run] = _answers(
            entrant.subject, prompts, _own(sampling, entrant), reporter, what
        )
        # A run's checkpoints next to it: they share its weights.
        kept = [one for one in who.checkpoints if one.run == entrant.run] if draws else []
        for one in [entrant, *kept] if draws else ():
            if one.subject is not who.reference:
                known = answers[one.run] if one is entrant and sampling == plain else None
                scored.append(_draw(one, prompts, _own(plain, one), reporter, known))
    if not draws or who.reference is None:
        return Asked(answers, unanswered)
    reference, asked = who.reference, replace(plain, samples=best_of or plain.samples)
    own, _ = _answers(reference, prompts, asked, reporter, DRAWING)
    drawn, notes = _measured(scored, reference, reporter, seed=sampling.seed)
    return Asked(answers, unanswered, drawn, own, notes)


def _own(sampling: Sampling, entrant: Entrant) -> Sampling:
    """Draws of its own for a model that was named before: what differs then is chance alone."""
    if not entrant.draw or sampling.temperature == 0:
        return sampling
    return replace(sampling, seed=sampling.seed + entrant.draw * ANOTHER_DRAW)


def _answers(
    subject: Subject, prompts: Sequence[Messages], sampling: Sampling, reporter: Reporter, what: str
) -> tuple[list[Answer], list[Quarantined]]:
    found, unanswered = ask(subject, prompts, sampling, reporter, what)
    if not found:
        raise ModelError(f"it can answer none of {len(unanswered)} prompts.", where=subject.name)
    return found, unanswered


def _draw(
    entrant: Entrant,
    prompts: Sequence[Messages],
    sampling: Sampling,
    reporter: Reporter,
    known: list[Answer] | None,
) -> _Scored:
    """Samples and their log-probs; `known` are samples that are there already."""
    subject = entrant.subject
    answers = known or _answers(subject, prompts, sampling, reporter, DRAWING)[0]
    rows = subject.answered_rows(answers)
    with reporter.task(f"{subject.name}: scoring its samples", len(rows)) as task:
        logps = subject.token_logps(rows, on_done=task.update)
    return _Scored(entrant, answers, logps, subject.tokens)


def _measured(
    scored: Sequence[_Scored], reference: Subject, reporter: Reporter, *, seed: int
) -> tuple[list[Drawn], list[str]]:
    """How far each has gone from the reference, which must read texts alike."""
    drawn, notes, done = [], [], 0
    total = sum(len(own.answers) for own in scored)
    with reporter.task(f"{reference.name}: scoring the samples of all", total) as task:
        for own in scored:
            name = own.entrant.subject.name
            if own.tokens != reference.tokens:
                notes.append(f"{name} reads texts other than {reference.name} does: its KL is not measured.")
                continue
            rows = reference.answered_rows(own.answers)
            before = reference.token_logps(rows, on_done=partial(_later, task, done))
            done += len(rows)
            groups = [answer.prompt for answer in own.answers]
            apart = sequence_kl(own.logps, before, groups=groups, seed=seed)
            drawn.append(Drawn(own.entrant, own.answers, apart))
    return drawn, notes


def _later(task: Task, before: int, done: int) -> None:
    task.update(before + done)
