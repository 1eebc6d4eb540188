"""What needs a second look, who may give it, and that it decides; on both backends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, update

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Assignment, Item, Person
from heedful.collect.work import items, queue, review, votes
from heedful.collect.work.review import Case
from heedful.collect.work.votes import Refused
from tests.collect.making import NOON, a_person, an_item, in_hand, voted

PLAIN = Settings()  # an agreement below 0.7 goes to review
A, B, TIE = Answer(verdict="a"), Answer(verdict="b"), Answer(verdict="tie")
SKIP = Answer(verdict="skip", rationale="it is in Latin")
LATER = NOON + timedelta(minutes=5)


@pytest.fixture
def connection(database: Database):
    with database.write() as connection:
        yield connection


@pytest.fixture
def team(connection: Connection) -> dict[str, Person]:
    names = {"ann": "annotator", "bob": "annotator", "rea": "reviewer", "rob": "reviewer", "ada": "admin"}
    return {name: a_person(connection, name, role) for name, role in names.items()}


def disputed(connection: Connection, team: dict[str, Person], **more) -> Item:
    """An item on which ann and bob disagree."""
    item = an_item(connection, wanted=2, **more)
    voted(connection, team["ann"], item, A)
    voted(connection, team["bob"], item, B)
    return item


def decide(connection: Connection, assignment: Assignment, answer: Answer, uid: str = "decision") -> None:
    votes.submit(connection, assignment, answer, PLAIN, uid=uid, seconds=None, at=LATER)


@pytest.mark.parametrize(
    ("settings", "answers", "share"),
    [
        (PLAIN, [A], None),
        (PLAIN, [A, SKIP], None),
        (PLAIN, [A, A, B, SKIP], 2 / 3),
        (PLAIN, [A, B, TIE, A], 1 / 2),
        (Settings(task="ranking"), [Answer(ranks=(1, 2, 3)), Answer(ranks=(1, 3, 2))], 2 / 3),
        (Settings(task="ranking"), [Answer(ranks=(1, 2, 3)), Answer(ranks=(3, 2, 1))], 0.0),
        (Settings(task="thumbs"), [Answer(thumbs=(True, True)), Answer(thumbs=(True, False))], 1 / 2),
        (
            Settings(task="rating", aspects=("safe", "tone")),
            [
                Answer(scores=({"safe": 1, "tone": 1}, {"safe": 5, "tone": 5})),
                Answer(scores=({"safe": 2, "tone": 3}, {"safe": 5, "tone": 4})),
                Answer(scores=({"safe": 1, "tone": 2}, {"safe": 5, "tone": 3})),
            ],
            2 / 4,
        ),
    ],
)
def test_agreement_is_what_people_share_of_what_the_task_asks(settings, answers, share) -> None:
    assert review.agreement(answers, settings) == (None if share is None else pytest.approx(share))


def test_items_of_low_agreement_skipped_or_flagged_ones_need_a_second_look(connection, team) -> None:
    ann, bob = team["ann"], team["bob"]
    low = disputed(connection, team)
    flagged = an_item(connection)
    voted(connection, ann, flagged, Answer(verdict="a", flags=("unsafe", "broken")))
    skipped = an_item(connection, wanted=2)
    for person in (ann, bob):
        voted(connection, person, skipped, SKIP)
    agreed, once_skipped, single = an_item(connection), an_item(connection, wanted=2), an_item(connection)
    for person in (ann, bob):
        voted(connection, person, agreed, A)
    voted(connection, ann, once_skipped, SKIP)
    voted(connection, ann, single, A)

    assert review.cases(connection, PLAIN) == [
        Case(low.id, ("agreement",), 0.5, 2, 0, (), None),
        Case(flagged.id, ("flagged",), None, 1, 0, ("broken", "unsafe"), None),
        Case(skipped.id, ("skipped",), None, 0, 2, (), None),
    ]
    assert review.cases(connection, Settings(review_below=0.5))[0].item == flagged.id


def test_an_item_whose_answer_is_known_is_reviewed_for_its_flags_alone(connection, team) -> None:
    disputed(connection, team, gold=A, stage="gold")
    flagged = disputed(connection, team, gold=A, stage="gold")
    voted(connection, team["rea"], flagged, Answer(verdict="a", flags=("broken",)))

    assert [(case.item, case.whys) for case in review.cases(connection, PLAIN)] == [
        (flagged.id, ("flagged",))
    ]


def test_what_was_taken_back_or_changed_counts_no_more(connection, team) -> None:
    item = disputed(connection, team)
    assignment = next(one.assignment for one in votes.mine(connection, team["bob"].id, 1))

    votes.retract(connection, assignment, PLAIN, uid="undo", at=LATER)
    assert review.cases(connection, PLAIN) == []
    votes.submit(connection, assignment, B, PLAIN, uid="again", seconds=None, at=LATER)
    assert [case.item for case in review.cases(connection, PLAIN)] == [item.id]
    votes.submit(connection, assignment, A, PLAIN, uid="changed", seconds=None, at=LATER)
    assert review.cases(connection, PLAIN) == []


def test_an_adjudication_decides_and_is_no_vote(connection, team) -> None:
    item = disputed(connection, team)
    assignment = review.open_review(connection, team["rea"], item.id, PLAIN, LATER)

    decide(connection, assignment, A)

    entry = votes.current(connection, assignment)
    assert (entry.kind, entry.answer) == ("adjudication", A.of_item(assignment.shown))
    (case,) = review.cases(connection, PLAIN)
    assert (case.decided_by, case.whys, case.votes) == (team["rea"].id, ("agreement",), 2)
    assert items.get(connection, item.id).votes == 2
    assert len(log.standing(connection)) == 2
    assert votes.mine(connection, team["rea"].id, 5) == []


def test_a_reviewers_skip_leaves_the_item_to_others_and_so_does_taking_back(connection, team) -> None:
    item = disputed(connection, team)
    mine = review.open_review(connection, team["rea"], item.id, PLAIN, LATER)
    decide(connection, mine, SKIP)
    assert review.cases(connection, PLAIN)[0].decided_by is None

    other = review.open_review(connection, team["rob"], item.id, PLAIN, LATER)
    decide(connection, other, A, "rob's")
    assert review.cases(connection, PLAIN)[0].decided_by == team["rob"].id
    assert review.decisions(connection, [item.id])[item.id].token == other.token

    votes.retract(connection, other, PLAIN, uid="undo", at=LATER)
    assert review.cases(connection, PLAIN)[0].decided_by is None
    assert review.decisions(connection, [item.id]) == {}


def test_an_item_is_in_one_reviewers_hands_until_their_lease_runs_out(connection, team) -> None:
    item = disputed(connection, team)
    mine = review.open_review(connection, team["rea"], item.id, PLAIN, LATER)
    assert (mine.kind, sorted(mine.shown), mine.closed_at) == ("adjudication", [0, 1], None)
    assert review.held(connection, [item.id], LATER) == {item.id: mine}

    with pytest.raises(Refused, match="reviewing this item now"):
        review.open_review(connection, team["rob"], item.id, PLAIN, LATER)
    soon = LATER + timedelta(minutes=29)
    renewed = review.open_review(connection, team["rea"], item.id, PLAIN, soon)
    assert (renewed.token, renewed.expires_at) == (mine.token, soon + timedelta(minutes=30))
    later = review.open_review(connection, team["rob"], item.id, PLAIN, soon + timedelta(minutes=31))
    assert later.person == team["rob"].id


def test_what_needs_no_look_or_was_decided_is_not_opened(connection, team) -> None:
    quiet, item = an_item(connection), disputed(connection, team)
    mine = review.open_review(connection, team["rea"], item.id, PLAIN, LATER)
    decide(connection, mine, A)

    with pytest.raises(Refused, match="needs no second look"):
        review.open_review(connection, team["rea"], quiet.id, PLAIN, LATER)
    with pytest.raises(Refused, match="needs no second look"):
        review.open_review(connection, team["rea"], 10_000, PLAIN, LATER)
    with pytest.raises(Refused, match="decided this item already"):
        review.open_review(connection, team["rob"], item.id, PLAIN, LATER)
    assert review.open_review(connection, team["rea"], item.id, PLAIN, LATER).id == mine.id


def test_nobody_decides_about_a_vote_of_their_own_unless_nobody_else_could(connection, team) -> None:
    item = disputed(connection, team)
    for name in ("rea", "ada"):
        voted(connection, team[name], item, A)
        with pytest.raises(Refused, match="You have voted on this item"):
            review.open_review(connection, team[name], item.id, Settings(review_below=1), LATER)

    gone = update(schema.people).where(schema.people.c.name == "rob").values(active=False)
    connection.execute(gone)

    with pytest.raises(Refused, match="You have voted on this item"):
        review.open_review(connection, team["rea"], item.id, Settings(review_below=1), LATER)
    opened = review.open_review(connection, team["ada"], item.id, Settings(review_below=1), LATER)
    assert opened.person == team["ada"].id


def test_whoever_reviews_an_item_is_not_asked_for_a_vote_on_it(connection, team) -> None:
    item = an_item(connection, wanted=5)
    voted(connection, team["ann"], item, Answer(verdict="a", flags=("broken",)))
    review.open_review(connection, team["rea"], item.id, PLAIN, LATER)

    assert queue.open_next(connection, team["rea"], PLAIN, LATER) is None
    assert queue.open_next(connection, team["rob"], PLAIN, LATER).item == item.id


def test_sides_are_shuffled(connection, team) -> None:
    orders = {
        review.open_review(connection, team["rea"], disputed(connection, team).id, PLAIN, LATER).shown
        for _ in range(12)
    }

    assert orders == {(0, 1), (1, 0)}


def test_votes_are_seen_through_ones_own_decision_or_that_on_an_item_nobody_votes_on(
    connection, team
) -> None:
    rea, rob, item = team["rea"], team["rob"], disputed(connection, team)
    mine = review.open_review(connection, rea, item.id, PLAIN, LATER)
    assert not review.may_see(connection, rea, mine)

    decide(connection, mine, A)

    assert review.may_see(connection, rea, mine)
    assert review.may_see(connection, rob, mine)
    assert [entry.person for entry in review.said(connection, mine)] == [team["ann"].id, team["bob"].id]
    connection.execute(update(schema.items).values(open=True))
    assert not review.may_see(connection, rob, mine)
    assert review.may_see(connection, rea, mine)


def test_a_decision_is_not_seen_by_whoever_could_change_a_vote_after_it(connection, team) -> None:
    rea, rob = team["rea"], team["rob"]
    item = an_item(connection, wanted=2)
    voted(connection, team["ann"], item, A)
    voted(connection, rob, item, B)
    decided = review.open_review(connection, rea, item.id, PLAIN, LATER)
    decide(connection, decided, A)

    assert not items.get(connection, item.id).open
    assert not review.may_see(connection, rob, decided)


def test_only_adjudications_are_found_by_their_token(connection, team) -> None:
    item = disputed(connection, team)
    mine = review.open_review(connection, team["rea"], item.id, PLAIN, LATER)
    vote = in_hand(connection, team["rob"], an_item(connection))

    assert review.find(connection, mine.token) == mine
    assert review.find(connection, vote.token) is None
    assert review.find(connection, "guess") is None


def test_cases_keep_up_with_the_log_and_look_only_at_what_is_new(connection, team, monkeypatch) -> None:
    cases = review.Cases()
    assert cases.now(connection, PLAIN) == []
    first = disputed(connection, team)
    assert [case.item for case in cases.now(connection, PLAIN)] == [first.id]
    looked_at: list[list[int]] = []
    look = review.cases
    monkeypatch.setattr(
        review,
        "cases",
        lambda connection, settings, ids: looked_at.append(list(ids)) or look(connection, settings, ids),
    )

    second = disputed(connection, team)
    assert cases.now(connection, PLAIN) == look(connection, PLAIN)
    assert cases.now(connection, PLAIN) == look(connection, PLAIN)
    assert looked_at == [[second.id]]
    decide(connection, review.open_review(connection, team["rea"], first.id, PLAIN, LATER), A)
    assert cases.now(connection, PLAIN)[0].decided_by == team["rea"].id
    bobs = next(one.assignment for one in votes.mine(connection, team["bob"].id, 1))
    votes.retract(connection, bobs, PLAIN, uid="undo", at=LATER)
    assert [case.item for case in cases.now(connection, PLAIN)] == [first.id]
