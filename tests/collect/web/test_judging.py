"""The judging pages without scripts: what they ask, what becomes of it, and what they never tell."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update
from starlette.requests import ClientDisconnect

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.model import Entry, Item, Person
from heedful.collect.store.project import Project
from heedful.collect.web import asking
from heedful.collect.web.errors import Failures
from heedful.collect.web.judging_forms import Entered
from tests.collect.making import NOON, a_person, an_item, voted
from tests.collect.running import run
from tests.collect.web.conftest import csrf_of

PAIR = Settings()
TASKS = {
    "pair": PAIR,
    "steps of 4": Settings(strength=4),
    "scale of 7": Settings(strength=7),
    "ranking": Settings(task="ranking"),
    "rating": Settings(task="rating", aspects=("helpful", "tone")),
    "thumbs": Settings(task="thumbs"),
}


def fill(project: Project, n: int = 2, **how: Any) -> list[Item]:
    with project.database.write() as connection:
        return [an_item(connection, prompt=f"Question {number}?", **how) for number in range(n)]


def opened(client: TestClient) -> tuple[str, str]:
    """The token of the next item, and its page."""
    found = client.get("/")
    assert found.status_code == 303, found.text
    return found.headers["location"].removeprefix("/judge/"), client.get(found.headers["location"]).text


def hidden(html: str) -> dict[str, str]:
    """The hidden fields of the judging form."""
    form = html[html.index('id="judge"') :]
    return {"csrf": csrf_of(form), "uid": re.findall(r'name="uid" value="([^"]+)"', form)[0]}


def entries(project: Project) -> list[Entry]:
    with project.database.read() as connection:
        return list(log.entries(connection))


def person_of(project: Project, name: str) -> Person:
    with project.database.read() as connection:
        row = connection.execute(select(schema.people).where(schema.people.c.name == name)).one()
    return Person.of(row)


def checked(html: str) -> list[str]:
    """The ids of what is ticked."""
    return re.findall(r'id="([^"]+)" checked', html)


def test_the_first_page_leads_to_an_item_with_its_texts_and_how_far_one_is(project, sign_in) -> None:
    fill(project, 3)
    client = sign_in()

    token, html = opened(client)

    assert opened(client)[0] == token
    assert 'id="judge"' in html
    assert "Question 0?" in html
    assert {re.search(rf"<p dir=\"auto\">{text}</p>", html) is not None for text in ("red", "blue")} == {True}
    assert "0 of 3" in html


def test_the_way_to_judge_is_marked_as_where_one_is_while_one_judges(project, sign_in) -> None:
    fill(project)
    client = sign_in()
    here = '<a href="/" aria-current="page">Judge</a>'

    assert here in opened(client)[1]
    assert here not in client.get("/mine").text


def test_a_vote_is_stored_as_the_item_counts_and_leads_on(project, sign_in) -> None:
    fill(project)
    client = sign_in()
    onward = "/"
    for _ in range(2):
        token, html = opened(client)
        assert onward in ("/", f"/judge/{token}")
        sent = hidden(html) | {
            "choice": "a",
            "seconds": "0.25",
            "flag": ["broken", "unsafe"],
            "rationale": " so ",
        }
        answer = client.post(f"/judge/{token}", data=sent)
        onward = answer.headers["location"]
        assert answer.status_code == 303
    assert onward == "/"  # no item is left

    said = entries(project)
    assert [entry.given.verdict for entry in said] == ["ab"[entry.shown[0]] for entry in said]
    assert {entry.shown for entry in said} == {(0, 1), (1, 0)}
    assert said[0].given.flags == ("unsafe", "broken")
    assert said[0].given.rationale == "so"
    assert said[0].seconds == pytest.approx(0, abs=0.25)
    assert "All done" in client.get("/").text


def test_a_form_sent_twice_counts_once(project, sign_in) -> None:
    fill(project)
    client = sign_in()
    token, html = opened(client)
    sent = hidden(html) | {"choice": "tie"}

    assert [client.post(f"/judge/{token}", data=sent).status_code for _ in range(2)] == [303, 303]
    assert len(entries(project)) == 1


def test_what_does_not_fit_is_said_and_what_was_entered_stays(project, sign_in) -> None:
    fill(project)
    client = sign_in()
    token, html = opened(client)

    answer = client.post(f"/judge/{token}", data=hidden(html) | {"rationale": "Look <b>", "flag": "broken"})

    assert answer.status_code == 422
    assert '<p class="notice bad" role="alert">Say which response is better.</p>' in answer.text
    assert "Look &lt;b&gt;</textarea>" in answer.text
    assert 'value="broken" checked' in answer.text
    assert entries(project) == []


GIVEN = [
    ("pair", {"choice": "b"}, Answer(verdict="b")),
    ("pair", {"choice": "both_bad"}, Answer(verdict="both_bad")),
    (
        "pair",
        {"choice": "skip", "reason": "The text is broken"},
        Answer(verdict="skip", reason="The text is broken"),
    ),
    ("pair", {"choice": "b", "reason": "The text is broken"}, Answer(verdict="b")),
    ("steps of 4", {"choice": "a", "strength": "3"}, Answer(verdict="a", strength=3)),
    ("steps of 4", {"choice": "tie", "strength": "3"}, Answer(verdict="tie")),
    ("scale of 7", {"choice": "a3"}, Answer(verdict="a", strength=3)),
    ("scale of 7", {"choice": "b1"}, Answer(verdict="b", strength=1)),
    ("scale of 7", {"choice": "tie"}, Answer(verdict="tie", strength=0)),
    ("scale of 7", {"choice": "both_bad"}, Answer(verdict="both_bad")),
    ("ranking", {"rank-0": "2", "rank-1": "1", "rank-2": "1"}, Answer(ranks=(2, 1, 1))),
    ("ranking", {"rank-0": "3", "rank-1": "1", "rank-2": "1"}, Answer(ranks=(2, 1, 1))),
    ("ranking", {"choice": "skip", "rank-0": "3", "rationale": "no"}, Answer(verdict="skip", rationale="no")),
    (
        "rating",
        {f"score-{place}-{aspect}": str(place + aspect + 1) for place in range(3) for aspect in range(2)},
        Answer(scores=({"helpful": 1, "tone": 2}, {"helpful": 2, "tone": 3}, {"helpful": 3, "tone": 4})),
    ),
    ("thumbs", {"thumb-0": "up", "thumb-1": "down", "thumb-2": "up"}, Answer(thumbs=(True, False, True))),
]


@pytest.mark.parametrize(("task", "fields", "expected"), GIVEN)
def test_every_task_is_answered_by_its_fields_and_shown_again_with_them(
    project, sign_in, task: str, fields: dict[str, str], expected: Answer
) -> None:
    settings = TASKS[task]
    project = change(project, settings)
    fill(project, 1, responses=("red", "blue") if settings.task == "pairwise" else ("red", "green", "blue"))
    client = sign_in()
    client.app.state.project = project
    token, html = opened(client)

    answer = client.post(f"/judge/{token}", data=hidden(html) | fields)

    assert answer.status_code == 303, answer.text
    assert [entry.given.as_shown(entry.shown) for entry in entries(project)] == [expected]
    again = checked(client.get(f"/judge/{token}").text)
    entered = Entered.of_answer(expected, settings, 2 if settings.task == "pairwise" else 3)
    assert len(again) == len((entered.thumbs and expected.thumbs) or ()) + 2 * 3 * (
        expected.scores is not None
    ) + (
        3 * (expected.ranks is not None)
        + bool(entered.choice)
        + bool(entered.strength)
        + bool(entered.reason)
    )


def change(project: Project, settings: Settings) -> Project:
    return Project.open(project.database, settings)


@pytest.mark.parametrize(
    ("task", "entered"),
    [
        ("pair", Entered(choice="a", rationale="so", flags=("broken",))),
        ("pair", Entered(choice="skip", reason="The text is broken")),
        ("pair", Entered(reason="The text is broken")),
        ("steps of 4", Entered(choice="b", strength=2)),
        ("steps of 4", Entered(choice="b")),
        ("scale of 7", Entered(choice="b2")),
        ("scale of 7", Entered(choice="both_bad")),
        ("ranking", Entered(ranks=(None, 3, None))),
        ("rating", Entered(scores=({"tone": 2}, {}, {"helpful": 1, "tone": 5}))),
        ("thumbs", Entered(thumbs=(None, False, True))),
    ],
)
def test_a_draft_holds_all_that_was_entered(task: str, entered: Entered) -> None:
    settings, empty = TASKS[task], Entered.of_answer(None, TASKS[task], 3)
    full = Entered(
        entered.choice,
        entered.strength,
        entered.ranks or empty.ranks,
        entered.scores or empty.scores,
        entered.thumbs or empty.thumbs,
        entered.flags,
        entered.rationale,
        entered.reason,
    )

    again = Entered.of_answer(full.draft(settings), settings, 3)

    if settings.task == "thumbs":  # under an aspect of its own, which no page shows
        again = Entered(**{name: getattr(again, name) for name in FIELDS} | {"scores": full.scores})
    assert again == full


FIELDS = ("choice", "strength", "ranks", "thumbs", "flags", "rationale", "reason")


def test_a_draft_is_there_again_until_the_answer_is_given(project, sign_in) -> None:
    fill(project)
    client = sign_in()
    token, html = opened(client)
    sent = hidden(html)
    header = {"X-CSRF-Token": sent.pop("csrf")}

    kept = client.post(
        f"/judge/{token}/draft", data=sent | {"choice": "b", "rationale": "half a"}, headers=header
    )
    again = client.get(f"/judge/{token}").text
    assert kept.status_code == 204
    assert checked(again) == ["choice-b"]
    assert "half a</textarea>" in again

    client.post(f"/judge/{token}", data=sent | {"csrf": csrf_of(html), "choice": "a"})
    late = client.post(f"/judge/{token}/draft", data=sent | {"choice": "b"}, headers=header)
    assert late.status_code == 204
    assert checked(client.get(f"/judge/{token}").text) == ["choice-a"]


def test_a_draft_without_the_token_of_the_page_is_refused(project, sign_in) -> None:
    fill(project)
    client = sign_in()
    token, html = opened(client)

    assert client.post(f"/judge/{token}/draft", data={"uid": hidden(html)["uid"]}).status_code == 403
    too_long = hidden(html) | {"rationale": "a" * 20_001}
    assert client.post(f"/judge/{token}/draft", data=too_long).status_code == 422


def test_undo_takes_the_vote_back_and_shows_the_item_as_it_was_filled_in(project, sign_in) -> None:
    fill(project)
    client = sign_in()
    first, html = opened(client)
    client.post(f"/judge/{first}", data=hidden(html) | {"choice": "b", "rationale": "so"})
    _, html = opened(client)
    assert f'action="/judge/{first}/undo"' in html

    undone = client.post(f"/judge/{first}/undo", data={"csrf": csrf_of(html), "uid": "u1"})
    assert (undone.status_code, undone.headers["location"]) == (303, f"/judge/{first}")
    assert [entry.action for entry in entries(project)] == ["give", "retract"]
    again = client.get(f"/judge/{first}").text
    assert checked(again) == ["choice-b"]
    assert "so</textarea>" in again
    assert "0 of 2" in again
    assert client.post(f"/judge/{first}/undo", data={"csrf": csrf_of(html), "uid": "u2"}).status_code == 409


def test_a_vote_is_changed_from_the_list_of_ones_own(project, sign_in) -> None:
    fill(project, 1)
    client = sign_in()
    token, html = opened(client)
    client.post(f"/judge/{token}", data=hidden(html) | {"choice": "b", "rationale": "so <i>"})

    listed = client.get("/mine").text
    assert "Question 0?" in listed
    assert "B is better" in listed
    assert "so &lt;i&gt;" in listed
    assert f'href="/judge/{token}"' in listed
    page = client.get(f"/judge/{token}").text
    assert "You have judged this one already" in page
    client.post(f"/judge/{token}", data=hidden(page) | {"choice": "tie"})

    assert [entry.given.verdict for entry in entries(project)][1] == "tie"
    assert "Tie" in client.get("/mine").text


def test_the_list_goes_on_on_older_pages(project, sign_in, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.collect.web.own_votes.AT_ONCE", 2)
    fill(project, 3)
    client = sign_in()
    for _ in range(3):
        token, html = opened(client)
        client.post(f"/judge/{token}", data=hidden(html) | {"choice": "a"})

    newest = client.get("/mine").text
    older = re.search(r'href="(/mine\?before=[^"]+)"', newest)

    assert re.findall(r"Question \d\?(?=</p>)", newest) == ["Question 2?", "Question 1?"]
    assert older is not None
    assert re.findall(r"Question \d\?(?=</p>)", client.get(older[1]).text) == ["Question 0?"]


def test_anothers_item_does_not_exist(project, sign_in) -> None:
    fill(project)
    token, _ = opened(sign_in("ann"))
    bob = sign_in("bob")
    own, html = opened(bob)
    assert own != token

    sent = hidden(html) | {"choice": "a"}
    assert bob.get(f"/judge/{token}").status_code == 404
    assert bob.get(f"/judge/{token}/outcome").status_code == 404
    assert [bob.post(f"/judge/{token}{what}", data=sent).status_code for what in ("", "/draft", "/undo")] == [
        404
    ] * 3
    assert entries(project) == []


def test_a_form_without_its_token_is_refused(project, sign_in) -> None:
    fill(project)
    client = sign_in()
    token, html = opened(client)

    sent = {"uid": hidden(html)["uid"], "choice": "a"}
    assert [client.post(f"/judge/{token}{what}", data=sent).status_code for what in ("", "/undo")] == [
        403,
        403,
    ]
    assert entries(project) == []


@pytest.mark.parametrize("said", ["", "nonsense", "nan", "-3", "inf"])
def test_seconds_that_are_none_are_those_since_the_item_was_opened(project, sign_in, said: str) -> None:
    fill(project)
    client = sign_in()
    token, html = opened(client)
    with project.database.write() as connection:
        earlier = update(schema.assignments).values(opened_at=NOON)
        connection.execute(earlier)

    client.post(f"/judge/{token}", data=hidden(html) | {"choice": "a", "seconds": said})

    assert entries(project)[0].seconds > 3600


def test_of_a_change_without_seconds_none_are_known(project, sign_in) -> None:
    fill(project)
    client = sign_in()
    token, html = opened(client)
    client.post(f"/judge/{token}", data=hidden(html) | {"choice": "a"})
    client.post(f"/judge/{token}", data=hidden(client.get(f"/judge/{token}").text) | {"choice": "b"})

    assert [entry.seconds is None for entry in entries(project)] == [False, True]


def test_of_a_calibration_item_one_learns_what_was_expected_and_what_others_said(project, sign_in) -> None:
    project = change(project, Settings(calibration=1))
    with project.database.write() as connection:
        item = an_item(connection, stage="calibration", gold=Answer(verdict="a"))
        voted(connection, a_person(connection, "bea"), item, Answer(verdict="b"))
    client = sign_in()
    client.app.state.project = project
    token, html = opened(client)
    assert client.get(f"/judge/{token}/outcome").headers["location"] == f"/judge/{token}"
    side = "ab"[re.findall(r'<p dir="auto">(red|blue)</p>', html).index("red")]

    answer = client.post(f"/judge/{token}", data=hidden(html) | {"choice": side})

    assert answer.headers["location"] == f"/judge/{token}/outcome"
    told = client.get(answer.headers["location"]).text
    assert "You met the expected answer" in told
    assert f"Of 1 other: {'B' if side == 'a' else 'A'} 1." in told
    changed = client.post(f"/judge/{token}", data=hidden(html) | {"choice": "tie", "uid": "another"})
    assert changed.status_code == 422
    assert "stays as it is" in changed.text
    assert client.post(f"/judge/{token}/undo", data=hidden(html)).status_code == 409
    assert f'href="/judge/{token}"' not in client.get("/mine").text


@pytest.mark.parametrize("feedback", [True, False])
def test_whether_a_known_answer_was_met_is_told_only_where_the_project_says_so(
    project, sign_in, feedback: bool
) -> None:
    project = change(project, Settings(gold_every=2, gold_feedback=feedback))
    fill(project, 20)
    gold = {item.id for item in fill(project, 20, gold=Answer(verdict="tie"), stage="gold")}
    client = sign_in()
    client.app.state.project = project
    led: dict[int, Any] = {}
    while not gold & led.keys():
        token, html = opened(client)
        led[entries_of(project, token)] = client.post(f"/judge/{token}", data=hidden(html) | {"choice": "a"})

    to = {item: answer.headers["location"].endswith("/outcome") for item, answer in led.items()}
    assert {item for item, told in to.items() if told} == (gold & to.keys() if feedback else set())


def entries_of(project: Project, token: str) -> int:
    with project.database.read() as connection:
        found = select(schema.assignments.c.item).where(schema.assignments.c.token == token)
        return int(connection.execute(found).scalar_one())


def test_the_page_at_the_end_says_why_there_is_no_more(project, sign_in) -> None:
    client = sign_in()
    assert "There is nothing to judge yet" in client.get("/").text

    project = change(project, Settings(calibration=1, calibration_pass=1.0))
    client.app.state.project = project
    with project.database.write() as connection:
        an_item(connection, stage="calibration", gold=Answer(verdict="tie"))
        an_item(connection)
    token, html = opened(client)
    client.post(f"/judge/{token}", data=hidden(html) | {"choice": "a"})
    assert "The first round is over" in client.get("/").text


def test_the_guidelines_are_a_page_too_and_their_markup_is_laid_out(project, sign_in) -> None:
    html = sign_in().get("/guidelines").text

    assert "<strong>Right before pretty.</strong>" in html
    assert "say that both are bad when you would\nwant neither." in html


PLANTED = ("Xgenerator", "Xkey", "Xsource", "Xmetadata", "Xother", "Xreason", "Xflagged", "7654321")


def plant(project: Project) -> None:
    """Words and numbers that can be told from all else, wherever an annotator must not see them."""
    gold = Answer(verdict="a", rationale="Xreason")
    with project.database.write() as connection:
        for number in range(24):
            stage, known = [("main", None), ("gold", gold)][number % 2]
            item = an_item(connection, gold=known, stage=stage, wanted=3)
            responses = [
                {"turns": [{"role": "assistant", "content": text}], "generator": f"Xgenerator{text}"}
                for text in ("red", "blue")
            ]
            hidden_ones = {
                "id": 7654321000 + number,
                "key": f"Xkey{number}",
                "source": "Xsource",
                "metadata": {"Xmetadata": "Xmetadata"},
                "responses": responses,
            }
            connection.execute(update(schema.items).where(schema.items.c.id == item.id).values(hidden_ones))
        settings = Settings(flags=("Xflagged",))
        rows = connection.execute(select(schema.items)).all()
        other = a_person(connection, "Xother")
        for item in map(Item.of, rows):
            answer = Answer(verdict="b", rationale="Xreason", flags=("Xflagged",))
            voted(connection, other, item, answer, settings)
        connection.execute(update(schema.assignments).values(id=schema.assignments.c.id + 7654321000))


def test_nothing_tells_an_annotator_who_wrote_what_or_what_others_or_the_known_answer_say(
    project, sign_in
) -> None:
    project = change(project, Settings(gold_every=2))
    plant(project)
    client = sign_in("ann")
    client.app.state.project = project
    seen: list[Any] = []
    client.event_hooks = {"response": [seen.append]}
    stages: set[str] = set()
    while stages != {"main", "gold"}:
        token, html = opened(client)
        stages.add(stage_of(project, token))
        sent = hidden(html)
        for path, fields in (
            (f"/judge/{token}/draft", {"choice": "a"}),
            (f"/judge/{token}", {}),
            (f"/judge/{token}", {"choice": "a", "uid": "\u00e9"}),
            (f"/judge/{token}", {"choice": "a"}),
            (f"/judge/{token}/undo", {"uid": f"undo{len(seen)}"}),
            (f"/judge/{token}", {"choice": "b", "uid": f"again{len(seen)}"}),
            (f"/judge/{token}/undo", {"uid": f"undo{len(seen)}"}),
        ):
            client.post(path, data=sent | fields)
        client.get(f"/judge/{token}")
        client.get(f"/judge/{token}/outcome")
        client.post(f"/judge/{token}", data=sent | {"choice": "b", "uid": f"last{len(seen)}"})
        client.get(f"/judge/{token}")
    for path in (
        "/",
        "/mine",
        f"/mine?before={token}",
        "/guidelines",
        "/judge/Xkey0",
        "/judge/7654321000",
        "/judge/x/undo",
    ):
        client.get(path)

    assert {response.status_code for response in seen} >= {200, 204, 303, 404, 405, 422}
    said = [f"{response.headers} {response.text}" for response in seen]
    for word in (*PLANTED, "calibration", "gold"):
        assert [text[:80] for text in said if word in text] == []


def test_a_page_about_an_item_with_a_known_answer_looks_like_any_other(project, sign_in) -> None:
    project = change(project, Settings(gold_every=2))
    fill(project, 12)
    fill(project, 12, gold=Answer(verdict="a"), stage="gold")
    client = sign_in()
    client.app.state.project = project
    shapes: dict[str, set[str]] = {"main": set(), "gold": set()}
    done = 0
    while not all(shapes.values()):
        token, html = opened(client)
        if done:  # the first one has a word for who is new, and nothing to undo
            shape = re.sub(r'[\w-]{43}|value="[\w-]+"|Question \d+|red|blue|about \d+ minutes?', "", html)
            way = f"{done} of 24"
            assert way in shape
            shapes[stage_of(project, token)].add(shape.replace(way, ""))
        client.post(f"/judge/{token}", data=hidden(html) | {"choice": "a"})
        done += 1

    assert len(shapes["main"]) == 1
    assert shapes["main"] == shapes["gold"]


def stage_of(project: Project, token: str) -> str:
    of_token = schema.items.join(schema.assignments, schema.assignments.c.item == schema.items.c.id)
    with project.database.read() as connection:
        found = select(schema.items.c.stage).select_from(of_token).where(schema.assignments.c.token == token)
        return str(connection.execute(found).scalar_one())


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(10, "1 minute"), (125, "2 minutes"), (89 * 60, "89 minutes"), (2 * 3600, "2 hours")],
)
def test_a_duration_is_said_in_the_unit_people_would_use(seconds: float, said: str) -> None:
    assert asking.duration(seconds) == said


def test_how_far_one_is_says_how_long_the_rest_takes_once_that_is_known() -> None:
    assert asking.way(12, 28, 20.0).said == "12 of 40, about 9 minutes left"
    assert asking.way(0, 40, None).said == "0 of 40"
    assert asking.way(40, 0, 20.0).said == "40 of 40"


@pytest.mark.parametrize(
    ("answer", "task", "said"),
    [
        (Answer(verdict="a"), "pair", "A is better"),
        (Answer(verdict="b", strength=4), "steps of 4", "B far better"),
        (Answer(verdict="b", strength=1), "scale of 7", "B slightly better"),
        (Answer(verdict="tie", strength=0), "scale of 7", "Tie"),
        (Answer(verdict="both_bad"), "pair", "Both bad"),
        (Answer(verdict="skip", reason="The text is broken"), "pair", "Skipped: The text is broken"),
        (Answer(verdict="skip", rationale="x"), "pair", "Skipped"),
        (Answer(ranks=(2, 1, 2)), "ranking", "B > A = C"),
        (Answer(scores=({"tone": 1}, {"tone": 5})), "rating", "A: tone 1; B: tone 5"),
        (Answer(thumbs=(True, False)), "thumbs", "A good, B bad"),
    ],
)
def test_an_answer_is_said_in_words(answer: Answer, task: str, said: str) -> None:
    assert asking.in_words(answer, TASKS[task]) == said


def test_a_browser_that_leaves_while_it_sends_a_draft_is_no_failure() -> None:
    async def left(scope: Any, receive: Any, send: Any) -> None:
        raise ClientDisconnect

    run(Failures(left)({"type": "http"}, None, None))
