"""A vote is stored once, as the item counts, and nothing that was said is ever lost; on both backends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, delete, func, select

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Assignment, Entry
from heedful.collect.work import items, queue, votes
from heedful.collect.work.votes import Refused
from tests.collect.making import NOON, a_person, an_item, in_hand, voted

PLAIN = Settings()
A, B, TIE = Answer(verdict="a"), Answer(verdict="b"), Answer(verdict="tie")
SKIP = Answer(verdict="skip", rationale="it is in Latin")
LATER = NOON + timedelta(minutes=5)


@pytest.fixture
def connection(database: Database):
    with database.write() as connection:
        yield connection


def give(connection: Connection, assignment: Assignment, answer: Answer, uid: str = "one", **more) -> Entry:
    more = {"settings": PLAIN, "seconds": 3.0, "at": LATER} | more
    settings = more.pop("settings")
    return votes.submit(connection, assignment, answer, settings, uid=uid, **more)


def rows(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(schema.judgements)).scalar_one()


def test_what_was_said_of_what_was_shown_is_stored_as_the_item_counts(connection) -> None:
    ann, item = a_person(connection, "ann"), an_item(connection)
    turned = in_hand(connection, ann, item, shown=(1, 0))

    entry = give(
        connection, turned, Answer(verdict="a", rationale="Größe ≠ Güte \U0001f642", flags=("broken",))
    )

    assert entry.answer == Answer(verdict="b", rationale="Größe ≠ Güte \U0001f642", flags=("broken",))
    assert (entry.shown, entry.person, entry.item) == ((1, 0), ann.id, item.id)
    assert (entry.kind, entry.action, entry.seconds, entry.at) == ("vote", "give", 3.0, LATER)
    assert list(log.entries(connection)) == [entry]


def test_a_ranking_is_stored_as_the_item_counts_and_without_gaps(connection) -> None:
    item = an_item(connection, responses=("x", "y", "z"))
    assignment = in_hand(connection, a_person(connection, "ann"), item, shown=(2, 0, 1))

    entry = give(connection, assignment, Answer(ranks=(1, 3, 1)), settings=Settings(task="ranking"))

    assert entry.answer == Answer(ranks=(2, 1, 1))


def test_an_answer_sent_twice_counts_once_and_changes_nothing(connection) -> None:
    assignment = in_hand(connection, a_person(connection, "ann"), an_item(connection))

    first = give(connection, assignment, A, "one")
    again = give(connection, assignment, B, "one", at=LATER + timedelta(minutes=1))

    assert again == first
    assert rows(connection) == 1
    assert votes.current(connection, assignment).answer == A


def test_a_uid_is_of_one_person_and_one_item_and_one_deed(connection) -> None:
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    item, other = an_item(connection, wanted=2), an_item(connection)
    mine = in_hand(connection, ann, item)
    give(connection, mine, A, "one")

    for assignment in (in_hand(connection, bob, item), in_hand(connection, ann, other)):
        with pytest.raises(Refused, match="used for something else"):
            give(connection, assignment, A, "one")
    with pytest.raises(Refused, match="used for something else"):
        votes.retract(connection, mine, PLAIN, uid="one", at=LATER)
    assert rows(connection) == 1


def test_a_uid_that_no_database_could_keep_is_refused(connection) -> None:
    assignment = in_hand(connection, a_person(connection, "ann"), an_item(connection))

    for uid in ("", "x" * 65, "with space", "naïve", "nul\0"):
        with pytest.raises(Refused, match="1 to 64 letters"):
            give(connection, assignment, A, uid)


def test_the_first_answer_closes_the_assignment_and_a_later_one_is_a_new_row(connection) -> None:
    ann, item = a_person(connection, "ann"), an_item(connection)
    assignment = in_hand(connection, ann, item)

    give(connection, assignment, A, "one")
    closed = queue.find(connection, assignment.token, ann)
    give(connection, closed, B, "two", at=LATER + timedelta(minutes=1))

    assert closed.closed_at == queue.find(connection, assignment.token, ann).closed_at == LATER
    assert [entry.answer for entry in log.history(connection, item.id)] == [A, B]
    assert votes.current(connection, assignment).answer == B
    assert items.get(connection, item.id).votes == 1


def test_the_queue_hears_of_votes_skips_changes_and_retractions(connection) -> None:
    item = an_item(connection, wanted=1)
    assignment = in_hand(connection, a_person(connection, "ann"), item)

    def known() -> tuple[int, int, bool]:
        found = items.get(connection, item.id)
        return found.votes, found.skips, found.open

    give(connection, assignment, A, "one")
    assert known() == (1, 0, False)
    give(connection, assignment, SKIP, "two")
    assert known() == (0, 1, False)
    votes.retract(connection, assignment, PLAIN, uid="three", at=LATER)
    assert known() == (0, 0, True)


def test_what_is_taken_back_comes_first_again_with_what_had_been_said(connection) -> None:
    ann = a_person(connection, "ann")
    item, _ = an_item(connection), an_item(connection)
    assignment = in_hand(connection, ann, item, shown=(1, 0))
    give(connection, assignment, Answer(verdict="a", rationale="shorter"), "one")
    assert queue.open_next(connection, ann, PLAIN, LATER).item != item.id

    entry = votes.retract(connection, assignment, PLAIN, uid="two", at=LATER)

    assert (entry.action, entry.answer, rows(connection)) == ("retract", None, 2)
    assert votes.current(connection, assignment) is None
    back = queue.open_next(connection, ann, PLAIN, LATER + timedelta(minutes=29))
    assert (back.id, back.token, back.shown) == (assignment.id, assignment.token, (1, 0))
    assert (back.closed_at, back.expires_at) == (None, LATER + timedelta(minutes=30))
    assert votes.draft(connection, back) == Answer(verdict="a", rationale="shorter")
    give(connection, back, B, "three")
    assert votes.current(connection, back).answer == A  # what was shown second is the item's first


def test_taking_back_is_done_once_and_only_what_is_there(connection) -> None:
    assignment = in_hand(connection, a_person(connection, "ann"), an_item(connection))
    with pytest.raises(Refused, match="no answer of yours"):
        votes.retract(connection, assignment, PLAIN, uid="none", at=LATER)
    give(connection, assignment, A, "one")

    first = votes.retract(connection, assignment, PLAIN, uid="two", at=LATER)

    assert votes.retract(connection, assignment, PLAIN, uid="two", at=LATER) == first
    with pytest.raises(Refused, match="no answer of yours"):
        votes.retract(connection, assignment, PLAIN, uid="three", at=LATER)


def test_an_answer_that_comes_late_to_a_full_item_is_kept(connection) -> None:
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    item = an_item(connection, wanted=1)
    late = in_hand(connection, ann, item, minutes=1)
    in_time = queue.open_next(connection, bob, PLAIN, LATER)
    give(connection, in_time, A, "bob's", at=LATER)

    entry = give(connection, late, B, "ann's", at=LATER + timedelta(hours=1))

    assert in_time.item == late.item
    assert [one.answer for one in log.standing(connection)] == [
        A.as_shown(in_time.shown),
        B,
    ]
    assert entry.person == ann.id
    assert items.get(connection, item.id).votes == 2


def test_an_answer_to_an_assignment_that_was_released_meanwhile_is_kept_with_it(connection) -> None:
    ann, item = a_person(connection, "ann"), an_item(connection)
    assignment = in_hand(connection, ann, item)
    connection.execute(delete(schema.assignments))

    give(connection, assignment, A)

    again = queue.find(connection, assignment.token, ann)
    assert (again.item, again.shown, again.closed_at) == (item.id, (0, 1), LATER)
    assert [one.item.id for one in votes.mine(connection, ann.id, 10)] == [item.id]


def test_no_more_seconds_are_kept_than_have_passed(connection) -> None:
    assignment = in_hand(connection, a_person(connection, "ann"), an_item(connection))
    given = (None, 0, 12.5, 300, 1e9)

    kept = [give(connection, assignment, A, f"uid-{seconds}", seconds=seconds).seconds for seconds in given]

    assert kept == [None, 0.0, 12.5, 300.0, 300.0]


def test_seconds_that_are_no_time_are_refused(connection) -> None:
    assignment = in_hand(connection, a_person(connection, "ann"), an_item(connection))

    for seconds in (-1, float("nan"), float("inf")):
        with pytest.raises(Refused, match="a number from 0"):
            give(connection, assignment, A, seconds=seconds)
    assert rows(connection) == 0


def test_what_is_refused_leaves_draft_and_assignment_as_they_were(connection) -> None:
    ann = a_person(connection, "ann")
    assignment = in_hand(connection, ann, an_item(connection))
    votes.save_draft(connection, assignment, Answer(rationale="begun"), NOON)

    with pytest.raises(Refused, match="which response is better"):
        give(connection, assignment, Answer())

    assert votes.draft(connection, assignment) == Answer(rationale="begun")
    assert queue.find(connection, assignment.token, ann).closed_at is None


def test_the_last_draft_is_kept_until_the_answer_is_given(connection) -> None:
    item = an_item(connection, responses=("x", "y", "z"))
    assignment = in_hand(connection, a_person(connection, "ann"), item)
    assert votes.draft(connection, assignment) is None

    votes.save_draft(connection, assignment, Answer(ranks=(0, 1, 0)), NOON)
    votes.save_draft(connection, assignment, Answer(ranks=(2, 1, 0), rationale="hm"), LATER)

    assert votes.draft(connection, assignment) == Answer(ranks=(2, 1, 0), rationale="hm")
    give(connection, assignment, Answer(ranks=(2, 1, 3)), settings=Settings(task="ranking"))
    assert votes.draft(connection, assignment) is None


def test_ones_own_votes_are_listed_in_pages_the_last_first_and_as_shown(connection) -> None:
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    made = [an_item(connection, wanted=2) for _ in range(5)]
    for number, item in enumerate(made):
        assignment = in_hand(connection, ann, item, shown=(1, 0))
        give(connection, assignment, A, f"ann-{number}", at=NOON)  # all at the same moment
        voted(connection, bob, item, B)
    give(connection, in_hand_of(connection, ann.id, made[1].id), B, "changed", at=LATER)
    votes.retract(connection, in_hand_of(connection, ann.id, made[2].id), PLAIN, uid="undone", at=LATER)

    first = votes.mine(connection, ann.id, 2)
    rest = votes.mine(connection, ann.id, 10, before=first[-1].assignment.token)

    assert [one.item.id for one in first + rest] == [made[index].id for index in (4, 3, 1, 0)]
    assert [one.answer for one in first + rest] == [A, A, B, A]
    assert [one.at for one in rest] == [LATER, NOON]
    assert votes.mine(connection, bob.id, 10, before=first[-1].assignment.token) == []


def in_hand_of(connection: Connection, person: int, item: int) -> Assignment:
    columns = schema.assignments.c
    found = select(schema.assignments).where(columns.person == person, columns.item == item)
    return Assignment.of(connection.execute(found).one())


def test_a_known_answer_is_met_by_the_same_verdict_alone(connection) -> None:
    item = an_item(connection, gold=A, stage="gold")
    assignment = in_hand(connection, a_person(connection, "ann"), item, shown=(1, 0))
    assert votes.outcome(connection, assignment) is None

    def met(uid: str, answer: Answer) -> bool | None:
        give(connection, assignment, answer.as_shown((1, 0)), uid)
        return votes.outcome(connection, assignment)

    said = (A, B, TIE, Answer(verdict="both_bad"), SKIP)
    assert [met(f"uid-{answer.verdict}", answer) for answer in said] == [True, False, False, False, None]


def test_of_an_item_without_a_known_answer_there_is_no_outcome(connection) -> None:
    assignment = in_hand(connection, a_person(connection, "ann"), an_item(connection))
    give(connection, assignment, A)

    assert votes.outcome(connection, assignment) is None


def test_what_others_said_is_told_of_calibration_items_once_ones_own_answer_is_given(connection) -> None:
    ann = a_person(connection, "ann")
    item = an_item(connection, stage="calibration")
    for name, answer in (("bob", A), ("cem", A), ("dee", TIE), ("eva", SKIP)):
        voted(connection, a_person(connection, name), item, answer)
    assignment = in_hand(connection, ann, item, shown=(1, 0))
    assert votes.others(connection, assignment) is None

    give(connection, assignment, TIE)

    told = votes.others(connection, assignment)
    assert (told.people, told.verdicts) == (3, {"b": 2, "tie": 1})


def test_what_others_said_of_any_other_item_is_told_to_nobody(connection) -> None:
    item = an_item(connection, wanted=2)
    voted(connection, a_person(connection, "bob"), item, A)
    assignment = in_hand(connection, a_person(connection, "ann"), item)
    give(connection, assignment, A)

    assert votes.others(connection, assignment) is None


def test_others_rankings_scores_and_thumbs_are_summed_up_in_the_places_one_saw(connection) -> None:
    ann, bob, cem = (a_person(connection, name) for name in ("ann", "bob", "cem"))
    said = {
        "ranking": (Answer(ranks=(1, 2, 2)), Answer(ranks=(2, 1, 1))),
        "thumbs": (Answer(thumbs=(True, False, False)), Answer(thumbs=(False, True, True))),
        "rating": (
            Answer(scores=({"safe": 1}, {"safe": 2}, {"safe": 3})),
            Answer(scores=({"safe": 2}, {"safe": 2}, {"safe": 5})),
        ),
    }
    told = {}
    for task, (one, other) in said.items():
        settings = Settings(task=task, aspects=("safe",))
        item = an_item(connection, responses=("x", "y", "z"), stage="calibration")
        voted(connection, bob, item, one, settings)
        voted(connection, cem, item, other, settings)
        assignment = in_hand(connection, ann, item, shown=(2, 0, 1))
        give(connection, assignment, one, f"uid-{task}", settings=settings)
        told[task] = votes.others(connection, assignment)

    assert told["ranking"].firsts == told["thumbs"].firsts == (1, 1, 1)
    assert told["rating"].means == ({"safe": 4.0}, {"safe": 1.5}, {"safe": 2.0})
