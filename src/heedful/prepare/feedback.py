"""Ratings, thumbs and rankings to preferences: gathered by prompt, compared, and made into records.

What several people say of one response counts as one: their mean score, or most of their thumbs. Which
responses are compared is `comparisons`' to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from heedful.errors import DataError
from heedful.prepare.comparisons import Answer, Chosen, Comparison, Limit, compare, oppose
from heedful.prepare.ledger import Ledger
from heedful.prepare.pair_settings import MEAN, PairSettings
from heedful.prepare.votes import SIDES
from heedful.records import EVEN, GENERATOR, GENERATORS, Feedback, Messages, Preference, Ranking, Rating

By = dict[Messages, dict[Messages, list[int]]]
"""Places of records by prompt and response, in order of appearance."""


@dataclass(frozen=True, slots=True)
class Thumb:
    """A thumb up or down on a response.

    Attributes:
        places: of the records behind it.
        name: what a pair's id is made of.
        source, metadata, weight: what the records say of the response.
    """

    desirable: bool
    places: Sequence[int]
    name: str
    source: str
    metadata: Mapping[str, Any]
    weight: float = 1.0


Thumbs = dict[Messages, dict[Messages, list[Thumb]]]
"""Thumbs by prompt and response, in order of appearance."""


def from_ratings(ledger: Ledger, places: Iterable[int], settings: PairSettings) -> None:
    """Pairs of each prompt's rated responses; `margin` is the difference of their scores.

    Raises:
        DataError: the ratings are of several aspects and none is chosen, or none is of the chosen one.
    """
    places = list(places)
    aspect = _chosen_aspect([_rating(ledger, place).aspect for place in places], settings.aspect)
    by: By = {}
    for place in places:
        rating = _rating(ledger, place)
        if aspect not in (MEAN, rating.aspect):
            ledger.leave([place], "other_aspect", f"a rating of {rating.aspect}, not of {aspect}")
        else:
            by.setdefault(rating.prompt, {}).setdefault(rating.response, []).append(place)
    for prompt, rated in by.items():
        answers = _scored(ledger, rated)
        chosen = compare(
            answers,
            mode=settings.mode,
            epsilon=settings.tie_epsilon,
            keep_ties=settings.ties == "keep",
            limit=_limit(settings, prompt, "ratings"),
        )
        for pair in chosen.comparisons:
            told = {**pair.metadata(), **pair.scores(), "aspect": aspect}
            ledger.make(_preference(prompt, pair, pair.id, abs(pair.margin), told), pair.places)
        _leave_idle(ledger, chosen)


def _chosen_aspect(aspects: Sequence[str], wanted: str | None) -> str:
    counts = Counter(aspects)
    told = ", ".join(f"{aspect} {count}" for aspect, count in counts.most_common())
    if wanted is None:
        if len(counts) > 1:
            what = f"the ratings are of {len(counts)} aspects ({told}), and responses are compared by one."
            mend = f"Pick one with --aspect {next(iter(counts))}, or the mean of all with --aspect {MEAN}."
            raise DataError(what, where="aspect", mend=mend)
        return next(iter(counts), MEAN)
    if counts and wanted != MEAN and wanted not in counts:
        what = f"no rating is of the aspect {wanted} (found: {told})."
        raise DataError(what, where="aspect", mend="Name one that there is.")
    return wanted


def _scored(ledger: Ledger, rated: dict[Messages, list[int]]) -> list[Answer]:
    """The responses that are rated on every aspect that any of the prompt's is, with their mean scores."""
    by_aspect: list[dict[str, list[float]]] = []
    for places in rated.values():
        scores: dict[str, list[float]] = {}
        for place in places:
            rating = _rating(ledger, place)
            scores.setdefault(rating.aspect, []).append(rating.score)
        by_aspect.append(scores)
    aspects = {aspect for scores in by_aspect for aspect in scores}
    answers: list[Answer] = []
    for (response, places), scores in zip(rated.items(), by_aspect, strict=True):
        if missing := aspects - scores.keys():
            what = f"the response is not rated on {', '.join(sorted(missing))}"
            ledger.leave(places, "missing_aspect", what)
            continue
        means = [sum(given) / len(given) for given in scores.values()]
        first, score = _rating(ledger, places[0]), sum(means) / len(means)
        told = first.id, first.source, first.metadata
        answers.append(Answer(len(answers), response, score, places, *told))
    return answers


def from_ranking(ledger: Ledger, place: int, settings: PairSettings) -> None:
    """Pairs of a ranking's responses; equal ranks are ties. A rank is no measure, so there is no margin."""
    ranking = ledger.records[place]
    assert isinstance(ranking, Ranking)
    answers = [
        Answer(number, response, -rank, [place], str(number + 1), ranking.source)
        for number, (response, rank) in enumerate(zip(ranking.responses, ranking.ranks, strict=True))
    ]
    chosen = compare(
        answers,
        mode=settings.mode,
        epsilon=0,
        keep_ties=settings.ties == "keep",
        limit=_limit(settings, ranking.prompt, f"ranking {ranking.id}"),
    )
    for pair in chosen.comparisons:
        made = _preference(ranking.prompt, pair, f"{ranking.id}:{pair.id}", None, dict(ranking.metadata))
        ledger.make(made, [place])
    _leave_idle(ledger, chosen)
    if not answers:
        ledger.leave([place], "one_response", "the ranking has no response")


def gather_thumbs(ledger: Ledger, places: Iterable[int]) -> Thumbs:
    """The thumbs that records of feedback are."""
    thumbs: Thumbs = {}
    for place in places:
        record = ledger.records[place]
        assert isinstance(record, Feedback)
        told = record.id, record.source, record.metadata, record.weight
        thumb = Thumb(record.desirable, [place], *told)
        thumbs.setdefault(record.prompt, {}).setdefault(record.response, []).append(thumb)
    return thumbs


def both_down(thumbs: Thumbs, preference: Preference, places: Sequence[int]) -> None:
    """A thumb down for each side of a pair whose verdict is that both are bad."""
    for side, generator in zip(SIDES, GENERATORS, strict=True):
        known = {GENERATOR: preference.metadata[generator]} if generator in preference.metadata else {}
        thumb = Thumb(False, places, f"{preference.id}:{side}", preference.source, known)
        thumbs.setdefault(preference.prompt, {}).setdefault(getattr(preference, side), []).append(thumb)


def from_thumbs(ledger: Ledger, thumbs: Thumbs, settings: PairSettings) -> None:
    """Each response that most thumbs are up on against each that most are down on, of one prompt."""
    for prompt, by_response in thumbs.items():
        good: list[Answer] = []
        bad: list[Answer] = []
        for order, (response, given) in enumerate(by_response.items()):
            share = sum(thumb.desirable for thumb in given) / len(given)
            places = [place for thumb in given for place in thumb.places]
            if share == EVEN:
                ledger.leave(places, "divided")
                continue
            told = given[0].name, given[0].source, given[0].metadata
            weight = sum(thumb.weight for thumb in given) / len(given)
            answer = Answer(order, response, share, places, *told, weight)
            (good if share > EVEN else bad).append(answer)
        chosen = oppose(good, bad, limit=_limit(settings, prompt, "thumbs"))
        for pair in chosen.comparisons:
            ledger.make(_preference(prompt, pair, pair.id, None, pair.metadata()), pair.places)
        _leave_idle(ledger, chosen)


def _limit(settings: PairSettings, prompt: Messages, of: str) -> Limit:
    return Limit.of_prompt(prompt, of, count=settings.per_prompt, seed=settings.seed)


def _rating(ledger: Ledger, place: int) -> Rating:
    record = ledger.records[place]
    assert isinstance(record, Rating)
    return record


def _preference(
    prompt: Messages, pair: Comparison, id: str, margin: float | None, metadata: dict[str, Any]
) -> Preference:
    return Preference(
        prompt,
        pair.better.response,
        pair.worse.response,
        margin=margin,
        probability=EVEN if pair.tie else None,
        weight=pair.better.weight * pair.worse.weight,
        id=id,
        source=pair.in_order[0].source,
        metadata=metadata,
    )


def _leave_idle(ledger: Ledger, chosen: Chosen) -> None:
    for answer, reason in chosen.idle:
        ledger.leave(answer.places, reason)
