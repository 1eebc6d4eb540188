"""Rules that choose what the model is aligned by: a reward that can be called, pairs, or nothing but answers.

Each looks at what the data allow; the first that speaks decides. Whether SFT comes before it is another
question (`starting`).
"""

from __future__ import annotations

from heedful.advice.facts import Facts
from heedful.advice.readiness import Readiness
from heedful.advice.rule import (
    FEWEST_DEMONSTRATIONS,
    FEWEST_PAIRS,
    FEWEST_PROMPTS,
    MANY_PROMPTS,
    REWARD_PAIRS,
    AimRule,
    Said,
    far,
    fits,
    lone_ratings,
    one_answer,
    one_answer_words,
    prompts_for_rl,
    reward_works,
)
from heedful.advice.words import nats, share
from heedful.checks.off_distribution import DISTANCE

# Ours, and that of the label-noise check: below it, models have learned next to nothing of what is preferred.
LEAST_LEARNABLE = 0.6


def _verifiable(facts: Facts, readiness: Readiness) -> Said | None:
    one, sure = one_answer(facts)
    prompts = prompts_for_rl(facts)
    if not (one and reward_works(facts) and prompts >= FEWEST_PROMPTS and fits(facts, "ppo")):
        return None
    assert facts.reward is not None
    correct = facts.model.correct
    often = f" The model's own answers are right in {share(correct)}." if correct is not None else ""
    return Said(
        f"The task has one right answer ({one_answer_words(facts)}), and {facts.reward.name} can be called "
        f"on answers to {prompts:,} prompts: RL against it trains what is wanted itself, with no model of it "
        f"in between.{often}",
        sure,
    )


def _one_answer(facts: Facts, readiness: Readiness) -> Said | None:
    one, sure = one_answer(facts)
    if not one or not (facts.data.demonstrations or facts.data.pairs) or not fits(facts, "sft"):
        return None
    return Said(
        f"The task has one right answer ({one_answer_words(facts)}): there are no better and worse ones for "
        "preferences to tell apart, and imitating the right ones says all. A function that compares answers "
        "(--reward FILE.py:FUNCTION) would make RL worth its cost.",
        sure,
    )


def _both_with_reward(facts: Facts, readiness: Readiness) -> Said | None:
    prompts = prompts_for_rl(facts)
    if not (
        reward_works(facts)
        and facts.data.pairs >= FEWEST_PAIRS
        and prompts >= FEWEST_PROMPTS
        and fits(facts, "dpo+ppo")
    ):
        return None
    assert facts.reward is not None
    return Said(
        f"There are {facts.data.pairs:,} pairs, and a reward that can be called "
        f"({facts.reward.name}{_agrees(facts)}) on answers to {prompts:,} prompts: DPO takes from the pairs "
        "what they say, cheaply, and PPO goes on where no pair was collected.",
        facts.reward.agrees is None or facts.reward.agrees.low > 0.5,
    )


def _reward(facts: Facts, readiness: Readiness) -> Said | None:
    prompts = prompts_for_rl(facts)
    if not (reward_works(facts) and prompts >= FEWEST_PROMPTS and fits(facts, "ppo")):
        return None
    assert facts.reward is not None
    few = f"only {facts.data.pairs:,} pairs" if facts.data.pairs else "no pairs (0)"
    return Said(
        f"There are {few}, but a reward that can be called ({facts.reward.name}{_agrees(facts)}) and "
        f"{prompts:,} prompts: this is where RL earns its cost."
    )


def _far_pairs(facts: Facts, readiness: Readiness) -> Said | None:
    away, sure = far(facts)
    if not (away and _rewardable(facts)):
        return None
    assert facts.model.good_above_own is not None
    return Said(
        f"The chosen responses cost the model {nats(facts.model.good_above_own)} more than its own answers, "
        f"above {DISTANCE:g}: DPO would move it by pairs that it would never say. {facts.data.pairs:,} pairs "
        f"are enough for a reward model (about {REWARD_PAIRS:,}){_learnable(facts)}, and PPO learns from the "
        "model's own answers.",
        sure,
    )


def _both(facts: Facts, readiness: Readiness) -> Said | None:
    if not (_rewardable(facts) and facts.data.unlabelled >= MANY_PROMPTS and fits(facts, "dpo+ppo")):
        return None
    sure = far(facts)[1]
    return Said(
        f"{facts.data.pairs:,} pairs are enough for a reward model (about {REWARD_PAIRS:,})"
        f"{_learnable(facts)}, and {facts.data.unlabelled:,} prompts without labels (at least "
        f"{MANY_PROMPTS:,}) are where it can say something new. The pairs are near the model{_near(facts)}. "
        "DPO first, which they are enough for, and PPO from there.",
        sure,
    )


def _ratings_alone(facts: Facts, readiness: Readiness) -> Said | None:
    data, ratings = facts.data, lone_ratings(facts)
    if data.pairs >= FEWEST_PAIRS or ratings < REWARD_PAIRS or not fits(facts, "ppo"):
        return None
    return Said(
        f"{ratings:,} ratings are of responses that stand alone with their prompt, and make {data.pairs:,} "
        "pairs: a reward model learns from the scores themselves, DPO could not. PPO then learns from it."
    )


def _pairs(facts: Facts, readiness: Readiness) -> Said | None:
    data = facts.data
    if data.pairs < FEWEST_PAIRS or not fits(facts, "dpo"):
        return None
    reward = "no reward that tells answers apart" if facts.reward is not None else "no reward to be called"
    words = f"There are {data.pairs:,} pairs, and {reward}"
    if data.pairs < REWARD_PAIRS:
        words += f". A reward model needs about {REWARD_PAIRS:,}; DPO learns from the pairs themselves"
    elif not _learns(facts):
        words += f", and reward models hardly learn from them{_learnable(facts)}; DPO needs none"
    elif not fits(facts, "ppo"):
        words += ". PPO does not fit in this machine's memory; DPO does"
    else:
        words += (
            f", and {data.unlabelled:,} prompts without labels (fewer than {MANY_PROMPTS:,}), so that a "
            "reward model would have little new to score; DPO is the cheaper way to the same labels"
        )
    return Said(f"{words}.{_better_and_worse(facts)}{_near_or_far(facts)}", far(facts)[1])


def _demonstrations(facts: Facts, readiness: Readiness) -> Said | None:
    data = facts.data
    if data.demonstrations < FEWEST_DEMONSTRATIONS or not fits(facts, "sft"):
        return None
    pairs = f"{data.pairs:,} pairs (fewer than {FEWEST_PAIRS})" if data.pairs else "no pairs (0)"
    if data.pairs >= FEWEST_PAIRS:
        pairs = f"{data.pairs:,} pairs, for which DPO does not fit in this machine's memory"
    return Said(
        f"There are {data.demonstrations:,} demonstrations and {pairs}: imitating them is all that can be "
        "learned. Pairs of the trained model's own answers would be the next step (heedful collect)."
    )


def _rewardable(facts: Facts) -> bool:
    return facts.data.pairs >= REWARD_PAIRS and _learns(facts) and fits(facts, "ppo")


def _learns(facts: Facts) -> bool:
    learnable = facts.labels.learnable if facts.labels is not None else None
    return learnable is None or learnable.high >= LEAST_LEARNABLE


def _learnable(facts: Facts) -> str:
    learnable = facts.labels.learnable if facts.labels is not None else None
    if learnable is None:
        return ""
    return f" (quick reward models are right in {share(learnable, 'pairs')} of pairs that they did not see)"


def _agrees(facts: Facts) -> str:
    assert facts.reward is not None
    agrees = facts.reward.agrees
    return f", which sides with the labels in {share(agrees, 'pairs')}" if agrees is not None else ""


def _better_and_worse(facts: Facts) -> str:
    if facts.task is None:
        return ""
    return f" The task has better and worse answers: {one_answer_words(facts)}."


def _near(facts: Facts) -> str:
    gap = facts.model.good_above_own
    return "" if gap is None else f": {nats(gap)} above its own answers, within {DISTANCE:g}"


def _near_or_far(facts: Facts) -> str:
    gap = facts.model.good_above_own
    if gap is None:
        return ""
    if far(facts)[0]:
        return (
            f" They are far from the model: {nats(gap)} above its own answers, more than {DISTANCE:g}, so "
            "that SFT has to come before."
        )
    return f" They are near enough to the model{_near(facts)}."


AIMING = (
    AimRule(
        "right_answer_and_reward",
        "Lambert et al. 2024 (Tulu 3, 2411.15124, section 6, RLVR); Chu et al. 2025 (2501.17161)",
        _verifiable,
        ("ppo",),
    ),
    AimRule(
        "right_answer_alone",
        "Ouyang et al. 2022, section 3.1; Chu et al. 2025 (2501.17161): SFT fixes the format, and "
        "generalises worse than RL with an outcome reward where there is one",
        _one_answer,
        (),
    ),
    AimRule(
        "pairs_and_reward",
        "Lambert et al. 2024 (Tulu 3, 2411.15124): DPO, then RL against a reward; Ivison et al. 2024 "
        "(2406.09279): PPO gains most from a better reward",
        _both_with_reward,
        ("dpo", "ppo"),
    ),
    AimRule(
        "reward_and_prompts",
        "Ivison et al. 2024 (2406.09279); Stiennon et al. 2020, section 4.1",
        _reward,
        ("ppo",),
    ),
    AimRule(
        "pairs_far_from_model",
        "Xu et al. 2024 (2404.10719), section 4; Tajwar et al. 2024 (2404.14367); Gao et al. 2022 "
        "(2210.10760), section 3.3",
        _far_pairs,
        ("reward", "ppo"),
    ),
    AimRule(
        "pairs_and_prompts",
        "Ivison et al. 2024 (2406.09279); Gao et al. 2022 (2210.10760), section 3.3; Lambert et al. 2024 "
        "(2411.15124)",
        _both,
        ("dpo", "reward", "ppo"),
    ),
    AimRule(
        "ratings_alone",
        "Wang et al. 2024 (HelpSteer2, 2406.08673): reward models by regression on ratings; Gao et al. 2022 "
        "(2210.10760), section 3.3",
        _ratings_alone,
        ("reward", "ppo"),
    ),
    AimRule(
        "pairs",
        "Rafailov et al. 2023 (2305.18290), section 4; Gao et al. 2022 (2210.10760), section 3.3",
        _pairs,
        ("dpo",),
    ),
    AimRule(
        "demonstrations_alone",
        "Ouyang et al. 2022, section 3.1; Zhou et al. 2023 (LIMA, 2305.11206)",
        _demonstrations,
        (),
    ),
)
