"""How far responses are from what the model to be trained would say: losses per token under that model.

Two questions: which chosen replies are far out among the chosen ones, and how far chosen and rejected ones
are on the whole from the model's own answers. Losses come from the floor above (`ModelScores.losses`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heedful.checks.finding import EXAMPLES, Example, Finding, Interval, Outcome, Plot, Table
from heedful.checks.model_scores import Losses, ModelScores
from heedful.checks.sample import Sample
from heedful.checks.text import excerpt, text_of
from heedful.intervals import bootstrap, difference
from heedful.records import Preference, Record

Array = NDArray[np.float64]

OUTLYING = 3.5  # what Iglewicz & Hoaglin 1993 call an outlier
DISTANCE = 1.0
PAIRS = 200
ANSWERS = 32
START = 64
BINS = 20
# A normal distribution's median absolute deviation, in standard deviations.
DEVIATION = 0.6745


class OffDistribution:
    """Chosen replies that the model finds very unlikely, and the distance of all to its own answers."""

    name = "off_distribution"
    asks = "Would the model to be trained say such things?"

    def __init__(
        self,
        model: ModelScores,
        *,
        outlying: float = OUTLYING,
        distance: float = DISTANCE,
        pairs: int = PAIRS,
        answers: int = ANSWERS,
        start: int = START,
        seed: int = 0,
    ) -> None:
        """`outlying`: robust standard deviations from the median, of the logarithm of the loss per token,
        above which a chosen reply is far out. `distance`: nats per token that chosen replies may lie above
        the model's own answers. `pairs`: looked at, at most: a uniform sample of them.
        `answers`: that the model gives itself. `start`: tokens of a reply that are compared with them.
        `seed`: of the sample.
        """
        self.outlying, self.distance = outlying, distance
        self.answers, self.start = answers, start
        self._model = model
        self._sample = Sample[Preference](pairs, seed)

    def see(self, record: Record, index: int) -> None:
        if isinstance(record, Preference) and not record.tie:
            self._sample.offer(record)

    def outcome(self) -> Outcome:
        pairs = self._sample.taken()
        if not pairs:
            return Outcome(skipped="no pair has a preferred side")
        losses = self._model.losses(pairs, answers=self.answers, start=self.start)
        known = int(np.isfinite(losses.chosen).sum())
        if not known:
            return Outcome(skipped="no pair is left once it is rendered for the model")
        scores = outlyingness(losses.chosen)
        far = [int(at) for at in np.argsort(-np.nan_to_num(scores)) if scores[at] > self.outlying]
        gaps = {
            "chosen": _gap(losses.chosen_start, losses.own),
            "rejected": _gap(losses.rejected_start, losses.own),
        }
        medians = {"chosen": _median(losses.chosen), "rejected": _median(losses.rejected)}
        figures = {
            "pairs": known,
            "of": self._sample.seen,
            "far_out": len(far),
            "loss": medians,
            "own_loss": None if gaps["chosen"] is None else _median(losses.own),
            "above_own": {
                side: None if gap is None else {"value": gap.value, "low": gap.low, "high": gap.high}
                for side, gap in gaps.items()
            },
        }
        table = Table(
            "Loss per token, nats",
            ("", "median", "above the model's own answers", "from", "to"),
            tuple((side, medians[side], *_cells(gap)) for side, gap in gaps.items()),
        )
        findings = [*self._far_out(far, losses, pairs, known), *self._unlike(gaps["chosen"])]
        return Outcome(findings, figures, (table,), (_plot(losses),))

    def _far_out(
        self, far: Sequence[int], losses: Losses, pairs: Sequence[Preference], known: int
    ) -> list[Finding]:
        if not far:
            return []
        return [
            Finding(
                check=self.name,
                code="chosen_far_out",
                severity="note",
                title=f"{len(far):,} of {known:,} chosen replies looked at are far less likely under the "
                "model than the rest",
                count=len(far),
                of=known,
                why="Such a reply is often damaged, in another language, or not text at all; if it is sound, "
                "DPO can hardly raise it from so far below.",
                mend="Read them. Leave out what is damaged, and fine-tune on the chosen replies "
                "(heedful sft) before DPO.",
                threshold=self.outlying,
                examples=tuple(
                    Example(
                        pairs[at].id,
                        f"{losses.chosen[at]:.1f} nats a token: {excerpt(text_of(pairs[at].chosen))}",
                    )
                    for at in far[:EXAMPLES]
                ),
            )
        ]

    def _unlike(self, gap: Interval | None) -> list[Finding]:
        if gap is None or gap.low <= self.distance:
            return []
        return [
            Finding(
                check=self.name,
                code="chosen_unlike_model",
                severity="note",
                title=f"chosen replies are {gap.value:.1f} nats a token less likely than the model's own "
                f"answers ({gap.low:.1f} to {gap.high:.1f})",
                count=gap.n,
                of=gap.n,
                why="The model would hardly say what it is taught to prefer. DPO then widens the gap between "
                "two sides that are both unlikely, and can lower them both (Xu et al. 2024, 2404.10719).",
                mend="Fine-tune on the chosen replies first (heedful sft), or make pairs of the model's own "
                "answers.",
                figure=gap,
                threshold=self.distance,
            )
        ]


def outlyingness(losses: ArrayLike) -> Array:
    """Robust standard deviations of the logarithm from its median (Iglewicz & Hoaglin 1993); NaN stays.

    All 0 where more than half are alike.
    """
    logs = np.log(np.maximum(np.asarray(losses, dtype=np.float64), np.finfo(np.float64).tiny))
    apart = logs - np.nanmedian(logs)
    spread = float(np.nanmedian(np.abs(apart)))
    return np.asarray(DEVIATION * apart / spread if spread > 0 else 0.0 * apart)


def _gap(losses: Array, own: Array) -> Interval | None:
    """How much higher their median is than that of the model's own answers; None where it gave too few."""
    known = losses[np.isfinite(losses)]
    if min(len(known), len(own)) < 2:
        return None
    medians = float(np.median(known)), float(np.median(own))
    ends = [bootstrap(values, statistic=np.median) for values in (known, own)]
    return Interval(
        medians[0] - medians[1], *difference(medians[0], ends[0], medians[1], ends[1]), len(known)
    )


def _cells(gap: Interval | None) -> tuple[str | float, ...]:
    return ("", "", "") if gap is None else (gap.value, gap.low, gap.high)


def _median(losses: Array) -> float:
    return float(np.nanmedian(losses))


def _plot(losses: Losses) -> Plot:
    """Shares rather than counts: the model answers fewer prompts than there are pairs."""
    sides = {"chosen": losses.chosen_start, "rejected": losses.rejected_start, "its own": losses.own}
    known = {side: values[np.isfinite(values)] for side, values in sides.items()}
    together = np.concatenate(list(known.values()))
    edges = np.linspace(float(together.min()), float(together.max()) or 1.0, BINS + 1)
    return Plot(
        f"Loss per token of the first {losses.start} tokens, nats",
        "histogram",
        "share of responses",
        bins=tuple(map(float, edges)),
        series={
            side: tuple(map(float, np.histogram(values, edges)[0] / len(values)))
            for side, values in known.items()
            if len(values)
        },
    )
