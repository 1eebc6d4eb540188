"""What the data are, counted: kinds of records, prompts and their responses, pairs and their faults.

Takes all records in hand and leaves the faults to the checks that know them. Knows records; no model, no
tokenizer.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from statistics import median
from typing import Any

from heedful.advice.answers import final_answer
from heedful.advice.facts import DataFacts, TaskFacts
from heedful.checks.agreement import LowAgreement
from heedful.checks.duplicates import Duplicates
from heedful.checks.empty import EmptyReplies
from heedful.checks.finding import Check, Interval
from heedful.checks.length_bias import LengthBias
from heedful.checks.running import Checked, run
from heedful.checks.sides import EqualSides
from heedful.checks.text import folded, responses_of, text_of
from heedful.intervals import bootstrap, wilson
from heedful.intervals import share as share_interval
from heedful.prepare.pair_settings import MEAN, Aggregation, PairSettings
from heedful.prepare.pairs import make_pairs
from heedful.quarantine import Kept, Quarantined
from heedful.records import (
    ANNOTATOR,
    Candidates,
    Demonstration,
    Feedback,
    Judgement,
    Messages,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
)

# Most of what two sides say, word for word and in order, that makes them alike.
ALIKE = 0.8
# Pairs and good responses looked at for what takes time to compare.
LOOKED_AT = 500
_WORDS = 300
OVERALL = "overall"
# Feedback that stands alone with its prompt.
_ALONE = ("one_response", "one_sided")


@dataclass(frozen=True, slots=True)
class Good:
    """A response that the model should be able to give: demonstrated, chosen, or rated high."""

    prompt: Messages
    response: Messages


@dataclass(frozen=True, slots=True)
class Gathered:
    """The data in hand.

    Attributes:
        pairs: preferences with a preferred side, made of whatever feedback there is.
        settings: by which they were made.
        ratings: that stand alone with their prompt.
        demonstrations: each once.
        good: what is asked of the model: the chosen sides; without pairs the demonstrations; without these
            what has a thumb up or a score of at least the median.
        prompts: of the good responses, then those that nobody has answered, each once.
        unlabelled: prompts that nobody has answered or compared, each once.
    """

    facts: DataFacts
    task: TaskFacts | None
    pairs: Sequence[Preference]
    settings: PairSettings
    ratings: Sequence[Rating]
    demonstrations: Sequence[Demonstration]
    good: Sequence[Good]
    prompts: Sequence[Messages]
    unlabelled: Sequence[Messages]


def gather(records: Iterable[Record | Quarantined], *, seed: int = 0) -> Gathered:
    """Count and sort records; rows that were left out stand among them.

    Raises:
        DataError: there is no record.
    """
    rows = list(records)
    kept = [row for row in rows if not isinstance(row, Quarantined)]
    checks: list[Check] = [Duplicates(), LengthBias(), EqualSides(), EmptyReplies(), LowAgreement()]
    checked = run(rows, checks)
    settings = _settings(kept)
    made = make_pairs(kept, settings)
    pairs = [pair for pair in made if not pair.tie]
    chance = random.Random(seed)
    some = pairs if len(pairs) <= LOOKED_AT else chance.sample(pairs, LOOKED_AT)
    demonstrations = _demonstrations(kept)
    good = _good(pairs, demonstrations, kept)
    by_prompt = _responses(kept)
    unlabelled = _unlabelled(kept, by_prompt)
    facts = replace(
        _facts(checked, made, pairs, some, by_prompt),
        demonstrations=len(demonstrations),
        unlabelled=len(unlabelled),
        aspects=_aspects(kept),
        aspect=settings.aspect,
        voted=settings.aggregate is not None,
    )
    asked = dict.fromkeys([*(one.prompt for one in good), *unlabelled])
    alone = [row.raw for row in made.quarantined if row.reason in _ALONE and isinstance(row.raw, Rating)]
    return Gathered(facts, task(good), pairs, settings, alone, demonstrations, good, list(asked), unlabelled)


def _settings(records: Sequence[Record]) -> PairSettings:
    """How pairs are made of these records: the votes of several people together, ratings by one aspect."""
    voted = any(
        isinstance(record, Judgement) or (isinstance(record, Preference) and ANNOTATOR in record.metadata)
        for record in records
    )
    aspects = _aspects(records)
    aspect = None if len(aspects) <= 1 else OVERALL if OVERALL in aspects else MEAN
    return PairSettings(aspect=aspect, aggregate=Aggregation() if voted else None)


def _aspects(records: Sequence[Record]) -> tuple[str, ...]:
    counts = Counter(record.aspect for record in records if isinstance(record, Rating))
    return tuple(sorted(counts, key=lambda aspect: (aspect != OVERALL, -counts[aspect], aspect)))


def _demonstrations(records: Sequence[Record]) -> list[Demonstration]:
    found = [record for record in records if isinstance(record, Demonstration)]
    return list({(one.prompt, one.response): one for one in found}.values())


def _good(
    pairs: Sequence[Preference], demonstrations: Sequence[Demonstration], records: Sequence[Record]
) -> list[Good]:
    if pairs:
        return _once(Good(pair.prompt, pair.chosen) for pair in pairs)
    if demonstrations:
        return _once(Good(one.prompt, one.response) for one in demonstrations)
    liked = [Good(one.prompt, one.response) for one in records if isinstance(one, Feedback) and one.desirable]
    rated = [one for one in records if isinstance(one, Rating)]
    if rated:
        middle = median(one.score for one in rated)
        liked += [Good(one.prompt, one.response) for one in rated if one.score >= middle]
    return _once(liked)


def _once(found: Iterable[Good]) -> list[Good]:
    return list(dict.fromkeys(found))


def _responses(records: Sequence[Record]) -> dict[Messages, set[str]]:
    """The different responses of every prompt that has one."""
    found: dict[Messages, set[str]] = {}
    for record in records:
        if isinstance(record, Judgement | Prompt):
            continue
        texts = {folded(text_of(response)) for response in responses_of(record)}
        found.setdefault(record.prompt, set()).update(texts)
    return found


def _unlabelled(records: Sequence[Record], answered: Mapping[Messages, set[str]]) -> list[Messages]:
    said = (Demonstration, Preference, Feedback, Rating, Ranking)
    labelled = {record.prompt for record in records if isinstance(record, said)}
    judged = {record.item for record in records if isinstance(record, Judgement)}
    bare = [
        record.prompt
        for record in records
        if isinstance(record, Prompt | Candidates)
        and record.prompt not in labelled
        and record.id not in judged
    ]
    return list(dict.fromkeys(bare))


def _facts(
    checked: Checked,
    made: Kept[Preference],
    pairs: Sequence[Preference],
    some: Sequence[Preference],
    responses: Mapping[Messages, set[str]],
) -> DataFacts:
    found = {check.name: outcome.figures for check, outcome in checked.checks}
    repeats, votes = found["duplicates"], found["agreement"]
    records = checked.records
    bad = found["equal_sides"].get("equal", 0) + found["empty"].get("empty", 0)
    looked = max(found["equal_sides"].get("of", 0), found["empty"].get("of", 0))
    several = sum(len(texts) > 1 for texts in responses.values())
    alone = [row for row in made.quarantined if row.reason in _ALONE]
    alike = sum(_alike(pair) for pair in some)
    return DataFacts(
        records=dict(checked.kinds),
        left_out=dict(checked.quarantined),
        prompts=len(responses),
        pairs=len(pairs),
        ties=len(made) - len(pairs),
        unpaired=sum(isinstance(row.raw, Rating | Feedback) for row in alone),
        responses=float(median(map(len, responses.values()))) if responses else 0.0,
        several=_share(several, len(responses)),
        longer_chosen=_longer(pairs),
        alike_sides=_share(alike, len(some)),
        repeated=_share(repeats["duplicates"], records),
        contradicted=_share(repeats["records_in_contradictions"], records),
        unusable=_share(min(bad, looked), looked),
        agreement=_voted(votes, "percent"),
        beyond_chance=_voted(votes, "alpha_nominal"),
    )


def _longer(pairs: Sequence[Preference]) -> Interval | None:
    """Of the pairs that training sees, be they made of votes or ratings."""
    check = LengthBias()
    for index, pair in enumerate(pairs):
        check.see(pair, index)
    found = check.outcome().figures
    if not found:
        return None
    return Interval(found["longer_chosen"], found["low"], found["high"], found["pairs"])


def _share(count: int, of: int) -> Interval | None:
    return Interval(count / of, *wilson(count, of), of) if of else None


def _voted(figures: Mapping[str, Any], name: str) -> Interval | None:
    if name not in figures:
        return None
    ends = figures[f"{name}_low"], figures[f"{name}_high"]
    return Interval(figures[name], *ends, figures["shared_items"])


def _alike(pair: Preference) -> bool:
    chosen, rejected = (text_of(side).split()[:_WORDS] for side in (pair.chosen, pair.rejected))
    matcher = SequenceMatcher(None, chosen, rejected, autojunk=False)
    quick = min(matcher.real_quick_ratio(), matcher.quick_ratio())
    return bool(quick >= ALIKE and matcher.ratio() >= ALIKE)


def task(good: Sequence[Good]) -> TaskFacts | None:
    """Whether good responses come to one short answer, and to the same one where a prompt has several."""
    if not good:
        return None
    answers = [final_answer(text_of(one.response)) for one in good]
    prompts = [one.prompt for one in good]
    exact = [float(answer is not None) for answer in answers]
    mean = sum(exact) / len(exact)
    by_prompt: dict[Messages, list[str]] = {}
    for one, answer in zip(good, answers, strict=True):
        by_prompt.setdefault(one.prompt, []).append(answer or folded(text_of(one.response)))
    shares = [_same(given) for given in by_prompt.values() if len(given) > 1]
    same = Interval(sum(shares) / len(shares), *bootstrap(shares), len(shares)) if shares else None
    return TaskFacts(Interval(mean, *share_interval(exact, groups=prompts), len(exact)), same)


def _same(answers: Sequence[str]) -> float:
    """The share of pairs of a prompt's answers that are the same."""
    counts = Counter(answers)
    pairs = len(answers) * (len(answers) - 1) // 2
    return sum(count * (count - 1) // 2 for count in counts.values()) / pairs
