"""Can the model do the task yet? Alignment sharpens what a model can do; the rest it has to be shown first.

Each question has a measured figure, a threshold, and the reason for it. DPO and PPO raise and lower the
likelihood of what a model says already, so alignment on top of one that fails a question goes badly: Stiennon
et al. 2020 and Ouyang et al. 2022 start PPO from SFT, and Rafailov et al. 2023 (section 4) start DPO from SFT
on the chosen responses where there is no SFT model. The thresholds are ours: no paper names them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from heedful.advice.facts import ModelFacts
from heedful.advice.words import nats, share
from heedful.checks.finding import Interval
from heedful.checks.off_distribution import DISTANCE

# An answer that is cut is scored and compared for a text that nobody would have sent; of five, one may be.
LEAST_ENDED = 0.8
# The format is what SFT teaches in minutes, and what a reward has to spend its first iterations on otherwise.
LEAST_IN_FORMAT = 0.8
# Of five answers, one may go round in circles.
MOST_LOOPING = 0.2


@dataclass(frozen=True, slots=True)
class Judged:
    """One question of readiness.

    Attributes:
        question: its name.
        passed: by the figure itself.
        sure: the whole interval lies on that side of the threshold.
        words: one sentence with the figure, its interval and the threshold.
    """

    question: str
    passed: bool
    sure: bool
    words: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a model can be aligned as it is, or has to be shown the task first.

    Attributes:
        judged: every question that could be asked.
    """

    judged: tuple[Judged, ...]

    @property
    def ready(self) -> bool:
        """No question is failed."""
        return all(one.passed for one in self.judged)

    @property
    def sure(self) -> bool:
        """The answer would be the same wherever in their intervals the figures lie."""
        if self.ready:
            return all(one.sure for one in self.judged)
        return any(one.sure and not one.passed for one in self.judged)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What speaks against it, in sentences; where nothing does, what speaks for it."""
        return tuple(one.words for one in self.judged if one.passed == self.ready)


@dataclass(frozen=True, slots=True)
class _Question:
    name: str
    figure: Callable[[ModelFacts], Interval | None]
    threshold: float
    wants_more: bool
    words: Callable[[ModelFacts, Interval], str]


_QUESTIONS = (
    _Question(
        "ends",
        lambda facts: facts.ended,
        LEAST_ENDED,
        True,
        lambda facts, figure: (
            f"{share(figure)} of its own answers end by themselves within {facts.limit} "
            f"tokens at temperature {facts.temperature:g}; at least {LEAST_ENDED:.0%} should"
        ),
    ),
    _Question(
        "format",
        lambda facts: facts.in_format,
        LEAST_IN_FORMAT,
        True,
        lambda facts, figure: (
            f"{share(figure)} of its own answers have the form of the good ones "
            f"({', '.join(facts.traits)}); at least {LEAST_IN_FORMAT:.0%} should"
        ),
    ),
    _Question(
        "loops",
        lambda facts: facts.looping,
        MOST_LOOPING,
        False,
        lambda facts, figure: (
            f"{share(figure)} of its own answers go round in circles; at most {MOST_LOOPING:.0%} should"
        ),
    ),
    _Question(
        "distance",
        lambda facts: facts.good_above_own,
        DISTANCE,
        False,
        lambda facts, figure: (
            f"good responses cost it {nats(figure)} more than its own answers do; at most "
            f"{DISTANCE:g} should lie between"
        ),
    ),
)


def readiness(facts: ModelFacts) -> Readiness:
    """Ask every question whose figure was measured; the figure decides, its interval says how surely."""
    judged = []
    for question in _QUESTIONS:
        figure = question.figure(facts)
        if figure is not None:
            judged.append(_judge(question, facts, figure))
    return Readiness(tuple(judged))


def _judge(question: _Question, facts: ModelFacts, figure: Interval) -> Judged:
    if question.wants_more:
        passed = figure.value >= question.threshold
        sure = figure.low >= question.threshold if passed else figure.high < question.threshold
    else:
        passed = figure.value <= question.threshold
        sure = figure.high <= question.threshold if passed else figure.low > question.threshold
    words = question.words(facts, figure)
    return Judged(question.name, passed, sure, words if sure else f"{words} (too close to be sure)")
