"""All that a report shows, as plain data: filled by the evaluation, read by the HTML page and the terminal.

Knows nothing of how it is drawn or worded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heedful.evaluation.answer_scores import AnswerScores
    from heedful.evaluation.behaviour import Behaviour
    from heedful.evaluation.reward_quality import RewardQuality


@dataclass(frozen=True, slots=True)
class Curve:
    """One plot of numbers over a run.

    Attributes:
        title: what is plotted.
        y_label: the unit, such as "nats per token".
        series: name to (x, y) points in order. Points that are not finite are left out of the plot and
            counted below it.
        x_label: what x counts.
    """

    title: str
    y_label: str
    series: dict[str, list[tuple[float, float]]]
    x_label: str = "step"


@dataclass(frozen=True, slots=True)
class AccuracyRow:
    """A share of pairs judged as people judged them. Rows with one label form a group, in the order given.

    Attributes:
        label: what is asked, such as "implicit reward".
        stage: who answers: one of the report's stages, or anything else for a ruler ("shorter wins") that
            stands beside. A ruler is called by its label, or by its stage where several share a label.
        value: the share, 0 to 1.
        low, high: its 95% interval.
        n: pairs.
    """

    label: str
    stage: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One prompt and what each stage answered.

    Attributes:
        prompt: as text.
        answers: stage to answer.
        ended: stage to whether the model ended the answer by itself; a stage left out shows no badge.
        reference: the answer people preferred, where there is one.
    """

    prompt: str
    answers: dict[str, str]
    ended: dict[str, bool]
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Mistake:
    """A pair that a reward model is wrong about, as text.

    Attributes:
        prompt: the conversation up to the responses.
        better: the response people preferred, and `better_score` what the model gives it.
        worse: the other one, and `worse_score`.
    """

    prompt: str
    better: str
    worse: str
    better_score: float
    worse_score: float


@dataclass(frozen=True, slots=True)
class RewardFindings:
    """What was found about a reward model.

    Attributes:
        name: what the model is called.
        quality: the numbers.
        mistakes: pairs it is wrong about, the worst first.
    """

    name: str
    quality: RewardQuality
    mistakes: list[Mistake] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ReportData:
    """One report.

    Attributes:
        title: of the page.
        intro: a paragraph or more (split at blank lines) on what was done.
        facts: name to value: model, machine, data, seconds, versions.
        stages: the models compared, from the baseline on: ["base", "SFT", "DPO", "PPO"].
        origins: stage to the one it was trained from and is compared with, where that is not the one before
            it: {"PPO": "SFT"}.
        curves: plots of the runs.
        accuracy: how often each stage prefers what people prefer.
        behaviour: stage to how it answers.
        scores: stage to what a reward makes of its whole answers, to the same prompts for all.
        side_by_side: answers to read; the page shows them in this order.
        reward: what was found about a reward model, where the report is of one.
        notes: what a reader should know before trusting the numbers.
        quarantine: reason to how many rows were left out of the data for it.
    """

    title: str
    intro: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    accuracy: list[AccuracyRow] = field(default_factory=list)
    behaviour: dict[str, Behaviour] = field(default_factory=dict)
    scores: dict[str, AnswerScores] = field(default_factory=dict)
    side_by_side: list[SideBySide] = field(default_factory=list)
    reward: RewardFindings | None = None
    notes: list[str] = field(default_factory=list)
    quarantine: dict[str, int] = field(default_factory=dict)
