"""Made situations with the road that is right, the rule that says so, and the numbers it must name."""

from __future__ import annotations

from dataclasses import dataclass, replace

from heedful.advice.facts import Facts, TaskFacts
from tests.advice import made
from tests.advice.made import FAR, READY, UNABLE, costs, facts, gap, labels, reward, share


@dataclass(frozen=True)
class Situation:
    """Facts, the road, and the rule that has to speak with these numbers in its words."""

    name: str
    facts: Facts
    road: str
    rule: str
    numbers: tuple[str, ...]


MANY = made.data(records={"preference": 5000}, prompts=5000, pairs=5000)

ROADS = [
    Situation(
        "2,000 prompts alone, and nothing that scores",
        facts(data=made.prompts(2000), task=None, labels=None),
        "collect",
        "nothing_to_learn",
        ("2,000 prompts", "no demonstration (0)", "no preference (0)"),
    ),
    Situation(
        "40 pairs",
        facts(data=made.data(records={"preference": 40}, pairs=40, prompts=40)),
        "collect",
        "too_few",
        ("40 pairs of at least 100", "0 demonstrations of at least 50"),
    ),
    Situation(
        "8% of records judged both ways",
        facts(data=made.data(contradicted=share(0.08, 500))),
        "clean",
        "faulty_records",
        ("8%", "n = 500", "5%"),
    ),
    Situation(
        "40% of labels flipped",
        facts(labels=labels(0.4)),
        "clean",
        "labels_flipped",
        ("40% (38 to 42%, n = 300 pairs)", "30%"),
    ),
    Situation(
        "annotators who agree by chance",
        facts(data=made.data(beyond_chance=made.gap(0.05, 0.05, 200), agreement=share(0.55, 200))),
        "clean",
        "annotators_divided",
        ("0.05 (0.00 to 0.10, n = 200 items)", "0.2", "55%"),
    ),
    Situation(
        "a reward and prompts for a model that does not stop, and nothing to show it",
        facts(data=made.prompts(2000), model=UNABLE, task=None, labels=None, reward=reward(agrees=None)),
        "collect",
        "cannot_be_shown",
        ("21%", "80%", "0 demonstrations", "50 or more"),
    ),
    Situation(
        "sums with a checker",
        facts(
            data=made.demonstrations(300, unlabelled=1000),
            task=made.EXACT,
            model=replace(READY, correct=share(0.3, 48)),
            labels=None,
            reward=reward(agrees=None),
        ),
        "ppo",
        "right_answer_and_reward",
        ("99%", "n = 300 good responses", "1,300 prompts", "right in 30%"),
    ),
    Situation(
        "sums with a checker, for a model that never gets one right",
        facts(
            data=made.demonstrations(300, unlabelled=1000),
            task=made.EXACT,
            model=replace(READY, correct=share(0.0, 100)),
            labels=None,
            reward=reward(agrees=None),
        ),
        "sft+ppo",
        "never_right",
        ("300 demonstrations", "0% (0 to 4%, n = 100)", "5%"),
    ),
    Situation(
        "sums without a checker",
        facts(data=made.demonstrations(300), task=made.EXACT, labels=None),
        "sft",
        "right_answer_alone",
        ("99%", "n = 300 good responses"),
    ),
    Situation(
        "pairs of right and wrong sums without a checker",
        facts(task=replace(made.EXACT, same=share(0.97, 50))),
        "sft",
        "right_answer_alone",
        ("99%", "97%", "n = 50 prompts"),
    ),
    Situation(
        "short answers that differ: titles for a story",
        facts(task=TaskFacts(exact=share(0.95), same=share(0.05, 60))),
        "dpo",
        "pairs",
        ("500 pairs", "95%", "5%", "n = 60 prompts"),
    ),
    Situation(
        "pairs, and a reward that sides with them",
        facts(reward=reward()),
        "dpo+ppo",
        "pairs_and_reward",
        ("500 pairs", "85%", "500 prompts"),
    ),
    Situation(
        "a reward and prompts, for a model that can do the task",
        facts(data=made.prompts(2000), task=None, labels=None, reward=reward(agrees=None)),
        "ppo",
        "reward_and_prompts",
        ("no pairs (0)", "2,000 prompts", "score.py:right"),
    ),
    Situation(
        "many pairs far from the model",
        facts(data=MANY, model=FAR),
        "sft+reward+ppo",
        "pairs_far_from_model",
        ("1.80 nats a token (1.70 to 1.90, n = 64)", "above 1", "5,000 pairs", "2,000", "80%"),
    ),
    Situation(
        "many pairs near the model, and many prompts without labels",
        facts(data=replace(MANY, unlabelled=3000)),
        "dpo+reward+ppo",
        "pairs_and_prompts",
        ("5,000 pairs", "3,000 prompts", "1,000", "0.40 nats"),
    ),
    Situation(
        "3,000 ratings of lone responses",
        facts(
            data=made.no_pairs(records={"rating": 3000}, unpaired=3000, prompts=3000),
            labels=None,
            task=made.OPEN,
        ),
        "reward+ppo",
        "ratings_alone",
        ("3,000 ratings", "0 pairs"),
    ),
    Situation(
        "pairs near a model that can do the task",
        facts(),
        "dpo",
        "pairs",
        ("500 pairs", "2,000", "0.40 nats"),
    ),
    Situation(
        "many pairs near the model, and no further prompts",
        facts(data=MANY),
        "dpo",
        "pairs",
        ("5,000 pairs", "0 prompts without labels", "1,000"),
    ),
    Situation(
        "many pairs far from the model, from which reward models learn nothing",
        facts(data=MANY, model=FAR, labels=labels(0.02, learnable=0.52)),
        "sft+dpo",
        "pairs",
        ("5,000 pairs", "52%", "1.80 nats"),
    ),
    Situation(
        "many pairs far from the model, and no memory for PPO",
        facts(data=MANY, model=FAR, costs=costs(16, sft=10, dpo=12, ppo=30, dpo_ppo=30)),
        "sft+dpo",
        "pairs",
        ("5,000 pairs", "PPO does not fit", "1.80 nats"),
    ),
    Situation(
        "pairs for a model that does not stop",
        facts(model=UNABLE),
        "sft+dpo",
        "not_ready",
        ("500 pairs", "21% (12 to 34%, n = 48)", "96 tokens", "80%"),
    ),
    Situation(
        "pairs for a model that can do the task",
        facts(),
        "dpo",
        "ready",
        ("96% (86 to 99%, n = 48)", "80%", "0.40 nats"),
    ),
    Situation(
        "demonstrations alone",
        facts(data=made.demonstrations(400), labels=None),
        "sft",
        "demonstrations_alone",
        ("400 demonstrations", "no pairs (0)"),
    ),
    Situation(
        "a model too large for the machine",
        facts(costs=costs(16, sft=40, dpo=42)),
        "smaller",
        "nothing_fits",
        ("40.0 GB", "16.0 GB"),
    ),
]

CAUTIONS = [
    Situation(
        "the longer side wins",
        facts(data=made.data(longer_chosen=share(0.8, 500))),
        "dpo",
        "length_bias",
        ("80% (76 to 83%, n = 500 pairs)",),
    ),
    Situation(
        "12% of labels flipped",
        facts(labels=labels(0.12)),
        "dpo",
        "some_labels_flipped",
        ("12%", "n = 300 pairs"),
    ),
    Situation(
        "labels that nobody can judge",
        facts(labels=labels(None)),
        "dpo",
        "label_noise_unknown",
        ("300 pairs", "0% to 40%"),
    ),
    Situation(
        "sides that differ in a word",
        facts(data=made.data(alike_sides=share(0.7, 500))),
        "dpo",
        "sides_alike",
        ("70%", "n = 500 pairs"),
    ),
    Situation(
        "copies",
        facts(data=made.data(repeated=share(0.1, 500))),
        "dpo",
        "repeated_records",
        ("10%", "n = 500 records"),
    ),
    Situation(
        "few to imitate",
        facts(data=made.demonstrations(60), labels=None),
        "sft",
        "few_demonstrations",
        ("60 responses", "1,000"),
    ),
    Situation(
        "DPO on what others wrote", facts(model=FAR), "sft+dpo", "pairs_of_own_answers", ("own answers",)
    ),
    Situation(
        "half sums, half letters",
        facts(task=TaskFacts(exact=share(0.5))),
        "dpo",
        "mixed_task",
        ("50% (40 to 60%, n = 100 good responses)",),
    ),
    Situation(
        "a reward that likes the rejected side",
        facts(reward=reward(agrees=0.2)),
        "dpo",
        "reward_left_aside",
        ("20%", "n = 100 pairs"),
    ),
    Situation(
        "a reward that scores all answers alike",
        facts(reward=reward(varies=0.0)),
        "dpo",
        "reward_left_aside",
        ("0%", "n = 16 prompts"),
    ),
    Situation(
        "a reward that is right at times",
        facts(reward=reward(agrees=0.6)),
        "dpo+ppo",
        "weak_reward",
        ("60%",),
    ),
    Situation(
        "a model that refuses",
        facts(model=replace(READY, refusing=share(0.4, 48))),
        "dpo",
        "refuses",
        ("40%", "n = 48"),
    ),
    Situation(
        "PPO is too large",
        facts(costs=costs(16, dpo=12, ppo=30)),
        "dpo",
        "too_large",
        ("16.0 GB", "PPO 30.0 GB"),
    ),
]

UNSURE = [
    Situation(
        "a loss just above",
        facts(model=replace(READY, good_above_own=gap(1.02, 0.2))),
        "sft+dpo",
        "not_ready",
        ("1.02",),
    ),
    Situation(
        "a flip or two too many", facts(labels=labels(0.31, half=0.1)), "clean", "labels_flipped", ("31%",)
    ),
    Situation(
        "four of five exact",
        facts(data=made.demonstrations(300), task=TaskFacts(exact=share(0.82)), labels=None),
        "sft",
        "right_answer_alone",
        ("82%",),
    ),
]
