"""Rules that leave the road as it is and say what to mind on it. All that speak are heard."""

from __future__ import annotations

from heedful.advice.facts import Facts
from heedful.advice.readiness import Readiness
from heedful.advice.rule import (
    CAREFUL_DEMONSTRATIONS,
    ONE_ANSWER,
    Caution,
    Said,
    at_least,
    far,
    reward_fault,
)
from heedful.advice.starting import learns_from
from heedful.advice.stopping import MOST_FLIPPED
from heedful.advice.words import gigabytes, share
from heedful.checks.duplicates import SHARE as MOST_REPEATED
from heedful.checks.label_noise import SHARE as LEAST_FLIPPED
from heedful.checks.length_bias import SHARE as MOST_LONGER

# Ours: of five pairs one whose sides say nearly the same.
MOST_ALIKE = 0.2
# Ours: with fewer answers that can be compared, there is one task and no mixture of two.
FEW_EXACT = 0.2
# Ours: one answer in ten.
MOST_REFUSING = 0.1
# Ours: InstructGPT's annotators agree in 73% of pairs; a reward that agrees less knows less than a person
# does.
GOOD_REWARD = 0.73


def _length(facts: Facts, readiness: Readiness) -> Said | None:
    longer = facts.data.longer_chosen
    if longer is None or 1 - MOST_LONGER < longer.value < MOST_LONGER:
        return None
    side = "longer" if longer.value > 0.5 else "shorter"
    return Said(
        f"The longer side is chosen in {share(longer, 'pairs')}: a model learns from them to be {side} "
        "before "
        "anything else. Compare by length-controlled win rates.",
        longer.low >= MOST_LONGER or longer.high <= 1 - MOST_LONGER,
    )


def _some_flipped(facts: Facts, readiness: Readiness) -> Said | None:
    labels = facts.labels
    if labels is None or labels.flipped is None or labels.low <= 0:
        return None
    if not LEAST_FLIPPED <= labels.flipped.value < MOST_FLIPPED:
        return None
    return Said(
        f"About {share(labels.flipped, 'pairs')} of the labels look flipped: the recipe smooths labels by as "
        "much (objective.label_smoothing).",
        labels.low >= LEAST_FLIPPED,
    )


def _unknown_labels(facts: Facts, readiness: Readiness) -> Said | None:
    labels = facts.labels
    if labels is None or not labels.unknown:
        return None
    return Said(
        f"How many labels are flipped cannot be told from {labels.pairs:,} pairs ({labels.low:.0%} to "
        f"{labels.high:.0%}): {labels.unknown}.",
        sure=False,
    )


def _alike_sides(facts: Facts, readiness: Readiness) -> Said | None:
    many, sure = at_least(facts.data.alike_sides, MOST_ALIKE)
    if not many:
        return None
    assert facts.data.alike_sides is not None
    return Said(
        f"The two sides of {share(facts.data.alike_sides, 'pairs')} have most of their words in common: DPO "
        "can "
        "then lower the chosen side along with the rejected one. Watch whether the chosen log-probs fall, "
        "and "
        "leave such pairs out where they do.",
        sure,
    )


def _repeated(facts: Facts, readiness: Readiness) -> Said | None:
    repeated = facts.data.repeated
    if repeated is None or repeated.value <= MOST_REPEATED:
        return None
    return Said(
        f"{share(repeated, 'records')} repeat an earlier one: heedful dedupe FILE OUT.",
        repeated.low > MOST_REPEATED,
    )


def _few_demonstrations(facts: Facts, readiness: Readiness) -> Said | None:
    data = facts.data
    count = data.demonstrations if learns_from(facts) == "demonstrations" else data.pairs
    if not 0 < count < CAREFUL_DEMONSTRATIONS:
        return None
    return Said(
        f"SFT has {count:,} responses to imitate; {CAREFUL_DEMONSTRATIONS:,} chosen with care were enough "
        "for a "
        "large model. With so few, each one counts: read them."
    )


def _after_sft(facts: Facts, readiness: Readiness) -> Said | None:
    away, sure = far(facts)
    if not away:
        return None
    return Said(
        "Once SFT is done, pairs of the model's own answers teach more than these, which others wrote: "
        "sample "
        "candidates (heedful collect) or have them judged (heedful label), and go on from there.",
        sure,
    )


def _mixed_task(facts: Facts, readiness: Readiness) -> Said | None:
    if facts.task is None or not FEW_EXACT <= facts.task.exact.value < ONE_ANSWER:
        return None
    return Said(
        f"{share(facts.task.exact, 'good responses')} come to one short answer and the rest do not: these "
        "are "
        "two tasks. A reward that compares answers fits the first, preferences the second."
    )


def _reward_no_good(facts: Facts, readiness: Readiness) -> Said | None:
    fault = reward_fault(facts)
    return None if fault is None else Said(f"The reward was left aside: {fault}.")


def _weak_reward(facts: Facts, readiness: Readiness) -> Said | None:
    agrees = facts.reward.agrees if facts.reward is not None else None
    if agrees is None or reward_fault(facts) is not None or agrees.value >= GOOD_REWARD:
        return None
    return Said(
        f"The reward sides with the labels in only {share(agrees, 'pairs')}: what it likes more and more is "
        "not "
        "what people like. Keep the policy near (objective.kl_target), and judge by something else.",
        agrees.high < GOOD_REWARD,
    )


def _refusing(facts: Facts, readiness: Readiness) -> Said | None:
    many, sure = at_least(facts.model.refusing, MOST_REFUSING)
    if not many:
        return None
    assert facts.model.refusing is not None
    return Said(
        f"The model refuses in {share(facts.model.refusing)} of its own answers, and good responses do not.",
        sure,
    )


def _too_large(facts: Facts, readiness: Readiness) -> Said | None:
    large = [one for one in facts.costs if not one.fits]
    if not large:
        return None
    roads = ", ".join(f"{ROAD_WORDS[one.road]} {gigabytes(one.memory)}" for one in large)
    return Said(f"Too large for the {gigabytes(large[0].room)} there are here: {roads}.")


ROAD_WORDS = {"sft": "SFT", "dpo": "DPO", "ppo": "PPO", "dpo+ppo": "DPO, then PPO"}

CAUTIONS = (
    Caution(
        "length_bias",
        "Singhal et al. 2023 (2310.03716); Park et al. 2024 (2403.19159)",
        _length,
        ("dpo", "reward"),
    ),
    Caution(
        "some_labels_flipped",
        "Mitchell 2023 (conservative DPO); Wang et al. 2024 (2401.06080)",
        _some_flipped,
        ("dpo", "reward"),
    ),
    Caution("label_noise_unknown", "ours; docs/label-noise.md", _unknown_labels, ("dpo", "reward")),
    Caution(
        "sides_alike",
        "Razin et al. 2024 (2410.08847): likelihood displacement; Pal et al. 2024 (2402.13228); the "
        "threshold "
        "is ours",
        _alike_sides,
        ("dpo",),
    ),
    Caution("repeated_records", "ours; the threshold is that of `heedful check`", _repeated),
    Caution("few_demonstrations", "Zhou et al. 2023 (LIMA, 2305.11206)", _few_demonstrations, ("sft",)),
    Caution(
        "pairs_of_own_answers",
        "Tajwar et al. 2024 (2404.14367): on-policy pairs help most where the data are far",
        _after_sft,
        ("dpo",),
    ),
    Caution("mixed_task", "ours", _mixed_task),
    Caution("reward_left_aside", "ours; the thresholds too", _reward_no_good),
    Caution(
        "weak_reward",
        "Gao et al. 2022 (2210.10760): over-optimisation; Ouyang et al. 2022: agreement of 73%",
        _weak_reward,
        ("ppo",),
    ),
    Caution("refuses", "ours", _refusing),
    Caution("too_large", "arithmetic: docs/memory.md", _too_large),
)
