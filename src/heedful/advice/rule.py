"""What a rule is, the thresholds that rules share, and the questions that several of them ask of the facts.

A rule is small: an id, the papers behind it, and a function that either says something of the facts or is
silent. A threshold that no paper names is ours, and says why it is where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from heedful.advice.facts import Facts, RoadCost, RoadName
from heedful.advice.readiness import Readiness
from heedful.advice.words import share
from heedful.checks.finding import Interval
from heedful.checks.off_distribution import DISTANCE

Stage = Literal["sft", "dpo", "reward", "ppo"]
Stages = tuple[Stage, ...]
First = Literal["collect", "clean", "smaller"]

# Ours: a tenth is held out, and of fewer than 10 held-out pairs one cannot tell 60% from a coin at all.
FEWEST_PAIRS = 100
# Ours: half of that, since every demonstration shows what to say and not only which of two is better.
FEWEST_DEMONSTRATIONS = 50
# Zhou et al. 2023 (LIMA) fine-tune on 1,000 demonstrations, chosen with care.
CAREFUL_DEMONSTRATIONS = 1000
# Gao et al. 2022, section 3.3: with fewer comparisons a reward model does little better than chance.
REWARD_PAIRS = 2000
# Ours: an iteration and a half of `heedful ppo` as it comes; with fewer, RL learns its prompts by heart.
FEWEST_PROMPTS = 100
# Ours: so many more prompts than the labels cover that answers to them are worth a reward model's training.
MANY_PROMPTS = 1000
# Ours: of five responses, four have to be such that a program can compare them.
ONE_ANSWER = 0.8
# Ours: at 16 answers to a prompt, one in twenty right is one that is right in more than half of all tries.
LEAST_CORRECT = 0.05
# Ours: a reward that tells apart the answers of fewer prompts leaves nine in ten without any gradient.
LEAST_VARIES = 0.1


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule says of the facts.

    Attributes:
        words: one or two sentences that name the numbers.
        sure: no figure that decided lies closer to its threshold than its interval is wide.
    """

    words: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: what docs and programs call it.
        source: the papers, each with the place; "ours" for what no paper says.
        says: of facts and readiness what it has to say; None where it is silent.
    """

    id: str
    source: str
    says: Callable[[Facts, Readiness], Said | None]


@dataclass(frozen=True, slots=True)
class StopRule(Rule):
    """A rule that keeps from training: what to do first."""

    first: First


@dataclass(frozen=True, slots=True)
class AimRule(Rule):
    """A rule that chooses what the model is aligned by, SFT before it left aside; no stage is SFT alone."""

    stages: Stages


@dataclass(frozen=True, slots=True)
class StartRule(Rule):
    """A rule that says whether SFT comes before what the model is aligned by."""

    sft: bool


@dataclass(frozen=True, slots=True)
class Caution(Rule):
    """A rule that leaves the road as it is and says what to mind on it.

    Attributes:
        minds: roads with one of these stages; empty for all.
    """

    minds: Stages = ()


def at_least(figure: Interval | None, threshold: float) -> tuple[bool, bool]:
    """Whether a figure reaches a threshold, and whether all of its interval lies on that side of it."""
    if figure is None:
        return False, True
    reaches = figure.value >= threshold
    return reaches, figure.low >= threshold if reaches else figure.high < threshold


def one_answer(facts: Facts) -> tuple[bool, bool]:
    """Whether the task has one right answer, and how surely."""
    if facts.task is None:
        return False, True
    exact, sure = at_least(facts.task.exact, ONE_ANSWER)
    if not exact or facts.task.same is None:
        return exact, sure
    same, sure_of_same = at_least(facts.task.same, ONE_ANSWER)
    return same, sure and sure_of_same


def one_answer_words(facts: Facts) -> str:
    """What speaks for or against one right answer."""
    assert facts.task is not None
    words = f"{share(facts.task.exact, 'good responses')} come to one short answer"
    if facts.task.same is None:
        return f"{words}, and no prompt has two good responses that could differ"
    return f"{words}, and good responses to one prompt agree in {share(facts.task.same, 'prompts')}"


def reward_works(facts: Facts) -> bool:
    """Whether there is a reward to be called that tells answers apart, the better ones from the worse."""
    return facts.reward is not None and reward_fault(facts) is None


def reward_fault(facts: Facts) -> str | None:
    """Why the reward is no good; None where it is, or where there is none."""
    reward = facts.reward
    if reward is None:
        return None
    if reward.varies is not None and reward.varies.value < LEAST_VARIES:
        return (
            f"{reward.name} scores the model's own answers differently for {share(reward.varies, 'prompts')}"
        )
    if reward.agrees is not None and reward.agrees.high <= 0.5:
        return f"{reward.name} scores the chosen side higher in {share(reward.agrees, 'pairs')}, below a coin"
    return None


def prompts_for_rl(facts: Facts) -> int:
    """Prompts that can be answered and scored: labelled ones too, since the answers are new."""
    return facts.data.prompts + facts.data.unlabelled


def lone_ratings(facts: Facts) -> int:
    """Ratings that make no pair; of lone thumbs no stage learns."""
    return min(facts.data.unpaired, facts.data.records.get("rating", 0))


def far(facts: Facts) -> tuple[bool, bool]:
    """Whether the chosen sides of the pairs are far from what the model says itself, and how surely."""
    figure = facts.model.good_above_own
    if figure is None or not facts.data.pairs:
        return False, True
    return figure.value > DISTANCE, figure.low > DISTANCE or figure.high <= DISTANCE


def cost(facts: Facts, road: RoadName) -> RoadCost | None:
    return next((one for one in facts.costs if one.road == road), None)


def fits(facts: Facts, road: RoadName) -> bool:
    """Whether a road's memory is there; taken for granted where it was not predicted."""
    found = cost(facts, road)
    return found is None or found.fits
