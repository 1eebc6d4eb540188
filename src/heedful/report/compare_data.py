"""What a comparison of several models found, as its page, its summary and its files show it.

Measured elsewhere (`heedful.evaluation`) and put together by `heedful.comparing`; knows nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from heedful.evaluation.best_of_n import BestOf
from heedful.evaluation.bradley_terry import Standings
from heedful.evaluation.duels import Duel
from heedful.evaluation.estimates import Estimate
from heedful.evaluation.frontier import Placed
from heedful.evaluation.over_optimisation import Form, OverOptimisation
from heedful.evaluation.win_rate import WinRate
from heedful.judges.account import Account

Pair = tuple[str, str]
"""Two models' names, in the order in which they were given."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """What one judge made of all models' answers.

    Attributes:
        judge: what the judge is called.
        both_orders: whether it was shown every pair of answers in both orders.
        standings: every model's strength and place.
        at_equal_length: the same between answers of one length; None where no two differ in it.
        duels: by pair of models, every comparison, those without a verdict among them.
        wins: by pair of models, how often the first wins; pairs without a verdict have none.
    """

    judge: str
    both_orders: bool
    standings: Standings
    at_equal_length: Standings | None
    duels: Mapping[Pair, list[Duel]]
    wins: Mapping[Pair, WinRate]

    @property
    def undecided(self) -> int:
        """Comparisons without a verdict in both orders."""
        return sum(not duel.decided for own in self.duels.values() for duel in own)


@dataclass(frozen=True, slots=True)
class Awaited:
    """A judge that there is nothing of yet, and why."""

    judge: str
    why: str


@dataclass(frozen=True, slots=True)
class Reached:
    """How a point of the frontier was measured.

    Attributes:
        ended: share of its answers that the model ended by itself.
        answers, prompts: how many it was measured on.
        warnings: why its KL may be less sure than its interval says.
        same_as: the checkpoint that the model is, weight for weight, of a run that kept it.
    """

    ended: float
    answers: int
    prompts: int
    warnings: tuple[str, ...] = ()
    same_as: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RewardFrontier:
    """Reward by one judge against KL from the common reference.

    Attributes:
        judge: whose scores.
        reference: what KL is measured from.
        start: the reference's own reward, at a KL of 0.
        placed: models, checkpoints and best of n, each with where it lies.
        reached: how models and checkpoints were measured, by label.
        best_of: the reference's best of n, in the order of n; empty where it was not asked for.
        chosen_by: whose scores choose the best of n.
    """

    judge: str
    reference: str
    start: Estimate
    placed: tuple[Placed, ...]
    reached: Mapping[str, Reached]
    best_of: tuple[BestOf, ...] = ()
    chosen_by: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Optimised:
    """One way of optimising a proxy reward, and what became of the gold reward on it.

    Attributes:
        name: a run, or best of n.
        proxy, gold: the two judges.
        form: of the fitted curves.
        found: points, fits and whether gold turns.
        labels: of the points, in the order of `found.points`.
    """

    name: str
    proxy: str
    gold: str
    form: Form
    found: OverOptimisation
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ComparisonData:
    """One comparison.

    Attributes:
        title: of the page.
        models: those compared, as they were given.
        reference: what KL is measured from; None where there is no common one.
        ranked: a ranking a judge.
        waiting: judges that there is nothing of yet.
        accounts: by judge, of those that count it: what asking took.
        frontiers: one for each judge that scores.
        optimised: where there is a gold judge.
        facts: name to value: data, prompts, machine, versions.
        notes: what a reader should know before trusting the numbers.
        quarantine: reason to how many rows were left out of the data for it.
    """

    title: str
    models: list[str]
    reference: str | None = None
    ranked: list[Ranked] = field(default_factory=list)
    waiting: list[Awaited] = field(default_factory=list)
    accounts: dict[str, Account] = field(default_factory=dict)
    frontiers: list[RewardFrontier] = field(default_factory=list)
    optimised: list[Optimised] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    quarantine: dict[str, int] = field(default_factory=dict)
