"""One model and the held-out records: how likely it finds them, and how it answers their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from heedful.evaluating.held_out import Held, prompts_of
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.generation import Sampling
from heedful.evaluation.preference_accuracy import PairScores
from heedful.evaluation.subject import Subject, pair_scores
from heedful.quarantine import Quarantined
from heedful.records import Messages, Preference
from heedful.training.tracking import Reporter

PROMPTS = 100
MAX_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Examined:
    """What one model made of the held-out rows.

    Attributes:
        scores: of the pairs that could be rendered for this model; none without any.
        pairs: which those are, and `prompts` the prompts that they answer.
        lengths: of their whole chosen and rejected responses, in tokens.
        answers: to the rows' prompts, those to one prompt together.
        left_out: pairs that could not be rendered, by reason.
        unanswered: prompts that it cannot answer.
    """

    scores: PairScores | None
    pairs: tuple[str, ...]
    lengths: tuple[tuple[int, ...], ...]
    answers: list[Answer]
    left_out: dict[str, int]
    prompts: tuple[Messages, ...] = ()
    unanswered: Sequence[Quarantined] = field(default=())


def examine(
    subject: Subject,
    records: Held,
    sampling: Sampling,
    reporter: Reporter,
    *,
    max_length: int = MAX_LENGTH,
    prompts: int = PROMPTS,
) -> Examined:
    """Score the held-out pairs with a model, and have it answer the first prompts of the records."""
    answers, unanswered = ask(subject, prompts_of(records, prompts), sampling, reporter)
    pairs = [record for record in records if isinstance(record, Preference)]
    if not pairs:
        return Examined(None, (), (), answers, {}, unanswered=unanswered)
    rows = subject.rows(pairs, max_length)
    scores = None
    if rows:
        with reporter.task(f"{subject.name}: scoring held-out pairs", len(rows)) as task:
            scores = pair_scores(subject.logps(rows, on_done=task.update), rows)
    return Examined(
        scores,
        pairs=tuple(row.id for row in rows),
        lengths=tuple(row.lengths for row in rows),
        answers=answers,
        left_out=rows.counts.quarantined,
        prompts=tuple(row.record.prompt for row in rows if isinstance(row.record, Preference)),
        unanswered=unanswered,
    )


def ask(
    subject: Subject,
    prompts: Sequence[Messages],
    sampling: Sampling,
    reporter: Reporter,
    what: str = "answering",
) -> tuple[list[Answer], list[Quarantined]]:
    """A model's answers, those to one prompt together, and the prompts that it cannot answer."""
    with reporter.task(f"{subject.name}: {what} held-out prompts", len(prompts) * sampling.samples) as task:
        found = subject.answers(prompts, sampling, on_done=task.update)
    return [answer for own in found for answer in own], found.quarantined
