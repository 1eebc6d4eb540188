"""What a comparison found, for programs: `summary.json`, one object whose keys stay what they are.

`VERSION` grows when a key changes its meaning or goes; new keys may come. A figure is an object with `value`
and the ends `low` and `high` of its 95% interval. What is not a finite number is null. The keys:

    version, made_by   of this layout; "heedful compare"
    verdicts           the page's first sentences
    models             name, part ("model", "checkpoint", "reference") and fingerprint of each
    data               name, fingerprint, rows read, kept and quarantined by reason
    prompts            held_out, asked, and by model unanswered by reason
    sampling           of the answers that judges compare: max_new_tokens, temperature, samples, seed
    standings          by judge: of each model rank, strength (log odds), elo and counts, strongest first; the
                       same at equal length; how often each model beats each other one
    waiting            judges that there is nothing of yet, and why
    judges             by judge, of those that count it: questions, requests, tokens, cost
    reference          what KL is measured from
    frontiers          by judge that scores: of each model and checkpoint KL (nats per answer), reward, beta,
                       where it lies and what beats it; best of n
    over_optimisation  of each run with checkpoints and of best of n: form, points (KL, proxy, gold), the two
                       fitted curves, where gold is highest, whether its fall is established
    notes              what a reader should know before trusting the numbers
    seed               of sampling and resampling
    versions, machine  with what and where it was measured
    at                 when, UTC
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from heedful.evaluation.best_of_n import BestOf
from heedful.evaluation.bradley_terry import Standings
from heedful.evaluation.estimates import Estimate
from heedful.evaluation.frontier import Placed
from heedful.evaluation.over_optimisation import Curve
from heedful.evaluation.win_rate import WinRate
from heedful.report.check_json import finite
from heedful.report.compare_data import ComparisonData, Optimised, Ranked, RewardFrontier
from heedful.report.compare_words import label, verdicts
from heedful.report.evaluation_json import account_row
from heedful.report.made import Made

VERSION = 1
MADE_BY = "heedful compare"


def as_json(data: ComparisonData, made: Made) -> dict[str, Any]:
    """The findings as JSON values."""
    found: dict[str, Any] = finite(
        {
            "version": VERSION,
            "made_by": MADE_BY,
            "verdicts": [one.text for one in verdicts(data)],
            "models": made.models,
            "data": made.data,
            "prompts": made.prompts,
            "sampling": made.sampling,
            "standings": {one.judge: _ranked(one) for one in data.ranked},
            "waiting": [asdict(one) for one in data.waiting],
            "judges": {judge: account_row(account) for judge, account in data.accounts.items()},
            "reference": data.reference,
            "frontiers": {one.judge: _frontier(one) for one in data.frontiers},
            "over_optimisation": [_optimised(one) for one in data.optimised],
            "notes": data.notes,
            "seed": made.seed,
            "versions": made.versions,
            "machine": made.machine,
            "at": made.at,
        }
    )
    return found


def _figure(found: Estimate | WinRate) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high}


def _ranked(one: Ranked) -> dict[str, Any]:
    return {
        "both_orders": one.both_orders,
        "comparisons": one.standings.n,
        "prompts": one.standings.groups,
        "undecided": one.undecided,
        "models": _standings(one.standings),
        "at_equal_length": one.at_equal_length
        and {
            "models": _standings(one.at_equal_length),
            "by_length": {name: _figure(found) for name, found in one.at_equal_length.styles.items()},
        },
        "wins": [
            {
                "model": first,
                "against": second,
                **_figure(found),
                "n": found.n,
                "wins": found.wins,
                "ties": found.ties,
                "losses": found.losses,
                "inconsistent": found.inconsistent,
            }
            for (first, second), found in one.wins.items()
        ],
    }


def _standings(found: Standings) -> list[dict[str, Any]]:
    return [
        {
            "model": one.name,
            "best_rank": one.best_rank,
            "worst_rank": one.worst_rank,
            "strength": _figure(one.strength),
            "elo": _figure(one.elo),
            "n": one.n,
            "wins": one.wins,
            "ties": one.ties,
            "losses": one.losses,
        }
        for one in found.models
    ]


def _frontier(one: RewardFrontier) -> dict[str, Any]:
    return {
        "reference": {"model": one.reference, "kl": 0.0, "reward": _figure(one.start)},
        "points": [_placed(placed, one) for placed in one.placed],
        "best_of_n": {
            "chosen_by": one.chosen_by,
            "curve": [_best(found) for found in one.best_of],
        }
        if one.best_of
        else None,
    }


def _placed(placed: Placed, one: RewardFrontier) -> dict[str, Any]:
    point, name = placed.point, label(placed.point)
    reached = one.reached.get(name)
    return {
        "name": name,
        "run": point.name,
        "step": point.step,
        "beta": point.beta,
        "kl": _figure(point.kl),
        "reward": _figure(point.reward),
        "place": placed.place,
        "beaten_by": [label(other) for other in placed.beaten_by],
        **(asdict(reached) if reached else {}),
    }


def _best(found: BestOf) -> dict[str, Any]:
    return {
        "n": found.n,
        "kl": found.kl,
        "reward": _figure(found.reward),
        "read": _figure(found.gold) if found.gold else None,
    }


def _optimised(one: Optimised) -> dict[str, Any]:
    found = one.found
    return {
        "name": one.name,
        "form": one.form,
        "proxy": one.proxy,
        "gold": one.gold,
        "points": [
            {
                "name": name,
                "kl": point.kl,
                "proxy": point.proxy,
                "gold": point.gold,
                "gold_error": point.gold_error,
            }
            for name, point in zip(one.labels, found.points, strict=True)
        ],
        "proxy_curve": found.proxy and _curve(found.proxy),
        "gold_curve": found.gold and _curve(found.gold),
        "peak": {"name": one.labels[found.peak], "kl": found.points[found.peak].kl},
        "fall": found.fall,
        "turn_established": found.established,
    }


def _curve(curve: Curve) -> dict[str, Any]:
    return {
        "start": _figure(curve.start),
        "alpha": _figure(curve.alpha),
        "beta": _figure(curve.beta),
        "turn_at_root_kl": _figure(curve.turn),
        "scatter": curve.scatter,
    }
