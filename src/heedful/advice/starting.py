"""Rules that say where a road starts: with SFT, or with the model as it is. The first that speaks decides."""

from __future__ import annotations

from heedful.advice.facts import Facts
from heedful.advice.readiness import Readiness
from heedful.advice.rule import (
    FEWEST_DEMONSTRATIONS,
    LEAST_CORRECT,
    Said,
    StartRule,
    at_least,
    one_answer,
    reward_works,
)
from heedful.advice.words import share


def _not_ready(facts: Facts, readiness: Readiness) -> Said | None:
    if readiness.ready:
        return None
    return Said(
        f"SFT comes first, on {shown_by(facts)}: {'; '.join(readiness.reasons)}. Aligning a model that "
        "cannot "
        "do the task goes badly.",
        readiness.sure,
    )


def _never_right(facts: Facts, readiness: Readiness) -> Said | None:
    correct = facts.model.correct
    if correct is None or not one_answer(facts)[0] or not reward_works(facts):
        return None
    often, sure = at_least(correct, LEAST_CORRECT)
    if often:
        return None
    return Said(
        f"SFT comes first, on {shown_by(facts)}: {share(correct)} of the model's own answers are right, "
        "below "
        f"{LEAST_CORRECT:.0%}, and RL can only make likelier what is said at times.",
        sure,
    )


def _ready(facts: Facts, readiness: Readiness) -> Said | None:
    return Said(f"The model can do the task as it is: {'; '.join(readiness.reasons)}.", readiness.sure)


def shown_by(facts: Facts) -> str:
    """What SFT learns from, in words."""
    data = facts.data
    if learns_from(facts) == "demonstrations":
        return f"the {data.demonstrations:,} demonstrations"
    return f"the chosen responses of the {data.pairs:,} pairs"


def learns_from(facts: Facts) -> str:
    """What SFT imitates: `demonstrations` where there are enough of them or no pairs, else `chosen`."""
    data = facts.data
    enough = data.demonstrations >= FEWEST_DEMONSTRATIONS or data.demonstrations > data.pairs
    return "demonstrations" if enough else "chosen"


STARTING = (
    StartRule(
        "not_ready",
        "Stiennon et al. 2020 (2009.01325), section 3.1; Ouyang et al. 2022 (2203.02155), section 3.1; "
        "Rafailov et al. "
        "2023 (2305.18290), section 4: SFT on the chosen responses where there is no SFT model; the "
        "thresholds "
        "are ours",
        _not_ready,
        sft=True,
    ),
    StartRule(
        "never_right",
        "Lambert et al. 2024 (2411.15124): RLVR starts from SFT and DPO; the threshold is ours",
        _never_right,
        sft=True,
    ),
    StartRule("ready", "the same; the thresholds are ours", _ready, sft=False),
)
