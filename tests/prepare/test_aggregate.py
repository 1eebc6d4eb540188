"""Votes of several annotators to one preference: each method by hand, and on known error rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from heedful.prepare.ledger import Pairs
from heedful.prepare.pair_settings import Aggregation, Method
from heedful.prepare.pairs import pairs
from heedful.records import Judgement, Preference, Ranking, Record, assistant, user

METHODS: tuple[Method, ...] = ("majority", "weighted", "bradley-terry", "dawid-skene")
P = (user("Name a prime."),)


def said(text: str) -> tuple[Any, ...]:
    return (assistant(text),)


def vote(annotator: str, chosen: str, rejected: str, number: int = 0, **more: Any) -> Preference:
    metadata = {"annotator": annotator, **more.pop("metadata", {})}
    return Preference(P, said(chosen), said(rejected), id=f"v{number}", metadata=metadata, **more)


def votes(word: str, first: str = "x", second: str = "y") -> list[Preference]:
    """`aab=` are votes of annotators 0, 1, 2, 3: for the first twice, for the second, and a tie."""
    made = []
    for number, letter in enumerate(word):
        sides = (second, first) if letter == "b" else (first, second)
        tie = {"probability": 0.5} if letter in "=!" else {}
        bad = {"metadata": {"verdict": "both_bad"}} if letter == "!" else {}
        made.append(vote(f"ann{number}", *sides, number, **tie, **bad))
    return made


def aggregated(records: Sequence[Record], method: Method = "majority", **more: Any) -> Pairs:
    policies = {name: more.pop(name) for name in ("ties", "both_bad") if name in more}
    return pairs(records, aggregate=Aggregation(method=method, **more), **policies)


def outcome(made: Pairs) -> list[tuple[str, float | None]]:
    return [(pair.chosen[0].content, pair.probability) for pair in made]


@pytest.mark.parametrize(
    ("word", "chosen", "probability", "agreement"),
    [
        ("aaa", "x", None, 1.0),
        ("a", "x", None, 1.0),
        ("aab", "x", 2 / 3, 2 / 3),
        ("abb", "y", 2 / 3, 2 / 3),
        ("aa=", "x", 2.5 / 3, 2 / 3),
        ("ab", "x", 0.5, 0.5),
        ("===", "x", 0.5, 1.0),
        ("ab=", "x", 0.5, 1 / 3),
        ("b==", "y", 2 / 3, 1 / 3),
    ],
)
def test_the_majority_is_the_share_of_the_votes_with_ties_as_half(
    word: str, chosen: str, probability: float | None, agreement: float
) -> None:
    (pair,) = made = aggregated(votes(word))

    assert pair.chosen == said(chosen)
    assert pair.probability == (None if probability is None else pytest.approx(probability))
    assert pair.metadata["agreement"] == pytest.approx(agreement)
    assert (pair.id, pair.weight, made.counts.kept, len(made.quarantined)) == ("v0", 1.0, len(word), 0)


def test_the_votes_are_counted_by_side() -> None:
    (pair,) = aggregated(votes("abb=!"))

    assert pair.metadata["votes"] == {"chosen": 2, "rejected": 1, "tie": 1, "both_bad": 1, "skip": 0}


@pytest.mark.parametrize(
    ("soft", "probability", "weight"),
    [("probability", 0.75, 1.0), ("weight", None, 0.5), ("none", None, 1.0)],
)
def test_the_likelihood_goes_where_it_is_wanted(soft: Any, probability: float | None, weight: float) -> None:
    (pair,) = aggregated(votes("aaab"), soft=soft)
    assert (pair.probability, pair.weight) == (probability, weight)

    (tie,) = aggregated(votes("ab"), soft=soft)
    assert tie.tie
    assert tie.weight == 1.0


@pytest.mark.parametrize(
    ("margins", "word", "margin"),
    [
        ((3.0, 2.0, 1.0), "aaa", 2.0),
        ((3.0, 2.0, 1.0), "aab", 4 / 3),
        ((3.0, 2.0, 1.0), "bba", 4 / 3),
        ((1.0, 1.0, 4.0), "aab", 0.0),  # the label stands, and is no more turned round than weak
        ((3.0, 2.0, None), "aa=", 5 / 3),  # on some scales a tie has no strength
        ((3.0, 2.0, 0.0), "aa!", 5 / 3),
        ((3.0, None, 1.0), "aab", 1.0),  # who does not say how much is no word on it
        ((3.0, 1.0), "ab", 0.0),
        ((0.0, 0.0), "==", 0.0),
        ((None, 0.0), "a=", None),
        ((None, None, None), "aab", None),
    ],
)
def test_the_margin_is_the_mean_of_the_votes_with_those_for_the_other_side_against_it(
    margins: Sequence[float | None], word: str, margin: float | None
) -> None:
    said = [replace(vote, margin=own) for vote, own in zip(votes(word), margins, strict=True)]

    (pair,) = aggregated(said)

    assert pair.margin == (None if margin is None else pytest.approx(margin))


@pytest.mark.parametrize("method", METHODS)
def test_judgements_bring_their_strength_whichever_side_they_are_for(method: Method) -> None:
    shown = Ranking(P, (said("x"), said("y")), (1, 1), id="i")
    words = [Judgement("i", name, "b", strength=3) for name in ("ann", "bob", "cy")]

    (pair,) = aggregated([shown, *words, Judgement("i", "dan", "a", strength=1)], method)

    assert (pair.chosen, pair.margin) == (said("y"), pytest.approx(2.0))


def test_too_few_votes_and_too_little_agreement_leave_all_records_of_an_item_out() -> None:
    made = aggregated([*votes("aa"), *votes("aab", "p", "q")], min_votes=3, min_agreement=0.7)

    assert (len(made), made.counts.quarantined) == (0, {"too_few_votes": 2, "low_agreement": 3})
    assert {row.detail for row in made.quarantined} == {
        "2 of at least 3 votes",
        "67% of 3 votes gave the outcome",
    }
    assert len(aggregated(votes("aab"), min_agreement=2 / 3)) == 1


def test_ties_and_two_bad_responses_follow_their_policies() -> None:
    assert aggregated(votes("=="), ties="drop").counts.quarantined == {"tie": 2}
    (bad,) = aggregated(votes("!!a!"[:2] + "!="))
    assert bad.metadata["verdict"] == "both_bad"
    assert aggregated(votes("!!!="), both_bad="drop").counts.quarantined == {"both_bad": 4}
    assert "verdict" not in aggregated(votes("!="))[0].metadata


def test_votes_meet_whichever_way_round_they_show_the_pair() -> None:
    records = [
        vote("ann", "x", "y", metadata={"score_chosen": 4, "score_rejected": 1, "lang": "en", "n": 1}),
        vote("bob", "y", "x", metadata={"score_chosen": 1, "score_rejected": 4, "lang": "en", "n": 2}),
        vote("cy", "y", "x", metadata={"score_chosen": 1, "score_rejected": 4, "lang": "en", "n": 3}),
    ]
    (pair,) = aggregated(records)

    assert pair.chosen == said("y")
    kept = {name: value for name, value in pair.metadata.items() if name not in ("agreement", "votes")}
    assert kept == {"score_chosen": 1, "score_rejected": 4, "lang": "en"}


def test_a_soft_vote_counts_for_what_it_says() -> None:
    (pair,) = aggregated([vote("judge", "x", "y", probability=0.7)])
    assert pair.probability == pytest.approx(0.7)
    (pair,) = aggregated([vote("judge", "x", "y", probability=0.7), vote("ann", "y", "x")])
    assert (pair.chosen, pair.probability) == (said("y"), pytest.approx(0.65))


def test_preferences_without_an_annotator_are_no_votes_and_go_through() -> None:
    whole = Preference(P, said("x"), said("y"), id="w")

    made = aggregated([whole, *votes("bb")])

    assert made[0] is whole
    assert made[1].chosen == said("y")


def test_judgements_are_votes_on_the_record_they_name() -> None:
    records: list[Record] = [
        Judgement("i", "ann", "b"),
        Preference(P, said("x"), said("y"), id="i", source="s", metadata={"generator_chosen": "small"}),
        Judgement("i", "bob", "b", shown_order=("b", "a")),
        Judgement("i", "cy", "a"),
        Judgement("i", "di", "skip"),
        Ranking(P, (said("p"), said("q")), (1, 1), id="k"),
        Judgement("k", "ann", "skip"),
        Judgement("gone", "ann", "a"),
    ]
    made = aggregated(records)

    (pair,) = made
    assert (pair.chosen, pair.probability) == (said("y"), pytest.approx(2 / 3))
    assert (pair.id, pair.source) == ("i", "s")
    assert pair.metadata["generator_rejected"] == "small"
    assert pair.metadata["votes"] == {"chosen": 2, "rejected": 1, "tie": 0, "both_bad": 0, "skip": 1}
    assert made.counts.kept == 4
    assert made.counts.quarantined == {"no_vote": 3, "unknown_item": 1}


def test_two_records_of_one_id_cannot_be_judged() -> None:
    records: list[Record] = [
        Preference(P, said("x"), said("y"), id="i"),
        Preference(P, said("p"), said("q"), id="i"),
        Judgement("i", "ann", "a"),
    ]
    assert aggregated(records).counts.quarantined == {"ambiguous_item": 3}


def test_a_record_that_shows_the_same_pair_the_other_way_round_means_its_own_a() -> None:
    records: list[Record] = [
        Preference(P, said("x"), said("y"), id="i"),
        Preference(P, said("y"), said("x"), id="j"),
        Judgement("i", "ann", "a"),
        Judgement("j", "bob", "b"),
    ]
    assert outcome(aggregated(records)) == [("x", None)]


def test_of_two_votes_by_one_annotator_the_later_counts() -> None:
    made = aggregated([vote("ann", "x", "y", 1), vote("bob", "y", "x", 2), vote("ann", "y", "x", 3)])

    assert outcome(made) == [("y", None)]
    assert made.counts.quarantined == {"superseded": 1}
    assert made.quarantined[0].where == "v1"


def test_reliability_weighs_by_agreement_beyond_chance() -> None:
    # Annotators 0 to 2 always agree; annotator 3 is always against them.
    records = [one for n in range(20) for one in votes("aaab", f"x{n}", f"y{n}")]
    records += [vote("ann0", "p", "q", 90), vote("ann3", "q", "p", 91)]

    made = aggregated(records, "weighted")

    assert [pair.probability for pair in made] == [None] * 21
    assert made[20].chosen == said("p")
    alone = aggregated([*records, vote("ann3", "r", "s", 92)], "weighted")
    assert alone.counts.quarantined == {"no_vote": 1}


def test_reliability_of_annotators_who_never_meet_is_that_of_the_majority() -> None:
    made = aggregated([vote("ann", "x", "y"), vote("bob", "p", "q")], "weighted")

    assert outcome(made) == [("x", None), ("p", None)]


def test_bradley_terry_hears_of_a_pair_from_others() -> None:
    # x and y are even; x beats z three times of three, y loses to z.
    records = [*votes("ab"), *votes("aaa", "x", "z"), *votes("bbb", "y", "z")]
    by_pair = {
        pair.chosen[0].content + pair.rejected[0].content: pair
        for pair in aggregated(records, "bradley-terry")
    }

    assert set(by_pair) == {"xy", "xz", "zy"}
    assert by_pair["xy"].metadata["agreement"] == 0.5
    assert 0.5 < by_pair["xz"].probability < by_pair["xy"].probability < 1
    assert aggregated(votes("ab"), "bradley-terry")[0].tie


@pytest.mark.parametrize("method", METHODS)
def test_which_way_round_the_votes_are_written_changes_nothing(method: Method) -> None:
    words = ["aab", "abb", "a=b", "bbb", "aaa", "=ab"]
    straight = [one for n, word in enumerate(words) for one in votes(word, f"x{n}", f"y{n}")]
    turned = [
        one
        for n, word in enumerate(words)
        for one in votes(word.translate(str.maketrans("ab", "ba")), f"y{n}", f"x{n}")
    ]
    there, back = aggregated(straight, method), aggregated(turned, method)

    for one, other in zip(there, back, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-9)
        if not one.tie:
            assert one.chosen == other.chosen


RIGHT = (0.85, 0.8, 0.75, 0.05, 0.5)  # the fourth is adversarial, the fifth clicks at random


def crowd(seed: int, items: int = 150) -> tuple[list[Preference], list[bool]]:
    """Votes of five annotators, and whether the first response of each item is the better one."""
    rng = np.random.default_rng(seed)
    truth = [bool(first) for first in rng.random(items) < 0.5]
    records = []
    for item, first in enumerate(truth):
        for annotator, often in enumerate(RIGHT):
            right = rng.random() < often
            sides = (f"x{item}", f"y{item}") if first == right else (f"y{item}", f"x{item}")
            records.append(vote(f"ann{annotator}", *sides, len(records)))
    return records, truth


def accuracy(made: Pairs, truth: list[bool]) -> float:
    right = {f"x{item}" if first else f"y{item}" for item, first in enumerate(truth)}
    return sum(pair.chosen[0].content in right for pair in made) / len(truth)


@pytest.mark.parametrize("seed", range(4))
def test_an_adversary_costs_the_majority_and_not_those_who_weigh_annotators(seed: int) -> None:
    records, truth = crowd(seed)
    found = {method: accuracy(aggregated(records, method), truth) for method in METHODS}

    assert found["dawid-skene"] > found["majority"] + 0.05
    assert found["weighted"] > found["majority"] + 0.05
    assert found["dawid-skene"] > 0.88


def test_dawid_skenes_probabilities_are_right_as_often_as_they_say() -> None:
    said_of, right = [], []
    for seed in range(6):
        records, truth = crowd(seed)
        for pair, first in zip(aggregated(records, "dawid-skene"), truth, strict=True):
            said_of.append(1.0 if pair.probability is None else pair.probability)
            right.append(pair.chosen[0].content.startswith("x") == first)

    assert np.mean(said_of) == pytest.approx(np.mean(right), abs=0.03)


def test_dawid_skene_finds_the_ties_that_most_call_one() -> None:
    records = [one for n in range(12) for one in votes(["aaa", "bbb", "==="][n % 3], f"x{n}", f"y{n}")]
    records += votes("=a=", "p", "q")

    made = aggregated(records, "dawid-skene")

    assert [pair.tie for pair in made] == [n % 3 == 2 for n in range(12)] + [True]


@pytest.mark.parametrize(
    "wrong", [{"method": "loudest"}, {"soft": "hard"}, {"min_votes": 0}, {"min_agreement": 1.2}]
)
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Aggregation(**wrong)
