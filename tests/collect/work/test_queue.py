"""Nobody gets an item twice, no item is given to too many, what is left open comes back; on both backends."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, func, insert, select, update

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Assignment, Person
from heedful.collect.store.project import Project, now
from heedful.collect.team import people
from heedful.collect.work import items, queue, votes
from tests.collect.making import NOON, a_person, an_item, in_hand, voted

PLAIN = Settings()
A, B, SKIP = Answer(verdict="a"), Answer(verdict="b"), Answer(verdict="skip", reason="cannot")
LEASE = timedelta(minutes=PLAIN.lease_minutes)
SOON, LATE = NOON + timedelta(minutes=1), NOON + LEASE


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as connection:
        yield connection


def after(
    connection: Connection, person: Person, settings: Settings = PLAIN, at: datetime = NOON
) -> int | None:
    """The item that a person gets."""
    found = queue.open_next(connection, person, settings, at)
    return None if found is None else found.item


def answer(
    connection: Connection,
    assignment: Assignment | None,
    given: Answer = A,
    settings: Settings = PLAIN,
    at: datetime = NOON,
) -> None:
    """What was shown is answered so that the item's answer is this one."""
    assert assignment is not None
    shown = given.as_shown(assignment.shown)
    uid = secrets.token_hex(8)
    settings = settings.model_copy(update={"skip_reasons": ("cannot",)})
    votes.submit(connection, assignment, shown, settings, uid=uid, seconds=2.0, at=at)


def work(connection: Connection, person: Person, settings: Settings = PLAIN, given: Answer = A) -> list[int]:
    """All the items a person gets, answered one after the other."""
    had = []
    while (found := queue.open_next(connection, person, settings, NOON)) is not None:
        answer(connection, found, given, settings)
        had.append(found.item)
    return had


def state(connection: Connection, id: int) -> tuple[int, int, bool]:
    item = items.get(connection, id)
    return item.votes, item.skips, item.open


def count(connection: Connection, table: object) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())  # type: ignore[arg-type]


def test_what_somebody_has_open_comes_first_and_is_the_same(connection) -> None:
    for _ in range(3):
        an_item(connection)
    ann = a_person(connection, "ann")

    first = queue.open_next(connection, ann, PLAIN, NOON)

    assert first is not None
    assert first == queue.open_next(connection, ann, PLAIN, SOON)
    assert (first.expires_at, first.closed_at, first.kind) == (NOON + LEASE, None, "vote")
    assert sorted(first.shown) == [0, 1]
    assert count(connection, schema.assignments) == 1


def test_items_come_in_the_order_of_their_priorities_and_each_once(connection) -> None:
    made = [an_item(connection).id for _ in range(4)]
    connection.execute(update(schema.items).where(schema.items.c.id == made[2]).values(priority=-1.0))
    ann = a_person(connection, "ann")

    assert work(connection, ann) == [made[2], made[0], made[1], made[3]]
    assert work(connection, a_person(connection, "bob")) == []


def test_a_skipped_item_does_not_come_back(connection) -> None:
    made = [an_item(connection, wanted=2).id for _ in range(2)]
    ann = a_person(connection, "ann")

    assert work(connection, ann, given=SKIP) == made


def test_an_item_is_in_no_more_hands_than_votes_are_wanted(connection) -> None:
    pair, single = an_item(connection, wanted=2).id, an_item(connection).id
    crowd = [a_person(connection, name) for name in "abcd"]

    assert [after(connection, person) for person in crowd] == [pair, pair, single, None]


def test_votes_and_hands_count_together(connection) -> None:
    item = an_item(connection, wanted=2)
    ann, bob, cat = (a_person(connection, name) for name in ("ann", "bob", "cat"))
    voted(connection, ann, item, A)

    assert after(connection, bob) == item.id
    assert after(connection, cat) is None


def test_a_skip_frees_its_place_for_another(connection) -> None:
    item = an_item(connection, wanted=2).id
    ann, bob, cat = (a_person(connection, name) for name in ("ann", "bob", "cat"))
    first = queue.open_next(connection, ann, PLAIN, NOON)
    after(connection, bob)

    answer(connection, first, SKIP)

    assert after(connection, cat) == item


def test_what_as_many_skipped_as_were_to_vote_goes_to_nobody_else(connection) -> None:
    item = an_item(connection, wanted=2).id
    for name in ("ann", "bob"):
        work(connection, a_person(connection, name), given=SKIP)

    assert state(connection, item) == (0, 2, False)
    assert after(connection, a_person(connection, "cat")) is None


def test_what_someone_left_open_goes_to_others_when_their_time_is_over(connection) -> None:
    item = an_item(connection).id
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    left = queue.open_next(connection, ann, PLAIN, NOON)
    assert left is not None
    votes.save_draft(connection, left, A, NOON)

    assert after(connection, bob, at=LATE - timedelta(seconds=1)) is None
    assert after(connection, bob, at=LATE) == item

    assert after(connection, ann, at=LATE) is None


def test_an_answer_that_comes_when_the_place_is_taken_is_kept(connection) -> None:
    item = an_item(connection)
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    left = in_hand(connection, ann, item)
    votes.save_draft(connection, left, A, NOON)
    taken = in_hand(connection, bob, item, at=LATE)
    answer(connection, taken, at=LATE)

    assert queue.find(connection, left.token, ann) == left
    assert votes.draft(connection, left) == A
    answer(connection, left, at=LATE)

    assert state(connection, item.id) == (2, 0, False)


def test_whoever_comes_back_before_the_place_is_taken_finds_item_and_draft(connection) -> None:
    an_item(connection)
    other = an_item(connection).id
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    left = queue.open_next(connection, ann, PLAIN, NOON)
    assert left is not None
    votes.save_draft(connection, left, A, NOON)

    again = queue.open_next(connection, ann, PLAIN, LATE)

    assert again is not None
    assert (again.token, again.shown, again.expires_at) == (left.token, left.shown, LATE + LEASE)
    assert votes.draft(connection, again) == A
    assert after(connection, bob, at=LATE) == other


def test_nothing_is_taken_from_those_whose_place_nobody_needs(connection) -> None:
    item = an_item(connection, wanted=3).id
    ann, bob, cat, dan = (a_person(connection, name) for name in ("ann", "bob", "cat", "dan"))
    left = [queue.open_next(connection, person, PLAIN, NOON) for person in (ann, bob)]
    assert left[0] is not None
    assert left[1] is not None

    assert after(connection, cat, at=LATE) == item
    assert [queue.find(connection, one.token, who) for one, who in zip(left, (ann, bob), strict=True)] == left
    assert after(connection, dan, at=LATE) == item

    # One place is left for the two, and is the first one's who comes.
    assert after(connection, bob, at=LATE) == item
    assert after(connection, ann, at=LATE) is None


def test_an_open_assignment_is_theirs_until_others_have_its_place(connection) -> None:
    item = an_item(connection)
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    left = in_hand(connection, ann, item)

    assert queue.still_theirs(connection, left, NOON)
    assert queue.still_theirs(connection, left, LATE)
    taken = in_hand(connection, bob, item, at=LATE)
    assert not queue.still_theirs(connection, left, LATE)
    answer(connection, taken, at=LATE)
    assert not queue.still_theirs(connection, left, LATE + LEASE)
    assert queue.still_theirs(connection, left, NOON)


def test_what_was_left_and_got_its_votes_otherwise_is_not_asked_for_any_more(connection) -> None:
    item, other = an_item(connection), an_item(connection)
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    left = in_hand(connection, ann, item)
    voted(connection, bob, item, A)

    assert after(connection, ann, at=LATE - timedelta(seconds=1)) == item.id
    assert after(connection, ann, at=LATE) == other.id
    assert queue.find(connection, left.token, ann) == left


def test_a_vote_taken_back_opens_the_item_and_leaves_it_with_its_person(connection) -> None:
    item = an_item(connection).id
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    given = queue.open_next(connection, ann, PLAIN, NOON)
    assert given is not None
    answer(connection, given)
    assert state(connection, item) == (1, 0, False)

    votes.retract(connection, given, PLAIN, uid="undo", at=SOON)

    assert state(connection, item) == (0, 0, True)
    assert after(connection, bob, at=SOON) is None
    assert after(connection, ann, at=SOON) == item


def test_whoever_has_said_something_of_an_item_elsewhere_is_not_asked_about_it(connection) -> None:
    imported, adjudicated, free = (an_item(connection, wanted=3) for _ in range(3))
    ann = a_person(connection, "ann", "reviewer")
    row = {"uid": "i", "item": imported.id, "person": ann.id, "kind": "import", "action": "give"}
    row |= {"answer": {"verdict": "a"}, "shown": [0, 1], "at": NOON}
    connection.execute(insert(schema.judgements).values(row))
    review = in_hand(connection, ann, adjudicated)
    of_id = schema.assignments.c.id == review.id
    connection.execute(update(schema.assignments).where(of_id).values(kind="adjudication"))

    assert work(connection, ann) == [free.id]


def test_an_assignment_is_found_by_its_token_and_its_person_alone(connection) -> None:
    an_item(connection, wanted=2)
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    theirs = queue.open_next(connection, ann, PLAIN, NOON)
    assert theirs is not None

    assert queue.find(connection, theirs.token, ann) == theirs
    assert queue.find(connection, theirs.token, bob) is None
    assert queue.find(connection, "' OR 1=1 --", ann) is None
    assert len(theirs.token) == 43


def test_what_the_queue_knows_of_an_item_is_what_the_log_says(connection) -> None:
    item = an_item(connection, wanted=3).id
    ann, bob, cat, dan = (a_person(connection, name) for name in ("ann", "bob", "cat", "dan"))
    given = {}
    for person, said in ((ann, A), (bob, SKIP), (cat, A)):
        given[person.name] = queue.open_next(connection, person, PLAIN, NOON)
        answer(connection, given[person.name], said)
    assert state(connection, item) == (2, 1, True)

    answer(connection, given["bob"], B)  # an edit
    assert state(connection, item) == (3, 0, False)
    row = {"uid": "i", "item": item, "person": dan.id, "kind": "import", "action": "give"}
    connection.execute(
        insert(schema.judgements).values(row | {"answer": A.model_dump(), "shown": [], "at": NOON})
    )
    connection.execute(update(schema.items).values(votes=99, skips=99, open=False))
    queue.settle(connection, item)
    assert state(connection, item) == (4, 0, False)


def test_wanting_more_votes_opens_what_was_closed_and_fewer_close_it(connection) -> None:
    item, gold = an_item(connection).id, an_item(connection, stage="gold").id
    ann = a_person(connection, "ann")
    work(connection, ann)

    queue.set_overlap(connection, Settings(overlap=2))
    assert state(connection, item) == (1, 0, True)
    queue.set_overlap(connection, Settings(overlap=1))
    assert state(connection, item) == (1, 0, False)
    assert state(connection, gold) == (0, 0, True)


def test_progress_counts_what_is_done_and_what_is_left_for_this_person(connection) -> None:
    for wanted in (1, 1, 1, 2):
        an_item(connection, wanted=wanted)
    ann, bob = a_person(connection, "ann"), a_person(connection, "bob")
    assert queue.progress(connection, ann, PLAIN) == queue.Progress(0, 4, None)

    for seconds in (1.0, 9.0, 2.0):
        given = queue.open_next(connection, ann, PLAIN, NOON)
        assert given is not None
        votes.submit(connection, given, A, PLAIN, uid=f"u{seconds}", seconds=seconds, at=SOON)
    after(connection, ann)  # open: it is neither done nor gone

    assert queue.progress(connection, ann, PLAIN) == queue.Progress(3, 1, 2.0)
    assert queue.progress(connection, bob, PLAIN) == queue.Progress(0, 1, None)
    assert work(connection, ann) != []
    assert queue.progress(connection, ann, PLAIN).left == 0
    assert queue.progress(connection, bob, PLAIN).left == 1


CALIBRATED = Settings(calibration=3, calibration_pass=0.5)


def calibration(connection: Connection, golds: str = "ab-b") -> list[int]:
    """Calibration items with these right answers, none for a dash."""
    return [
        an_item(connection, stage="calibration", gold=None if one == "-" else Answer(verdict=one)).id
        for one in golds
    ]


def test_everyone_judges_the_first_calibration_items_first(connection) -> None:
    main = an_item(connection, wanted=2).id
    made = calibration(connection)
    settings = Settings(calibration=3)

    for name in ("ann", "bob"):
        person = a_person(connection, name)
        assert queue.progress(connection, person, settings).left == 4
        assert work(connection, person, settings) == [*made[:3], main]
    assert work(connection, a_person(connection, "cat"), settings) == made[:3]
    assert all(state(connection, id)[2] for id in made)


def test_whoever_meets_too_few_known_answers_of_the_calibration_is_held_back(connection) -> None:
    main = an_item(connection, wanted=9).id
    made = calibration(connection)  # known are a and b
    half, none = a_person(connection, "half"), a_person(connection, "none")
    unasked = Answer(verdict="tie")

    assert work(connection, half, CALIBRATED, A) == [*made[:3], main]
    assert work(connection, none, CALIBRATED, unasked) == made[:3]
    assert queue.progress(connection, none, CALIBRATED) == queue.Progress(3, 0, 0.0, held_back=True)
    assert not queue.progress(connection, half, CALIBRATED).held_back

    connection.execute(update(schema.people).where(schema.people.c.id == none.id).values(calibrated=True))
    let_through = people.by_id(connection, none.id)
    assert let_through is not None
    assert after(connection, let_through, CALIBRATED) == main


def test_of_a_calibration_answer_the_first_counts(connection) -> None:
    an_item(connection)
    calibration(connection)
    ann = a_person(connection, "ann")
    work(connection, ann, CALIBRATED, Answer(verdict="tie"))

    for row in connection.execute(select(schema.assignments)).all():
        gold = items.get(connection, row.item).gold
        answer(connection, Assignment.of(row), gold or A)

    assert after(connection, ann, CALIBRATED) is None


def test_a_skip_meets_no_known_answer(connection) -> None:
    an_item(connection)
    calibration(connection)
    ann = a_person(connection, "ann")

    work(connection, ann, CALIBRATED, SKIP)

    assert queue.progress(connection, ann, CALIBRATED).held_back


GOLDEN = Settings(gold_every=3)
MAINS, GOLDS = 30, 20


@pytest.fixture
def mixed(sqlite_url: str) -> Iterator[tuple[Connection, set[int]]]:
    """A project whose secret is always the same, with thirty items and, as they are, twenty gold ones."""
    database = Database(sqlite_url)
    with database.write() as connection:
        row = {"id": 1, "settings": {}, "secret": "s" * 64, "created_at": NOON}
        connection.execute(insert(schema.project).values(row))
        for _ in range(MAINS):
            an_item(connection, wanted=9)
        yield connection, {an_item(connection, stage="gold", gold=A).id for _ in range(GOLDS)}
    database.close()


def test_about_one_item_in_so_many_is_one_whose_answer_is_known(mixed) -> None:
    connection, golds = mixed

    had = [work(connection, a_person(connection, name), GOLDEN) for name in ("ann", "bob", "cat")]

    shares = [sum(id in golds for id in of_one) / len(of_one) for of_one in had]
    assert 0.25 < sum(shares) / 3 < 0.42
    assert all(len(set(of_one) - golds) == MAINS for of_one in had)
    # Neither the places of known answers nor which they are can be learned from each other.
    assert len({tuple(id in golds for id in of_one) for of_one in had}) == 3
    assert len({tuple(id for id in of_one if id in golds) for of_one in had}) == 3
    assert all(state(connection, id)[2] for id in golds)


def test_the_lot_of_known_answers_is_drawn_by_the_projects_secret(mixed) -> None:
    connection, _ = mixed
    ann = a_person(connection, "ann")

    def places() -> list[bool]:
        """The next twenty times that a gold item is drawn."""
        found = []
        for _ in range(20):
            found.append(queue._mixed_in(connection, ann, GOLDEN) is not None)
            in_hand(connection, ann, an_item(connection))
        connection.execute(schema.assignments.delete())
        return found

    drawn = places()
    assert places() == drawn
    connection.execute(update(schema.project).values(secret="t" * 64))
    assert places() != drawn


def test_known_answers_are_given_neither_alone_nor_where_none_are_wanted(mixed) -> None:
    connection, golds = mixed
    ann = a_person(connection, "ann")

    assert not golds & set(work(connection, ann))  # gold_every is None
    assert after(connection, ann, GOLDEN) is None


PEOPLE, OVERLAP, ITEMS = 16, 3, 30


def test_many_people_at_once_do_everything_and_nothing_too_often(database: Database) -> None:
    settings = Settings(overlap=OVERLAP)
    project = Project.open(database, settings)
    with database.write() as connection:
        made = [an_item(connection, wanted=OVERLAP).id for _ in range(ITEMS)]
        crowd = [a_person(connection, f"p{number}") for number in range(PEOPLE)]
    had: dict[int, list[int]] = {person.id: [] for person in crowd}
    too_many: list[int] = []
    trouble: list[BaseException] = []

    def judge(person: Person) -> None:
        try:
            while True:
                with database.write() as connection:
                    given = queue.open_next(connection, person, settings, now())
                    held = _held(connection)
                    too_many.extend(id for id, number in held.items() if number > OVERLAP)
                if given is None:
                    return
                had[person.id].append(given.item)
                with database.write() as connection:
                    answer(connection, given, A, project.settings, now())
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=judge, args=(person,)) for person in crowd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert trouble == []
    assert too_many == []
    assert all(len(of_one) == len(set(of_one)) for of_one in had.values())
    with database.read() as connection:
        assert [state(connection, id)[::2] for id in made] == [(OVERLAP, False)] * ITEMS


def _held(connection: Connection) -> Counter[int]:
    """Votes and hands of each item."""
    known = schema.items.c
    held = Counter({row.id: row.votes for row in connection.execute(select(known.id, known.votes))})
    open_ones = select(schema.assignments.c.item).where(schema.assignments.c.closed_at.is_(None))
    held.update(connection.execute(open_ones).scalars())
    return held
