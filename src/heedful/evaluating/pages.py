"""Findings about several models put together as what a report shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from heedful.evaluating.examined import Examined
from heedful.evaluating.held_out import Held, preferred
from heedful.evaluation import preference_accuracy as accuracy
from heedful.evaluation.behaviour import measure
from heedful.evaluation.diversity import Change, Diversity, collapse_signs, diversity
from heedful.evaluation.generation import Sampling
from heedful.evaluation.preference_accuracy import Accuracy
from heedful.quarantine import Kept
from heedful.report import AccuracyRow, Curve, ReportData, SideBySide
from heedful.training.tracking import Reporter

PER_TOKEN = "Finds the better answer likelier, per token"
IMPLICIT = "Raises the better answer above the worse one"
SIDE_BY_SIDE = 12


def report(
    title: str,
    intro: str,
    stages: dict[str, Examined],
    records: Held,
    facts: dict[str, str],
    *,
    curves: Sequence[Curve] = (),
    sampling: Sampling,
    implied: Mapping[str, tuple[str, Accuracy]] | None = None,
) -> ReportData:
    """The findings about several models, the first of which the others are compared with.

    Args:
        implied: by stage, what its implicit reward is over and how accurate it is; where nothing is said, all
            are measured over the first model.
    """
    first = next(iter(stages.values()))
    notes = [_how(sampling)]
    if any(examined.pairs != first.pairs for examined in stages.values()):
        notes.append(
            "The models' templates leave different pairs out: their accuracies are of different pairs."
        )
    for stage, examined in stages.items():
        if examined.unanswered:
            reasons = Counter(left.detail for left in examined.unanswered)
            why = ", ".join(f"{count}: {reason}" for reason, count in reasons.items())
            notes.append(f"{stage} cannot answer {len(examined.unanswered)} of the prompts ({why}).")
    left_out = Counter(first.left_out)
    if isinstance(records, Kept):
        left_out.update(records.counts.quarantined)
    return ReportData(
        title=title,
        intro=intro,
        facts=facts,
        stages=list(stages),
        curves=list(curves),
        accuracy=_accuracies(stages, _over_first(stages) if implied is None else implied),
        behaviour={stage: measure(examined.answers, sampling.seed) for stage, examined in stages.items()},
        side_by_side=_side_by_side(stages, records),
        notes=notes,
        quarantine=dict(left_out),
    )


def with_diversity(
    page: ReportData, stages: Mapping[str, Examined], reporter: Reporter, *, seed: int
) -> ReportData:
    """The page with how diverse answers are, and how those of its subject differ from the others'."""
    subject = stages.get(page.subject)
    others = [stage for stage in stages if stage != page.subject] if subject else []
    found: dict[str, Diversity] = {}
    changes: dict[str, tuple[Change, ...]] = {}
    with reporter.task("Measuring how diverse the answers are", len(stages) + len(others)) as task:
        for stage, examined in stages.items():
            found[stage] = diversity(examined.answers, seed=seed)
            task.update(len(found))
        for stage in others:
            assert subject is not None
            changes[stage] = collapse_signs(subject.answers, stages[stage].answers, seed=seed)
            task.update(len(found) + len(changes))
    return replace(page, diversity=found, collapse=changes)


def _how(sampling: Sampling) -> str:
    cut = f"are cut after {sampling.max_new_tokens} tokens"
    if sampling.temperature == 0:
        return f"Answers take the likeliest token each time and {cut}."
    times = f", {sampling.samples} to a prompt," if sampling.samples > 1 else ""
    return f"Answers{times} are drawn at temperature {sampling.temperature:g} and {cut}."


def _over_first(stages: Mapping[str, Examined]) -> dict[str, tuple[str, Accuracy]]:
    (_, first), *later = stages.items()
    return {
        name: ("the first model", accuracy.implicit_reward(own.scores, first.scores))
        for name, own in later
        if own.scores is not None and first.scores is not None and own.pairs == first.pairs
    }


def _accuracies(
    stages: Mapping[str, Examined], implied: Mapping[str, tuple[str, Accuracy]]
) -> list[AccuracyRow]:
    def row(label: str, stage: str, found: Accuracy) -> AccuracyRow:
        return AccuracyRow(label, stage, found.value, found.low, found.high, found.n)

    scored = {name: examined.scores for name, examined in stages.items() if examined.scores is not None}
    if not scored:
        return []
    rows = [row(PER_TOKEN, name, accuracy.per_token(scores)) for name, scores in scored.items()]
    rows += [row(f"{IMPLICIT}, over {over}", name, found) for name, (over, found) in implied.items()]
    chosen, rejected = zip(*stages[next(iter(scored))].lengths, strict=True)
    rows.append(row("Shorter wins", "ruler", accuracy.shorter_wins(chosen, rejected)))
    rows.append(row("Longer wins", "ruler", accuracy.longer_wins(chosen, rejected)))
    return rows


def _side_by_side(stages: Mapping[str, Examined], records: Held) -> list[SideBySide]:
    better = {record.prompt: preferred(record) for record in records}
    first = {
        name: {answer.prompt: answer for answer in reversed(examined.answers)}
        for name, examined in stages.items()
    }
    prompts = [prompt for prompt in better if all(prompt in found for found in first.values())]
    return [
        SideBySide(
            prompt=prompt[-1].content,
            answers={name: found[prompt].text for name, found in first.items()},
            ended={name: found[prompt].ended for name, found in first.items()},
            reference=better[prompt],
        )
        for prompt in prompts[:SIDE_BY_SIDE]
    ]
