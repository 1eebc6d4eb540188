"""What reward each point buys with how much KL, and what becomes of a gold reward on the way.

A point's answers count as they are, cut ones too, since its KL is of the same answers. All points are over
the prompts that every one of them answered.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from heedful.comparing.asking import Asked, Drawn
from heedful.errors import DataError
from heedful.evaluation import best_of_n
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.best_of_n import BestOf
from heedful.evaluation.estimates import Array, Estimate, mean
from heedful.evaluation.frontier import Point, frontier
from heedful.evaluation.over_optimisation import Form, over_optimisation
from heedful.evaluation.over_optimisation import Point as Optimum
from heedful.judges import Judge, Question
from heedful.judges.judge import Scorer
from heedful.records import Messages
from heedful.report.compare_data import Optimised, Reached, RewardFrontier
from heedful.training.tracking import Reporter

Scores = Mapping[str, Array]
"""By judge: `[prompts, samples]`."""


@dataclass(frozen=True, slots=True)
class _Place:
    """A point's scores, and what it is."""

    drawn: Drawn
    scores: Scores


@dataclass(frozen=True, slots=True)
class Ground:
    """All that was drawn, scored.

    Attributes:
        places: models and checkpoints.
        reference: the reference's scores.
        name: the reference's name.
        prompts: those that all of them answered.
    """

    places: list[_Place]
    reference: Scores
    name: str
    prompts: list[Messages]


def score(judges: Sequence[Judge], asked: Asked, name: str, reporter: Reporter) -> Ground:
    """The scores of all that was drawn, by every judge that scores.

    Raises:
        JudgeError: one failed, or gave something else than one finite number per answer.
        DataError: no prompt was answered by all.
    """
    prompts = _common([asked.reference, *(one.answers for one in asked.drawn)])
    scorers = [judge for judge in judges if isinstance(judge, Scorer)]
    wanted = set(prompts)
    flat = [
        answer
        for own in (asked.reference, *(one.answers for one in asked.drawn))
        for answer in own
        if answer.prompt in wanted
    ]
    for judge in scorers:
        questions = [Question(one.prompt, one.text, one.text) for one in flat]
        with reporter.task(f"{judge.name}: scoring the samples", len(questions)) as task:
            judge(questions, task.update)
    return Ground(
        [_Place(one, _scores(scorers, one.answers, prompts)) for one in asked.drawn],
        _scores(scorers, asked.reference, prompts),
        name,
        prompts,
    )


def _common(drawn: Sequence[Sequence[Answer]]) -> list[Messages]:
    known = [{answer.prompt for answer in own} for own in drawn]
    shared = [
        prompt for prompt in dict.fromkeys(one.prompt for one in drawn[0]) if all(prompt in k for k in known)
    ]
    if not shared:
        raise DataError("no prompt was answered by all that are compared.", mend="Lower --max-new-tokens.")
    return shared


def _scores(judges: Sequence[Judge], answers: Sequence[Answer], prompts: Sequence[Messages]) -> Scores:
    by_prompt: dict[Messages, list[str]] = {}
    for answer in answers:
        by_prompt.setdefault(answer.prompt, []).append(answer.text)
    return {
        judge.name: np.array(
            [[judge.score_of(prompt, text) for text in by_prompt[prompt]] for prompt in prompts]
        )
        for judge in judges
        if isinstance(judge, Scorer)
    }


def reward_frontier(
    judge: str, ground: Ground, *, chosen_by: str, best_of: int | None, seed: int
) -> RewardFrontier:
    """Where models, checkpoints and best of n lie.

    Args:
        judge: whose scores are read.
        chosen_by: the judge whose scores choose the best of n.
        best_of: the largest n; None leaves best of n out.
    """
    points, reached = [], {}
    for place in ground.places:
        entrant, divergence = place.drawn.entrant, place.drawn.divergence
        reward = _mean(place.scores[judge], seed)
        point = Point(entrant.run, entrant.step, entrant.beta, divergence.per_answer, reward)
        points.append(point)
        reached[entrant.subject.name] = Reached(
            ended=float(np.mean([answer.ended for answer in place.drawn.answers])),
            answers=divergence.n,
            prompts=divergence.prompts,
            warnings=divergence.warnings,
            same_as=_same_as(place, ground) if entrant.step is None else None,
        )
    tried: tuple[BestOf, ...] = ()
    if best_of is not None:
        read = None if judge == chosen_by else ground.reference[judge]
        tried = best_of_n.curve(ground.reference[chosen_by], choices(best_of), gold=read, seed=seed)
        for one in tried:
            exact = Estimate(one.kl, one.kl, one.kl)
            points.append(Point(f"best of {one.n}", None, None, exact, one.gold or one.reward))
    return RewardFrontier(
        judge=judge,
        reference=ground.name,
        start=_mean(ground.reference[judge], seed),
        placed=frontier(points),
        reached=reached,
        best_of=tried,
        chosen_by=chosen_by if best_of is not None else "",
    )


def choices(most: int) -> list[int]:
    """1, 2, 4 and so on, and the largest."""
    found = [2**power for power in range(most.bit_length()) if 2**power <= most]
    return found if found[-1] == most else [*found, most]


def optimised(proxy: str, gold: str, ground: Ground, *, best_of: int | None, seed: int) -> list[Optimised]:
    """The over-optimisation curve of every run that has checkpoints, and of best of n."""
    runs = dict.fromkeys(
        place.drawn.entrant.run for place in ground.places if place.drawn.entrant.step is not None
    )
    found = [_of_run(run, proxy, gold, ground, seed) for run in runs]
    if best_of is not None:
        found.append(_of_best_of(proxy, gold, ground, best_of, seed))
    return found


def _of_run(run: str, proxy: str, gold: str, ground: Ground, seed: int) -> Optimised:
    own = [place for place in ground.places if place.drawn.entrant.run == run]
    way = [place for place in own if place.drawn.entrant.step is not None]
    # What a run left behind is one of its checkpoints as a rule, and then no point of its own.
    way += [place for place in own if place.drawn.entrant.step is None and _same_as(place, ground) is None]
    kls = [0.0, *(max(place.drawn.divergence.per_answer.value, 0.0) for place in way)]
    scores = [ground.reference, *(place.scores for place in way)]
    labels = [ground.name, *(place.drawn.entrant.subject.name for place in way)]
    return _curve(run, proxy, gold, "rl", kls, scores, labels, seed)


def _of_best_of(proxy: str, gold: str, ground: Ground, most: int, seed: int) -> Optimised:
    tried = choices(most)
    chances = {n: best_of_n.chances(ground.reference[proxy], n) for n in tried}
    scores = [
        {judge: (chances[n] * ground.reference[judge]).sum(axis=1, keepdims=True) for judge in (proxy, gold)}
        for n in tried
    ]
    labels = [f"best of {n}" for n in tried]
    name = f"best of n of {ground.name}"
    return _curve(name, proxy, gold, "best of n", [best_of_n.kl(n) for n in tried], scores, labels, seed)


def _curve(
    name: str,
    proxy: str,
    gold: str,
    form: Form,
    kls: Sequence[float],
    scores: Sequence[Scores],
    labels: Sequence[str],
    seed: int,
) -> Optimised:
    order = np.argsort(kls, kind="stable")
    by_prompt = np.array([scores[at][gold].mean(axis=1) for at in order])
    errors = by_prompt.std(axis=1, ddof=1) / math.sqrt(by_prompt.shape[1])
    points = [
        Optimum(kls[at], float(scores[at][proxy].mean()), float(own.mean()), float(error))
        for at, own, error in zip(order, by_prompt, errors, strict=True)
    ]
    return Optimised(
        name=name,
        proxy=proxy,
        gold=gold,
        form=form,
        found=over_optimisation(points, form=form, by_prompt=by_prompt, seed=seed),
        labels=tuple(labels[at] for at in order),
    )


def _same_as(model: _Place, ground: Ground) -> int | None:
    """The step of the checkpoint that has drawn the same as its run's model, token for token."""
    drawn = [answer.ids for answer in model.drawn.answers]
    for other in ground.places:
        own = other.drawn
        kept = own.entrant.run == model.drawn.entrant.run and own.entrant.step is not None
        if kept and [answer.ids for answer in own.answers] == drawn:
            return own.entrant.step
    return None


def _mean(scores: Array, seed: int) -> Estimate:
    """Of all samples, with the interval of their prompts."""
    return mean(scores.mean(axis=1), seed=seed)
