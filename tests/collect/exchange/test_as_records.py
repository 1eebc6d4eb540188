"""Every answer becomes the record that says the same, with all that is known of who gave it and how."""

from __future__ import annotations

import pytest

from heedful.checks.votes import ONE, OTHER, TIE, VoteCollector
from heedful.collect.answer import Answer
from heedful.collect.exchange.as_records import as_records, candidates, judgement, pairwise, records_of
from heedful.collect.exchange.words import pseudonyms_of, words
from heedful.collect.settings import Settings
from heedful.collect.store.database import Database
from heedful.prepare.pair_settings import Aggregation, PairSettings
from heedful.prepare.pairs import make_pairs
from heedful.records import (
    Candidates,
    Feedback,
    Judgement,
    Preference,
    Ranking,
    Rating,
    assistant,
    user,
)
from tests.collect.making import NOON, a_person, an_item
from tests.collect.speaking import item, say, word

PLAIN = Settings()
RED, BLUE = (assistant("red"),), (assistant("blue"),)


def one(said, settings: Settings = PLAIN):
    (record,) = as_records([said], settings)
    return record


@pytest.mark.parametrize(
    ("verdict", "shown", "chosen", "shown_first"),
    [
        ("a", (0, 1), RED, "chosen"),
        ("a", (1, 0), RED, "rejected"),
        ("b", (0, 1), BLUE, "rejected"),
        ("b", (1, 0), BLUE, "chosen"),
        ("tie", (0, 1), RED, "chosen"),
        ("tie", (1, 0), BLUE, "chosen"),
        ("both_bad", (1, 0), BLUE, "chosen"),
    ],
)
def test_a_verdict_is_a_preference_that_says_what_was_shown_first(
    verdict, shown, chosen, shown_first
) -> None:
    record = one(word(item(source="set", metadata={"topic": "t"}), verdict=verdict, shown=shown))

    rejected = BLUE if chosen == RED else RED
    even = 0.5 if verdict in ("tie", "both_bad") else None
    assert record == Preference(
        (user("Which of k?"),), chosen, rejected, probability=even, id="k", source="set"
    )
    who = {RED: "by red", BLUE: "by blue"}
    assert record.metadata == {
        "topic": "t",
        "generator_chosen": who[chosen],
        "generator_rejected": who[rejected],
        "shown_first": shown_first,
        "annotator": "ann",
        "seconds": 3.5,
        "at": "2026-03-01T12:00:00+00:00",
    } | ({"verdict": "both_bad"} if verdict == "both_bad" else {})


def test_all_that_stands_beside_a_verdict_is_in_the_metadata() -> None:
    said = word(item(), verdict="b", strength=3, rationale="why", flags=("unsafe",), shown=(), seconds=None)
    record = one(said, Settings(strength=4))

    assert (record.margin, record.metadata["scale"]) == (3.0, 4)
    assert (record.metadata["rationale"], record.metadata["flags"]) == ("why", ["unsafe"])
    assert "shown_first" not in record.metadata
    assert "seconds" not in record.metadata


@pytest.mark.parametrize(("right", "gold"), [("a", "rejected"), ("b", "chosen"), ("tie", None)])
def test_gold_names_the_side_that_is_right(right, gold) -> None:
    record = one(word(item(gold=Answer(verdict=right)), verdict="b"))

    assert record.metadata.get("gold") == gold


def test_metadata_of_a_side_change_sides_with_it() -> None:
    of = item(metadata={"score_chosen": 9, "score_rejected": 1})

    assert one(word(of, verdict="a")).metadata["score_chosen"] == 9
    assert one(word(of, verdict="b")).metadata["score_chosen"] == 1


def test_what_the_source_knew_of_another_vote_is_no_word_on_this_one() -> None:
    record = one(word(item(metadata={"annotator": "x", "verdict": "both_bad"}), verdict="a"))

    assert record.metadata["annotator"] == "ann"
    assert "verdict" not in record.metadata


def test_a_ranking_keeps_its_ranks_and_the_places() -> None:
    gold = Answer(ranks=(1, 2, 2))
    record = one(word(item("x", "y", "z", gold=gold), ranks=(2, 1, 2), shown=(2, 0, 1)))

    assert record == Ranking(
        (user("Which of k?"),), tuple((assistant(text),) for text in "xyz"), (2, 1, 2), id="k"
    )
    assert record.metadata == {
        "generators": ["by x", "by y", "by z"],
        "shown": [2, 0, 1],
        "gold_ranks": [1, 2, 2],
        "annotator": "ann",
        "seconds": 3.5,
        "at": "2026-03-01T12:00:00+00:00",
    }


def test_a_ranking_is_a_vote_on_each_two_of_its_responses() -> None:
    gold = Answer(ranks=(1, 2, 2))
    ranking = one(word(item("x", "y", "z", gold=gold), ranks=(2, 1, 2), shown=(2, 0, 1)))

    made = [
        (pair.id, pair.chosen[0].content, pair.rejected[0].content, pair.tie, pair.metadata["shown_first"],
         pair.metadata.get("gold"), pair.metadata["generator_chosen"])
        for pair in pairwise(ranking)
    ]  # fmt: skip

    assert made == [
        ("k:1+2", "y", "x", False, "rejected", "rejected", "by y"),
        ("k:1+3", "z", "x", True, "chosen", "rejected", "by z"),
        ("k:2+3", "y", "z", False, "rejected", None, "by y"),
    ]
    assert all(pair.metadata["annotator"] == "ann" for pair in pairwise(ranking))
    assert all({"generators", "shown", "gold_ranks"}.isdisjoint(pair.metadata) for pair in pairwise(ranking))


def test_rankings_of_several_people_are_aggregated_pair_by_pair() -> None:
    of = item("x", "y", "z")
    said = [
        word(of, "ann", ranks=(1, 2, 3)),
        word(of, "bob", ranks=(1, 3, 2)),
        word(of, "cy", ranks=(2, 1, 3)),
    ]
    votes = [vote for ranking in as_records(said, PLAIN) for vote in pairwise(ranking)]

    made = make_pairs(votes, PairSettings(aggregate=Aggregation()))

    assert [(p.chosen[0].content, p.rejected[0].content, p.probability) for p in made] == [
        ("x", "y", pytest.approx(2 / 3)),
        ("x", "z", None),
        ("y", "z", pytest.approx(2 / 3)),
    ]


def test_ratings_are_one_for_each_response_and_aspect() -> None:
    gold = Answer(scores=({"safe": 5}, {"safe": 1}))
    said = word(item(gold=gold), scores=({"safe": 4, "tone": 2}, {"safe": 1, "tone": 3}))
    made = list(as_records([said], Settings(task="rating", points=7)))

    assert [(r.response[0].content, r.aspect, r.score, r.id) for r in made] == [
        ("red", "safe", 4.0, "k.1"),
        ("red", "tone", 2.0, "k.1"),
        ("blue", "safe", 1.0, "k.2"),
        ("blue", "tone", 3.0, "k.2"),
    ]
    assert all(isinstance(record, Rating) for record in made)
    assert made[0].metadata == {
        "scale": 7,
        "gold_score": 5,
        "generator": "by red",
        "annotator": "ann",
        "seconds": 3.5,
        "at": "2026-03-01T12:00:00+00:00",
    }
    assert "gold_score" not in made[1].metadata


def test_thumbs_are_feedback_on_each_response() -> None:
    said = word(item(gold=Answer(thumbs=(True, True))), thumbs=(True, False))
    made = list(as_records([said], Settings(task="thumbs")))

    assert made == [
        Feedback((user("Which of k?"),), RED, True, id="k.1"),
        Feedback((user("Which of k?"),), BLUE, False, id="k.2"),
    ]
    assert [(r.metadata["generator"], r.metadata["gold_desirable"]) for r in made] == [
        ("by red", True), ("by blue", True),
    ]  # fmt: skip


def test_a_skip_is_left_out_and_counted() -> None:
    of = item()
    kept = as_records([word(of, verdict="skip", reason="broken"), word(of, "bob", verdict="a")], PLAIN)

    assert (kept.counts.read, kept.counts.kept, kept.counts.quarantined) == (2, 1, {"skipped": 1})
    (left,) = kept.quarantined
    assert (left.where, left.detail, left.raw["verdict"]) == ("k by ann", "broken", "skip")


def test_an_item_and_the_raw_vote_on_it() -> None:
    of = item(gold=Answer(verdict="b"), source="set", metadata={"topic": "t", "annotator": "x"})
    asked = candidates(of)
    said = judgement(word(of, verdict="b", strength=2, shown=(1, 0), rationale="why"))

    assert asked == Candidates((user("Which of k?"),), (RED, BLUE), "k", "set")
    assert asked.metadata == {"topic": "t", "generators": ["by red", "by blue"], "gold": "rejected"}
    assert said == Judgement("k", "ann", "b", 2, ("b", "a"), "why", 3.5, NOON)


def test_the_checks_understand_the_votes() -> None:
    of = item(gold=Answer(verdict="a"))
    collector = VoteCollector()
    said = [word(of, "ann", verdict="a"), word(of, "bob", verdict="b"), word(of, "cy", verdict="tie")]
    for index, record in enumerate(as_records(said, PLAIN)):
        collector.see(record, index)
    votes = collector.votes()

    assert votes.said.tolist() == [ONE, OTHER, TIE]
    assert votes.gold.tolist() == [ONE, ONE, ONE]
    assert (votes.names, votes.shown.tolist()) == (["ann", "bob", "cy"], [0, 1, -1])


def test_what_stands_is_read_from_the_log(database: Database) -> None:
    with database.write() as connection:
        ann, bob, eve = (a_person(connection, name) for name in ("ann", "bob", "eve"))
        first, second = an_item(connection), an_item(connection)
        say(connection, ann, first, verdict="a")
        say(connection, bob, first, verdict="b")
        say(connection, ann, first, verdict="b")  # changed
        say(connection, bob, first, action="retract")
        say(connection, bob, second, kind="import", shown=(), verdict="a")
        say(connection, bob, second, kind="chat", verdict="b")  # of two kinds the last
        say(connection, eve, second, kind="adjudication", verdict="a")
        say(connection, eve, second, verdict="skip")
    with database.read() as connection:
        kept = records_of(connection, PLAIN)
        before = words(connection, until=2)
        decided = words(connection, kinds=("adjudication",))

    assert [(r.id, r.metadata["annotator"], r.chosen[0].content) for r in kept] == [
        (first.key, "ann", "blue"), (second.key, "bob", "blue"),
    ]  # fmt: skip
    assert kept.counts.quarantined == {"skipped": 1}
    assert [(w.item.key, w.annotator, w.answer.verdict) for w in before] == [
        (first.key, "ann", "a"), (first.key, "bob", "b"),
    ]  # fmt: skip
    assert [(w.annotator, w.answer.verdict) for w in decided] == [("eve", "a")]


def test_pseudonyms_stay_and_tell_nothing_without_the_secret(database: Database) -> None:
    with database.write() as connection:
        ann = a_person(connection, "ann")
        one_secret = pseudonyms_of(connection, "secret")
        a_person(connection, "bob")
        later, other = pseudonyms_of(connection, "secret"), pseudonyms_of(connection, "another")

    assert later[ann.id] == one_secret[ann.id]
    assert other[ann.id] != one_secret[ann.id]
    assert len(set(later.values())) == 2
    assert "ann" not in later[ann.id].removeprefix("annotator-")
