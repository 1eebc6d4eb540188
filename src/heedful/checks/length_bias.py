"""Whether people chose the longer response: a reward model learns that before it learns anything else.

Singhal et al. 2023 (2310.03716): much of what RLHF gains is length. Humans choose the longer one in about 64%
of AlpacaEval's pairs.
"""

from __future__ import annotations

from itertools import pairwise

from heedful.checks.finding import Example, Finding, Interval, Outcome, Plot, Table
from heedful.checks.sample import Sample
from heedful.checks.text import word_count
from heedful.intervals import wilson
from heedful.records import Preference, Record

SHARE = 0.65
MARKED = 2.0  # times longer: what counts as an example of one
BINS = (0.0, 0.5, 0.67, 0.8, 0.95, 1.05, 1.25, 1.5, 2.0, float("inf"))


class LengthBias:
    """P(the longer response is chosen), with its interval, and how much longer chosen ones are."""

    name = "length_bias"
    asks = "Is the longer response chosen, whatever it says?"

    def __init__(self, *, share: float = SHARE) -> None:
        """`share`: of pairs of different length in which the longer side may win before it is a finding."""
        self.share = share
        self.longer = self.shorter = self.equal = 0
        self.words = [0, 0]
        self.ratios = [0] * (len(BINS) - 1)
        self.examples = Sample[Example]()

    def see(self, record: Record, index: int) -> None:
        if not isinstance(record, Preference) or record.tie:
            return
        chosen, rejected = word_count(record.chosen), word_count(record.rejected)
        self.words[0] += chosen
        self.words[1] += rejected
        ratio = chosen / max(rejected, 1)
        self.ratios[next(n for n in range(len(self.ratios)) if ratio < BINS[n + 1])] += 1
        if chosen == rejected:
            self.equal += 1
        elif chosen > rejected:
            self.longer += 1
            if ratio >= MARKED:
                self.examples.offer(Example(record.id, f"chosen {chosen} words, rejected {rejected}"))
        else:
            self.shorter += 1

    def outcome(self) -> Outcome:
        pairs = self.longer + self.shorter
        if not pairs:
            return Outcome(skipped="no pair has responses of different length")
        figure = Interval(self.longer / pairs, *wilson(self.longer, pairs), pairs)
        # A ruler gets no credit where both are as long: it has to guess.
        ruler = (self.longer + self.equal / 2) / (pairs + self.equal)
        figures = {
            "longer_chosen": figure.value,
            "low": figure.low,
            "high": figure.high,
            "pairs": pairs,
            "equal_length": self.equal,
            "longest_wins_accuracy": ruler,
        }
        total = pairs + self.equal
        table = Table(
            "Length",
            ("", "words, mean"),
            (("chosen", self.words[0] / total), ("rejected", self.words[1] / total)),
        )
        edges = [f"{low:g} to {high:g}" for low, high in pairwise(BINS[1:-1])]
        labels = (f"under {BINS[1]:g}", *edges, f"{BINS[-2]:g} and more")
        plot = Plot(
            "Words of chosen over words of rejected", "bars", "pairs", labels=labels,
            series={"pairs": tuple(map(float, self.ratios))},
        )  # fmt: skip
        return Outcome(self._findings(figure, ruler), figures, (table,), (plot,))

    def _findings(self, figure: Interval, ruler: float) -> list[Finding]:
        if figure.low <= self.share and figure.high >= 1 - self.share:
            return []
        side = "longer" if figure.value > 0.5 else "shorter"
        value = max(figure.value, 1 - figure.value)
        return [
            Finding(
                check=self.name,
                code=f"{side}_wins",
                severity="warning",
                title=f"the {side} response is chosen in {value:.0%} of pairs",
                count=max(self.longer, self.shorter),
                of=figure.n,
                why=f'A ruler that says "{side} wins" is right in {max(ruler, 1 - ruler):.0%} of the pairs. '
                "A model that learns from them learns length first.",
                mend="Add pairs in which the better response is not the longer one, or leave out the most "
                "lopsided with heedful filter --max-length-ratio 2; report accuracy beside this ruler.",
                figure=figure,
                threshold=self.share,
                examples=self.examples.taken(),
            )
        ]
