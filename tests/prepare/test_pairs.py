"""Feedback of every kind to preferences: which pairs, which side, and every record accounted for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.errors import DataError
from heedful.prepare.ledger import LEFT_OUT, Pairs
from heedful.prepare.pairs import pairs
from heedful.quarantine import Kept, Quarantined
from heedful.records import (
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

P = (user("Name a prime."),)


def said(text: str) -> tuple[Any, ...]:
    return (assistant(text),)


def ratings(scores: dict[str, float], prompt: Any = P, **more: Any) -> list[Rating]:
    return [Rating(prompt, said(text), score, id=text, **more) for text, score in scores.items()]


def sides(made: Sequence[Preference]) -> list[tuple[str, str]]:
    return [(pair.chosen[0].content, pair.rejected[0].content) for pair in made]


def reasons(made: Pairs) -> dict[str, int]:
    assert made.counts.read == made.counts.kept + sum(made.counts.quarantined.values())
    assert made.counts.quarantined.keys() <= LEFT_OUT.keys()
    return made.counts.quarantined


def test_ratings_of_one_prompt_are_compared_each_with_each() -> None:
    made = pairs(ratings({"two": 4.0, "nine": 1.5, "one": 3.0}, source="s"))

    assert sides(made) == [("two", "one"), ("two", "nine"), ("one", "nine")]
    assert [pair.margin for pair in made] == [1.0, 2.5, 1.5]
    assert [pair.id for pair in made] == ["two+one", "two+nine", "nine+one"]
    assert {pair.source for pair in made} == {"s"}
    assert made[1].metadata == {"score_chosen": 4.0, "score_rejected": 1.5, "aspect": "overall"}
    assert (made.counts.read, made.counts.kept, reasons(made)) == (3, 3, {})


@pytest.mark.parametrize(
    ("mode", "expected", "left_out"),
    [
        ("all", 6, {}),
        ("best-worst", [("d", "b")], {"not_compared": 2}),
        ("adjacent", [("d", "a"), ("a", "c"), ("c", "b")], {}),
    ],
)
def test_the_mode_says_which_are_compared(mode: str, expected: Any, left_out: dict[str, int]) -> None:
    made = pairs(ratings({"a": 3, "b": 1, "c": 2, "d": 4}), mode=mode)

    assert (len(made) if isinstance(expected, int) else sides(made)) == expected
    assert reasons(made) == left_out


def test_scores_that_differ_by_no_more_than_epsilon_are_a_tie_with_the_first_as_chosen() -> None:
    made = pairs(ratings({"a": 3.0, "b": 3.4, "c": 3.5}), tie_epsilon=0.4)
    assert 4.4 - 4.1 > 0.3
    assert pairs(ratings({"a": 4.1, "b": 4.4}), tie_epsilon=0.3)[0].tie

    assert {pair.id: (pair.tie, pair.margin) for pair in made} == {
        "a+b": (True, pytest.approx(0.4)),
        "b+c": (True, pytest.approx(0.1)),
        "a+c": (False, 0.5),
    }
    assert ("a", "b") in sides(made)
    assert ("c", "a") in sides(made)


def test_ties_can_be_left_out_and_a_response_that_only_tied_is_quarantined() -> None:
    made = pairs(ratings({"a": 1, "b": 1}), ties="drop")
    assert (len(made), reasons(made)) == (0, {"tie": 2})

    made = pairs(ratings({"a": 1, "b": 1, "c": 2}), ties="drop")
    assert (sides(made), reasons(made)) == ([("c", "a"), ("c", "b")], {})


def test_an_id_does_not_change_with_the_score() -> None:
    one, other = (pairs(ratings({"a": score, "b": 2})) for score in (1, 3))

    assert one[0].id == other[0].id
    assert sides(one) == [tuple(reversed(sides(other)[0]))]


def test_draws_are_seeded_and_another_prompt_changes_none() -> None:
    many = ratings({f"r{n}": n for n in range(8)})
    some = pairs(many, per_prompt=5)

    assert len(some) == 5
    assert len(set(sides(some))) == 5
    assert set(sides(some)) < set(sides(pairs(many)))
    assert sides(some) == sides(pairs(many, per_prompt=5))
    assert sides(some) != sides(pairs(many, per_prompt=5, seed=1))
    with_another = pairs([*ratings({"x": 1, "y": 2}, prompt=(user("Else?"),)), *many], per_prompt=5)
    assert sides(with_another) == [("y", "x"), *sides(some)]


def test_several_ratings_of_one_response_count_as_their_mean() -> None:
    records = [*ratings({"a": 1, "b": 2}), Rating(P, said("a"), 5, id="a again")]
    made = pairs(records)

    assert sides(made) == [("a", "b")]
    assert (made[0].margin, made[0].metadata["score_chosen"]) == (1.0, 3.0)
    assert made.counts.kept == 3


def test_responses_that_are_alike_are_not_compared() -> None:
    made = pairs(ratings({"Two.": 1, "Two. ": 2}))

    assert (len(made), reasons(made)) == (0, {"equal_sides": 2})


def test_a_lone_rating_and_what_holds_no_comparison_are_quarantined() -> None:
    records: list[Record] = [
        *ratings({"a": 1}),
        Prompt(P, id="p"),
        Demonstration(P, said("a"), id="d"),
        Ranking(P, (said("a"),), (1,), id="k"),
        Feedback(P, said("a"), True, id="f"),
    ]
    made = pairs(records)

    assert reasons(made) == {"one_response": 3, "no_comparison": 2}
    assert [(row.where, row.raw) for row in made.quarantined] == [
        (record.id, record) for record in records if not isinstance(record, Judgement)
    ]


def test_several_aspects_need_a_choice() -> None:
    records = [*ratings({"a": 1, "b": 2}, aspect="help"), *ratings({"a": 4, "b": 1}, aspect="honesty")]

    with pytest.raises(DataError, match=r"2 aspects \(help 2, honesty 2\).*--aspect help") as caught:
        pairs(records)
    assert "--aspect mean" in str(caught.value)
    made = pairs(records, aspect="help")
    assert (sides(made), reasons(made)) == ([("b", "a")], {"other_aspect": 2})
    assert made[0].metadata["aspect"] == "help"
    mean = pairs(records, aspect="mean")
    assert (sides(mean), mean[0].margin, reasons(mean)) == ([("a", "b")], 1.0, {})
    with pytest.raises(DataError, match="no rating is of the aspect charm"):
        pairs(records, aspect="charm")


def test_the_mean_needs_a_rating_on_every_aspect_that_the_prompt_has() -> None:
    records = [
        *ratings({"a": 1, "b": 2, "c": 5}, aspect="help"),
        *ratings({"a": 4, "b": 1}, aspect="honesty"),
    ]
    made = pairs(records, aspect="mean")

    assert (sides(made), reasons(made)) == ([("a", "b")], {"missing_aspect": 1})
    assert made.quarantined[0].detail == "the response is not rated on honesty"


def test_generators_and_language_go_along() -> None:
    records = [
        Rating(P, said("a"), 1, id="a", metadata={"generator": "small", "language": "en"}),
        Rating(P, said("b"), 2, id="b", metadata={"generator": "large", "language": "en"}),
    ]
    (pair,) = pairs(records)

    assert pair.metadata["generator_chosen"] == "large"
    assert pair.metadata["generator_rejected"] == "small"
    assert pair.metadata["language"] == "en"


def test_a_ranking_gives_pairs_with_its_ties_kept_and_no_margin() -> None:
    ranking = Ranking(P, (said("x"), said("y"), said("z")), (2, 1, 2), id="k", metadata={"tree": "t"})
    made = pairs([ranking])

    assert sides(made) == [("y", "x"), ("y", "z"), ("x", "z")]
    assert [pair.tie for pair in made] == [False, False, True]
    assert [pair.id for pair in made] == ["k:1+2", "k:2+3", "k:1+3"]
    assert {(pair.margin, pair.metadata["tree"]) for pair in made} == {(None, "t")}
    assert (made.counts.read, made.counts.kept) == (1, 1)
    assert sides(pairs([ranking], ties="drop", mode="adjacent")) == [("y", "x")]
    assert reasons(pairs([replace(ranking, ranks=(1, 1, 1))], ties="drop")) == {"tie": 1}


def thumb(text: str, desirable: bool, id: str = "") -> Feedback:
    return Feedback(P, said(text), desirable, id=id or text)


def test_each_thumb_up_is_paired_with_each_thumb_down_of_its_prompt() -> None:
    records = [thumb("a", True), thumb("x", False), thumb("b", True), thumb("y", False)]
    made = pairs([*records, Feedback((user("Else?"),), said("q"), False, id="q")])

    assert sides(made) == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    assert made[2].id == "x+b"
    assert reasons(made) == {"one_response": 1}
    assert len(pairs(records, per_prompt=3)) == 3
    heavy = pairs([replace(records[0], weight=2.0), replace(records[1], weight=1.5)])
    assert heavy[0].weight == 3.0


def test_thumbs_that_all_point_one_way_are_one_sided_and_a_split_response_is_divided() -> None:
    assert reasons(pairs([thumb("a", True), thumb("b", True)])) == {"one_sided": 2}
    made = pairs([thumb("a", True), thumb("a", False, "again"), thumb("b", True), thumb("c", False)])
    assert (sides(made), reasons(made)) == ([("b", "c")], {"divided": 2})
    most = pairs([thumb("a", True), thumb("a", False, "n"), thumb("a", True, "m"), thumb("c", False)])
    assert (sides(most), most.counts.kept) == ([("a", "c")], 4)


def preference(chosen: str, rejected: str, id: str = "p", **more: Any) -> Preference:
    return Preference(P, said(chosen), said(rejected), id=id, **more)


def test_preferences_go_through_as_they_are() -> None:
    records = [preference("a", "b"), preference("c", "d", "q", probability=0.8, weight=2.0)]
    made = pairs(records)

    assert list(made) == records
    assert all(out is given for out, given in zip(made, records, strict=True))


def test_pairs_come_in_the_order_of_the_first_record_each_is_made_of() -> None:
    records = [thumb("a", True), preference("c", "d"), thumb("b", False), *ratings({"e": 1, "f": 2})]

    assert sides(pairs(records)) == [("a", "b"), ("c", "d"), ("f", "e")]


BAD = {"verdict": "both_bad"}


@pytest.mark.parametrize(
    ("options", "made", "left_out"),
    [
        ({}, ["t", "bad"], {}),
        ({"ties": "drop"}, [], {"tie": 2}),
        ({"both_bad": "drop"}, ["t"], {"both_bad": 1}),
        ({"ties": "drop", "both_bad": "drop"}, [], {"tie": 1, "both_bad": 1}),
        ({"both_bad": "thumbs"}, ["t"], {"one_sided": 1}),
    ],
)
def test_ties_and_two_bad_responses_have_policies(options, made, left_out) -> None:
    records = [
        preference("a", "b", "t", probability=0.5),
        preference("x", "y", "bad", probability=0.5, metadata=BAD),
    ]
    done = pairs(records, **options)

    assert ([pair.id for pair in done], reasons(done)) == (made, left_out)


def test_two_bad_responses_can_be_thumbs_down_beside_others_thumbs_up() -> None:
    records = [preference("x", "y", "bad", probability=0.5, metadata=BAD), thumb("a", True)]
    made = pairs(records, both_bad="thumbs")

    assert (sides(made), reasons(made)) == ([("a", "x"), ("a", "y")], {})
    assert [pair.id for pair in made] == ["a+bad:chosen", "a+bad:rejected"]


def test_a_judgement_is_a_vote_on_the_record_it_names_and_that_record_says_nothing() -> None:
    records: list[Record] = [
        preference("x", "y", "item"),
        Judgement("item", "ann", "b", strength=2, shown_order=("b", "a"), seconds=4.5),
        Judgement("item", "bob", "tie"),
        Judgement("item", "cy", "skip"),
        Judgement("other", "ann", "a"),
    ]
    made = pairs(records)

    assert sides(made) == [("y", "x"), ("x", "y")]
    assert [pair.id for pair in made] == ["item by ann", "item by bob"]
    assert (made[0].margin, made[0].probability, made[1].tie) == (2.0, None, True)
    assert made[0].metadata == {"annotator": "ann", "shown_first": "chosen", "seconds": 4.5}
    assert reasons(made) == {"no_vote": 1, "unknown_item": 1}


def test_candidates_nobody_judged_are_no_comparison_and_those_of_two_are_judged_by_their_id() -> None:
    two = Candidates((user("q"),), ((assistant("x"),), (assistant("y"),)), id="item")
    made = pairs([two, Candidates(two.prompt, two.responses, id="alone"), Judgement("item", "ann", "b")])

    assert sides(made) == [("y", "x")]
    assert reasons(made) == {"no_comparison": 1}


def test_a_tie_that_was_shown_the_other_way_round_has_the_first_shown_as_chosen() -> None:
    made = pairs([preference("x", "y", "item"), Judgement("item", "ann", "tie", shown_order=("b", "a"))])

    assert sides(made) == [("y", "x")]
    assert made[0].metadata["shown_first"] == "chosen"


def test_what_a_reader_left_out_is_counted_too() -> None:
    given = Kept(ratings({"a": 1, "b": 2}), [Quarantined("f:3", "bad_value", "no", {})])
    made = pairs(given)

    assert (made.counts.read, made.counts.kept, made.counts.quarantined) == (3, 2, {"bad_value": 1})
    assert made.quarantined[0].where == "f:3"


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "ratings.jsonl"
    rows = [
        {"heedful": 1, "kind": "rating", "prompt": [{"role": "user", "content": "Q"}], "score": score,
         "response": [{"role": "assistant", "content": f"A{score}"}]}
        for score in (1, 3)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    (pair,) = pairs(path)
    assert (pair.margin, pair.id) == (2.0, "ratings:1+ratings:2")


@pytest.mark.parametrize(
    "wrong", [{"mode": "some"}, {"ties": "perhaps"}, {"per_prompt": 0}, {"tie_epsilon": -1}, {"both_bad": ""}]
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        pairs([], **wrong)


TEXTS = st.sampled_from(["a", "b", "c", " a"])
PROMPTS = st.sampled_from([P, (user("Else?"),)])
KINDS: dict[str, Any] = {
    "rating": st.builds(Rating, PROMPTS, TEXTS.map(said), st.integers(0, 3), id=st.uuids().map(str)),
    "thumb": st.builds(Feedback, PROMPTS, TEXTS.map(said), st.booleans(), id=st.uuids().map(str)),
    "preference": st.builds(
        Preference,
        PROMPTS,
        st.sampled_from(["a", "b"]).map(said),
        st.sampled_from(["c", "d"]).map(said),
        probability=st.sampled_from([None, 0.5, 0.8]),
        id=st.sampled_from(["i", "j", "k"]),
        metadata=st.sampled_from([{}, {"annotator": "ann"}, {"annotator": "bob"}, BAD]),
    ),
    "ranking": st.builds(
        lambda prompt, ranks: Ranking(prompt, tuple(said(f"r{n}") for n in range(len(ranks))), ranks, id="k"),
        PROMPTS,
        st.lists(st.integers(1, 3), max_size=4).map(tuple),
    ),
    "judgement": st.builds(
        Judgement,
        st.sampled_from(["i", "j", "k", "none"]),
        st.sampled_from(["ann", "bob", ""]),
        st.sampled_from(["a", "b", "tie", "both_bad", "skip"]),
        shown_order=st.sampled_from([("a", "b"), ("b", "a"), ()]),
    ),
    "prompt": st.builds(Prompt, PROMPTS),
}
METHODS = ("majority", "weighted", "bradley-terry", "dawid-skene")


@settings(max_examples=150, deadline=None)
@given(
    records=st.lists(st.one_of(*KINDS.values()), max_size=14),
    mode=st.sampled_from(["all", "best-worst", "adjacent"]),
    ties=st.sampled_from(["keep", "drop"]),
    both_bad=st.sampled_from(["tie", "drop", "thumbs"]),
    limit=st.sampled_from([None, 1, 2]),
    method=st.sampled_from([None, *METHODS]),
    min_votes=st.sampled_from([1, 2]),
)
def test_whatever_goes_in_every_record_is_used_or_left_out_once(
    records, mode, ties, both_bad, limit, method, min_votes
) -> None:
    from heedful.prepare.pair_settings import Aggregation

    how = None if method is None else Aggregation(method=method, min_votes=min_votes, min_agreement=0.5)
    made = pairs(records, mode=mode, ties=ties, both_bad=both_bad, per_prompt=limit, aggregate=how)

    assert made.counts.read == len(records)
    left_out = {id(row.raw) for row in made.quarantined}
    assert len(left_out) == len(made.quarantined) == len(records) - made.counts.kept
    assert all(row.reason in LEFT_OUT and row.detail for row in made.quarantined)
    assert ties == "keep" or not any(pair.tie for pair in made)
    for pair in made:
        assert pair.chosen != pair.rejected
        assert pair.probability is None or 0.5 <= pair.probability < 1


@given(st.lists(st.integers(0, 5), min_size=2, max_size=6))
def test_the_pairs_of_ratings_are_those_of_the_definition(scores: list[int]) -> None:
    made = pairs(ratings({f"r{n}": score for n, score in enumerate(scores)}), tie_epsilon=1)

    expected = {
        frozenset((f"r{i}", f"r{j}")): abs(scores[i] - scores[j]) <= 1
        for i, j in combinations(range(len(scores)), 2)
    }
    assert {frozenset(pair): made[n].tie for n, pair in enumerate(sides(made))} == expected
