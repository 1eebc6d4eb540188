"""From the votes of several annotators on an item to one preference: the methods, and when none is made.

Which side wins and how likely it is the better one is the method's to say; how many votes and how much
agreement are enough, and how the likelihood is written down, is the same for all. Takes items with their
votes from `votes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heedful.agreement import leave_one_out
from heedful.prepare.bradley_terry import bradley_terry
from heedful.prepare.dawid_skene import dawid_skene
from heedful.prepare.ledger import Ledger
from heedful.prepare.pair_settings import Aggregation, Method, Soft
from heedful.prepare.votes import OTHER_WAY_ROUND, Item, Vote, turned
from heedful.records import AGREEMENT, EVEN, VERDICT, Messages, Preference, Verdict

Floats = NDArray[np.float64]

FIRST, SECOND, TIE = 0, 1, 2
CLASSES = 3
CODES = {"a": FIRST, "b": SECOND, "tie": TIE, "both_bad": TIE}
MIRRORED = np.array([SECOND, FIRST, TIE])

CAUTION = 5.0
"""Votes of an average annotator that are added to each one's own before they are weighted."""

SAME = 1e-9
"""Shares that differ by less are the same: what adding thirds leaves."""


def aggregate(
    ledger: Ledger, items: Sequence[Item], settings: Aggregation
) -> Iterator[tuple[Preference, list[int]]]:
    """A preference of each item that has the votes for it, and the places of its records.

    The records of the other items are left out. A preference's metadata hold `AGREEMENT`, the share of the
    votes that gave the outcome, and `votes`, how many there were for chosen, rejected, a tie and both bad,
    and skipped. Its `probability` is None where the method has no doubt, as when all votes are for one side;
    0.5 is a tie. Its `margin` is that of the votes, see `_margin`.
    """
    enough: list[Item] = []
    for item in items:
        if not item.votes:
            ledger.leave(item.all_places, "no_vote", "everyone skipped the item")
        elif len(item.votes) < settings.min_votes:
            detail = f"{len(item.votes)} of at least {settings.min_votes} votes"
            ledger.leave(item.all_places, "too_few_votes", detail)
        else:
            enough.append(item)
    if not enough:
        return
    for item, share in zip(enough, METHODS[settings.method](enough), strict=True):
        if np.isnan(share):
            what = "no annotator of it agrees with the others better than by chance"
            ledger.leave(item.all_places, "no_vote", what)
        elif (preference := _decided(ledger, item, float(share), settings)) is not None:
            yield preference, item.all_places


def _decided(ledger: Ledger, item: Item, share: float, settings: Aggregation) -> Preference | None:
    """The item's preference, where `share` goes to its first response; None where too few votes agree."""
    counts = Counter(vote.verdict for vote in item.votes)
    tie = abs(share - EVEN) < SAME
    straight = tie or share > EVEN
    won: Verdict = "a" if straight else "b"
    ties = counts["tie"] + counts["both_bad"]
    agreement = (max(ties, counts[won]) if tie else counts[won]) / len(item.votes)
    if agreement < settings.min_agreement - SAME:
        detail = f"{agreement:.0%} of {len(item.votes)} votes gave the outcome"
        ledger.leave(item.all_places, "low_agreement", detail)
        return None
    metadata = item.known() if straight else turned(item.known())
    metadata[AGREEMENT] = agreement
    metadata["votes"] = {
        "chosen": counts[won],
        "rejected": counts[OTHER_WAY_ROUND[won]],
        "tie": counts["tie"],
        "both_bad": counts["both_bad"],
        "skip": item.skipped,
    }
    if tie and counts["both_bad"] * 2 > len(item.votes):
        metadata[VERDICT] = "both_bad"
    sides = (item.first, item.second) if straight else (item.second, item.first)
    likely = EVEN if tie else max(share, 1 - share)
    label = _label(likely, settings.soft)
    return Preference(
        item.prompt,
        *sides,
        margin=_margin(item.votes, "tie" if tie else won),
        id=item.id,
        source=item.source,
        metadata=metadata,
        **label,
    )


def _margin(votes: Sequence[Vote], outcome: Verdict) -> float | None:
    """How much better the outcome's side is, in the votes' own units; None where no vote says how much.

    The mean of the votes' margins, those for the other side negative and ties 0; votes for a side that do not
    say how much are not in it. At least 0: where few strong votes lose against many weak ones the label
    stands, with no margin to ask for. A tie's is 0.
    """
    if all(vote.margin is None for vote in votes):
        return None
    if outcome not in OTHER_WAY_ROUND:
        return 0.0
    signed = [
        vote.margin if vote.verdict == outcome else -vote.margin
        for vote in votes
        if vote.verdict in OTHER_WAY_ROUND and vote.margin is not None
    ]
    ties = sum(vote.verdict not in OTHER_WAY_ROUND for vote in votes)
    return max(sum(signed) / (len(signed) + ties), 0.0) if signed else None


def _label(likely: float, soft: Soft) -> dict[str, Any]:
    """The likelihood as a preference holds it; a tie is one whatever becomes of the rest."""
    if likely == EVEN:
        return {"probability": EVEN}
    if soft == "probability":
        return {"probability": likely if likely < 1 - SAME else None}
    return {"weight": 2 * likely - 1} if soft == "weight" else {}


@dataclass(frozen=True, slots=True)
class _Votes:
    """The votes of all items as arrays `[votes]`, whole numbers from 0; `shares` go to the first response."""

    items: NDArray[np.int64]
    annotators: NDArray[np.int64]
    codes: NDArray[np.int64]
    shares: Floats

    @classmethod
    def of(cls, items: Sequence[Item]) -> _Votes:
        names: dict[str, int] = {}
        votes = [(number, vote) for number, item in enumerate(items) for vote in item.votes]
        return cls(
            np.array([number for number, _ in votes], dtype=np.int64),
            np.array([names.setdefault(vote.annotator, len(names)) for _, vote in votes], dtype=np.int64),
            np.array([CODES[vote.verdict] for _, vote in votes], dtype=np.int64),
            np.array([vote.share for _, vote in votes], dtype=np.float64),
        )


def _majority(items: Sequence[Item]) -> Floats:
    return np.array([sum(vote.share for vote in item.votes) / len(item.votes) for item in items])


def _weighted(items: Sequence[Item]) -> Floats:
    """Shares of the votes, each weighted by how far its annotator agrees with the others beyond chance.

    The agreement is that with what most of the others said (`leave_one_out`), drawn towards the average by
    `CAUTION` votes; at half or less, which a coin reaches, it weighs nothing. NaN where no vote weighs.
    """
    votes = _Votes.of(items)
    agrees = leave_one_out(votes.items, votes.codes, CLASSES)
    known = np.isfinite(agrees)
    if not known.any():  # nobody voted on what another did: there is no reason to trust one more
        return _majority(items)
    average = float(agrees[known].mean())
    n_annotators = int(votes.annotators.max()) + 1
    agreed = np.bincount(votes.annotators[known], agrees[known], n_annotators)
    times = np.bincount(votes.annotators[known], minlength=n_annotators)
    reliability = (agreed + CAUTION * average) / (times + CAUTION)
    weights = np.maximum(2 * reliability - 1, 0.0)[votes.annotators]
    total = np.bincount(votes.items, weights, len(items))
    first = np.bincount(votes.items, weights * votes.shares, len(items))
    share: Floats = np.divide(first, total, out=np.full(len(items), np.nan), where=total > 0)
    return share


def _bradley_terry(items: Sequence[Item]) -> Floats:
    """σ of the difference of two responses' strengths, fitted to all votes on their prompt's responses."""
    votes = _Votes.of(items)
    players: dict[tuple[Messages, Messages], int] = {}
    pairs = np.array(
        [
            [players.setdefault((item.prompt, side), len(players)) for side in (item.first, item.second)]
            for item in items
        ]
    )
    games = pairs[votes.items]
    strength = bradley_terry(games[:, 0], games[:, 1], votes.shares, len(players))
    difference = strength[pairs[:, 0]] - strength[pairs[:, 1]]
    return np.asarray(1 / (1 + np.exp(-difference)))


def _dawid_skene(items: Sequence[Item]) -> Floats:
    """How likely the first response is better, of three classes: it is, the second is, they are as good.

    Which of two responses comes first means nothing, so each item goes in both ways round: nobody is then
    found to prefer "the first one", and names given to the sides change nothing. Where a tie is the likeliest
    class the item is one.
    """
    votes = _Votes.of(items)
    n_classes = CLASSES if (votes.codes == TIE).any() else TIE
    fit = dawid_skene(
        np.concatenate([votes.items, votes.items + len(items)]),
        np.concatenate([votes.annotators, votes.annotators]),
        np.concatenate([votes.codes, MIRRORED[votes.codes]]),
        n_classes,
    )
    likely = fit.classes[: len(items)]
    first = likely[:, FIRST] + likely[:, TIE:].sum(axis=1) / 2
    tied = (likely[:, TIE:] > likely[:, :TIE].max(axis=1, keepdims=True)).any(axis=1)
    return np.where(tied, EVEN, first)


METHODS: dict[Method, Callable[[Sequence[Item]], Floats]] = {
    "majority": _majority,
    "weighted": _weighted,
    "bradley-terry": _bradley_terry,
    "dawid-skene": _dawid_skene,
}
