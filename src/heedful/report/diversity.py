"""How diverse each model's answers are, figure by figure, and which changes are signs of collapse.

Knows nothing of HTML.
"""

from __future__ import annotations

from dataclasses import dataclass

from heedful.evaluation.diversity import DRAWN, LOOP, LOOP_TIMES, REPEATED, Change, Name
from heedful.report.data import ReportData
from heedful.report.wording import Number, Unit, Verdict, signed

_TOLD: dict[Name, tuple[str, str]] = {
    "distinct-1": ("Different words", f"of {DRAWN} drawn from all answers"),
    "distinct-2": ("Different pairs of words", f"of {DRAWN} drawn"),
    "distinct-3": ("Different runs of three words", f"of {DRAWN} drawn"),
    "entropy": ("Entropy of the words", "nats per word"),
    "likeness between prompts": ("Likeness of answers to different prompts", "self-BLEU"),
    "likeness within a prompt": ("Likeness of answers to one prompt", "self-BLEU"),
    "repetition": ("Repetition within an answer", f"share of {REPEATED} words that stood there before"),
    "loops": ("Loops", f"share of answers that say some {LOOP} words {LOOP_TIMES} times"),
    "identical answers": ("Identical answers", "share given to another prompt too"),
    "refusals": ("Refusals", "share of answers that open with one"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One figure.

    Attributes:
        name: what it is, and `unit` of what.
        numbers: stage to number; a stage that has none is left out.
        changes: baseline to what became of it.
    """

    name: str
    unit: str
    numbers: dict[str, Number]
    changes: dict[str, Verdict]


@dataclass(frozen=True, slots=True)
class DiversityView:
    """All figures, and in a sentence for each baseline which are signs of collapse."""

    stages: tuple[str, ...]
    lines: tuple[Line, ...]
    verdicts: tuple[Verdict, ...]


def diversity_view(data: ReportData) -> DiversityView | None:
    """None where nothing was measured."""
    stages = [stage for stage in data.stages if stage in data.diversity]
    if not stages:
        return None
    changes = {
        name: {
            baseline: change
            for baseline, found in data.collapse.items()
            for change in found
            if change.name == name
        }
        for name in _TOLD
    }
    lines = []
    for name, (title, unit) in _TOLD.items():
        numbers = {
            stage: _number(data, stage, name) for stage in stages if name in data.diversity[stage].figures
        }
        if numbers:
            judged = {
                baseline: _judged(change, baseline, named=len(changes[name]) > 1)
                for baseline, change in changes[name].items()
            }
            lines.append(Line(title, unit, numbers, judged))
    said = tuple(_signs(data.subject, baseline, found) for baseline, found in data.collapse.items())
    return DiversityView(tuple(stages), tuple(lines), said)


def _number(data: ReportData, stage: str, name: Name) -> Number:
    of = data.diversity[stage]
    found = of.figures[name]
    return Number(found.value, found.low, found.high, of.n, "answers", _unit(name))


def _unit(name: Name) -> Unit:
    return "score" if name == "entropy" else "share"


def _judged(found: Change, baseline: str, *, named: bool) -> Verdict:
    """What became of one figure; the baseline is `named` where there are several."""
    unit, change = _unit(found.name), found.change
    scale, decimals = (100, 0) if unit == "share" else (1, 2)
    size = signed(round(scale * change.value, decimals), unit)
    if found.sign:
        return Verdict(f"sign of collapse{f' against {baseline}' if named else ''}", size, "bad")
    since = f" from {baseline}" if named else ""
    if change.above(0) or change.below(0):
        return Verdict(f"clear change{since}", size, "plain")
    return Verdict(f"no clear difference{since}", size, "unclear")


def _signs(subject: str, baseline: str, changes: tuple[Change, ...]) -> Verdict:
    signs = [_TOLD[change.name][0].lower() for change in changes if change.sign]
    if not signs:
        return Verdict(
            f"no clear sign of collapse against {baseline}", f"{len(changes)} figures compared", "unclear"
        )
    many = f"{len(signs)} signs" if len(signs) > 1 else "one sign"
    return Verdict(f"{many} of collapse in {subject}, against {baseline}", ", ".join(signs), "bad")
