"""What a model makes of the task before any training: its own answers, and how likely it finds good ones.

One uniform sample of the data is looked at, and no more, so that this takes minutes where there are millions
of rows. The model answers at temperature 1, or at the one that PPO will sample at; how far good responses lie
from its own is always told by answers at temperature 1, which is what it gives its probability to.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from heedful.advice.answers import final_answer, gives, loops, refuses, traits
from heedful.advice.facts import Lengths, ModelFacts
from heedful.advice.tally import Good
from heedful.checking_models import ModelView
from heedful.checks.finding import Interval
from heedful.checks.off_distribution import START
from heedful.checks.text import text_of
from heedful.errors import DataError
from heedful.intervals import bootstrap, difference, wilson
from heedful.models.sampler import Sample, sample
from heedful.records import Demonstration, Messages, Preference, Prompt
from heedful.render.prompts import render_prompts
from heedful.render.rows import Row, Rows, render
from heedful.render.truncate import Limits
from heedful.training.tracking import Reporter

Array = NDArray[np.float64]
Item = TypeVar("Item")

# An answer may be this many times as long as nearly all good ones before it counts as one without an end.
ROOM = 1.5
LEAST_LIMIT, MOST_LIMIT = 32, 256
# Good responses refuse at least this often: then refusing is part of the task.
REFUSED = 0.05
SHARES = (0.5, 0.95, 0.99, 1.0)
_NO_LIMIT = 1 << 20
# Records whose tokens are counted.
MEASURED = 500


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is looked at.

    Attributes:
        answers: that the model gives.
        good: good responses, or pairs, whose losses are measured.
        label_pairs: pairs whose labels are looked at; 0 leaves them.
        scored: of these pairs, how many a reward scores; a quarter as many prompts get four answers for it.
        seconds: of trying how fast the machine is.
    """

    answers: int
    good: int
    label_pairs: int
    scored: int
    seconds: float


USUAL = Effort(answers=32, good=64, label_pairs=300, scored=64, seconds=10.0)
QUICK = Effort(answers=16, good=32, label_pairs=0, scored=24, seconds=4.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was found, and what it was found on, in words for a person."""

    facts: ModelFacts
    lengths: Lengths | None
    looked_at: tuple[str, ...]


def ask(
    view: ModelView,
    good: Sequence[Good],
    pairs: Sequence[Preference],
    prompts: Sequence[Messages],
    *,
    effort: Effort,
    reporter: Reporter,
    seed: int = 0,
    one_answer: bool = False,
    temperature: float = 1.0,
) -> Asked:
    """Measure the model.

    Args:
        good: what it should be able to say.
        pairs: whose chosen sides these are; empty where they are something else.
        prompts: to answer.
        one_answer: compare its answers with the good ones.
        temperature: of the answers that are looked at.

    Raises:
        DataError: no prompt can be rendered for the model.
        ModelError: the model cannot be loaded.
    """
    chance = random.Random(seed)
    responses = _renderable(good, pairs)
    shown = some(responses, MEASURED, chance)
    rows = render(shown, view.renderer, Limits(view.max_length))
    context = view.backbone.context_length
    whole = render(shown, view.renderer, Limits(context or _NO_LIMIT))
    lengths = lengths_of(whole, context) if whole else None
    limit = min(_limit(lengths), view.max_length // 2)
    start = min(START, limit)
    asked = _askable(view, some(prompts, effort.answers, chance), limit)
    drawn = _answers(view, asked, limit, reporter, seed, temperature)
    texts = [view.renderer.decode(answer.tokens) for answer in drawn]
    likely = drawn if temperature == 1 else _answers(view, asked, start, reporter, seed, 1.0)
    own = [Row(row.id, row.prompt, (answer.actions,)) for row, answer in zip(asked, likely, strict=True)]
    looked = some(rows, effort.good, chance)
    known = [text_of(one.response) for one in some(good, MEASURED, chance)]
    facts = ModelFacts(
        name=view.backbone.name,
        answers=len(drawn),
        limit=limit,
        temperature=temperature,
        ended=_share([answer.ended for answer in drawn]),
        looping=_share(map(loops, texts)),
        refusing=None if _often(known, refuses) else _share(map(refuses, texts)),
        correct=_correct(good, asked, texts) if one_answer else None,
        **_form(known, texts),
        **_losses(view, own, looked, start),
    )
    return Asked(facts, lengths, _looked_at(facts, len(looked), len(responses), len(prompts), bool(pairs)))


def _losses(view: ModelView, own: Sequence[Row], good: Sequence[Row], start: int) -> dict[str, Any]:
    """How unlikely the model finds its own answers, good responses and, of pairs, the rejected ones."""
    of_own = view.token_losses(own, "Its own answers")
    of_good = view.token_losses(good, "Good responses") if good else []
    base = _median([losses[0][:start].mean() for losses in of_own])
    first = _median([losses[0][:start].mean() for losses in of_good])
    second = _median([losses[1][:start].mean() for losses in of_good if len(losses) > 1])
    return {
        "start": start,
        "own_loss": base,
        "good_loss": first,
        "rejected_loss": second,
        "good_above_own": _above(first, base),
        "rejected_above_own": _above(second, base),
        "tells_apart": _tells_apart(of_good),
    }


def _renderable(good: Sequence[Good], pairs: Sequence[Preference]) -> Sequence[Demonstration | Preference]:
    return pairs or [Demonstration(one.prompt, one.response) for one in good]


def lengths_of(rows: Rows, context: int | None) -> Lengths:
    """Quantiles of the tokens of rendered rows; `context` is what the model can read."""
    prompts = [len(row.prompt) for row in rows]
    responses = [max(row.lengths) for row in rows]
    whole = [prompt + response for prompt, response in zip(prompts, responses, strict=True)]
    return Lengths(
        prompt=_quantiles(prompts),
        response=_quantiles(responses),
        whole=_quantiles(whole),
        pair=rows.tokens / len(rows),
        context=context,
    )


def _quantiles(values: Sequence[int]) -> dict[float, int]:
    return {share: int(np.quantile(values, share, method="higher")) for share in SHARES}


def _limit(lengths: Lengths | None) -> int:
    """Tokens at which own answers are cut: room for nearly all good ones, and half as much again."""
    if lengths is None:
        return MOST_LIMIT // 2
    return int(min(max(ROOM * lengths.response[0.95], LEAST_LIMIT), MOST_LIMIT))


def some(items: Sequence[Item], count: int, chance: random.Random) -> list[Item]:
    """A uniform sample, in the items' order."""
    if len(items) <= count:
        return list(items)
    return [items[at] for at in sorted(chance.sample(range(len(items)), count))]


def _askable(view: ModelView, prompts: Sequence[Messages], limit: int) -> Rows:
    """The prompts as the model reads them, cut to what leaves room for an answer."""
    room = max(view.max_length - limit, view.max_length // 2)
    rows = render_prompts([Prompt(prompt) for prompt in prompts], view.renderer, Limits(room))
    if not rows:
        what = f"the model can be asked none of the prompts ({rows.counts})."
        raise DataError(what, where=view.backbone.name, mend="Look at them with heedful inspect.")
    return rows


def _answers(
    view: ModelView, rows: Rows, limit: int, reporter: Reporter, seed: int, temperature: float
) -> list[Sample]:
    with (
        reporter.task(f"{view.backbone.name}: answering prompts", len(rows)) as task,
        view.backbone.active("reference") as model,
    ):
        return sample(
            model,
            [row.prompt for row in rows],
            stop_ids=view.renderer.stop_ids,
            pad_id=view.backbone.pad_id,
            max_new_tokens=limit,
            temperature=temperature,
            seed=seed,
            on_done=task.update,
        )


def _form(good: Sequence[str], own: Sequence[str]) -> dict[str, Any]:
    """What good responses have in common, and the share of own ones that have all of it."""
    wanted = traits(good)
    if not wanted:
        return {}
    return {
        "traits": tuple(trait.name for trait in wanted),
        "in_format": _share(all(trait.has(text) for trait in wanted) for text in own),
    }


def _correct(good: Sequence[Good], asked: Rows, texts: Sequence[str]) -> Interval | None:
    """Of the answers to prompts whose right answer is known."""
    right: dict[Messages, set[str]] = {}
    for one in good:
        answer = final_answer(text_of(one.response))
        if answer is not None:
            right.setdefault(one.prompt, set()).add(answer)
    found = []
    for row, text in zip(asked, texts, strict=True):
        assert isinstance(row.record, Prompt)
        answers = right.get(row.record.prompt)
        if answers:
            found.append(any(gives(text, answer) for answer in answers))
    return _share(found) if found else None


def _tells_apart(losses: Sequence[Sequence[Array]]) -> Interval | None:
    pairs = [(one[0].mean(), one[1].mean()) for one in losses if len(one) > 1]
    return _share(chosen < rejected for chosen, rejected in pairs) if pairs else None


def _median(values: Sequence[float]) -> Interval | None:
    if len(values) < 2:
        return None
    return Interval(float(np.median(values)), *bootstrap(values, statistic=np.median), len(values))


def _above(level: Interval | None, own: Interval | None) -> Interval | None:
    """How far one median lies above another, as the check of off-distribution data has it."""
    if level is None or own is None:
        return None
    ends = difference(level.value, (level.low, level.high), own.value, (own.low, own.high))
    return Interval(level.value - own.value, *ends, level.n)


def _share(values: Any) -> Interval:
    found = [bool(value) for value in values]
    return Interval(sum(found) / len(found), *wilson(sum(found), len(found)), len(found))


def _often(texts: Sequence[str], has: Callable[[str], bool]) -> bool:
    return bool(texts) and sum(map(has, texts)) >= REFUSED * len(texts)


def _looked_at(facts: ModelFacts, looked: int, responses: int, prompts: int, pairs: bool) -> tuple[str, ...]:
    told = [
        f"{facts.answers:,} of {prompts:,} prompts answered by the model itself, at temperature "
        f"{facts.temperature:g}, up to {facts.limit:,} tokens"
    ]
    if looked:
        what = "pairs" if pairs else "good responses"
        told.append(f"losses of {looked:,} of {responses:,} {what}, over their first {facts.start:,} tokens")
    return tuple(told)
