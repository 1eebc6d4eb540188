"""Whether what was shown first was chosen, and whether a judge keeps to a verdict when the two change places.

Needs `metadata["shown_first"]`. Where the first place always belonged to one model, its place cannot be told
from its quality: records that name their generators count only as far as both of a pair were shown first, and
both orders then count alike.
"""

from __future__ import annotations

import math
from typing import Any

from heedful.checks.finding import Example, Finding, Interval, Outcome, Plot, Table
from heedful.checks.sample import Sample
from heedful.checks.text import excerpt, text_of
from heedful.intervals import wilson
from heedful.records import ANNOTATOR, GENERATORS, SHOWN_FIRST, Preference, Record

SHARE = 0.53
LEVEL = 0.01
FLIPS = 0.2
SWAPPED = 20
ANNOTATORS = 20  # in the table: those with the most votes
EXACT = 10_000  # votes up to which the binomial test is exact

# How one pair was judged in one order; the two orders stand side by side in four bits.
UNSEEN, ONE, OTHER, TIE = range(4)
BITS = 2
ORDER = (1 << BITS) - 1


class PositionBias:
    """P(the side shown first is chosen), overall and by annotator; verdicts that turn with the order."""

    name = "position_bias"
    asks = "Is the side that was shown first chosen, whatever it says?"

    def __init__(
        self, *, share: float = SHARE, level: float = LEVEL, flips: float = FLIPS, swapped: int = SWAPPED
    ) -> None:
        """`share`: of votes that one place may win before it is a finding.
        `level`: the binomial test's, against chance.
        `flips`: share of swapped pairs whose verdict may turn with the order before it is a finding.
        `swapped`: pairs judged in both orders, below which nothing is said of flips.
        """
        self.share, self.level, self.flips, self.swapped = share, level, flips, swapped
        self.ties = 0
        self.places: dict[Any, list[int]] = {}  # [wins of the first, of the second] by who was shown first
        self.annotators: dict[str, list[int]] = {}
        self.examples = (Sample[Example](), Sample[Example]())
        self._verdicts: dict[int, int] = {}  # by annotator, prompt and both responses in any order

    def see(self, record: Record, index: int) -> None:
        if not isinstance(record, Preference) or not record.metadata:
            return
        first = record.metadata.get(SHOWN_FIRST)
        if first != "chosen" and first != "rejected":
            return
        self._see_verdict(record, first)
        if record.tie:
            self.ties += 1
            return
        lost = first == "rejected"
        self.places.setdefault(_generators(record, lost), [0, 0])[lost] += 1
        annotator = record.metadata.get(ANNOTATOR)
        if annotator is not None:
            self.annotators.setdefault(str(annotator), [0, 0])[lost] += 1
        self.examples[lost].offer(Example(record.id, excerpt(text_of(record.chosen))))

    def outcome(self) -> Outcome:
        votes = sum(map(sum, self.places.values()))
        if not votes:
            return Outcome(skipped=f'no record says in metadata["{SHOWN_FIRST}"] which side was shown first')
        wins, n = _balanced(self.places)
        steady, turned, tied = self._swaps()
        figures: dict[str, Any] = {
            "votes": votes, "ties": self.ties, "compared": n,
            "swapped": steady + turned + tied, "flipped": turned, "tied_in_one_order": tied,
        }  # fmt: skip
        findings = [self._flips(turned, steady + turned)]
        if n < 1:
            skipped = (
                "" if steady + turned else "one model was always shown first: its place cannot be told apart"
            )
            return Outcome([f for f in findings if f is not None], figures, skipped=skipped)
        figure = Interval(wins / n, *wilson(wins, n), round(n))
        p = binomial_test(round(wins), round(n))
        figures |= {"first_chosen": figure.value, "low": figure.low, "high": figure.high, "p": p}
        findings.insert(0, self._place(figure, p))
        rows = self._by_annotator()
        header = ("", "votes", "first chosen", "from", "to")
        tables = (Table("The side shown first, by annotator", header, rows),) if rows else ()
        plots = (_plot(rows),) if len(rows) > 1 else ()
        return Outcome([f for f in findings if f is not None], figures, tables, plots)

    def _see_verdict(self, record: Preference, first: str) -> None:
        chosen, rejected = hash(text_of(record.chosen)), hash(text_of(record.rejected))
        one, other = (chosen, rejected) if chosen < rejected else (rejected, chosen)
        key = hash((record.metadata.get(ANNOTATOR), text_of(record.prompt), one, other))
        verdict = TIE if record.tie else ONE if chosen == one else OTHER
        shown = chosen if first == "chosen" else rejected
        shift = 0 if shown == one else BITS
        held = self._verdicts.get(key, 0)
        if held >> shift & ORDER == UNSEEN:
            self._verdicts[key] = held | verdict << shift

    def _swaps(self) -> tuple[int, int, int]:
        """Pairs judged in both orders: the same side both times, the other, a tie in one order only."""
        steady = turned = tied = 0
        for held in self._verdicts.values():
            one, other = held & ORDER, held >> BITS
            if one != UNSEEN and other != UNSEEN:
                steady += one == other
                turned += one != other and TIE not in (one, other)
                tied += one != other and TIE in (one, other)
        return steady, turned, tied

    def _by_annotator(self) -> tuple[tuple[str, int, float, float, float], ...]:
        most = sorted(self.annotators.items(), key=lambda entry: -sum(entry[1]))[:ANNOTATORS]
        return tuple(
            (name, wins + losses, wins / (wins + losses), *wilson(wins, wins + losses))
            for name, (wins, losses) in most
        )

    def _place(self, figure: Interval, p: float) -> Finding | None:
        place, share = ("first", figure.value) if figure.value > 0.5 else ("second", 1 - figure.value)
        if share <= self.share or p >= self.level:
            return None
        return Finding(
            check=self.name,
            code=f"{place}_place_wins",
            severity="warning",
            title=f"the side that was shown {place} is chosen in {share:.0%} of votes",
            count=round(share * figure.n),
            of=figure.n,
            why=f"If the places were drawn by lot, chance alone would do so with p = {p:.1g}. The place is "
            "noise in the labels, and of a judge a sign that it does not read both.",
            mend="Show each pair in a random order, ask a judge in both orders and keep what it says twice; "
            "look at the annotators in the table.",
            figure=figure,
            threshold=self.share,
            examples=self.examples[place == "second"].taken(),
        )

    def _flips(self, turned: int, judged: int) -> Finding | None:
        if judged < self.swapped:
            return None
        figure = Interval(turned / judged, *wilson(turned, judged), judged)
        if figure.low <= self.flips:
            return None
        return Finding(
            check=self.name,
            code="verdict_flips",
            severity="warning",
            title=f"{figure.value:.0%} of verdicts turn when the two sides change places",
            count=turned,
            of=judged,
            why="Such a verdict is about the place and not about the text; half of them is chance.",
            mend="Keep the pairs on which both orders agree, or make ties of the others.",
            figure=figure,
            threshold=self.flips,
        )


def _generators(record: Preference, lost: bool) -> Any:
    """Whose was shown first and whose second; None where that is not known or both are the same."""
    chosen, rejected = (record.metadata.get(name) for name in GENERATORS)
    if not isinstance(chosen, str) or not isinstance(rejected, str) or chosen == rejected:
        return None
    return (rejected, chosen) if lost else (chosen, rejected)


def _balanced(places: dict[Any, list[int]]) -> tuple[float, float]:
    """Wins of the first place, and of how many votes: of two generators both orders count alike.

    The mean of the two orders' shares does not depend on which generator is better. Its variance is at most
    that of twice as many votes as the rarer order has.
    """
    wins = n = 0.0
    for generators, (first, second) in places.items():
        if generators is None:
            wins, n = wins + first, n + first + second
        elif (turned := places.get(generators[::-1])) and generators < generators[::-1]:
            share = (first / (first + second) + turned[0] / sum(turned)) / 2
            votes = 2 * min(first + second, sum(turned))
            wins, n = wins + share * votes, n + votes
    return wins, n


def binomial_test(successes: int, n: int) -> float:
    """Two-sided p of a fair coin: exact up to `EXACT` throws, beyond by the normal with Yates' correction."""
    far = abs(successes - n / 2)
    if n > EXACT:
        return math.erfc(max(far - 0.5, 0) / math.sqrt(n / 2))
    start = math.ceil(n / 2 + far)
    log_half = -n * math.log(2) + math.lgamma(n + 1)
    tail = sum(math.exp(log_half - math.lgamma(k + 1) - math.lgamma(n - k + 1)) for k in range(start, n + 1))
    return min(1.0, 2 * tail)


def _plot(rows: tuple[tuple[str, int, float, float, float], ...]) -> Plot:
    named = "first chosen"
    return Plot(
        "The side shown first is chosen",
        "intervals",
        "share of votes",
        labels=tuple(row[0] for row in rows),
        series={named: tuple(row[2] for row in rows)},
        low={named: tuple(row[3] for row in rows)},
        high={named: tuple(row[4] for row in rows)},
        reference=0.5,
    )
