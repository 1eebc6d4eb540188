"""Asking every model of an evaluation, one set of weights at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from heedful.errors import ModelError
from heedful.evaluating import drift
from heedful.evaluating.cast import Cast
from heedful.evaluating.examined import Examined, examine
from heedful.evaluating.held_out import Held, prompts_of
from heedful.evaluation.generation import Sampling
from heedful.evaluation.preference_accuracy import Accuracy
from heedful.evaluation.subject import Subject
from heedful.records import Demonstration
from heedful.report.data import Drift
from heedful.training.tracking import Reporter

ANOTHER_DRAW = 1_000_003  # added to the seed; far from the seeds that people count through


@dataclass(frozen=True, slots=True)
class Settings:
    """How models are asked.

    Attributes:
        max_length: of a prompt with one response, in tokens.
        prompts: how many prompts are answered.
    """

    sampling: Sampling
    max_length: int
    prompts: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found of the models.

    Attributes:
        stages: the baselines, and the model last.
        drift: from the reference; None where there is none that reads texts alike.
    """

    stages: dict[str, Examined]
    drift: Drift | None

    @property
    def implied(self) -> dict[str, tuple[str, Accuracy]]:
        """The accuracy of the model's implicit reward, with what it is over."""
        if self.drift is None or self.drift.implicit is None:
            return {}
        return {self.drift.model: (self.drift.reference, self.drift.implicit.accuracy)}


def look(
    who: Cast,
    records: Held,
    demonstrations: Sequence[Demonstration],
    settings: Settings,
    reporter: Reporter,
    *,
    beta: float,
) -> Looked:
    """Ask them all: the model, then its reference, then whoever else it is compared with.

    Args:
        beta: of the model's implicit reward.

    Raises:
        ModelError: a model cannot be loaded, or can answer none of the prompts.
    """
    model, sampling = who.model, settings.sampling

    def examined(subject: Subject, prompts: int = settings.prompts) -> Examined:
        own = _own_draws(subject, model, sampling)
        found = examine(subject, records, own, reporter, max_length=settings.max_length, prompts=prompts)
        if prompts and not found.answers:
            raise ModelError(f"it can answer none of {len(found.unanswered)} prompts.", where=subject.name)
        return found

    found = {id(model): examined(model)}
    gone = None
    if who.reference is not None:
        reference = who.reference
        asked = prompts_of(records, settings.prompts)
        texts = drift.texts(
            model, found[id(model)], demonstrations, asked, sampling, reporter, max_length=settings.max_length
        )
        tokens, own = model.tokens, drift.read(model, texts, reporter)
        before = examined(reference, settings.prompts if reference in who.baselines else 0)
        found[id(reference)] = before
        if reference.tokens == tokens:
            other = drift.read(reference, texts, reporter)
            gone = Drift(
                model=model.name,
                reference=reference.name,
                divergence=drift.divergence(texts, own, other, seed=sampling.seed),
                implicit=drift.implied(found[id(model)], before, beta=beta, seed=sampling.seed),
                beta=beta,
                forgetting=drift.forgotten(texts, own, other, seed=sampling.seed),
            )
    for baseline in who.baselines:
        if id(baseline) not in found:
            found[id(baseline)] = examined(baseline)
    return Looked({one.name: found[id(one)] for one in [*who.baselines, model]}, gone)


def _own_draws(subject: Subject, model: Subject, sampling: Sampling) -> Sampling:
    """Draws of its own for a baseline that is the model once more: what differs then is chance alone."""
    if subject is model or sampling.temperature == 0 or subject.fingerprint != model.fingerprint:
        return sampling
    return replace(sampling, seed=sampling.seed + ANOTHER_DRAW)
