"""Items and what people said of them as Heedful's records: what every check and `pairs` understand.

One person's word on a pair is a `Preference` with their name in its metadata, on a ranking a `Ranking`, on
ratings a `Rating` of each response and aspect, on thumbs a `Feedback` of each response. What an answer is
tells it, so that a vote of a chat is a pair in any project. A skip is no record: it is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import combinations
from typing import Any

from sqlalchemy import Connection

from heedful.collect.exchange.words import Word, left_out, words
from heedful.collect.settings import Settings
from heedful.collect.store import log
from heedful.collect.store.model import Item, Kind
from heedful.prepare.votes import OF_ONE_VOTE, turned
from heedful.quarantine import Kept, Quarantined
from heedful.records import (
    ANNOTATOR,
    EVEN,
    GENERATED_BY,
    GENERATOR,
    GENERATORS,
    GOLD,
    SECONDS,
    SHOWN_FIRST,
    VERDICT,
    Candidates,
    Feedback,
    Judgement,
    Preference,
    Ranking,
    Rating,
    Record,
)

SKIPPED = "skipped"
SIDES = ("a", "b")
SHOWN = "shown"  # metadata of a ranking: which response stood in each place
SCALE = "scale"  # metadata beside a margin or a score: how many steps were to choose from
GOLD_RANKS, GOLD_SCORE, GOLD_THUMB = "gold_ranks", "gold_score", "gold_desirable"
"""What would be right, of a ranking, a rating and a thumb whose answer is known."""
OF_A_RANKING = frozenset({SHOWN, GENERATED_BY, GOLD_RANKS})
"""Metadata that are about all of a ranking's responses, and not about a pair of them."""


def records_of(
    connection: Connection, settings: Settings, *, kinds: Collection[Kind] = log.VOTES
) -> Kept[Record]:
    """Everybody's standing votes as records, in the order they were given; skips are left out as `skipped`.

    Gold and calibration items are among them; their records say what would be right.
    """
    return as_records(words(connection, kinds=kinds), settings)


def as_records(said: Iterable[Word], settings: Settings) -> Kept[Record]:
    """The records of each word; skips are left out as `skipped`."""
    kept: list[Record] = []
    skips: list[Quarantined] = []
    for word in said:
        if word.answer.skipped:
            skips.append(skipped(word))
        else:
            kept += records(word, settings)
    return Kept(kept, skips)


def records(word: Word, settings: Settings) -> Iterator[Record]:
    """The records of one word; none of a skip."""
    if word.answer.skipped:
        return
    if word.answer.verdict is not None:
        yield _preference(word, settings)
    elif word.answer.ranks is not None:
        yield _ranking(word)
    elif word.answer.scores is not None:
        yield from _ratings(word, settings)
    elif word.answer.thumbs is not None:
        yield from _thumbs(word)


def skipped(word: Word) -> Quarantined:
    return left_out(word, SKIPPED, word.answer.reason or "the annotator skipped the item")


def is_pair(word: Word, settings: Settings) -> bool:
    """Whether it is about which of two responses is better; of a skip, whether that was asked."""
    asked = settings.task == "pairwise" or word.entry.kind == "chat"
    return asked if word.answer.skipped else word.answer.verdict is not None


def judgement(word: Word) -> Judgement:
    """A word about a pair, a skip too, as the raw record of it."""
    assert word.answer.verdict is not None
    return Judgement(
        word.item.key,
        word.annotator,
        word.answer.verdict,
        strength=word.answer.strength,
        shown_order=tuple(SIDES[place] for place in word.entry.shown),
        rationale=word.answer.rationale or word.answer.reason,
        seconds=word.entry.seconds,
        at=word.entry.at,
    )


def candidates(item: Item) -> Candidates:
    """What people are asked, who wrote it, and of a pair which side is right, where these are known."""
    metadata = _of_item(item)
    if any(_generators(item)):
        metadata[GENERATED_BY] = _generators(item)
    if item.gold is not None and item.gold.verdict in SIDES:
        metadata[GOLD] = "chosen" if item.gold.verdict == "a" else "rejected"
    responses = tuple(response.turns for response in item.responses)
    return Candidates(item.prompt, responses, item.key, item.source, metadata)


def pairwise(ranking: Ranking) -> list[Preference]:
    """A person's ranking as their votes on each two of its responses; equal ranks are ties.

    With these, the rankings of several people can be counted, compared and aggregated pair by pair.
    """
    return [_pair_of(ranking, i, j) for i, j in combinations(range(len(ranking.responses)), 2)]


def _preference(word: Word, settings: Settings) -> Preference:
    answer, item, shown = word.answer, word.item, word.entry.shown
    tied = answer.verdict not in SIDES
    straight = answer.verdict == "a" if not tied else shown[:1] != (1,)
    first, second = item.responses
    known = _of_item(item)  # as of a pair whose chosen side is the first response
    known |= {name: by for name, by in zip(GENERATORS, _generators(item), strict=True) if by}
    if item.gold is not None and item.gold.verdict in SIDES:
        known[GOLD] = "chosen" if item.gold.verdict == "a" else "rejected"
    if shown:
        known[SHOWN_FIRST] = "chosen" if shown[0] == 0 else "rejected"
    own = _own(word)
    if answer.verdict == "both_bad":
        own[VERDICT] = answer.verdict
    if answer.strength is not None:
        own[SCALE] = settings.strength
    return Preference(
        item.prompt,
        *((first.turns, second.turns) if straight else (second.turns, first.turns)),
        margin=None if answer.strength is None else float(answer.strength),
        probability=EVEN if tied else None,
        id=item.key,
        source=item.source,
        metadata=(known if straight else turned(known)) | own,
    )


def _pair_of(ranking: Ranking, i: int, j: int) -> Preference:
    """What a ranking says of the responses at i and j."""
    given = ranking.metadata
    ranks, shown = ranking.ranks, given.get(SHOWN, ())
    j_first = bool(shown) and shown.index(j) < shown.index(i)
    tied = ranks[i] == ranks[j]
    better, worse = (j, i) if ranks[j] < ranks[i] or (tied and j_first) else (i, j)
    metadata = {key: value for key, value in given.items() if key not in OF_A_RANKING}
    for name, place in zip(GENERATORS, (better, worse), strict=True):
        if GENERATED_BY in given and given[GENERATED_BY][place]:
            metadata[name] = given[GENERATED_BY][place]
    if shown:
        metadata[SHOWN_FIRST] = "chosen" if (better == j) == j_first else "rejected"
    gold = given.get(GOLD_RANKS)
    if gold is not None and gold[better] != gold[worse]:
        metadata[GOLD] = "chosen" if gold[better] < gold[worse] else "rejected"
    return Preference(
        ranking.prompt,
        ranking.responses[better],
        ranking.responses[worse],
        probability=EVEN if tied else None,
        id=f"{ranking.id}:{i + 1}+{j + 1}",
        source=ranking.source,
        metadata=metadata,
    )


def _ranking(word: Word) -> Ranking:
    ranks, item = word.answer.ranks, word.item
    assert ranks is not None
    known = _of_item(item)
    if any(_generators(item)):
        known[GENERATED_BY] = _generators(item)
    if word.entry.shown:
        known[SHOWN] = list(word.entry.shown)
    if item.gold is not None and item.gold.ranks is not None:
        known[GOLD_RANKS] = list(item.gold.ranks)
    responses = tuple(response.turns for response in item.responses)
    return Ranking(item.prompt, responses, ranks, item.key, item.source, known | _own(word))


def _ratings(word: Word, settings: Settings) -> Iterator[Rating]:
    gold = word.item.gold.scores if word.item.gold is not None else None
    for place, scores in enumerate(word.answer.scores or ()):
        for aspect, score in scores.items():
            known: dict[str, Any] = {SCALE: settings.points}
            if gold is not None and aspect in gold[place]:
                known[GOLD_SCORE] = gold[place][aspect]
            yield Rating(
                word.item.prompt,
                word.item.responses[place].turns,
                float(score),
                aspect,
                f"{word.item.key}.{place + 1}",
                word.item.source,
                _of_response(word, place, known),
            )


def _thumbs(word: Word) -> Iterator[Feedback]:
    gold = word.item.gold.thumbs if word.item.gold is not None else None
    for place, up in enumerate(word.answer.thumbs or ()):
        known = {} if gold is None else {GOLD_THUMB: gold[place]}
        yield Feedback(
            word.item.prompt,
            word.item.responses[place].turns,
            up,
            id=f"{word.item.key}.{place + 1}",
            source=word.item.source,
            metadata=_of_response(word, place, known),
        )


def _of_response(word: Word, place: int, known: dict[str, Any]) -> dict[str, Any]:
    if generator := word.item.responses[place].generator:
        known[GENERATOR] = generator
    return {**_of_item(word.item), **known, **_own(word)}


def _of_item(item: Item) -> dict[str, Any]:
    """What is known of an item; what its source knew of one vote is no word on these."""
    return {key: value for key, value in item.metadata.items() if key not in OF_ONE_VOTE}


def _generators(item: Item) -> list[str]:
    """Who wrote each response; "" where that is not known."""
    return [response.generator for response in item.responses]


def _own(word: Word) -> dict[str, Any]:
    """The metadata that are of this one vote."""
    own: dict[str, Any] = {ANNOTATOR: word.annotator}
    if word.entry.seconds is not None:
        own[SECONDS] = word.entry.seconds
    if word.answer.rationale:
        own["rationale"] = word.answer.rationale
    if word.answer.flags:
        own["flags"] = list(word.answer.flags)
    own["at"] = word.entry.at.isoformat()
    return own
