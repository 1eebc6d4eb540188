"""Unreliable annotators: each kind, simulated, is found, and honest ones with a quarter of errors are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from heedful.checks.annotators import UnreliableAnnotators
from heedful.checks.finding import Outcome
from heedful.checks.fixing import mended
from heedful.records import Judgement, Record
from tests.checks.planted import codes, only, outcome, pair

HONEST = 0.75
LEFT = "left"
SEEDS = 50


def crowd(seed: int, kinds: Sequence[float | str], *, items: int = 600, each: int = 5) -> list[Record]:
    """Judgements by annotators who are right so often or vote for the left side; the sides are shuffled."""
    rng = np.random.default_rng(seed)
    records: list[Record] = []
    for item in range(items):
        truth = rng.random() < 0.5
        for who in rng.permutation(len(kinds))[:each]:
            order = ("a", "b") if rng.random() < 0.5 else ("b", "a")
            kind = kinds[who]
            right = rng.random() < kind if isinstance(kind, float) else (order[0] == "a") == truth
            verdict = "a" if right == truth else "b"
            records.append(Judgement(f"i{item}", f"p{who}", verdict, shown_order=order, seconds=8.0))
    return records


def suspects(found: Outcome) -> set[str]:
    return {
        name
        for code in ("random_votes", "one_place", "too_fast", "fails_gold")
        for name in found.figures[code]
    }


def test_honest_annotators_with_a_quarter_of_errors_are_not_accused_in_fifty_crowds() -> None:
    accused = Counter(
        name
        for seed in range(SEEDS)
        for name in suspects(outcome(UnreliableAnnotators(), crowd(seed, [HONEST] * 6, items=100, each=3)))
    )

    # At most 5% of the crowds may accuse anybody; fifty crowds with six of them would be beyond chance.
    assert sum(accused.values()) <= 6
    assert max(accused.values(), default=0) <= 2


def test_one_honest_annotator_among_better_ones_is_not_accused() -> None:
    for seed in range(10):
        found = outcome(UnreliableAnnotators(), crowd(seed, [0.95] * 5 + [HONEST], items=200, each=4))
        assert suspects(found) == set()


def test_random_clickers_and_those_who_vote_left_are_found_and_nobody_else() -> None:
    kinds = [HONEST] * 6 + [0.5, LEFT]
    found = [outcome(UnreliableAnnotators(), crowd(seed, kinds)) for seed in range(8)]

    at_random = Counter(name for one in found for name in one.figures["random_votes"])
    assert at_random["p6"] >= 7  # of 8: with some 375 votes each
    assert [one.figures["one_place"] for one in found] == [["p7"]] * 8
    assert all(suspects(one) <= {"p6", "p7"} for one in found)


def test_the_findings_say_who_and_take_out_their_votes_only() -> None:
    records = crowd(1, [HONEST] * 6 + [0.5, LEFT])
    found = {finding.code: finding for finding in outcome(UnreliableAnnotators(), records).findings}

    left = found["one_place"]
    assert left.title == "1 of 8 annotators votes for one place: p7"
    assert left.removes == {index for index, one in enumerate(records) if one.annotator == "p7"}
    assert (left.count, left.of) == (len(left.removes), 3000)
    assert "more than 80% of theirs" in left.why
    assert left.examples[0].text == f"p7: for the side shown first in 100% of {left.count} votes"
    assert "at most 5%" in found["random_votes"].why
    assert "p6" in found["random_votes"].title
    assert len(mended(found.values())) == 2


def test_votes_faster_than_anyone_reads_are_found_and_only_those_taken_out() -> None:
    records: list[Record] = [
        Judgement(f"i{n}", who, "a", seconds=seconds)
        for n in range(40)
        for who, seconds in (("quick", 0.5 if n % 2 else 9.0), ("slow", 6.0), ("hidden", None))
    ]
    finding = only(outcome(UnreliableAnnotators(side=1.0), records))

    assert (finding.code, finding.count) == ("too_fast", 20)
    assert finding.examples[0].text == "quick: too fast in 50% of 40 votes"
    assert all(records[index].seconds == 0.5 for index in finding.removes or ())
    assert codes(outcome(UnreliableAnnotators(side=1.0, seconds=0.1), records)) == []
    assert codes(outcome(UnreliableAnnotators(side=1.0, fast=0.6), records)) == []


def test_failing_items_whose_answer_is_known_is_found() -> None:
    records: list[Record] = [
        pair(f"x{n}", f"y{n}", id=f"i{n}", metadata={"gold": "chosen"}) for n in range(20)
    ]
    for n in range(20):
        records.append(Judgement(f"i{n}", "good", "a" if n else "b", shown_order=()))
        records.append(Judgement(f"i{n}", "bad", "a" if n % 3 == 0 else "b", shown_order=()))
        records.append(Judgement(f"i{n}", "unsure", "tie"))
    finding = only(outcome(UnreliableAnnotators(), records))

    assert (finding.code, finding.title) == (
        "fails_gold",
        "1 of 3 annotators fails items whose answer is known: bad",
    )
    assert finding.examples[0].text == "bad: right in 35% of 20 votes whose answer is known"
    assert codes(outcome(UnreliableAnnotators(gold=0.3), records)) == []


def test_a_vote_may_carry_its_gold_itself() -> None:
    records = [
        pair("x", "y", prompt=f"q{n}", metadata={"annotator": "bad", "gold": "rejected"}) for n in range(20)
    ]
    assert codes(outcome(UnreliableAnnotators(), records)) == ["fails_gold"]


def test_everyone_is_shown_those_with_most_evidence_against_them_first() -> None:
    rows = outcome(UnreliableAnnotators(), crowd(1, [HONEST] * 6 + [0.5, LEFT])).tables[0].rows

    assert {row[0] for row in rows[:2]} == {"p6", "p7"}
    assert len(rows) == 8
    by_name = {row[0]: row for row in rows}
    assert by_name["p7"][4] == 1.0
    assert by_name["p0"][2] == pytest.approx(0.68, abs=0.06)


def test_ties_and_items_of_one_vote_are_evidence_of_nothing() -> None:
    records: list[Record] = [Judgement(f"i{n}", "ann", "tie") for n in range(50)]
    records += [Judgement(f"j{n}", "bob", "a", shown_order=()) for n in range(50)]
    found = outcome(UnreliableAnnotators(), records)

    assert codes(found) == []
    # Neither was with a majority or against one, and the evidence is what it begins with.
    assert [row[2:4] for row in found.tables[0].rows] == [("", 1.0), ("", 1.0)]


def test_without_votes_there_is_nothing_to_look_at() -> None:
    assert outcome(UnreliableAnnotators(), [pair("x", "y")]).skipped == "no record names an annotator"
