"""How many labels are flipped, and which: pairs whose label reward models contradict that never saw it.

Keeps a sample of pairs, has a model from the floor above score them (`ModelScores.cross_fit`), and leaves the
arithmetic to `noise_estimate`. No record is proposed for removal: only a sample was looked at, and the pairs
that models find hard are not the ones to lose.
"""

from __future__ import annotations

import numpy as np

from heedful.checks.finding import EXAMPLES, Example, Finding, Outcome, Plot, Table
from heedful.checks.model_scores import ModelScores
from heedful.checks.noise_estimate import FEWEST, WIDEST, NoiseEstimate, estimate
from heedful.checks.sample import Sample
from heedful.checks.text import excerpt, text_of
from heedful.records import Preference, Record

SHARE = 0.05
PAIRS = 1500
FOLDS = 5
REPEATS = 5
LISTED = 20  # suspects in the table
SUSPECT = 0.5  # a label that is likelier flipped than not
BINS = 24
MOST_SMOOTHING = 0.49  # label smoothing is below one half


class LabelNoise:
    """The share of flipped labels, told apart from the mistakes of the models that contradict them."""

    name = "label_noise"
    asks = "How many labels are flipped, and which?"

    def __init__(
        self,
        model: ModelScores,
        *,
        share: float = SHARE,
        pairs: int = PAIRS,
        folds: int = FOLDS,
        repeats: int = REPEATS,
        widest: float = WIDEST,
        seed: int = 0,
    ) -> None:
        """`share`: of flipped labels from which it is a finding.
        `pairs`: looked at, at most: a uniform sample of them. `folds`: that the sample is cut into.
        `repeats`: how often it is cut anew. `widest`: 95% interval with which a share is still named.
        `seed`: of the sample.
        """
        self.share, self.widest = share, widest
        self.folds, self.repeats = folds, repeats
        self._model = model
        self._sample = Sample[tuple[int, Preference]](pairs, seed)

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Preference) and not record.tie:
            self._sample.offer((index, record))

    def outcome(self) -> Outcome:
        taken = self._sample.taken()
        pairs = [pair for _, pair in taken]
        if len({pair.prompt for pair in pairs}) < self.folds:
            return Outcome(skipped=f"there are pairs of fewer than {self.folds} prompts")
        if len(pairs) < FEWEST:
            return Outcome(skipped=f"there are fewer than {FEWEST} pairs")
        scores = self._model.cross_fit(pairs, folds=self.folds, repeats=self.repeats)
        found = estimate(
            scores.differences,
            folds=scores.folds,
            groups=[pair.prompt for pair in pairs],
            widest=self.widest,
        )
        if not found.contradicted.n:
            return Outcome(skipped="no pair could be scored")
        suspects = _suspects(found)
        figures = {
            "pairs": found.contradicted.n,
            "of": self._sample.seen,
            "share": None if found.share is None else found.share.value,
            "low": found.bounds[0],
            "high": found.bounds[1],
            "contradicted": found.contradicted.value,
            "unknown": found.unknown,
            "suspects": [
                {"id": pairs[at].id, "index": taken[at][0], "flipped": float(found.flipped[at])}
                for at in suspects
            ],
        }
        rows = [
            (pairs[at].id, float(found.flipped[at]), float(found.mean[at]), float(found.spread[at]))
            for at in suspects[:LISTED]
        ]
        header = ("pair", "probability of a flipped label", "chosen above rejected, standardised", "±")
        tables = (Table("Labels most likely flipped", header, tuple(rows)),) if rows else ()
        return Outcome(self._findings(found, pairs, suspects), figures, tables, (_plot(found),))

    def _findings(self, found: NoiseEstimate, pairs: list[Preference], suspects: list[int]) -> list[Finding]:
        checked = f"{found.contradicted.n:,} of {self._sample.seen:,} pairs looked at"
        contradicted = f"Reward models that did not see them contradict {found.contradicted.value:.0%}"
        low, high = found.bounds
        if found.share is None:
            return [
                Finding(
                    check=self.name,
                    code="label_noise_unknown",
                    severity="note",
                    title=f"how many labels are flipped cannot be told ({low:.0%} to {high:.0%}; {checked})",
                    count=0,
                    of=found.contradicted.n,
                    why=f"There is no estimate: {found.unknown}. {contradicted}, by noise or by their own "
                    "mistakes.",
                    mend="Look at more pairs with --threshold label_noise.pairs=N, or have a larger model "
                    "look with --model NAME.",
                )
            ]
        value = found.share.value
        if value < self.share or low == 0:
            return []
        return [
            Finding(
                check=self.name,
                code="labels_flipped",
                severity="warning",
                title=f"about {value:.0%} of labels look flipped ({low:.0%} to {high:.0%}; {checked})",
                count=round(value * found.share.n),
                of=found.share.n,
                why=f"{contradicted}, which their own mistakes do not explain. Flipped labels teach the "
                "opposite, and DPO moves furthest on the labels that it is most surprised by.",
                mend="Have the suspects (their ids are in the table and in --json) judged again. What is "
                f"left is allowed for by objective.label_smoothing={min(value, MOST_SMOOTHING):.2f}.",
                figure=found.share,
                threshold=self.share,
                examples=tuple(_example(pairs[at], float(found.flipped[at])) for at in suspects[:EXAMPLES]),
            )
        ]


def _suspects(found: NoiseEstimate) -> list[int]:
    """Pairs whose label every repeat contradicts and is likelier flipped than not, the likeliest first."""
    likely = np.nan_to_num(found.flipped, nan=0.0)
    order = np.argsort(-likely, kind="stable")
    return [int(at) for at in order if found.always[at] and likely[at] > SUSPECT]


def _example(pair: Preference, flipped: float) -> Example:
    sides = f"chosen: {excerpt(text_of(pair.chosen))}\nrejected: {excerpt(text_of(pair.rejected))}"
    return Example(pair.id, f"flipped with probability {flipped:.2f}\n{sides}")


def _plot(found: NoiseEstimate) -> Plot:
    known = found.mean[np.isfinite(found.mean)]
    edge = float(np.abs(known).max(initial=1.0))
    counts, bins = np.histogram(known, bins=BINS, range=(-edge, edge))
    return Plot(
        "Chosen above rejected, by reward models that did not see the pair",
        "histogram",
        "pairs",
        bins=tuple(map(float, bins)),
        series={"pairs": tuple(map(float, counts))},
        reference=0.0,
    )
