"""What judges said of a model beside its baselines, as a page shows it: bars around 50%, counts, remarks.

Whether a bar has a colour is decided by its interval. Knows nothing of HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from heedful.evaluation.length_control import LengthControlled
from heedful.evaluation.win_rate import Finding, WinRate
from heedful.judges.account import Account
from heedful.report.data import Comparison
from heedful.report.verdict import EVEN, TONES, finding_of
from heedful.report.wording import Number, Tone, Unit, Verdict, signed

RAW, EQUAL = "as they are", "at equal length"
_UNIT: Unit = "share"


@dataclass(frozen=True, slots=True)
class Bar:
    """A win rate on an axis from 0 to 100%, and what its interval allows to say."""

    label: str
    number: Number
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Part:
    """A part of all comparisons that have a verdict: how many, and their share, 0 to 1."""

    name: str
    n: int
    share: float
    tone: Tone


@dataclass(frozen=True, slots=True)
class Compared:
    """One judge's comparison of the model with one baseline.

    Attributes:
        bars: the win rate and the one at equal length; none where no verdict can be read.
        parts: wins, ties, verdicts that change with the order, and losses; those that are nothing left out.
        remarks: what else a reader should know.
    """

    judge: str
    model: str
    baseline: str
    bars: tuple[Bar, ...]
    parts: tuple[Part, ...]
    remarks: tuple[str, ...]


def compared_views(comparisons: Sequence[Comparison]) -> list[Compared]:
    """One view a comparison, in their order."""
    return [_compared(one) for one in comparisons]


def _compared(one: Comparison) -> Compared:
    wins, controlled = one.wins, one.controlled
    if wins is None:
        remark = f"Of {len(one.duels):,} comparisons none has a verdict that can be read in both orders."
        return Compared(one.judge, one.model, one.baseline, (), (), (remark,))
    bars = [_bar(RAW, wins, one.baseline)]
    if controlled is not None and controlled.spread > 0:
        bars.append(_bar(EQUAL, controlled, one.baseline))
    remarks = (*_order(wins, one.both_orders), *_length(controlled, one.model), *_undecided(wins))
    return Compared(one.judge, one.model, one.baseline, tuple(bars), _parts(wins), remarks)


def _bar(label: str, found: WinRate | LengthControlled, baseline: str) -> Bar:
    number = Number(found.value, found.low, found.high, found.n, "comparisons", _UNIT)
    finding = finding_of(found.interval)
    heads: dict[Finding, str] = {
        "better": f"better than {baseline}",
        "worse": f"worse than {baseline}",
        "no difference": "no difference is established",
    }
    points = signed(round(100 * found.value) - round(100 * EVEN), _UNIT)
    return Bar(label, number, Verdict(heads[finding], f"{points} from 50%", TONES[finding]))


def _parts(wins: WinRate) -> tuple[Part, ...]:
    found: list[tuple[str, int, Tone]] = [
        ("wins", wins.wins, "good"),
        ("ties", wins.ties - wins.inconsistent, "plain"),
        ("changes its mind with the order", wins.inconsistent, "unclear"),
        ("losses", wins.losses, "bad"),
    ]
    return tuple(Part(name, n, n / wins.n, tone) for name, n, tone in found if n)


def _order(wins: WinRate, both_orders: bool) -> tuple[str, ...]:
    if not both_orders:
        return ("The order in which the two are shown makes no difference to this judge.",)
    first = wins.first_share
    if first is None:
        return ()
    share = Number(first.value, first.low, first.high, wins.n, "comparisons", _UNIT)
    lean = "no clear leaning"
    if first.above(EVEN):
        lean = "it leans towards what it is shown first"
    elif first.below(EVEN):
        lean = "it leans towards what it is shown second"
    told = f"Of its verdicts for one of the two, {share.text} ({share.interval_text}) were for the one shown "
    return (f"{told}first: {lean}. Every pair was shown in both orders, so that this evens out.",)


def _length(controlled: LengthControlled | None, model: str) -> tuple[str, ...]:
    if controlled is None:
        return ()
    if controlled.spread == 0:
        return ("All pairs differ by the same length, so there is nothing to control for.",)
    by = abs(round(controlled.longer))
    which = "longer" if controlled.longer > 0 else "shorter"
    told = f"{model}\u2019s answers are {by:,} characters {which} on average"
    slope = controlled.coefficient
    link = "whether longer answers win more often is not clear"
    if slope.above(0):
        link = "longer answers win more often"
    elif slope.below(0):
        link = "longer answers win less often"
    points = signed(round(100 * controlled.by_length.value), _UNIT)
    return (f"{told}; {link}. {points} of the win rate go with length.",)


def _undecided(wins: WinRate) -> tuple[str, ...]:
    if not wins.undecided:
        return ()
    if wins.undecided == 1:
        return ("One comparison has no verdict in both orders and is left out of the above.",)
    return (f"{wins.undecided:,} comparisons have no verdict in both orders and are left out of the above.",)


@dataclass(frozen=True, slots=True)
class Cost:
    """What asking one judge took, cell by cell under `COST_COLUMNS`, and why questions have no verdict."""

    judge: str
    cells: tuple[str, ...]
    undecided: str


COST_COLUMNS = ("questions", "known before", "requests", "replies not read", "tokens sent", "written", "cost")


def costs(accounts: Mapping[str, Account]) -> list[Cost]:
    """By judge, of those that count it, what asking took."""
    return [_cost(judge, account) for judge, account in accounts.items()]


def _cost(judge: str, account: Account) -> Cost:
    tokens = account.tokens
    about = "about " if tokens.guessed else ""
    counts = (account.questions, account.known, account.requests, account.unread)
    cells = (
        *(f"{n:,}" for n in counts),
        f"{about}{tokens.sent:,}",
        f"{about}{tokens.written:,}",
        "no price given" if account.cost is None else f"{account.cost:,.4g}",
    )
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in sorted(account.undecided.items()))
    return Cost(judge, cells, reasons)
