"""Judging models by held-out rows: ask each one, and put the findings into a report.

Puts the floors below together: reading, asking and reporting each have their own room.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heedful import formats, judging, machine
from heedful.errors import DataError, ModelError
from heedful.evaluation import ask
from heedful.evaluation import preference_accuracy as accuracy
from heedful.evaluation.answer_scores import AnswerScores
from heedful.evaluation.behaviour import Answer, measure
from heedful.evaluation.preference_accuracy import PairScores
from heedful.models.backbone import Backbone
from heedful.models.loading import load
from heedful.models.rewards import Reward, checked, is_reward
from heedful.models.scoring import score
from heedful.quarantine import Kept, Quarantined
from heedful.records import Demonstration, Preference, Ranking, Rating, Record
from heedful.render.chat import Renderer
from heedful.render.rows import render
from heedful.render.truncate import Limits
from heedful.report import AccuracyRow, Curve, ReportData, SideBySide, write
from heedful.training.loop import Outcome
from heedful.training.reading import without_ties
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter

PER_TOKEN = "Finds the better answer likelier, per token"
IMPLICIT = "Raises the better answer above the worse one, over the first model"
SIDE_BY_SIDE = 12
MAX_LENGTH = 1024
MAX_NEW_TOKENS = 160

Held = Sequence[Preference | Demonstration]

# What a policy and what a reward model can be judged by.
POLICY_JUDGES = (Preference, Demonstration)
REWARD_JUDGES = (Preference, Ranking, Rating)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Findings about one or more models on held-out rows."""

    data: ReportData

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the findings as one self-contained HTML page."""
        return write(self.data, Path(path))


@dataclass(frozen=True, slots=True)
class Examined:
    """What one model made of the held-out rows.

    Attributes:
        scores: of the pairs that could be rendered for this model; none without any.
        pairs: which those are.
        lengths: of their whole chosen and rejected responses, in tokens.
        answers: to the rows' prompts.
        left_out: pairs that could not be rendered, by reason.
    """

    scores: PairScores | None
    pairs: tuple[str, ...]
    lengths: tuple[tuple[int, ...], ...]
    answers: list[Answer]
    left_out: dict[str, int]


def evaluate(
    model: Outcome | Backbone | str,
    *,
    data: Sequence[Record] | str | os.PathLike[str],
    baseline: Backbone | str | None = None,
    max_length: int | None = None,
    max_new_tokens: int = MAX_NEW_TOKENS,
    prompts: int = 48,
    quiet: bool = False,
) -> Evaluation:
    """Compare a model with a baseline on held-out pairs or demonstrations, or judge a reward model.

    A reward model is judged by itself, by held-out preferences, rankings and ratings; it answers nothing.

    Args:
        model: a run, a loaded backbone, or whatever `heedful.load` takes; a reward run or its adapter folder.
        data: held-out records, or a file.
        baseline: what it is compared with, a backbone without its adapter; the model that a run started from
            when absent.
        max_length: of a prompt with one response, in tokens; 1024, or what a reward run was trained with,
            when absent.
        max_new_tokens: answers are cut there.
        prompts: how many prompts are answered.

    Raises:
        DataError: nothing in the data that such a model can be judged by.
        ModelError: a model cannot be loaded, or does not go with the other.
        RewardError: the reward run is not finished, or has no adapter.
    """
    reporter = Reporter(quiet=quiet)
    if isinstance(model, Outcome):
        model = str(model.run)
    if isinstance(model, str) and is_reward(model):
        if baseline is not None:
            what = "a reward model is judged by itself, and there is nothing to compare it with."
            raise ModelError(what, where=model, mend="Leave the baseline out.")
        judges = held_out(data, REWARD_JUDGES)
        reporter.say(f"Held-out records: {judges.counts}")
        return Evaluation(judging.judge(model, judges, reporter, max_length=max_length))
    records = held_out(data)
    reporter.say(f"Held-out records: {records.counts}")
    if baseline is None:
        baseline = _origin(model)
    stages: dict[str, Examined] = {}
    for role, source in (("reference", baseline), ("policy", model)):
        backbone = source if isinstance(source, Backbone) else load(source)
        name = backbone.name if backbone.name not in stages else f"{backbone.name}, trained"
        stages[name] = examine(
            backbone,
            records,
            name,
            reporter,
            role=role,
            max_length=max_length or MAX_LENGTH,
            max_new_tokens=max_new_tokens,
            prompts=prompts,
        )
    first, second = stages
    title = f"{second} against {first}"
    facts = {"Machine": machine.describe()}
    return Evaluation(report(title, "", stages, records, facts, max_new_tokens=max_new_tokens))


def examine(
    backbone: Backbone,
    records: Held,
    name: str,
    reporter: Reporter,
    *,
    role: str = "policy",
    max_length: int = MAX_LENGTH,
    max_new_tokens: int = MAX_NEW_TOKENS,
    prompts: int = 48,
) -> Examined:
    """Score the held-out pairs with a backbone in one role, and have it answer their prompts."""
    renderer = Renderer(backbone.tokenizer)
    pairs = [record for record in records if isinstance(record, Preference)]
    rows = render(pairs, renderer, Limits(max_length))
    scores = None
    if rows:
        with reporter.task(f"{name}: scoring held-out pairs", len(rows)) as task:
            scores = ask.pair_scores(score(backbone.role(role), rows, on_done=task.update), rows)
    asked = list(dict.fromkeys(record.prompt for record in records))[:prompts]
    with reporter.task(f"{name}: answering held-out prompts", len(asked)) as task:
        answers = ask.answers(
            backbone, renderer, asked, role=role, max_new_tokens=max_new_tokens, on_done=task.update
        )
    return Examined(
        scores,
        pairs=tuple(row.id for row in rows),
        lengths=tuple(row.lengths for row in rows),
        answers=answers,
        left_out=rows.counts.quarantined,
    )


def score_answers(
    reward: Reward, stages: Mapping[str, Examined], reporter: Reporter
) -> dict[str, AnswerScores]:
    """Have a reward score the answers of every model, those that ended by themselves.

    Raises:
        RewardError: it failed, or gave something else than one finite number per answer.
    """
    found: dict[str, AnswerScores] = {}
    with reporter.task("Scoring the answers", len(stages)) as task:
        for name, examined in stages.items():
            whole = [answer for answer in examined.answers if answer.ended]
            prompts, texts = [answer.prompt for answer in whole], [answer.text for answer in whole]
            given = iter(checked(reward, prompts, texts).tolist())
            found[name] = AnswerScores(
                np.array([next(given) if answer.ended else np.nan for answer in examined.answers])
            )
            task.update(len(found))
    return found


def _origin(model: Backbone | str) -> str:
    """What a run started from: the last adapter folded in before it, or its base model."""
    if isinstance(model, str) and (Path(model) / "run.json").exists():
        started = RunFolder(Path(model)).info()["model"]
        return str(started["lineage"][-1] if started["lineage"] else started["base"])
    raise DataError("there is nothing to compare with.", mend="Name a baseline.")


def held_out(
    data: Sequence[Record] | str | os.PathLike[str], kinds: tuple[type[Record], ...] = POLICY_JUDGES
) -> Kept[Any]:
    """The records of `data` that a model can be judged by, and what was left out on the way.

    Args:
        kinds: of record: `POLICY_JUDGES`, or `REWARD_JUDGES` for a reward model.

    Raises:
        DataError: none is of these kinds, or the file cannot be read.
    """
    records: Any = formats.read(data) if isinstance(data, str | os.PathLike) else data
    wanted = " and no ".join(kind.__name__.lower() for kind in kinds)
    others = [
        Quarantined(record.id, "other_kind", f"a {type(record).__name__.lower()} is no {wanted}", record)
        for record in records
        if not isinstance(record, kinds)
    ]
    usable = Kept([record for record in records if isinstance(record, kinds)])
    if kinds == POLICY_JUDGES:  # what a reward model scores alike may be a tie; a policy has to take a side
        (usable,) = without_ties(usable)
    before = records.quarantined if isinstance(records, Kept) else []
    kept = Kept(usable, [*before, *others, *usable.quarantined])
    if not usable:
        raise DataError(f"there is no {wanted} to evaluate on ({kept.counts}).")
    return kept


def report(
    title: str,
    intro: str,
    stages: dict[str, Examined],
    records: Held,
    facts: dict[str, str],
    curves: Sequence[Curve] = (),
    max_new_tokens: int = MAX_NEW_TOKENS,
) -> ReportData:
    """The findings about several models, the first of which the others are compared with."""
    notes = [
        f"Answers take the likeliest token each time and are cut after {max_new_tokens} tokens.",
        "The examples are the first of the held-out file, not picked.",
    ]
    first = next(iter(stages.values()))
    if any(examined.pairs != first.pairs for examined in stages.values()):
        notes.append(
            "The models' templates leave different pairs out: their accuracies are of different pairs."
        )
    left_out = Counter(first.left_out)
    if isinstance(records, Kept):
        left_out.update(records.counts.quarantined)
    return ReportData(
        title=title,
        intro=intro,
        facts=facts,
        stages=list(stages),
        curves=list(curves),
        accuracy=_accuracies(stages),
        behaviour={name: measure(examined.answers) for name, examined in stages.items()},
        side_by_side=_side_by_side(stages, records),
        notes=notes,
        quarantine=dict(left_out),
    )


def _accuracies(stages: dict[str, Examined]) -> list[AccuracyRow]:
    def row(label: str, stage: str, found: accuracy.Accuracy) -> AccuracyRow:
        return AccuracyRow(label, stage, found.value, found.low, found.high, found.n)

    scored = {name: examined.scores for name, examined in stages.items() if examined.scores is not None}
    if not scored:
        return []
    first, *later = scored
    rows = [row(PER_TOKEN, name, accuracy.per_token(scores)) for name, scores in scored.items()]
    for name in later:
        if stages[name].pairs == stages[first].pairs:
            rows.append(row(IMPLICIT, name, accuracy.implicit_reward(scored[name], scored[first])))
    chosen, rejected = zip(*stages[first].lengths, strict=True)
    rows.append(row("Shorter wins", "ruler", accuracy.shorter_wins(chosen, rejected)))
    rows.append(row("Longer wins", "ruler", accuracy.longer_wins(chosen, rejected)))
    return rows


def _side_by_side(stages: dict[str, Examined], records: Held) -> list[SideBySide]:
    better = {r.prompt: (r.chosen if isinstance(r, Preference) else r.response)[-1].content for r in records}
    answers = {
        name: {answer.prompt: answer for answer in examined.answers} for name, examined in stages.items()
    }
    prompts = [answer.prompt for answer in next(iter(stages.values())).answers][:SIDE_BY_SIDE]
    return [
        SideBySide(
            prompt=prompt[-1].content,
            answers={name: found[prompt].text for name, found in answers.items()},
            ended={name: found[prompt].ended for name, found in answers.items()},
            reference=better.get(prompt),
        )
        for prompt in prompts
    ]
