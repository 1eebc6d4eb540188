"""What an evaluation found, for programs: `summary.json`, one object whose keys stay what they are.

`VERSION` grows when a key changes its meaning or goes; new keys may come. A figure is an object with `value`,
the ends `low` and `high` of its 95% interval, `n`, what it is a figure of (`of`), and `seed` where its
interval was drawn. What is not a finite number is null. The keys:

    version, made_by   of this layout; "heedful evaluate"
    kind               "policy" or "reward"
    title, verdict     as on the page; the verdict is a sentence
    verdicts           a sentence for each comparison, those that are waited for at the end
    models             name, part ("model", "baseline", "reference") and fingerprint of each
    data               held_out: name, fingerprint, rows read, kept and quarantined by reason; demonstrations:
                       the same of those that came beside
    prompts            held_out, asked, and by model unanswered by reason
    sampling           max_new_tokens, temperature, samples, seed
    seed               of sampling and resampling
    comparisons        by judge and baseline: finding ("better", "no difference", "worse"), win_rate with its
                       counts, length_controlled
    waiting            judge, baseline and why there is nothing yet
    judges             by judge, of those that count it: questions, requests, tokens, cost
    scores             by judge that scores, by model: the mean of whole answers, and its change from each
                       baseline prompt by prompt
    accuracy           rows of the page: label, stage, figure
    behaviour          by model: ended, words, words_median, preamble
    diversity          by model: distinct n-grams, entropy, self-BLEU, repetition, loops, refusals
    collapse           by baseline: how each of these differs, and whether the change is a sign of collapse;
                       the intervals are 95% for all figures together
    drift              from the reference: sequence_kl, implicit_reward, forgetting
    reward_model       of a reward model: its main numbers
    sections           of a reward model, where the rows name subsets: of each section and its subsets
                       accuracy, "longer wins" and chance; the mean of the sections; the score of Ties
    notes              what a reader should know before trusting the numbers
    versions, machine  with what and where it was measured
    at                 when, UTC
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from heedful.evaluation import diversity
from heedful.evaluation.answer_scores import Mean
from heedful.evaluation.behaviour import Behaviour
from heedful.evaluation.calibration import Calibration
from heedful.evaluation.diversity import Diversity
from heedful.evaluation.estimates import Estimate
from heedful.evaluation.implicit import Change, ImplicitReward
from heedful.intervals import Interval
from heedful.judges.account import Account
from heedful.report.check_json import finite
from heedful.report.data import Comparison, Drift, ReportData
from heedful.report.made import Made
from heedful.report.reward_sections import sections_row
from heedful.report.verdict import verdicts

VERSION = 1
MADE_BY = "heedful evaluate"

_RESAMPLED = 0  # the seed of what draws and is given none


@dataclass(frozen=True, slots=True)
class Evaluated(Made):
    """What an evaluation was made from, and with; `data` has an entry for each kind of held-out rows.

    Attributes:
        kind: "policy" or "reward".
        numbers: of a reward model, by name.
    """

    kind: str = "policy"
    numbers: dict[str, float] = field(default_factory=dict)


def as_json(data: ReportData, made: Evaluated) -> dict[str, Any]:
    """The findings as JSON values."""
    sentences = verdicts(data) if made.kind == "policy" else []
    found: dict[str, Any] = finite(
        {
            "version": VERSION,
            "made_by": MADE_BY,
            "kind": made.kind,
            "title": data.title,
            "verdict": sentences[0] if sentences else None,
            "verdicts": sentences,
            "models": made.models,
            "data": made.data,
            "prompts": made.prompts,
            "sampling": made.sampling,
            "seed": made.seed,
            "comparisons": [_comparison(one) for one in data.comparisons],
            "waiting": [asdict(one) for one in data.waiting],
            "judges": {judge: account_row(account) for judge, account in data.accounts.items()},
            "scores": {judge: _scores(data, judge) for judge in data.scores},
            "accuracy": [
                {
                    "label": row.label,
                    "stage": row.stage,
                    **_figure(row.value, (row.low, row.high), row.n, "pairs"),
                }
                for row in data.accuracy
            ],
            "behaviour": {stage: _behaviour(found, made.seed) for stage, found in data.behaviour.items()},
            "diversity": {stage: _diversity(found, made.seed) for stage, found in data.diversity.items()},
            "collapse": {baseline: list(map(_change_of, found)) for baseline, found in data.collapse.items()},
            "drift": None if data.drift is None else _drift(data.drift, made.seed),
            "reward_model": made.numbers or None,
            "sections": data.reward and data.reward.sections and sections_row(data.reward.sections),
            "notes": data.notes,
            "versions": made.versions,
            "machine": made.machine,
            "at": made.at,
        }
    )
    return found


def _figure(value: float, interval: Interval, n: int, of: str, seed: int | None = None) -> dict[str, Any]:
    found = {"value": value, "low": interval[0], "high": interval[1], "n": n, "of": of}
    return found if seed is None else {**found, "seed": seed}


def _estimate(found: Estimate | Mean, n: int, of: str, seed: int | None = None) -> dict[str, Any]:
    return _figure(found.value, found.interval, n, of, seed)


def _comparison(one: Comparison) -> dict[str, Any]:
    wins, controlled = one.wins, one.controlled
    return {
        "judge": one.judge,
        "model": one.model,
        "baseline": one.baseline,
        "both_orders": one.both_orders,
        "finding": None if wins is None else wins.finding,
        "asked": len(one.duels),
        "win_rate": wins
        and {
            **_figure(wins.value, wins.interval, wins.n, "comparisons"),
            "prompts": wins.prompts,
            "wins": wins.wins,
            "ties": wins.ties,
            "losses": wins.losses,
            "inconsistent": wins.inconsistent,
            "undecided": wins.undecided,
            "first_share": wins.first_share and _estimate(wins.first_share, wins.n, "comparisons"),
        },
        "length_controlled": controlled
        and {
            **_figure(controlled.value, controlled.interval, controlled.n, "comparisons"),
            "by_length": _estimate(controlled.by_length, controlled.n, "comparisons"),
            "coefficient": _estimate(controlled.coefficient, controlled.n, "comparisons"),
            "longer": controlled.longer,
            "unit": "characters",
        },
    }


def account_row(account: Account) -> dict[str, Any]:
    """What asking a judge took."""
    return {
        "questions": account.questions,
        "known": account.known,
        "requests": account.requests,
        "tokens_sent": account.tokens.sent,
        "tokens_written": account.tokens.written,
        "cost": account.cost,
        "decided": account.decided,
        "undecided": dict(account.undecided),
    }


def _scores(data: ReportData, judge: str) -> dict[str, Any]:
    scores = data.scores[judge]
    against = {one.model: one.baseline for one in data.comparisons if one.judge == judge}
    changes = {
        (one.model, one.baseline): scores[one.model].change(scores[one.baseline])
        for one in data.comparisons
        if one.judge == judge
    }
    return {
        stage: {
            "mean": _estimate(own.mean, own.mean.n, "whole answers", _RESAMPLED),
            **(
                {
                    "change": {
                        baseline: _estimate(change, change.n, "prompts", _RESAMPLED)
                        for (model, baseline), change in changes.items()
                        if model == stage
                    }
                }
                if stage in against
                else {}
            ),
        }
        for stage, own in scores.items()
    }


def _behaviour(found: Behaviour, seed: int) -> dict[str, Any]:
    n = found.n
    return {
        "ended": _figure(found.ended_share, found.ended_interval, n, "answers"),
        "preamble": _figure(found.preamble_share, found.preamble_interval, n, "answers"),
        "words": _figure(found.words, found.words_interval, n, "answers", seed),
        "words_median": _figure(found.words_median, found.words_median_interval, n, "answers", seed),
    }


def _diversity(found: Diversity, seed: int) -> dict[str, Any]:
    return {name: _estimate(one, found.n, "answers", seed) for name, one in found.figures.items()}


def _change_of(found: diversity.Change) -> dict[str, Any]:
    return {
        "figure": found.name,
        "value": found.value,
        "baseline": found.baseline,
        "change": {"value": found.change.value, "low": found.change.low, "high": found.change.high},
        "sign": found.sign,
    }


def _drift(drift: Drift, seed: int) -> dict[str, Any]:
    kl, forgot = drift.divergence, drift.forgetting
    return {
        "model": drift.model,
        "reference": drift.reference,
        "sequence_kl": kl
        and {
            "temperature": 1.0,
            "nats_per_answer": _estimate(kl.per_answer, kl.n, "answers", seed),
            "nats_per_token": _estimate(kl.per_token, kl.n, "answers", seed),
            "low_variance": _estimate(kl.low_variance, kl.n, "answers", seed),
            "prompts": kl.prompts,
            "tokens": kl.tokens,
            "warnings": list(kl.warnings),
        },
        "implicit_reward": drift.implicit and _implicit(drift.implicit, drift.beta, seed),
        "forgetting": forgot
        and {
            "finding": forgot.finding,
            "unit": "nats per token",
            "tokens": forgot.tokens,
            "before": _estimate(forgot.before, forgot.n, "demonstrations", seed),
            "after": _estimate(forgot.after, forgot.n, "demonstrations", seed),
            "change": _estimate(forgot.change, forgot.n, "demonstrations", seed),
        },
    }


def _implicit(found: ImplicitReward, beta: float, seed: int) -> dict[str, Any]:
    return {
        "beta": beta,
        "accuracy": _figure(
            found.accuracy.value, (found.accuracy.low, found.accuracy.high), found.accuracy.n, "pairs"
        ),
        "margin": _estimate(found.margin, found.n, "pairs", seed),
        "chosen_falls": found.chosen_falls,
        "chosen": _change(found.chosen, found.n, seed),
        "rejected": _change(found.rejected, found.n, seed),
        "calibration": _calibration(found.calibration, seed),
    }


def _change(found: Change, n: int, seed: int) -> dict[str, Any]:
    return {
        "nats_per_response": _estimate(found.per_response, n, "pairs", seed),
        "nats_per_token": _estimate(found.per_token, n, "pairs", seed),
        "falling": _estimate(found.falling, n, "pairs"),
    }


def _calibration(found: Calibration, seed: int) -> Mapping[str, Any]:
    return {
        "ece": found.ece,
        "ece_by_chance": found.ece_by_chance,
        "brier": _figure(found.brier, found.brier_interval, found.n, "pairs", seed),
        "log_loss": _figure(found.log_loss, found.log_loss_interval, found.n, "pairs", seed),
    }
