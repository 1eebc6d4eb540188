"""A reward model's quality in words: rows, tiles, a table and sentences, the same in page and terminal.

Knows nothing of HTML or consoles; how the numbers were measured is the business of
`heedful.evaluation.reward_quality`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from heedful.evaluation.calibration import Calibration
from heedful.evaluation.preference_accuracy import Accuracy
from heedful.evaluation.reward_quality import LONGER, MUCH_LONGER, RewardQuality
from heedful.evaluation.reward_sets import RewardSet
from heedful.intervals import Interval
from heedful.report.data import Curve, Mistake, ReportData, RewardFindings
from heedful.report.reward_sections import SectionsView, sections_view
from heedful.report.wording import Group, Number, Row, Tone, Verdict, against_coin, compare

AS_SCORED, AFTER = "as scored", "after the temperature"
_ALWAYS_HALF = "always 50%"
_LOG_TWO = math.log(2)


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline number that is no share of pairs."""

    label: str
    value: str
    caption: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the calibration table: what is measured, in what unit, and per column a number and what
    stands below it.
    """

    name: str
    unit: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RewardView:
    """All that page and terminal say of a reward model.

    Attributes:
        accuracy: the model's rows and the rulers'.
        calibration, temperature: headline numbers beside the accuracy's.
        columns: of the calibration table.
        lines: of the calibration table.
        slices: the accuracy on parts of the pairs.
        remarks: sentences on the accuracy.
        calibration_remarks: sentences on the calibration.
        mistakes: as given.
        sections: of a set with named subsets, the accuracy by section.
    """

    accuracy: Group
    calibration: Tile
    temperature: Tile
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    slices: tuple[Group, ...]
    remarks: tuple[str, ...]
    calibration_remarks: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    sections: SectionsView | None


def reward_report(
    quality: RewardQuality,
    facts: Mapping[str, str],
    *,
    title: str = "How good is the reward model?",
    name: str = "reward model",
    intro: str = "",
    curves: Sequence[Curve] = (),
    mistakes: Sequence[Mistake] = (),
    sections: RewardSet | None = None,
    notes: Sequence[str] = (),
    quarantine: Mapping[str, int] | None = None,
) -> ReportData:
    """A report of one reward model; see `ReportData` and `RewardFindings` for the arguments."""
    return ReportData(
        title=title,
        intro=intro,
        facts=dict(facts),
        curves=list(curves),
        reward=RewardFindings(name, quality, list(mistakes), sections),
        notes=list(notes),
        quarantine=dict(quarantine or {}),
    )


def reward_view(findings: RewardFindings) -> RewardView:
    """Put a reward model's quality into words."""
    quality = findings.quality
    return RewardView(
        accuracy=_accuracy(findings),
        calibration=_calibration_tile(quality.calibration),
        temperature=_temperature_tile(quality),
        columns=(AS_SCORED, *((AFTER,) if quality.calibrated else ()), _ALWAYS_HALF),
        lines=_lines(quality),
        slices=_slices(quality),
        remarks=_remarks(quality),
        calibration_remarks=_calibration_remarks(quality),
        mistakes=tuple(findings.mistakes),
        sections=sections_view(findings.sections, findings.name) if findings.sections else None,
    )


def _number(accuracy: Accuracy) -> Number:
    return Number(accuracy.value, accuracy.low, accuracy.high, accuracy.n, "pairs", "share")


def _accuracy(findings: RewardFindings) -> Group:
    quality = findings.quality
    rulers = {"longer wins": quality.longer_wins, "shorter wins": quality.shorter_wins}
    own, best = _number(quality.accuracy), _number(rulers[quality.best_ruler])
    verdict = compare(own, best, quality.best_ruler, "up", quality.over_ruler_interval)
    words: dict[Tone, str] = {"good": "clearly above", "bad": "clearly below"}
    word = words.get(verdict.tone, "no clear difference from")
    verdict = replace(verdict, headline=f"{word} \u201c{quality.best_ruler}\u201d")
    rows = [Row(findings.name, own, verdict)]
    rows += [Row(name, _number(accuracy), None) for name, accuracy in rulers.items()]
    return Group("Accuracy", "", tuple(rows), (rows[0],), (rows[0],))


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _calibration_tile(found: Calibration) -> Tile:
    chance = f"up to {_points(found.ece_by_chance)} by chance, n = {found.n:,} pairs"
    if found.ece <= found.ece_by_chance:
        verdict = Verdict("no clear miscalibration", "within what chance shows", "unclear")
    elif abs(found.excess) < found.ece / 2:
        verdict = Verdict("clearly miscalibrated", "too sure of some pairs, too modest of others", "bad")
    else:
        word = "too sure" if found.excess > 0 else "too modest"
        verdict = Verdict(f"clearly {word}", f"by {_points(abs(found.excess))} on average", "bad")
    return Tile("Calibration error (ECE)", _points(found.ece), chance, verdict)


def _factor(value: float) -> str:
    return "\u221e" if math.isinf(value) else f"{value:.2f}" if value < 100 else f"{value:.3g}"


def _temperature_tile(quality: RewardQuality) -> Tile:
    found = quality.temperature
    unknown = math.isnan(found.low) or math.isnan(found.high)
    interval = "unknown" if unknown else f"{_factor(found.low)}\u2013{_factor(found.high)}"
    if unknown:
        verdict = Verdict("too few to tell", "", "unclear")
    elif found.low > 1:
        verdict = Verdict("clearly above 1", "scores lie too far apart", "plain")
    elif found.high < 1:
        verdict = Verdict("clearly below 1", "scores lie too close together", "plain")
    else:
        verdict = Verdict("no clear difference from 1", "scores can stay as they are", "unclear")
    return Tile("Best temperature", _factor(found.value), f"95% {interval}, n = {quality.n:,} pairs", verdict)


def _with_interval(value: float, interval: Interval) -> tuple[str, str]:
    low, high = interval
    shown = "unknown" if math.isnan(low) else f"{low:.3f}\u2013{high:.3f}"
    return f"{value:.3f}", shown


def _lines(quality: RewardQuality) -> tuple[Line, ...]:
    found = [quality.calibration, *([quality.calibrated] if quality.calibrated else [])]
    ece = [(f"{100 * one.ece:.1f}", f"by chance to {100 * one.ece_by_chance:.1f}") for one in found]
    brier = [_with_interval(one.brier, one.brier_interval) for one in found]
    loss = [_with_interval(one.log_loss, one.log_loss_interval) for one in found]
    return (
        Line("Calibration error (ECE)", "points", (*ece, ("\u2013", ""))),
        Line("Brier score", "squared error", (*brier, (f"{quality.coin_brier:.3f}", ""))),
        Line("Log loss", "nats", (*loss, (f"{_LOG_TWO:.3f}", ""))),
    )


def _slices(quality: RewardQuality) -> tuple[Group, ...]:
    def group(label: str, explanation: str, rows: list[tuple[str, Accuracy]]) -> Group:
        told = tuple(Row(name, _number(found), against_coin(_number(found))) for name, found in rows)
        return Group(label, explanation, told, told, ())

    margins = [
        (f"{cut.low:.3g}" if cut.low == cut.high else f"{cut.low:.3g} to {cut.high:.3g}", cut.accuracy)
        for cut in quality.by_margin
    ]
    margins = [(name.replace("-", "\u2212"), found) for name, found in margins]
    if quality.without_margin:
        margins.append(("no margin given", quality.without_margin))
    by_margin = {
        "margin": ("By margin", "How much better the source says the better response is, in quarters."),
        "score difference": ("By score difference", "How far apart the model scores the two, in quarters."),
    }[quality.sliced_by]
    return (
        group(*by_margin, margins),
        group(
            "By length",
            "How long the better response is, against the other one: "
            f"longer is beyond {LONGER:g} times its length, much longer beyond {MUCH_LONGER:g} times.",
            list(quality.by_length.items()),
        ),
    )


def _count(n: int, one: str, many: str) -> str:
    return f"{n:,} pair {one}" if n == 1 else f"{n:,} pairs {many}"


def _remarks(quality: RewardQuality) -> tuple[str, ...]:
    remarks = []
    if quality.ties:
        remarks.append(
            _count(quality.ties, "has equal scores and counts", "have equal scores and count") + " as wrong."
        )
    if quality.undecided:
        undecided = _count(quality.undecided, "is", "are")
        remarks.append(f"{undecided} labelled one half: counted in calibration, not in accuracy.")
    if quality.soft:
        soft = _count(quality.soft, "has a soft label", "have soft labels")
        remarks.append(f"{soft}: accuracy counts the likelier side, Brier score and log loss the label.")
    if quality.groups < quality.n:
        remarks.append(
            f"The {quality.n:,} pairs are of {quality.groups:,} prompts; "
            "the intervals allow for pairs of one prompt being alike."
        )
    return tuple(remarks)


def _calibration_remarks(quality: RewardQuality) -> tuple[str, ...]:
    bins = len(quality.calibration.bins)
    held = "one bin of all pairs" if bins == 1 else f"{bins} bins of about equally many pairs"
    remarks = [
        f"{held[0].upper()}{held[1:]}; each pair stands with the response the model prefers first.",
        "Scores stand with their 95% interval, the calibration error with what it stays under in 95 of 100 "
        "draws where people decide just as predicted.",
    ]
    if quality.soft:
        remarks.append(
            "A soft label is no draw: of such pairs chance is which were met, so the gaps between labels and "
            "predictions are turned either way."
        )
    if quality.calibrated:
        remarks.append(
            f"After the temperature: each half of the {quality.groups:,} prompts with the one fitted on the "
            "other half, so that no pair is judged by a number it had a say in. "
            f"{_factor(quality.temperature.value)} is fitted on all of them."
        )
    return tuple(remarks)
