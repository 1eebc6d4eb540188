"""What data hold, counted by hand on a few records of every kind."""

from __future__ import annotations

from datetime import datetime

import pytest

from heedful.advice.tally import gather
from heedful.errors import DataError
from heedful.quarantine import Quarantined
from heedful.records import (
    EVEN,
    Candidates,
    Demonstration,
    Feedback,
    Judgement,
    Preference,
    Prompt,
    Ranking,
    Rating,
    Record,
    assistant,
    user,
)


def pair(prompt: str, chosen: str, rejected: str, **more: object) -> Preference:
    return Preference((user(prompt),), (assistant(chosen),), (assistant(rejected),), **more)  # type: ignore[arg-type]


def said(prompt: str, response: str) -> Demonstration:
    return Demonstration((user(prompt),), (assistant(response),))


def test_kinds_are_counted_and_what_was_left_out_by_reason() -> None:
    rows: list[Record | Quarantined] = [
        pair("a?", "yes indeed", "no"),
        pair("b?", "so it is", "not at all", probability=EVEN),
        said("c?", "a cat"),
        Prompt((user("d?"),)),
        Quarantined("x:1", "empty_chosen", "", {}),
    ]
    facts = gather(rows).facts
    assert facts.records == {"preference": 2, "demonstration": 1, "prompt": 1}
    assert facts.left_out == {"empty_chosen": 1}
    assert (facts.pairs, facts.ties, facts.demonstrations, facts.unlabelled) == (1, 1, 1, 1)
    assert facts.prompts == 3


def test_prompts_without_labels_are_those_that_nobody_answered_or_compared() -> None:
    rows: list[Record] = [
        Prompt((user("labelled?"),)),
        pair("labelled?", "a", "b"),
        Prompt((user("bare?"),)),
        Prompt((user("bare?"),)),
        Candidates((user("candidates?"),), ((assistant("x"),), (assistant("y"),)), id="c1"),
        Candidates((user("judged?"),), ((assistant("x"),), (assistant("y"),)), id="c2"),
        Judgement("c2", "ann", "a", at=datetime(2026, 1, 1)),
    ]
    gathered = gather(rows)
    assert [prompt[0].content for prompt in gathered.unlabelled] == ["bare?", "candidates?"]
    assert gathered.facts.pairs == 2  # the pair, and what the vote comes to
    assert gathered.facts.voted


def test_ratings_and_rankings_become_pairs_and_lone_ones_are_counted() -> None:
    rows: list[Record] = [
        *(Rating((user("a?"),), (assistant(text),), score) for text, score in (("x", 1), ("y", 3))),
        Ranking((user("b?"),), tuple((assistant(text),) for text in "pqr"), (1, 2, 3)),
        Rating((user("alone?"),), (assistant("z"),), 5),
        Feedback((user("thumb?"),), (assistant("z"),), desirable=True),
    ]
    facts = gather(rows).facts
    assert facts.pairs == 1 + 3
    assert facts.unpaired == 2
    assert facts.responses == 1.5  # 2, 3, 1 and 1
    assert facts.several is not None
    assert (facts.several.value, facts.several.n) == (0.5, 4)


def test_ratings_of_several_aspects_are_compared_by_the_overall_one_or_the_mean() -> None:
    def rated(*aspects: str) -> list[Record]:
        return [
            Rating((user("a?"),), (assistant(text),), score, aspect)
            for text, score in (("x", 1.0), ("y", 3.0))
            for aspect in aspects
        ]

    assert gather(rated("overall")).facts.aspect is None
    assert gather([*rated("tone", "truth"), *rated("tone")]).facts.aspects == ("tone", "truth")
    assert gather(rated("tone", "overall")).facts.aspects == ("overall", "tone")
    assert gather(rated("overall", "tone")).facts.aspect == "overall"
    assert gather(rated("tone", "truth")).facts.aspect == "mean"
    assert gather(rated("tone", "truth")).facts.pairs == 1


def test_good_responses_are_the_chosen_ones_else_demonstrations_else_what_is_rated_high() -> None:
    def good(rows: list[Record]) -> list[str]:
        return [one.response[0].content for one in gather(rows).good]

    demonstrations: list[Record] = [said("c?", "a cat"), said("c?", "a cat")]
    assert good([pair("a?", "better", "worse"), *demonstrations]) == ["better"]
    assert good(demonstrations) == ["a cat"]
    ratings: list[Record] = [Rating((user(f"{n}?"),), (assistant(f"r{n}"),), n) for n in range(3)]
    thumbs: list[Record] = [Feedback((user("t?"),), (assistant("up"),), desirable=True)]
    assert good([*ratings, *thumbs]) == ["up", "r1", "r2"]


def test_faults_are_shares_of_what_was_looked_at() -> None:
    rows: list[Record] = [
        pair("a?", "one", "two"),
        pair("a?", "two", "one"),  # the other way round
        pair("b?", "some words that are long enough", "short"),
        pair("b?", "some words that are long enough", "short"),  # again
        pair("c?", "the cat sat on the old red mat today", "the cat sat on the old red mat tonight"),
    ]
    facts = gather(rows).facts
    assert facts.contradicted is not None
    assert facts.contradicted.value == pytest.approx(2 / 5)
    assert facts.repeated is not None
    assert facts.repeated.value == pytest.approx(1 / 5)
    assert facts.alike_sides is not None
    assert facts.alike_sides.value == pytest.approx(1 / 5)
    assert facts.longer_chosen is not None
    assert (facts.longer_chosen.value, facts.longer_chosen.n) == (1.0, 2)


def test_votes_on_one_pair_make_one_preference_and_are_compared() -> None:
    rows: list[Record] = []
    for item in range(10):
        for name, (one, other) in {"ann": "xy", "bo": "xy", "cy": "xy" if item % 2 else "yx"}.items():
            rows.append(pair(f"{item}?", one, other, metadata={"annotator": name}))
    facts = gather(rows).facts
    assert (facts.records["preference"], facts.pairs) == (30, 10)
    assert facts.agreement is not None
    assert facts.agreement.value == pytest.approx((5 * 1 + 5 / 3) / 10)
    assert facts.beyond_chance is not None


def test_whether_good_responses_come_to_one_answer_and_to_the_same() -> None:
    sums: list[Record] = [said(f"{n} and {n}?", f"It makes {2 * n}.\n#### {2 * n}") for n in range(20)]
    task = gather(sums).task
    assert task is not None
    assert (task.exact.value, task.exact.n, task.same) == (1.0, 20, None)
    twice = [*sums, said("0 and 0?", "0"), said("1 and 1?", "3")]
    task = gather(twice).task
    assert task is not None
    assert task.same is not None
    assert (task.same.value, task.same.n) == (0.5, 2)
    titles = gather([said("a title?", text) for text in ("Sunrise", "The Long Way", "Home")]).task
    assert titles is not None
    assert titles.same is not None
    assert titles.same.value == 0.0
    assert gather([Prompt((user("a?"),))]).task is None


def test_no_record_is_an_error() -> None:
    with pytest.raises(DataError, match="no record"):
        gather([])
