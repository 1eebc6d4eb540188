"""Votes as the checks keep them: of one item whichever way round, the last of each annotator, with gold."""

from __future__ import annotations

import numpy as np

from heedful.checks.votes import ONE, OTHER, TIE, UNKNOWN, VoteCollector, Votes
from heedful.records import Judgement, Record
from tests.checks.planted import pair, rating, reply


def collected(*records: Record) -> Votes:
    collector = VoteCollector()
    for index, record in enumerate(records):
        collector.see(record, index)
    return collector.votes()


def vote(annotator: str, chosen: str, rejected: str, *, id: str = "", tie: bool = False, **metadata: object):
    metadata["annotator"] = annotator
    return pair(chosen, rejected, id=id, probability=0.5 if tie else None, metadata=metadata)


def test_votes_on_one_pair_are_of_one_item_whichever_way_round() -> None:
    votes = collected(
        vote("ann", "x", "y", id="first"),
        vote("bob", "y", "x"),
        vote("cy", "x ", "y", tie=True),
        vote("ann", "x", "z", id="second"),
    )

    assert votes.items.tolist() == [0, 0, 0, 1]
    assert votes.said.tolist() == [ONE, OTHER, TIE, ONE]
    assert votes.annotators.tolist() == [0, 1, 2, 0]
    assert (votes.names, votes.ids) == (["ann", "bob", "cy"], ["first", "second"])
    assert votes.counts().tolist() == [[1, 1, 1], [1, 0, 0]]


def test_what_is_no_vote_is_passed_by() -> None:
    votes = collected(pair("x", "y"), reply("x"), rating(3), vote("ann", "x", "y"))

    assert (len(votes), votes.records.tolist()) == (1, [3])
    assert len(collected()) == 0


def test_judgements_are_of_the_item_they_name() -> None:
    votes = collected(
        Judgement("i", "ann", "a", strength=3, seconds=4.5, shown_order=("b", "a")),
        Judgement("i", "bob", "b"),
        Judgement("i", "cy", "both_bad"),
        Judgement("i", "di", "skip"),
    )

    assert votes.said.tolist() == [ONE, OTHER, TIE]
    assert votes.strength.tolist() == [3, 1, 0]
    assert votes.shown.tolist() == [1, 1, UNKNOWN]
    assert (votes.seconds[0], np.isnan(votes.seconds[1:]).all(), votes.skipped) == (4.5, True, 1)


def test_of_two_votes_by_one_annotator_on_an_item_the_later_counts() -> None:
    votes = collected(
        vote("ann", "x", "y"), vote("bob", "x", "y"), vote("ann", "y", "x"), vote("cy", "x", "y")
    )

    assert votes.records.tolist() == [1, 2, 3]
    assert votes.said.tolist() == [ONE, OTHER, ONE]


def test_the_place_and_the_margin_are_those_of_the_side_voted_for() -> None:
    votes = collected(
        pair("x", "y", margin=2.0, metadata={"annotator": "ann", "shown_first": "chosen", "seconds": 3}),
        pair("y", "x", margin=1.0, metadata={"annotator": "bob", "shown_first": "chosen"}),
        pair("y", "x", metadata={"annotator": "cy", "shown_first": "rejected", "seconds": "fast"}),
    )

    assert votes.shown.tolist() == [0, 0, 1]
    assert votes.strength.tolist() == [2, 1, 1]
    assert votes.seconds[0] == 3
    assert np.isnan(votes.seconds[2])


def test_gold_is_known_from_a_vote_or_from_the_record_that_is_judged() -> None:
    votes = collected(
        vote("ann", "x", "y", gold="rejected"),
        vote("bob", "y", "x"),
        Judgement("i", "ann", "b"),
        pair("p", "q", id="i", metadata={"gold": "rejected"}),
        pair("p", "q", id="other", metadata={"gold": "perhaps"}),
        Judgement("other", "ann", "a"),
    )

    assert votes.gold.tolist() == [OTHER, OTHER, OTHER, UNKNOWN]
    assert (votes.said == votes.gold).tolist() == [False, True, True, False]
