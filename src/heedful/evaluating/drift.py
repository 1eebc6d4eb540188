"""How far a model has gone from what it was trained from: in its answers, on pairs, on demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from heedful.evaluating.examined import Examined, ask
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.divergence import Divergence, sequence_kl
from heedful.evaluation.forgetting import Forgetting, forgetting
from heedful.evaluation.generation import Sampling
from heedful.evaluation.implicit import ImplicitReward, implicit_rewards
from heedful.evaluation.subject import Array, Subject
from heedful.records import Demonstration, Messages
from heedful.render.rows import Row, Rows
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter

# The log-ratios of answers are those of what was sampled from only where nothing sharpened it.
AS_IT_IS = 1.0


@dataclass(frozen=True, slots=True)
class Texts:
    """What both a model and its reference are asked about, as both read it.

    Attributes:
        demonstrations: held-out ones, rendered; what could not be is counted in it.
        drawn: answers that the model drew at temperature 1.
        answers: `drawn`, as rows.
    """

    demonstrations: Rows
    drawn: list[Answer]
    answers: list[Row]


@dataclass(frozen=True, slots=True)
class Reading:
    """How likely one of the two finds these texts: `demonstrations` `[n]` sums, `answers` token by token."""

    demonstrations: Array
    answers: list[Array]


def texts(
    model: Subject,
    examined: Examined,
    demonstrations: Sequence[Demonstration],
    prompts: Sequence[Messages],
    sampling: Sampling,
    reporter: Reporter,
    *,
    max_length: int,
) -> Texts:
    """What to compare the two on. Answers that were drawn at temperature 1 already are not drawn again."""
    drawn = examined.answers
    if sampling.temperature != AS_IT_IS:
        plain = replace(sampling, temperature=AS_IT_IS)
        drawn, _ = ask(model, prompts, plain, reporter, what="sampling, at temperature 1,")
    return Texts(model.rows(demonstrations, max_length), drawn, model.answered_rows(drawn))


def read(subject: Subject, found: Texts, reporter: Reporter) -> Reading:
    """One of the two on these texts."""
    total = len(found.demonstrations) + len(found.answers)
    with reporter.task(f"{subject.name}: scoring answers and demonstrations", total) as task:
        logps = subject.logps(found.demonstrations, on_done=task.update)
        done = len(found.demonstrations)
        answers = subject.token_logps(found.answers, on_done=lambda more: task.update(done + more))
    return Reading(logps.double().numpy().sum(axis=1), answers)


def divergence(found: Texts, model: Reading, reference: Reading, *, seed: int) -> Divergence | None:
    """Sequence KL; None where there are no answers."""
    if not found.drawn:
        return None
    groups = [answer.prompt for answer in found.drawn]
    return sequence_kl(model.answers, reference.answers, groups=groups, seed=seed)


def forgotten(found: Texts, model: Reading, reference: Reading, *, seed: int) -> Forgetting | None:
    """NLL of demonstrations before and after; None where there are none."""
    rows = found.demonstrations
    if not rows:
        return None
    return forgetting(
        -reference.demonstrations,
        -model.demonstrations,
        np.array([row.response_tokens for row in rows]),
        groups=[row.record.prompt for row in rows if isinstance(row.record, Demonstration)],
        seed=seed,
    )


def implied(model: Examined, reference: Examined, *, beta: float, seed: int) -> ImplicitReward | None:
    """The implicit reward on the held-out pairs; None where there are none, or not the same for both."""
    if model.scores is None or reference.scores is None or model.pairs != reference.pairs:
        return None
    return implicit_rewards(model.scores, reference.scores, beta=beta, groups=model.prompts, seed=seed)


def beta_of(model: str) -> float:
    """The β that a run was trained with; 1 where it has none."""
    run = RunFolder.around(model)
    return 1.0 if run is None else float(run.info()["recipe"].get("objective.beta", 1.0))
