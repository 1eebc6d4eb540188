"""All that a report shows, as plain data: filled by the evaluation, read by the HTML page and the terminal.

Knows nothing of how it is drawn or worded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heedful.evaluation.answer_scores import AnswerScores
    from heedful.evaluation.behaviour import Answer, Behaviour
    from heedful.evaluation.divergence import Divergence
    from heedful.evaluation.diversity import Change, Diversity
    from heedful.evaluation.duels import Duel
    from heedful.evaluation.forgetting import Forgetting
    from heedful.evaluation.implicit import ImplicitReward
    from heedful.evaluation.length_control import LengthControlled
    from heedful.evaluation.reward_quality import RewardQuality
    from heedful.evaluation.reward_sets import RewardSet
    from heedful.evaluation.win_rate import WinRate
    from heedful.judges.account import Account


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
class Example:
    """What a model and a baseline answered to one prompt, and what judges said of the two.

    Attributes:
        model, baseline: the two stages.
        own, other: their answers to one prompt.
        duels: by judge, its verdicts on the two.
        reference: the answer people preferred, where there is one.
    """

    model: str
    baseline: str
    own: Answer
    other: Answer
    duels: dict[str, Duel] = field(default_factory=dict)
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
        sections: how it does on a set of named subsets; None where the rows name none.
    """

    name: str
    quality: RewardQuality
    mistakes: list[Mistake] = field(default_factory=list)
    sections: RewardSet | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one judge said of a model's answers beside a baseline's.

    Attributes:
        judge: what the judge is called.
        model, baseline: the two stages.
        both_orders: whether the judge was shown every pair in both orders; one that scores answers need not
            be.
        duels: a pair of answers each, in the order of the prompts; several to one prompt stand together.
        wins: the win rate; None where the judge gave no verdict that can be read.
        controlled: the win rate at equal length, likewise.
    """

    judge: str
    model: str
    baseline: str
    both_orders: bool
    duels: list[Duel]
    wins: WinRate | None
    controlled: LengthControlled | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A comparison that there is nothing of yet, and why: people who still have to vote, a judge that is not
    there.
    """

    judge: str
    baseline: str
    why: str


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a model has gone from the one it was trained from.

    A part is None where there is nothing to measure it by.

    Attributes:
        model, reference: the two; the reference need not be a stage.
        divergence: sequence KL, of answers that the model drew at temperature 1.
        implicit: what its log-probs of held-out pairs, over the reference's, say of them.
        beta: what the implicit reward is multiplied by: the run's own, or 1 of a run that has none.
        forgetting: how likely the two find held-out demonstrations.
    """

    model: str
    reference: str
    divergence: Divergence | None
    implicit: ImplicitReward | None
    beta: float
    forgetting: Forgetting | None


@dataclass(frozen=True, slots=True)
class ReportData:
    """One report.

    Attributes:
        title: of the page.
        intro: a paragraph or more (split at blank lines) on what was done.
        facts: name to value: model, machine, data, seconds, versions.
        stages: the models compared, from the baseline on: ["base", "SFT", "DPO", "PPO"].
        subject: the stage that the report is about, and judges were asked about; empty where the stages stand
            side by side.
        origins: stage to the one it was trained from and is compared with, where that is not the one before
            it: {"PPO": "SFT"}.
        curves: plots of the runs.
        accuracy: how often each stage prefers what people prefer.
        behaviour: stage to how it answers.
        diversity: stage to how diverse its answers are, how repetitive, and how many are refusals.
        collapse: baseline to how the diversity of the subject's answers differs from its answers'.
        scores: by reward, stage to what it makes of the stage's whole answers, to the same prompts for all.
        comparisons: what judges said of one of the stages beside others; empty where none was asked.
        waiting: comparisons that are still to come.
        accounts: by judge, of those that count it: what asking took.
        drift: how far a model has gone from its reference, where it has one that reads texts alike.
        side_by_side: answers to read; the page shows them in this order, where there are no examples.
        examples: all that was compared, in the order of the prompts, a baseline after the other; the page
            picks what to show first.
        reward: what was found about a reward model, where the report is of one.
        notes: what a reader should know before trusting the numbers.
        quarantine: reason to how many rows were left out of the data for it.
    """

    title: str
    intro: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)
    subject: str = ""
    origins: dict[str, str] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    accuracy: list[AccuracyRow] = field(default_factory=list)
    behaviour: dict[str, Behaviour] = field(default_factory=dict)
    diversity: dict[str, Diversity] = field(default_factory=dict)
    collapse: dict[str, tuple[Change, ...]] = field(default_factory=dict)
    scores: dict[str, dict[str, AnswerScores]] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    drift: Drift | None = None
    side_by_side: list[SideBySide] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    reward: RewardFindings | None = None
    notes: list[str] = field(default_factory=list)
    quarantine: dict[str, int] = field(default_factory=dict)
