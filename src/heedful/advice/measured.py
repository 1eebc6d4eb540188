"""The facts as rows for people and as values for programs: name, figure, n."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from heedful.advice.facts import Facts
from heedful.advice.rules import Recommendation
from heedful.advice.words import nats, percent
from heedful.checks.finding import Interval

Row = tuple[str, str, str]


def measurements(facts: Facts) -> list[Row]:
    """Every figure that was measured: what it is, its value with its interval, and what it is of."""
    return [*_counts(facts), *_shares(facts), *_losses(facts)]


def _counts(facts: Facts) -> Iterator[Row]:
    data = facts.data
    for kind, count in data.records.items():
        yield f"records, {kind}", f"{count:,}", ""
    for reason, count in data.left_out.items():
        yield f"left out, {reason}", f"{count:,}", ""
    yield "pairs with a preferred side", f"{data.pairs:,}", ""
    if data.ties:
        yield "ties", f"{data.ties:,}", ""
    if data.demonstrations:
        yield "demonstrations", f"{data.demonstrations:,}", ""
    if data.unpaired:
        yield "ratings and thumbs that make no pair", f"{data.unpaired:,}", ""
    yield "prompts with responses", f"{data.prompts:,}", ""
    yield "prompts without labels", f"{data.unlabelled:,}", ""
    if data.responses:
        yield "different responses of a prompt, median", f"{data.responses:g}", f"{data.prompts:,} prompts"
    if facts.lengths is not None:
        own = facts.lengths
        yield "tokens of a prompt, median and 99%", f"{own.prompt[0.5]:,} and {own.prompt[0.99]:,}", ""
        yield "tokens of a response, median and 99%", f"{own.response[0.5]:,} and {own.response[0.99]:,}", ""


def _shares(facts: Facts) -> Iterator[Row]:
    data, model = facts.data, facts.model
    rows: list[tuple[str, Interval | None, str]] = [
        ("records that repeat an earlier one", data.repeated, "records"),
        ("records judged both ways", data.contradicted, "records"),
        ("records with an empty or the same side", data.unusable, "records"),
        ("the longer side is chosen", data.longer_chosen, "pairs"),
        ("sides with most words in common", data.alike_sides, "pairs"),
        ("two votes agree", data.agreement, "items"),
    ]
    if facts.task is not None:
        rows += [
            ("good responses that come to one short answer", facts.task.exact, "responses"),
            ("good responses to one prompt agree", facts.task.same, "prompts"),
        ]
    if facts.labels is not None:
        rows += [
            ("labels that look flipped", facts.labels.flipped, "pairs"),
            ("labels that other pairs foretell", facts.labels.learnable, "pairs"),
        ]
    if facts.reward is not None:
        rows += [
            ("the reward tells own answers apart", facts.reward.varies, "prompts"),
            ("the reward sides with the labels", facts.reward.agrees, "pairs"),
        ]
    form = f"own answers in form ({', '.join(model.traits)})"
    rows += [
        ("own answers that end by themselves", model.ended, "answers"),
        ("own answers that go in circles", model.looping, "answers"),
        ("own answers that refuse", model.refusing, "answers"),
        (form, model.in_format, "answers"),
        ("own answers that are right", model.correct, "answers"),
        ("chosen likelier than rejected, per token", model.tells_apart, "pairs"),
    ]
    for name, figure, of in rows:
        if figure is not None:
            yield name, percent(figure), f"{figure.n:,} {of}"
    if data.beyond_chance is not None:
        alpha = data.beyond_chance
        yield (
            "Krippendorff's alpha",
            f"{alpha.value:.2f} ({alpha.low:.2f} to {alpha.high:.2f})",
            f"{alpha.n:,} items",
        )


def _losses(facts: Facts) -> Iterator[Row]:
    model = facts.model
    rows: list[tuple[str, Interval | None]] = [
        ("loss of its own answers", model.own_loss),
        ("loss of good responses", model.good_loss),
        ("loss of rejected responses", model.rejected_loss),
        ("good responses above its own", model.good_above_own),
        ("rejected responses above its own", model.rejected_above_own),
    ]
    for name, figure in rows:
        if figure is not None:
            yield name, nats(figure, count=False), f"{figure.n:,}"


def as_json(recommendation: Recommendation, facts: Facts, looked_at: tuple[str, ...]) -> dict[str, Any]:
    """Everything, for programs; a number that is not known is null."""
    told = asdict(recommendation)
    told["readiness"] = {
        "ready": recommendation.readiness.ready,
        "sure": recommendation.readiness.sure,
        "reasons": list(recommendation.readiness.reasons),
        "judged": [asdict(one) for one in recommendation.readiness.judged],
    }
    about = {"road": recommendation.road, "title": recommendation.title, "sure": recommendation.sure}
    costs = [{**asdict(one), "fits": one.fits} for one in facts.costs]
    found = _plain({**about, **told, "facts": {**asdict(facts), "costs": costs}, "looked_at": looked_at})
    assert isinstance(found, dict)
    return found


def _plain(value: Any) -> Any:
    """JSON's own values: no NaN, and keys that are text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
