"""The rules in their order, and the recommendation that they come to.

First come those that keep from training; then what the model is aligned by; then whether SFT comes before;
last what to mind. Each list is gone through in order, and what it says stands in the recommendation with its
numbers and its source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heedful.advice.aiming import AIMING
from heedful.advice.cautions import CAUTIONS
from heedful.advice.facts import Facts
from heedful.advice.readiness import Readiness, readiness
from heedful.advice.rule import AimRule, First, Rule, Said, Stages, StartRule
from heedful.advice.starting import STARTING
from heedful.advice.stopping import STOPPING, TOO_LARGE

RULES: tuple[Rule, ...] = (*STOPPING, *AIMING, TOO_LARGE, *STARTING, *CAUTIONS)
"""All rules, in the order they are asked."""

_FIRST: dict[First, str] = {
    "collect": "Collect more first",
    "clean": "Clean the data first",
    "smaller": "Take a smaller model, or a larger machine",
}
_STAGES = {"sft": "SFT", "dpo": "DPO", "reward": "reward model", "ppo": "PPO"}


@dataclass(frozen=True, slots=True)
class Reason:
    """What a rule said.

    Attributes:
        rule: its id.
        words, sure: as in `Said`.
        source: the rule's.
    """

    rule: str
    words: str
    sure: bool
    source: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do.

    Attributes:
        stages: to go through, in their order; none where something else comes first.
        first: what that is; None where training can begin.
        reasons: why, the deciding one first.
        cautions: what to mind.
        readiness: of the model.
    """

    stages: Stages
    first: First | None
    reasons: tuple[Reason, ...]
    cautions: tuple[Reason, ...]
    readiness: Readiness

    @property
    def road(self) -> str:
        """For programs: `sft+dpo`, or what comes first."""
        return self.first or "+".join(self.stages)

    @property
    def title(self) -> str:
        """For people: `SFT, then DPO`."""
        if self.first is not None:
            return _FIRST[self.first]
        if self.stages == ("sft",):
            return "SFT only"
        return ", then ".join(_STAGES[stage] for stage in self.stages)

    @property
    def sure(self) -> bool:
        """No reason hangs on a figure that is too close to its threshold to be sure."""
        return all(reason.sure for reason in self.reasons)


def decide(facts: Facts) -> Recommendation:
    """The road that fits what was measured."""
    ready = readiness(facts.model)
    for rule in STOPPING:
        if said := rule.says(facts, ready):
            return Recommendation((), rule.first, (_reason(rule, said),), _cautions(facts, ready, ()), ready)
    for aim in AIMING:
        if said := aim.says(facts, ready):
            return _aimed(facts, ready, aim, said)
    said = TOO_LARGE.says(facts, ready)
    assert said is not None, "what no stopping rule ends, an aiming rule takes up, where it fits"
    return Recommendation((), TOO_LARGE.first, (_reason(TOO_LARGE, said),), (), ready)


def _aimed(facts: Facts, ready: Readiness, aim: AimRule, said: Said) -> Recommendation:
    reasons = [_reason(aim, said)]
    stages: Stages = aim.stages or ("sft",)
    if aim.stages:
        start, why = _start(facts, ready)
        stages = ("sft", *stages) if start.sft else stages
        reasons.append(_reason(start, why))
    return Recommendation(stages, None, tuple(reasons), _cautions(facts, ready, stages), ready)


def _start(facts: Facts, ready: Readiness) -> tuple[StartRule, Said]:
    return next((rule, said) for rule in STARTING if (said := rule.says(facts, ready)) is not None)


def _cautions(facts: Facts, ready: Readiness, stages: Stages) -> tuple[Reason, ...]:
    heard = [rule for rule in CAUTIONS if not rule.minds or set(rule.minds) & set(stages)]
    return tuple(_reason(rule, said) for rule in heard if (said := rule.says(facts, ready)) is not None)


def _reason(rule: Rule, said: Said) -> Reason:
    words = said.words if said.sure or "too close to be sure" in said.words else f"{said.words} {_UNSURE}"
    return Reason(rule.id, words, said.sure, rule.source)


_UNSURE = "(Too close to be sure: the interval reaches past the threshold.)"


def ids(rules: Sequence[Rule] = RULES) -> list[str]:
    """What the rules are called."""
    return [rule.id for rule in rules]
