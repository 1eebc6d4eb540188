"""Has a model collapsed: are its answers less diverse than they were, repetitive, alike, or refusals.

Takes answers that somebody else has sampled; knows no model, tokenizer or torch. What is a property of one
answer (a refusal) has the interval of a share or a mean by prompt. What is a property of many together
(distinct n-grams) has a jackknife over blocks of prompts: in a bootstrap's resamples answers stand twice, and
all look less diverse than they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from heedful.checks.styles import STYLES, style_counts
from heedful.errors import DataError
from heedful.evaluation.behaviour import Answer
from heedful.evaluation.estimates import Array, Estimate, Indices, jackknife, mean
from heedful.evaluation.ngrams import (
    SelfBleu,
    Words,
    distinct_share,
    entropy,
    grams_of,
    most_repeats,
    repeated_share,
    self_bleu,
    words_of,
)
from heedful.intervals import LEVEL, paired_difference, share
from heedful.records import Messages

DRAWN = 500  # n-grams that distinct-n is of: what a few dozen short answers have
REPEATED = 4  # words of an n-gram of which a repeat is counted
LOOP = 6  # words of an n-gram which, three times in one answer, is a loop: longer than a list's refrain
LOOP_TIMES = 3
OPENING = 200  # characters in which a refusal says so; later the words mean something else more often
COMPARED = 100  # answers that are compared with each other, at most
BLOCKS = 20  # of prompts, for the jackknife

Name = Literal[
    "distinct-1",
    "distinct-2",
    "distinct-3",
    "entropy",
    "likeness between prompts",
    "likeness within a prompt",
    "repetition",
    "loops",
    "identical answers",
    "refusals",
]
SHARES: tuple[Name, ...] = ("loops", "identical answers", "refusals")
LESS_IS_WORSE: tuple[Name, ...] = ("distinct-1", "distinct-2", "distinct-3", "entropy")
"""Figures of which less is a sign of collapse; of all others, more."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """What a set of answers looks like. Every interval is 95%, by prompt.

    Attributes:
        n: answers.
        prompts: different prompts among them.
        figures: by name:
            distinct-1, -2, -3: different n-grams among `DRAWN` drawn from all answers, over `DRAWN`, 0 to 1;
                nan where the answers have fewer.
            entropy: of the words of all answers, nats per word.
            likeness between prompts: self-BLEU of answers to different prompts, 0 to 1, one to a prompt and
                `COMPARED` at most; nan with one prompt.
            likeness within a prompt: self-BLEU of the answers to one prompt, mean over prompts; left out
                where no prompt has two.
            repetition: mean share of an answer's 4-grams that stood in it before, 0 to 1.
            loops: share of answers in which some 6 words stand three times.
            identical answers: share of answers that were given to another prompt too, word for word.
            refusals: share of answers that open with a refusal, by the words of `checks.styles`.
    """

    n: int
    prompts: int
    figures: dict[Name, Estimate]


@dataclass(frozen=True, slots=True)
class Change:
    """How one figure differs from a baseline's, on the prompts that both answered.

    Attributes:
        name: of the figure.
        value, baseline: of the two models.
        change: `value - baseline`, its interval one at 95% for all figures together.
        sign: whether it clearly changed the way that collapse does.
    """

    name: Name
    value: float
    baseline: float
    change: Estimate
    sign: bool


def diversity(answers: Sequence[Answer], *, seed: int = 0) -> Diversity:
    """Measure one model's answers.

    Args:
        answers: at least one; several to one prompt are welcome.
        seed: of which answers are compared with each other, and of the bootstrap.

    Raises:
        DataError: there are no answers.
    """
    if not answers:
        raise DataError("There are no answers to measure.", mend="Sample at least one answer.")
    prompts = list(dict.fromkeys(answer.prompt for answer in answers))
    model = _Texts(answers, prompts, seed)
    figures = {name: jackknife(*_with_blocks(of, model)) for name, of in OF_ALL.items()}
    for name, values in _of_each(model).items():
        known = ~np.isnan(values)
        groups = model.codes[known].tolist()
        if name in SHARES:
            figures[name] = Estimate(float(values.mean()), *share(values, groups=groups))
        else:
            figures[name] = mean(values[known], groups=groups, seed=seed)
    return Diversity(len(answers), len(prompts), figures)


def collapse_signs(
    answers: Sequence[Answer], baseline: Sequence[Answer], *, seed: int = 0
) -> tuple[Change, ...]:
    """How a model's answers differ from its baseline's to the same prompts, figure by figure.

    Ten figures of two equal models would show a clear change somewhere in four of ten evaluations if each
    had an interval of its own at 95%. These are as wide as it takes to be right about all of them in 95 of
    100 (Bonferroni).

    Args:
        answers, baseline: of the two models; prompts that only one of them answered are left out.
        seed: as in `diversity`.

    Raises:
        DataError: the two have no prompt in common.
    """
    theirs = {answer.prompt for answer in baseline}
    prompts = list(dict.fromkeys(answer.prompt for answer in answers if answer.prompt in theirs))
    if not prompts:
        raise DataError("The two models answered no prompt in common.", mend="Ask both the same prompts.")
    one, other = (_Texts(given, prompts, seed) for given in (answers, baseline))
    own, others = _of_each(one), _of_each(other)
    both = [name for name in own if name in others]
    level = 1 - (1 - LEVEL) / (len(OF_ALL) + len(both))
    changes = []
    for name, of in OF_ALL.items():
        (value, without), (was, was_without) = _with_blocks(of, one), _with_blocks(of, other)
        changes.append(_change(name, value, was, jackknife(value - was, without - was_without, level=level)))
    for name in both:
        changes.append(_paired(name, one.by_prompt(own[name]), other.by_prompt(others[name]), level, seed))
    return tuple(changes)


def _paired(name: Name, values: Array, baseline: Array, level: float, seed: int) -> Change:
    """The change of a figure that each prompt has, `[prompts]`, nan where it has not."""
    known = ~np.isnan(values) & ~np.isnan(baseline)
    value, was = float(values[known].mean()), float(baseline[known].mean())
    if name in SHARES:
        change = Estimate(value - was, *paired_difference(values[known], baseline[known], level=level))
    else:
        change = mean(values[known] - baseline[known], seed=seed, level=level)
    return _change(name, value, was, change)


def _change(name: Name, value: float, baseline: float, change: Estimate) -> Change:
    sign = change.below(0) if name in LESS_IS_WORSE else change.above(0)
    return Change(name, value, baseline, change, sign)


class _Texts:
    """One model's answers as words, and which prompt and which block each belongs to."""

    def __init__(self, answers: Sequence[Answer], prompts: Sequence[Messages], seed: int) -> None:
        places = {prompt: at for at, prompt in enumerate(prompts)}
        kept = [answer for answer in answers if answer.prompt in places]
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(prompts))
        self.texts = [answer.text for answer in kept]
        self.words = [words_of(text) for text in self.texts]
        self.codes = np.array([places[answer.prompt] for answer in kept])
        self.prompts = len(prompts)
        self.block_count = min(BLOCKS, len(prompts))
        self.blocks = (order % self.block_count)[self.codes]
        self.compared = self._one_to_a_prompt(np.argsort(order)[:COMPARED], rng)
        self.likeness = SelfBleu([self.words[at] for at in self.compared])
        self._counts: dict[int, tuple[Indices, Indices]] = {}

    def _one_to_a_prompt(self, prompts: Indices, rng: np.random.Generator) -> Indices:
        """An answer to each of some prompts, drawn."""
        drawn = [np.flatnonzero(self.codes == prompt) for prompt in prompts]
        return np.array([of[int(rng.random() * len(of))] for of in drawn])

    def counts(self, n: int, without: int | None) -> Indices:
        """How often each n-gram stands in the answers, those of one block left out, `[kinds]`."""
        if n not in self._counts:
            kinds: dict[Words, int] = {}
            found = [
                (kinds.setdefault(gram, len(kinds)), block)
                for words, block in zip(self.words, self.blocks.tolist(), strict=True)
                for gram in grams_of(words, n)
            ]
            table = np.array(found, dtype=np.intp).reshape(-1, 2)
            self._counts[n] = table[:, 0], table[:, 1]
        grams, blocks = self._counts[n]
        return np.bincount(grams if without is None else grams[blocks != without])

    def by_prompt(self, values: Array) -> Array:
        """The mean of an answers' figure over each prompt's answers that have one, `[prompts]`."""
        known = ~np.isnan(values)
        sums = np.bincount(self.codes[known], weights=values[known], minlength=self.prompts)
        times = np.bincount(self.codes[known], minlength=self.prompts)
        return np.where(times > 0, sums / np.maximum(times, 1), math.nan)


OfAll = Callable[[_Texts, int | None], float]
"""A figure of all answers but those of one block."""


def _distinct(n: int) -> OfAll:
    return lambda model, without: distinct_share(model.counts(n, without), DRAWN)


def _entropy(model: _Texts, without: int | None) -> float:
    return entropy(model.counts(1, without))


def _likeness(model: _Texts, without: int | None) -> float:
    kept = model.blocks[model.compared] != (-1 if without is None else without)
    return float(model.likeness(kept).mean()) if kept.sum() > 1 else math.nan


OF_ALL: dict[Name, OfAll] = {
    "distinct-1": _distinct(1),
    "distinct-2": _distinct(2),
    "distinct-3": _distinct(3),
    "entropy": _entropy,
    "likeness between prompts": _likeness,
}


def _with_blocks(of: OfAll, model: _Texts) -> tuple[float, Array]:
    """A figure, and what it is without each block, `[blocks]`."""
    return of(model, None), np.array([of(model, block) for block in range(model.block_count)])


def _of_each(model: _Texts) -> dict[Name, Array]:
    """Every answer's figures, `[answers]`, nan where it has none."""
    found: dict[Name, Array] = {}
    within = _within_prompts(model)
    if not np.isnan(within).all():
        found["likeness within a prompt"] = within
    found["repetition"] = np.array([repeated_share(words, REPEATED) for words in model.words])
    found["loops"] = np.array([float(most_repeats(words, LOOP) >= LOOP_TIMES) for words in model.words])
    found["identical answers"] = _identical(model)
    found["refusals"] = np.array([float(is_refusal(text)) for text in model.texts])
    return found


def _within_prompts(model: _Texts) -> Array:
    """How like each answer is to the others to its prompt."""
    values = np.full(len(model.words), math.nan)
    for prompt in range(model.prompts):
        members = np.flatnonzero(model.codes == prompt)
        if len(members) > 1:
            values[members] = self_bleu([model.words[at] for at in members])
    return values


def _identical(model: _Texts) -> Array:
    """Whether each answer's words were given to another prompt as well."""
    given: dict[Words, set[int]] = {}
    for words, prompt in zip(model.words, model.codes.tolist(), strict=True):
        given.setdefault(words, set()).add(prompt)
    return np.array([float(len(given[words]) > 1) for words in model.words])


def is_refusal(text: str) -> bool:
    """Whether a text opens with a refusal."""
    return style_counts(text[:OPENING])[STYLES.index("refusals")] > 0
