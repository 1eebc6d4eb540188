"""A made evaluation with everything in it: answers, two judges, drift, diversity; drawn as real ones are.

The numbers are computed by the house from what is drawn here; only the models and judges are made up.
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from heedful.evaluation.answer_scores import AnswerScores
from heedful.evaluation.behaviour import Answer, measure
from heedful.evaluation.divergence import sequence_kl
from heedful.evaluation.diversity import collapse_signs, diversity
from heedful.evaluation.duels import Choice, Duel
from heedful.evaluation.forgetting import forgetting
from heedful.evaluation.implicit import implicit_rewards
from heedful.evaluation.length_control import length_controlled
from heedful.evaluation.preference_accuracy import PairScores
from heedful.evaluation.win_rate import win_rate
from heedful.judges.account import Account, Budget, Tokens
from heedful.records import Message, Messages, assistant, user
from heedful.report import AccuracyRow, Curve, ReportData
from heedful.report.data import Comparison, Drift, Example, Waiting

MODEL, BASELINE = "runs/dpo", "smollm2-135m"
SCORER, CHAT = "runs/reward", "chat judge"
_THINGS = ["soup", "bread", "tyres", "windows", "plants", "kettles", "socks", "bicycles", "gardens"]
_WORDS = [
    *(
        "the",
        "a",
        "water",
        "first",
        "then",
        "slowly",
        "warm",
        "cold",
        "brush",
        "rinse",
        "dry",
        "leave",
        "hour",
    ),
    *("gently", "salt", "soap", "cloth", "again", "until", "soft", "clean", "check", "every", "side", "keep"),
]


def duel(
    prompt: Messages,
    own: str,
    other: str,
    forward: Choice | None = "first",
    backward: Choice | None = "second",
    margin: float | None = None,
    why: str = "",
) -> Duel:
    return Duel(prompt, own, other, forward, backward, margin, why)


def comparison(
    duels: list[Duel], judge: str = CHAT, *, both_orders: bool = True, baseline: str = BASELINE
) -> Comparison:
    decided = [one for one in duels if one.decided]
    controlled = None
    if decided:
        controlled = length_controlled(
            [one.outcome for one in decided],
            [len(one.answer) for one in decided],
            [len(one.baseline) for one in decided],
            groups=[one.prompt for one in decided],
        )
    return Comparison(
        judge, MODEL, baseline, both_orders, duels, win_rate(duels) if decided else None, controlled
    )


def example(
    own: str = "Eight minutes.",
    other: str = "Ten minutes.",
    prompt: str = "How long do I boil an egg?",
    duels: dict[str, Duel] | None = None,
    baseline: str = BASELINE,
) -> Example:
    asked = (user(prompt),)
    return Example(
        MODEL, baseline, Answer(asked, own, True, 5), Answer(asked, other, False, 5), duels or {}, None
    )


def report(n: int = 40, *, seed: int = 0, better: float = 0.62) -> ReportData:
    """An evaluation of `n` prompts, in which the model wins so often."""
    draw = random.Random(seed)
    own, other, first, second = [], [], [], []
    for number in range(n):
        prompt = _prompt(number, draw)
        worse = _text(draw, 70)
        text = _mended(worse, draw) if draw.random() < 0.5 else _text(draw, 40)
        own.append(Answer(prompt, text, draw.random() < 0.9, len(text.split())))
        other.append(Answer(prompt, worse, draw.random() < 0.5, len(worse.split())))
        margin = draw.gauss(0.5 * (better - 0.4), 1.0)
        wins: Choice = "first" if margin > 0 else "second"
        first.append(duel(prompt, text, worse, wins, _turn(wins), margin))
        said: Choice = "first" if draw.random() < better else "second"
        same = draw.random() < 0.85
        why = "Answer A says what to do in order; answer B repeats itself." if number % 2 else ""
        second.append(duel(prompt, text, worse, said, _turn(said) if same else said, None, why))
    second[-1] = replace(second[-1], forward=None, why="unreadable")
    answers = {BASELINE: other, MODEL: own}
    base = np.array([draw.gauss(0, 1) for _ in range(n)])
    examples = [
        Example(MODEL, BASELINE, one, two, {SCORER: a, CHAT: b}, "Do it slowly, and check it after an hour.")
        for one, two, a, b in zip(own, other, first, second, strict=True)
    ]
    return ReportData(
        title=f"{MODEL} against {BASELINE}",
        stages=[BASELINE, MODEL],
        subject=MODEL,
        facts={
            "Data": f"held-out.jsonl: {n:,} of {n + 3:,} rows",
            "Prompts": f"{n:,} of {n:,}, the first of the data",
            "Answers": "the likeliest token each time, at most 160 tokens, seed 0",
        },
        comparisons=[comparison(first, SCORER, both_orders=False), comparison(second)],
        waiting=[Waiting("people", BASELINE, "12 of 40 items are voted on. Go on at /judge.")],
        scores={
            SCORER: {
                BASELINE: AnswerScores(np.where([one.ended for one in other], base, np.nan)),
                MODEL: AnswerScores(base + [one.margin or 0.0 for one in first]),
            }
        },
        accounts={CHAT: _account(n)},
        accuracy=[
            AccuracyRow("Raises the better answer above the worse one", MODEL, 0.71, 0.62, 0.79, 110),
            AccuracyRow("Shorter wins", "ruler", 0.58, 0.49, 0.67, 110),
        ],
        drift=_drift(draw),
        behaviour={stage: measure(found) for stage, found in answers.items()},
        diversity={stage: diversity(found) for stage, found in answers.items()},
        collapse={BASELINE: collapse_signs(own, other)},
        curves=[
            Curve("DPO: loss", "nats per pair", {"training": [(float(i), 63 / (90 + i)) for i in range(80)]})
        ],
        examples=examples,
        notes=["Answers take the likeliest token each time and are cut after 160 tokens."],
        quarantine={"tie": 3},
    )


def _turn(choice: Choice) -> Choice:
    return {"first": "second", "second": "first", "tie": "tie"}[choice]  # type: ignore[return-value]


def _prompt(number: int, draw: random.Random) -> Messages:
    thing = draw.choice(_THINGS)
    if number % 7 == 3:
        return (
            Message("system", "Answer in plain words."),
            user(f"What is good for {thing}?"),
            assistant("Patience, mostly."),
            user(f"And in winter, number {number}?"),
        )
    return (user(f"How do I look after {thing}, number {number}?"),)


def _text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choice(_WORDS) for _ in range(draw.randint(words // 2, words))).capitalize() + "."


def _mended(text: str, draw: random.Random) -> str:
    return " ".join(draw.choice(_WORDS) if draw.random() < 0.2 else word for word in text.split())


def _account(n: int) -> Account:
    account = Account(Budget(price_in=0.5, price_out=1.5))
    for at in range(2 * n):
        account.request()
        account.reply(Tokens(700, 25), read=at > 0)
        account.question("unreadable" if at == 0 else "", known=False)
    return account


def _drift(draw: random.Random) -> Drift:
    pairs = 110

    def scores(chosen: float, rejected: float) -> PairScores:
        tokens = np.full(pairs, 40.0)
        return PairScores(
            np.array([draw.gauss(chosen, 6) for _ in range(pairs)]),
            np.array([draw.gauss(rejected, 6) for _ in range(pairs)]),
            tokens,
            tokens,
        )

    before = scores(-90, -92)
    after = PairScores(
        before.chosen + [draw.gauss(-3, 5) for _ in range(pairs)],
        before.rejected + [draw.gauss(-9, 6) for _ in range(pairs)],
        before.chosen_tokens,
        before.rejected_tokens,
    )
    logps = [np.array([draw.gauss(-2, 0.5) for _ in range(40)]) for _ in range(40)]
    apart = [np.array([draw.gauss(-0.08, 0.3) for _ in range(40)]) for _ in range(40)]
    nll = np.array([draw.gauss(80, 15) for _ in range(50)])
    return Drift(
        model=MODEL,
        reference=BASELINE,
        divergence=sequence_kl(logps, [one + by for one, by in zip(logps, apart, strict=True)]),
        implicit=implicit_rewards(after, before, beta=0.1),
        beta=0.1,
        forgetting=forgetting(nll, nll + [draw.gauss(1, 2) for _ in range(50)], np.full(50, 40)),
    )
