"""How far a model has gone from its reference, in words and lines of numbers; the intervals decide the words.

Knows nothing of HTML.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from heedful.evaluation.calibration import Calibration
from heedful.evaluation.divergence import Divergence
from heedful.evaluation.estimates import Estimate
from heedful.evaluation.forgetting import Forgetting
from heedful.evaluation.implicit import Change, ImplicitReward
from heedful.evaluation.preference_accuracy import Accuracy
from heedful.report.data import Drift
from heedful.report.wording import Tone, Verdict, percent

_MINUS = "\u2212"
_DECIMALS = 2
_FINE = 3  # of nats per token, which are small


@dataclass(frozen=True, slots=True)
class Line:
    """One figure: what it is, its unit, its value, its 95% interval and n, in words."""

    name: str
    unit: str
    value: str
    interval: str
    n: str


@dataclass(frozen=True, slots=True)
class Part:
    """One question asked about the two models.

    Attributes:
        title: the question.
        verdicts: what the intervals allow to say.
        lines: the figures.
        remarks: what else a reader should know.
        calibration: for the plot beside them, where there is one.
    """

    title: str
    verdicts: tuple[Verdict, ...]
    lines: tuple[Line, ...]
    remarks: tuple[str, ...] = ()
    calibration: Calibration | None = None


def drift_parts(drift: Drift) -> list[Part]:
    """What could be measured, question by question."""
    found: list[Part] = []
    if drift.divergence is not None:
        found.append(_divergence(drift.divergence, drift))
    if drift.implicit is not None:
        found.append(_implicit(drift.implicit, drift))
    if drift.forgetting is not None:
        found.append(_forgetting(drift.forgetting, drift))
    return found


def _divergence(found: Divergence, drift: Drift) -> Part:
    n = f"{found.n:,} answers"
    told = nats(found.per_answer.value)
    headline = f"{told} nats per answer from {drift.reference}"
    detail = f"95% {_interval(found.per_answer)}, {n} to {found.prompts:,} prompts"
    return Part(
        "How far have its answers moved?",
        (Verdict(headline, detail, "plain" if found.per_answer.above(0) else "unclear"),),
        (
            _line("Sequence KL", "nats per answer", found.per_answer, n),
            _line("The same, another estimate", "nats per answer; never below 0", found.low_variance, n),
            _line("KL", "nats per token", found.per_token, f"{found.tokens:,} tokens", _FINE),
        ),
        (
            f"Of answers that {drift.model} drew at temperature 1. 0 means that {drift.reference} would have "
            "answered so just as likely.",
            *(f"{warning[0].upper()}{warning[1:]}." for warning in found.warnings),
        ),
    )


def _implicit(found: ImplicitReward, drift: Drift) -> Part:
    n = f"{found.n:,} pairs"
    calibration = found.calibration
    beta = f"\u03b2 is {drift.beta:g}" + (
        ", as it was trained with" if drift.beta != 1 else ", for want of one that it was trained with"
    )
    return Part(
        "What became of the preferred responses?",
        (_moved("preferred responses", found.chosen, drift), _moved("the others", found.rejected, drift)),
        (
            _share("Ranks the pair right", "share of pairs", found.accuracy),
            _line("Margin", f"\u03b2 \u00d7 nats; {beta}", found.margin, n),
            _line("Preferred, log-prob moved by", "nats per response", found.chosen.per_response, n),
            _line("Others, log-prob moved by", "nats per response", found.rejected.per_response, n),
            _falling("Preferred that got less likely", found.chosen.falling, n),
            _falling("Others that got less likely", found.rejected.falling, n),
            Line(
                "Calibration error",
                "mean gap between sure and right",
                percent(calibration.ece),
                f"up to {percent(calibration.ece_by_chance)} by chance",
                n,
            ),
        ),
        (
            "The implicit reward is \u03b2 times how much likelier a response is than it is under "
            f"{drift.reference}. A margin can grow while both responses get less likely, so both stand here.",
        ),
        calibration,
    )


def _moved(what: str, change: Change, drift: Drift) -> Verdict:
    """Whether one side's responses became less likely."""
    found = change.per_response
    detail = f"{nats(found.value)} nats per response (95% {_interval(found)})"
    liked = what.startswith("preferred")
    if found.below(0):
        tone: Tone = "bad" if liked else "plain"
        return Verdict(f"{what} became less likely than under {drift.reference}", detail, tone)
    if found.above(0):
        tone = "good" if liked else "plain"
        return Verdict(f"{what} became likelier than under {drift.reference}", detail, tone)
    return Verdict(f"{what}: no clear change from {drift.reference}", detail, "unclear")


def _forgetting(found: Forgetting, drift: Drift) -> Part:
    n = f"{found.n:,} demonstrations"
    detail = f"{nats(found.change.value, _FINE)} nats per token (95% {_interval(found.change, _FINE)})"
    heads: dict[str, Verdict] = {
        "forgot": Verdict(f"finds them less likely than {drift.reference}", detail, "bad"),
        "better": Verdict(f"finds them likelier than {drift.reference}", detail, "good"),
        "no difference": Verdict(f"no clear difference from {drift.reference}", detail, "unclear"),
    }
    return Part(
        "Did it forget the demonstrations?",
        (heads[found.finding],),
        (
            _line(drift.reference, "nats per token", found.before, n, _FINE),
            _line(drift.model, "nats per token", found.after, n, _FINE),
            _line("Change", "nats per token", found.change, n, _FINE),
        ),
        ("How unlikely held-out demonstrations are; lower is better.",),
    )


def _line(name: str, unit: str, found: Estimate, n: str, decimals: int = _DECIMALS) -> Line:
    return Line(name, unit, nats(found.value, decimals), _interval(found, decimals), n)


def _share(name: str, unit: str, found: Accuracy) -> Line:
    return Line(
        name,
        unit,
        percent(found.value),
        f"{percent(found.low)[:-1]}\u2013{percent(found.high)}",
        f"{found.n:,} pairs",
    )


def _falling(name: str, found: Estimate, n: str) -> Line:
    return Line(
        name,
        "share of responses",
        percent(found.value),
        f"{percent(found.low)[:-1]}\u2013{percent(found.high)}",
        n,
    )


def nats(value: float, decimals: int = _DECIMALS) -> str:
    """A figure with its sign, where it is below 0; a dash where too little is known."""
    return "\u2013" if math.isnan(value) else f"{value:z,.{decimals}f}".replace("-", _MINUS)


def _interval(found: Estimate, decimals: int = _DECIMALS) -> str:
    if math.isnan(found.low) or math.isnan(found.high):
        return "unknown"
    return f"{nats(found.low, decimals)} to {nats(found.high, decimals)}"
