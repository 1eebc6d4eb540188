"""From scored responses to the pairs that a reward model is judged by.

A preference is a pair. A ranking is every pair of unequal ranks, and ratings of one prompt under one aspect
are every pair of unequal ratings, their difference being the margin. Takes rendered rows with their scores
and asks no model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from heedful.evaluation.reward_quality import RewardQuality, reward_quality
from heedful.records import Messages, Preference, Ranking, Rating
from heedful.render.rows import Row


@dataclass(frozen=True, slots=True)
class Scored:
    """A response, what the model gives it, and its length in tokens: uncut, end of turn included."""

    response: Messages
    score: float
    tokens: int


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two scored responses to one prompt; `margin` and `probability` as a `Preference` has them."""

    prompt: Messages
    chosen: Scored
    rejected: Scored
    margin: float | None = None
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class _Rated:
    row: int
    scored: Scored
    rating: float


def scored_pairs(
    rows: Sequence[Row], scores: Sequence[Sequence[float]]
) -> tuple[list[ScoredPair], list[Row]]:
    """The pairs that rows of preferences, rankings and ratings hold, and the rows that are in none of them.

    Args:
        rows: as `render` makes them, each with its record.
        scores: of every response of every row.

    Raises:
        TypeError: a row is of something else.
    """
    pairs: list[ScoredPair] = []
    alone = set(range(len(rows)))
    rated: defaultdict[tuple[Messages, str], list[_Rated]] = defaultdict(list)
    for at, (row, own) in enumerate(zip(rows, scores, strict=True)):
        record = row.record
        tokens = row.lengths
        found: list[ScoredPair] = []
        if isinstance(record, Rating):
            scored = Scored(record.response, own[0], tokens[0])
            rated[record.prompt, record.aspect].append(_Rated(at, scored, record.score))
        elif isinstance(record, Preference):
            chosen = Scored(record.chosen, own[0], tokens[0])
            rejected = Scored(record.rejected, own[1], tokens[1])
            found = [ScoredPair(record.prompt, chosen, rejected, record.margin, record.probability)]
        elif isinstance(record, Ranking):
            found = _of_ranking(record, list(map(Scored, record.responses, own, tokens)))
        else:
            raise TypeError(f"no reward model is judged by a {type(record).__name__}")
        pairs += found
        if found:
            alone.remove(at)
    for (prompt, _), ratings in rated.items():
        for better, worse in permutations(ratings, 2):
            same = rows[better.row].responses == rows[worse.row].responses
            if better.rating > worse.rating and not same:
                apart = better.rating - worse.rating
                pairs.append(ScoredPair(prompt, better.scored, worse.scored, margin=apart))
                alone -= {better.row, worse.row}
    return pairs, [rows[at] for at in sorted(alone)]


def quality(pairs: Sequence[ScoredPair]) -> RewardQuality:
    """What the pairs say of the model; pairs of one prompt are taken to be alike.

    Raises:
        DataError: as `reward_quality`.
    """
    return reward_quality(
        [pair.chosen.score for pair in pairs],
        [pair.rejected.score for pair in pairs],
        chosen_lengths=[pair.chosen.tokens for pair in pairs],
        rejected_lengths=[pair.rejected.tokens for pair in pairs],
        margins=[pair.margin for pair in pairs],
        probabilities=[pair.probability for pair in pairs],
        groups=[pair.prompt for pair in pairs],
    )


def _of_ranking(record: Ranking, responses: Sequence[Scored]) -> list[ScoredPair]:
    ranked = zip(record.ranks, responses, strict=True)
    return [
        ScoredPair(record.prompt, better, worse)
        for (rank, better), (behind, worse) in permutations(ranked, 2)
        if rank < behind
    ]
