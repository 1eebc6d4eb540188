"""The chat: two answers at every turn, a choice in the log, and a conversation that goes on from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from heedful.collect.answer import Answer
from heedful.collect.exchange.as_records import records_of
from heedful.collect.sampling.chat import TRIES, CannotAnswer, Chats
from heedful.collect.sampling.journal import Drawn
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.database import Database
from heedful.collect.store.project import Project
from heedful.collect.team import people
from heedful.collect.work import items
from heedful.collect.work.rules import Refused
from heedful.records import Candidates, Message, Preference, assistant, user
from tests.collect.speakers import Fake, answered, chatting, wait


@pytest.fixture
def project(database: Database) -> Project:
    return Project.open(database)


@pytest.fixture
def ann(project: Project) -> int:
    return add(project, "ann")


@pytest.fixture
def chats() -> Iterator[Chats]:
    """Two speakers, A and B."""
    with chatting(Fake("A"), Fake("B")) as found:
        yield found


def add(project: Project, name: str) -> int:
    with project.database.write() as connection:
        return people.add(connection, name)[0].id


def choose(
    chats: Chats, project: Project, person: int, verdict: str, text: str | None = None, **more
) -> None:
    """Say something, if there is `text`, and judge the answers."""
    if text is not None:
        chats.say(person, text)
    turn = answered(chats, person)
    chats.pick(project, person, turn.token, Answer(verdict=verdict, **more))


def standing(project: Project) -> list:
    with project.database.read() as connection:
        return log.standing(connection)


def entries(project: Project) -> list:
    with project.database.read() as connection:
        return list(log.entries(connection))


def said(chats: Chats, person: int) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in chats.of(person).messages]


def test_a_choice_is_in_the_log_as_an_item_of_two_answers_and_exports_as_a_preference(
    project: Project, ann: int, chats: Chats
) -> None:
    choose(chats, project, ann, "b", "Hello", rationale="Kinder.")

    (entry,) = entries(project)
    with project.database.read() as connection:
        item = items.get(connection, entry.item)
        (record,) = records_of(connection, project.settings)
    assert (entry.kind, entry.action, entry.person) == ("chat", "give", ann)
    assert 0 <= entry.seconds < 20
    assert (item.origin, item.stage, item.open, item.wanted, item.votes) == ("chat", "main", False, 1, 1)
    assert item.prompt == (user("Hello"),)
    assert {r.generator: r.turns[0].content for r in item.responses} == {
        "A": "A says 1 to Hello",
        "B": "B says 1 to Hello",
    }
    second = item.responses[entry.shown[1]].turns
    assert entry.answer == Answer(verdict="ab"[entry.shown[1]], rationale="Kinder.")
    assert isinstance(record, Preference)
    assert record.chosen == second
    assert chats.of(ann).messages == (user("Hello"), *second)


def test_the_chosen_answer_is_what_the_models_hear_next(project: Project, ann: int) -> None:
    a, b = Fake("A"), Fake("B")
    with chatting(a, b, system="Be brief.") as chats:
        choose(chats, project, ann, "a", "One")
        kept = chats.of(ann).messages[-1]
        choose(chats, project, ann, "b", "Two")

    assert a.asked[1] == b.asked[1] == (Message("system", "Be brief."), user("One"), kept, user("Two"))
    assert len(entries(project)) == 2


def test_sides_are_shuffled_and_recorded(project: Project, ann: int, chats: Chats) -> None:
    for number in range(40):
        choose(chats, project, ann, "a", f"Question {number}")

    shown = Counter(entry.shown for entry in entries(project))
    assert set(shown) == {(0, 1), (1, 0)}
    assert 10 <= shown[0, 1] <= 30
    with project.database.read() as connection:
        records = records_of(connection, project.settings)
    assert {record.metadata["shown_first"] for record in records} == {"chosen"}  # A was always taken


def test_whoever_is_shown_first_answers_first_so_that_speed_tells_nothing(project: Project, ann: int) -> None:
    order: list[str] = []

    def speaker(name: str) -> Fake:
        return Fake(name, lambda conversation, times: order.append(name) or f"{name} {times}")

    with chatting(speaker("A"), speaker("B")) as chats:
        firsts = []
        for number in range(12):
            order.clear()
            chats.say(ann, f"Question {number}")
            turn = answered(chats, ann)
            assert order == ["AB"[index] for index in turn.shown]
            firsts.append(order[0])
            chats.pick(project, ann, turn.token, Answer(verdict="a"))
    assert set(firsts) == {"A", "B"}


def test_a_tie_is_stored_and_one_answer_drawn_to_go_on_with(project: Project, ann: int, chats: Chats) -> None:
    places = []
    for number in range(20):
        chats.say(ann, f"Question {number}")
        turn = answered(chats, ann)
        chats.pick(project, ann, turn.token, Answer(verdict="tie"))
        places.append([answer.text for answer in turn.places].index(chats.of(ann).messages[-1].content))

    assert {entry.answer.verdict for entry in entries(project)} == {"tie"}
    assert set(places) == {0, 1}


def test_both_bad_is_stored_and_the_question_can_be_asked_again_or_otherwise(
    project: Project, ann: int, chats: Chats
) -> None:
    choose(chats, project, ann, "both_bad", "Hello")
    assert (chats.of(ann).messages, chats.of(ann).turn.state) == ((), "both_bad")

    chats.again(ann)
    choose(chats, project, ann, "both_bad")
    choose(chats, project, ann, "a", "Good day")

    assert [entry.answer.verdict for entry in entries(project)][:2] == ["both_bad"] * 2
    assert said(chats, ann)[0] == ("user", "Good day")
    assert len(said(chats, ann)) == 2


def test_undo_is_a_row_of_its_own_and_the_answers_are_there_again(
    project: Project, ann: int, chats: Chats
) -> None:
    choose(chats, project, ann, "a", "One")
    choose(chats, project, ann, "a", "Two")
    second = said(chats, ann)[3][1]

    chats.undo(project, ann)

    assert [entry.action for entry in entries(project)] == ["give", "give", "retract"]
    assert len(standing(project)) == 1
    with project.database.read() as connection:
        item = items.get(connection, entries(project)[1].item)
    assert (item.votes, item.open) == (0, False)
    assert len(said(chats, ann)) == 2
    turn = chats.of(ann).turn
    assert (turn.state, turn.said[-1]) == ("ready", user("Two"))
    assert turn.places[0].text == second

    choose(chats, project, ann, "b")
    chats.undo(project, ann)
    choose(chats, project, ann, "tie")
    assert [entry.answer.verdict for entry in standing(project)][1:] == ["tie"]
    assert len(entries(project)) == 6
    chats.undo(project, ann)
    chats.again(ann)
    answered(chats, ann)
    chats.undo(project, ann)  # there are answers to be judged first
    assert len(standing(project)) == 1


def test_a_choice_sent_twice_counts_once_and_an_old_one_not_at_all(
    project: Project, ann: int, chats: Chats
) -> None:
    chats.say(ann, "Hello")
    turn = answered(chats, ann)
    for _ in range(2):
        chats.pick(project, ann, turn.token, Answer(verdict="a"))
    chats.say(ann, "And now?")
    answered(chats, ann)
    chats.pick(project, ann, turn.token, Answer(verdict="b"))

    assert [entry.answer.verdict for entry in entries(project)] == ["ab"[turn.shown[0]]]


def test_equal_answers_are_asked_for_again_with_other_seeds_and_then_gone_on_with(
    project: Project, ann: int
) -> None:
    a, b = Fake("A", lambda *_: "Yes."), Fake("B", lambda *_: " Yes.\n")
    with chatting(a, b) as chats:
        chats.say(ann, "Well?")
        turn = answered(chats, ann)
        assert turn.state == "same"
        chats.pick(project, ann, turn.token, Answer(verdict="a"))  # nothing to choose between
        chats.go_on(ann)
        assert len(a.asked) == len(set(a.seeds + b.seeds)) / 2 == TRIES
        assert said(chats, ann)[1][1].strip() == "Yes."
    assert entries(project) == []


def test_the_first_two_answers_that_differ_are_shown(project: Project, ann: int) -> None:
    with chatting(
        Fake("A", lambda _, times: "Yes." if times < 3 else "No."), Fake("B", lambda *_: "Yes.")
    ) as chats:
        chats.say(ann, "Well?")
        turn = answered(chats, ann)
    assert (turn.state, sorted(answer.text for answer in turn.answers)) == ("ready", ["No.", "Yes."])


def test_one_model_gives_both_answers_in_one_go(project: Project, ann: int) -> None:
    alone = Fake("A")
    with chatting(alone) as chats:
        choose(chats, project, ann, "a", "Hello")
        with project.database.read() as connection:
            item = items.get(connection, entries(project)[0].item)
    assert len(alone.seeds) == 1
    assert [response.generator for response in item.responses] == ["A", "A"]


def test_an_answer_cut_at_the_limit_is_marked_and_stays_so_in_the_item(project: Project, ann: int) -> None:
    with chatting(Fake("A", lambda *_: Drawn("It goes on and", False)), Fake("B")) as chats:
        choose(chats, project, ann, "a", "Hello")
        choose(chats, project, ann, "a", "And?")
    with project.database.read() as connection:
        found = [items.get(connection, entry.item) for entry in entries(project)]
    assert [item.metadata.get("cut") for item in found] == [True, True]


def test_answers_grow_while_they_are_written_and_stop_when_asked_to(project: Project, ann: int) -> None:
    slow = Fake("A", lambda *_: "0123456789", waits=True)
    with chatting(slow) as chats:
        chats.say(ann, "Hello")
        wait(lambda: chats.of(ann).turn.answers[0].text != "")
        turn = chats.of(ann).turn
        assert (turn.state, turn.answers[0].text, turn.answers[0].state) == ("answering", "01234", "writing")
        chats.pick(project, ann, turn.token, Answer(verdict="a"))
        chats.say(ann, "Are you there?")  # one at a time

        chats.stop(ann)
        assert answered(chats, ann).state == "stopped"

        slow.gate.set()
        chats.say(ann, "Again")
        assert answered(chats, ann).said == (user("Again"),)
    assert entries(project) == []


def test_people_have_conversations_of_their_own_and_are_answered_in_turn(project: Project, ann: int) -> None:
    bob = add(project, "bob")
    slow = Fake("A", waits=True)
    with chatting(slow) as chats:
        chats.say(ann, "I am Ann")
        chats.say(bob, "I am Bob")
        wait(lambda: len(slow.asked) == 1)
        assert [answer.state for answer in chats.of(bob).turn.answers] == ["waiting", "waiting"]
        slow.gate.set()
        assert answered(chats, ann).said == (user("I am Ann"),)
        assert answered(chats, bob).said == (user("I am Bob"),)
        chats.pick(project, bob, chats.of(ann).turn.token, Answer(verdict="a"))
    assert entries(project) == []


def test_a_new_conversation_gives_up_the_old_one_and_its_answers(project: Project, ann: int) -> None:
    slow = Fake("A", waits=True)
    with chatting(slow, system="Be brief.") as chats:
        chats.say(ann, "Hello")
        turn = chats.of(ann).turn
        chats.begin(ann, "Rhyme.")
        wait(lambda: turn.state == "stopped")
        assert (said(chats, ann), chats.of(ann).turn) == ([("system", "Rhyme.")], None)


@pytest.mark.parametrize(
    ("trouble", "told"), [(CannotAnswer("Too long."), "Too long."), (RuntimeError("A broke"), "stands why")]
)
def test_what_goes_wrong_is_told_without_naming_a_model(
    project: Project, ann: int, caplog: pytest.LogCaptureFixture, trouble: Exception, told: str
) -> None:
    def fail(*_):
        raise trouble

    with chatting(Fake("A", fail), Fake("B")) as chats:
        chats.say(ann, "Hello")
        turn = answered(chats, ann)
        assert (turn.state, told in turn.problem, "A broke" in turn.problem) == ("failed", True, False)
        assert ("A broke" in caplog.text) == isinstance(trouble, RuntimeError)
        chats.begin(ann, "")
        chats.say(ann, "Still there?")  # the thread of the speakers is
        assert answered(chats, ann).state == "failed"


def test_a_model_with_nothing_to_say_is_asked_again_and_then_given_up(project: Project, ann: int) -> None:
    silent = Fake("A", lambda *_: "  ")
    with chatting(silent, Fake("B")) as chats:
        chats.say(ann, "Hello")
        turn = answered(chats, ann)
    assert (turn.state, len(silent.asked)) == ("failed", TRIES)
    assert "nothing to say" in turn.problem


def test_who_wrote_what_is_told_after_the_choice_only_where_that_is_wanted(
    project: Project, ann: int
) -> None:
    with chatting(Fake("smol"), Fake("tuned")) as chats:
        choose(chats, project, ann, "b", "Hello")
        assert chats.of(ann).notes == {1: "You chose B."}
    with chatting(Fake("smol"), Fake("tuned"), reveal=True) as chats:
        choose(chats, project, ann, "tie", "Hello")
        note = chats.of(ann).notes[1]
    first = entries(project)[-1].shown[0]
    names = ("smol", "tuned")
    assert note.startswith("You called it a tie; ")
    assert note.endswith(f"A was by {names[first]}, B by {names[1 - first]}.")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_pair_that_the_project_has_already_is_voted_on_as_it_stands_there(
    project: Project, ann: int, order: tuple[int, int]
) -> None:
    texts = ["A says 1 to Hello", "B says 1 to Hello"]
    record = Candidates((user("Hello"),), tuple((assistant(texts[index]),) for index in order))
    with project.database.write() as connection:
        items.add_records(connection, [record], project.settings)
    with chatting(Fake("A"), Fake("B")) as chats:
        choose(chats, project, ann, "a", "Hello")
        kept = chats.of(ann).messages[-1]
    with project.database.read() as connection:
        (vote,) = records_of(connection, project.settings)
        item = items.get(connection, entries(project)[0].item)
    assert isinstance(vote, Preference)
    assert vote.chosen == (kept,)
    assert (item.origin, item.responses[0].turns[0].content) == ("data", texts[order[0]])


def test_how_much_better_an_answer_was_is_exported_as_the_margin(database: Database) -> None:
    project = Project.open(database, Settings(strength=4))
    ann = add(project, "ann")
    with chatting(Fake("A"), Fake("B")) as chats:
        choose(chats, project, ann, "b", "Hello", strength=3)
    with project.database.read() as connection:
        (record,) = records_of(connection, project.settings)
    assert (record.margin, record.metadata["scale"]) == (3.0, 4)


def test_a_choice_that_does_not_fit_leaves_nothing_and_can_be_made_again(database: Database) -> None:
    project = Project.open(database, Settings(strength=4))
    ann = add(project, "ann")
    with chatting(Fake("A"), Fake("B")) as chats:
        with pytest.raises(Refused, match="how much better"):
            choose(chats, project, ann, "a", "Hello")
        with project.database.read() as connection:
            assert connection.execute(select(schema.items.c.id)).all() == []
        choose(chats, project, ann, "a", strength=1)
    assert [entry.answer.strength for entry in entries(project)] == [1]


def test_a_chat_makes_pairs_in_a_project_that_asks_for_something_else(database: Database) -> None:
    project = Project.open(database, Settings(task="rating", overlap=3))
    ann = add(project, "ann")
    with chatting(Fake("A"), Fake("B")) as chats:
        choose(chats, project, ann, "a", "Hello")
    with project.database.read() as connection:
        (record,) = records_of(connection, project.settings)
        item = items.get(connection, entries(project)[0].item)
    assert isinstance(record, Preference)
    assert (len(item.responses), item.wanted, item.open) == (2, 1, False)
