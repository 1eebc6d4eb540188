"""Records as answers to compare: which can be, what a label says of each two, and which pairs are chosen.

Whatever label a record brings decides nothing here; it is kept to be set beside the judge's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from heedful.evaluation.duels import Choice, Duel
from heedful.formats.sound import alike
from heedful.prepare.pair_settings import Mode
from heedful.prepare.votes import OF_ONE_VOTE
from heedful.records import (
    AGREEMENT,
    EVEN,
    GENERATED_BY,
    GENERATORS,
    GOLD,
    SCORES,
    Candidates,
    Messages,
    Preference,
    Ranking,
    Record,
)

LEFT_OUT = {
    "no_candidates": "a record without two responses to one prompt",
    "one_response": "the prompt has no other response to compare it with",
    "equal_sides": "the responses are the same but for spacing",
    "other_turns": "the responses differ in more than their last message",
}
"""Why a record or a pair cannot be compared."""

# Of the label that a record brings, or of all its responses rather than of a pair.
_OF_THE_LABEL = OF_ONE_VOTE | {AGREEMENT, "votes", "flags", "adjudicated", *SCORES}
_OF_ALL = {GENERATED_BY, "shown", "gold_ranks"}

Places = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Answers:
    """The responses of one record, to be compared.

    Attributes:
        prompt: what all of them answer, the turns among it that they begin with alike.
        texts: the last message of each response.
        worths: by the record's own label, higher is better; empty where it has none.
        metadata: of the record, without what is of its label or of all responses.
    """

    record: Candidates | Preference | Ranking
    prompt: Messages
    responses: tuple[Messages, ...]
    texts: tuple[str, ...]
    worths: tuple[float, ...]
    metadata: Mapping[str, Any]

    def comparable(self, pair: Places) -> bool:
        """Whether the two differ in more than spacing."""
        one, other = (self.responses[place] for place in pair)
        return not alike(one, other)

    def label(self, pair: Places) -> Choice | None:
        """Which of two the record's own label calls better."""
        if not self.worths:
            return None
        one, other = (self.worths[place] for place in pair)
        return "tie" if one == other else "first" if one > other else "second"

    def name(self, pair: Places) -> str:
        """The id of the pair: the record's, and of more than two responses which."""
        if len(self.responses) == 2:
            return self.record.id
        return f"{self.record.id}:{pair[0] + 1}+{pair[1] + 1}"

    def known(self, pair: Places) -> dict[str, Any]:
        """The metadata of a preference for the first of the two."""
        told = dict(self.metadata)
        if len(self.responses) > 2:
            told.pop(GOLD, None)  # it names one of two
        writers = self.record.metadata.get(GENERATED_BY)
        if isinstance(writers, list | tuple) and len(writers) == len(self.responses):
            for name, place in zip(GENERATORS, pair, strict=True):
                if writers[place]:
                    told[name] = writers[place]
        return told


def answers_of(record: Record) -> Answers | str:
    """The answers of a record, or a reason of `LEFT_OUT`."""
    responses: tuple[Messages, ...]
    worths: tuple[float, ...]
    if isinstance(record, Preference):
        responses, worths = (record.chosen, record.rejected), _worths(record)
    elif isinstance(record, Ranking):
        responses, worths = record.responses, tuple(-float(rank) for rank in record.ranks)
    elif isinstance(record, Candidates):
        responses, worths = record.responses, ()
    else:
        return "no_candidates"
    if len(responses) < 2:
        return "one_response"
    before = responses[0][:-1]
    if any(response[:-1] != before for response in responses):
        return "other_turns"
    if all(alike(responses[0], other) for other in responses[1:]):
        return "equal_sides"
    left = _OF_THE_LABEL | _OF_ALL
    metadata = {key: value for key, value in record.metadata.items() if key not in left}
    texts = tuple(response[-1].content for response in responses)
    return Answers(record, (*record.prompt, *before), responses, texts, worths, metadata)


def to_ask(answers: Answers, mode: Mode, *, scored: bool) -> list[Places]:
    """The pairs that a judge is asked about.

    Args:
        mode: each two (`all`); each and the next one (`adjacent`), which is cheapest; all of them to find the
            `best-worst`.
        scored: comparing costs nothing once answers are scored, so that all pairs are asked about.
    """
    places = range(len(answers.responses))
    pairs = pairwise(places) if mode == "adjacent" and not scored else combinations(places, 2)
    return [pair for pair in pairs if answers.comparable(pair)]


def to_keep(duels: Mapping[Places, Duel], mode: Mode, *, scored: bool) -> list[Places]:
    """Of the pairs that were asked about those that become preferences, whatever came of them.

    Of `best-worst` the one with the most points against the one with the fewest, where a win is one and a tie
    one half; of `adjacent` neighbours by points where all pairs were asked about.
    """
    if mode == "all" or (mode == "adjacent" and not scored) or len(duels) < 2:
        return list(duels)
    ranked = _by_points(duels)
    pairs = pairwise(ranked) if mode == "adjacent" else [(ranked[0], ranked[-1])] if ranked else []
    in_order = [(one, other) if one < other else (other, one) for one, other in pairs]
    return sorted(pair for pair in in_order if pair in duels)


def _by_points(duels: Mapping[Places, Duel]) -> list[int]:
    """Answers from the best to the worst by their mean outcome; of equal ones the first comes first."""
    points: dict[int, list[float]] = {}
    for (one, other), duel in duels.items():
        if duel.decided:
            points.setdefault(one, []).append(duel.outcome)
            points.setdefault(other, []).append(1 - duel.outcome)
    return sorted(points, key=lambda place: (-sum(points[place]) / len(points[place]), place))


def _worths(record: Preference) -> tuple[float, float]:
    likely = 1.0 if record.probability is None else record.probability
    return (EVEN, EVEN) if record.tie else (likely, 1 - likely)
