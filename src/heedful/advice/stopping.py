"""Rules that keep from training: there is too little to learn from, or it would teach the wrong thing.

The first that speaks ends the matter.
"""

from __future__ import annotations

from heedful.advice.facts import Facts
from heedful.advice.readiness import Readiness
from heedful.advice.rule import (
    FEWEST_DEMONSTRATIONS,
    FEWEST_PAIRS,
    FEWEST_PROMPTS,
    LEAST_CORRECT,
    REWARD_PAIRS,
    Said,
    StopRule,
    at_least,
    lone_ratings,
    one_answer,
    prompts_for_rl,
    reward_fault,
    reward_works,
)
from heedful.advice.words import gigabytes, share
from heedful.checks.agreement import ALPHA

# Ours: one record in twenty that says the opposite of another, or nothing, is more than chance slips.
MOST_FAULTY = 0.05
# Chowdhury et al. 2024 (rDPO) and Gao et al. 2024 study up to 40% of flipped labels, and the loss is steep on
# the way; ours is where three labels in ten teach the opposite.
MOST_FLIPPED = 0.3


def _nothing(facts: Facts, readiness: Readiness) -> Said | None:
    data = facts.data
    if data.demonstrations or data.pairs or data.unpaired or reward_works(facts):
        return None
    has = f"{data.unlabelled:,} prompts" if data.unlabelled else f"{sum(data.records.values()):,} records"
    why = reward_fault(facts)
    reward = f"and {why}" if why else "and no reward was named that could score answers"
    return Said(
        f"There are {has}, no demonstration (0), no preference (0), {reward}: nothing says which answer is "
        "better. Collect comparisons (heedful collect), have a judge label candidates (heedful label), or "
        "name a reward (--reward)."
    )


def _too_few(facts: Facts, readiness: Readiness) -> Said | None:
    data = facts.data
    enough = (
        data.pairs >= FEWEST_PAIRS
        or data.demonstrations >= FEWEST_DEMONSTRATIONS
        or lone_ratings(facts) >= REWARD_PAIRS
        or (reward_works(facts) and prompts_for_rl(facts) >= FEWEST_PROMPTS)
    )
    if enough:
        return None
    prompts = f", and {prompts_for_rl(facts):,} of {FEWEST_PROMPTS} prompts for the reward" * reward_works(
        facts
    )
    unpaired = (
        f"; {data.unpaired:,} ratings and thumbs stand alone with their prompt and make no pair "
        f"(a reward model would need about {REWARD_PAIRS:,})"
    )
    return Said(
        f"There are {data.pairs:,} pairs of at least {FEWEST_PAIRS}, and {data.demonstrations:,} "
        f"demonstrations of at least {FEWEST_DEMONSTRATIONS}{prompts}{unpaired * bool(data.unpaired)}. "
        "Whether "
        "training helped could not even be told. Collect more (heedful collect)."
    )


def _faulty(facts: Facts, readiness: Readiness) -> Said | None:
    data, words, sure = facts.data, [], False
    for figure, what in (
        (data.contradicted, "are judged both ways"),
        (data.unusable, "have an empty or the same side"),
    ):
        faulty, surely = at_least(figure, MOST_FAULTY)
        if faulty:
            assert figure is not None
            words.append(f"{share(figure, 'records')} {what}")
            sure |= surely
    if not words:
        return None
    return Said(
        f"{' and '.join(words)}, more than {MOST_FAULTY:.0%}. Mend them first: heedful check FILE --fix OUT, "
        "or heedful dedupe FILE OUT --contradictions drop_both.",
        sure,
    )


def _flipped(facts: Facts, readiness: Readiness) -> Said | None:
    labels = facts.labels
    if labels is None or labels.flipped is None:
        return None
    too_many, sure = at_least(labels.flipped, MOST_FLIPPED)
    if not too_many:
        return None
    return Said(
        f"About {share(labels.flipped, 'pairs')} of the labels look flipped, more than {MOST_FLIPPED:.0%}. "
        "Have the likeliest judged again first: heedful check FILE --model NAME --json lists them.",
        sure,
    )


def _divided(facts: Facts, readiness: Readiness) -> Said | None:
    alpha = facts.data.beyond_chance
    if alpha is None or alpha.value >= ALPHA:
        return None
    agreement = facts.data.agreement
    agree = f", and two votes agree in {share(agreement, 'items')}" if agreement is not None else ""
    return Said(
        f"Annotators agree hardly beyond chance: Krippendorff's alpha is {alpha.value:.2f} ({alpha.low:.2f} "
        f"to {alpha.high:.2f}, n = {alpha.n:,} items), below {ALPHA}{agree}. Sharpen the instructions and "
        "have the pairs judged again, by more people each.",
        alpha.high < ALPHA,
    )


def _unteachable(facts: Facts, readiness: Readiness) -> Said | None:
    data = facts.data
    if data.demonstrations >= FEWEST_DEMONSTRATIONS or data.pairs >= FEWEST_PAIRS:
        return None
    correct = facts.model.correct
    never_right = one_answer(facts)[0] and correct is not None and correct.value < LEAST_CORRECT
    if readiness.ready and not never_right:
        return None
    why = "; ".join(readiness.reasons) if not readiness.ready else ""
    if never_right:
        assert correct is not None
        why = f"{share(correct)} of its own answers are right"
    return Said(
        f"The model cannot do the task yet ({why}), and there are {data.demonstrations:,} demonstrations to "
        "show it: a reward "
        "would score noise. Collect some "
        f"{FEWEST_DEMONSTRATIONS} or more answers to imitate first.",
        readiness.sure,
    )


STOPPING = (
    StopRule("nothing_to_learn", "by definition: no label, no reward", _nothing, "collect"),
    StopRule("too_few", "ours: what a tenth held out can tell", _too_few, "collect"),
    StopRule("faulty_records", "ours; CHECKS of `heedful check`", _faulty, "clean"),
    StopRule(
        "labels_flipped",
        "Gao et al. 2024 (2404.09824): 10 points more noise can cost 30 points of win rate; Chowdhury et al. "
        "2024 (2403.00409); the threshold is ours",
        _flipped,
        "clean",
    ),
    StopRule("annotators_divided", "Krippendorff 1970; the threshold is ours", _divided, "clean"),
    StopRule(
        "cannot_be_shown",
        "Ouyang et al. 2022, section 3.1, and Stiennon et al. 2020, section 3.1: RL starts from SFT",
        _unteachable,
        "collect",
    ),
)


def _too_large(facts: Facts, readiness: Readiness) -> Said | None:
    large = [one for one in facts.costs if not one.fits]
    if not large:
        return None
    least = min(large, key=lambda one: one.memory)
    return Said(
        f"Even the smallest road that the data allow needs {gigabytes(least.memory)}, and there are "
        f"{gigabytes(least.room)}."
    )


TOO_LARGE = StopRule("nothing_fits", "arithmetic: docs/memory.md", _too_large, "smaller")
"""Asked where no road was found: none that the data allow fits."""
