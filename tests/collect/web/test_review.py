"""A reviewer decides an item before they see what others said of it, and nobody else does."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.model import Item, Person
from heedful.collect.store.project import Project
from heedful.collect.team import people
from heedful.collect.work import votes
from tests.collect.making import a_person, an_item, in_hand, voted
from tests.collect.web.conftest import csrf_of

OTHERS = ("bob-the-voter", "cem-the-voter", "because-it-is-shorter", "because-it-is-kinder", "41 s")
NOW = datetime.now(UTC)


@pytest.fixture
def item(project: Project) -> Item:
    """An item on which two people disagree."""
    with project.database.write() as connection:
        item = an_item(connection, prompt="Name a <b>colour</b> & why", wanted=2)
        for name, verdict, rationale in (
            ("bob-the-voter", "a", "because-it-is-shorter"),
            ("cem-the-voter", "b", "because-it-is-kinder <script>alert(1)</script>"),
        ):
            assignment = in_hand(connection, a_person(connection, name), item)
            answer = Answer(verdict=verdict, rationale=rationale)
            at = datetime.fromtimestamp(assignment.opened_at.timestamp() + 60, UTC)
            votes.submit(connection, assignment, answer, Settings(), uid=name, seconds=41.2, at=at)
    return item


def take(client: TestClient, item: int | str) -> str:
    """Take the item up; the address of its page."""
    csrf = csrf_of(client.get("/review").text)
    response = client.post("/review", data={"csrf": csrf, "item": str(item)})
    assert response.status_code == 303
    return response.headers["location"]


def answer(client: TestClient, address: str, **fields: str):
    html = client.get(address).text
    uid = re.search(r'name="uid" value="([^"]+)"', html)[1]
    return client.post(address, data={"csrf": csrf_of(html), "uid": uid, "seconds": "5"} | fields)


def seen(html: str) -> list[str]:
    return [text for text in OTHERS if text in html]


def test_annotators_see_nothing_of_it(project, sign_in, item) -> None:
    address = take(sign_in("rea", "reviewer"), item.id)
    ann = sign_in("ann")
    csrf = csrf_of(ann.get("/mine").text)

    assert ann.get("/review").status_code == 403
    assert ann.get(address).status_code == 403
    for path in ("/review", address, f"{address}/draft", f"{address}/undo"):
        assert ann.post(path, data={"csrf": csrf, "item": str(item.id), "uid": "x"}).status_code == 403
    assert TestClient(ann.app, "http://localhost", follow_redirects=False).get("/review").status_code == 303


def test_the_list_says_what_each_item_is_about_and_why_it_is_there(sign_in, item) -> None:
    html = sign_in("rea", "reviewer").get("/review").text

    assert "Name a &lt;b&gt;colour&lt;/b&gt; &amp; why" in html
    assert '<span class="tag">Low agreement</span>' in html
    assert "50% agree, 2 votes" in html
    assert "generator-of" not in html
    assert "secret-source" not in html
    assert item.key not in html
    assert seen(html) == []


def test_the_list_is_filtered_by_why_and_goes_on_in_pages(project, sign_in, item, monkeypatch) -> None:
    monkeypatch.setattr("heedful.collect.web.review.AT_ONCE", 2)
    with project.database.write() as connection:
        dee = a_person(connection, "dee")
        for number in range(3):
            flagged = an_item(connection, prompt=f"flagged {number}")
            voted(connection, dee, flagged, Answer(verdict="a", flags=("unsafe",)))
    rea = sign_in("rea", "reviewer")

    def prompts(query: str) -> list[str]:
        return re.findall(r'class="about"[^>]*>([^<]+)<', rea.get(f"/review?{query}").text)

    assert [len(prompts(f"at={at}")) for at in (1, 2)] == [2, 2]
    assert prompts("why=flagged&at=1") == ["flagged 0", "flagged 1"]
    assert prompts("why=flagged&at=2") == prompts("why=flagged&at=99") == ["flagged 2"]
    assert prompts("why=agreement") == ["Name a &lt;b&gt;colour&lt;/b&gt; &amp; why"]
    assert prompts("why=skipped") == prompts("why=decided") == []
    assert "Flagged: unsafe" in rea.get("/review?why=flagged").text
    assert rea.get("/review?why=nonsense").status_code == 422


def test_what_others_said_is_there_once_ones_own_answer_is_given_and_not_before(sign_in, item) -> None:
    rea = sign_in("rea", "reviewer")
    address = take(rea, item.id)
    before = rea.get(address)
    refused = answer(rea, address)

    assert (seen(before.text), refused.status_code, seen(refused.text)) == ([], 422, [])
    assert "which response is better" in refused.text
    assert not any(text in str(before.headers) for text in OTHERS)

    given = answer(rea, address, choice="a", rationale="I say so")

    twice = rea.post(address, data=dict(parse_qsl(given.request.content.decode())))
    for sent in (given, twice):
        assert (sent.status_code, sent.headers["location"]) == (303, address)
    after = rea.get(address).text
    assert seen(after) == list(OTHERS)
    assert "&lt;script&gt;alert(1)" in after
    assert "generator-of" not in after


def test_a_decision_is_kept_or_changed_and_every_word_of_it_stays_in_the_log(project, sign_in, item) -> None:
    rea = sign_in("rea", "reviewer")
    address = take(rea, item.id)
    answer(rea, address, choice="a")

    kept = answer(rea, address, choice="a")
    changed = answer(rea, address, choice="tie")

    assert kept.headers["location"] == changed.headers["location"] == "/review"
    with project.database.read() as connection:
        (entry,) = log.standing(connection, kinds=["adjudication"])
        history = [one.kind for one in log.history(connection, item.id)]
    assert entry.answer.verdict == "tie"
    assert history == ["vote", "vote", "adjudication", "adjudication"]
    assert "Nothing needs a second look" in rea.get("/review").text
    assert "Decided by rea" in rea.get("/review?why=decided").text


@pytest.mark.parametrize("shown", [(0, 1), (1, 0)])
def test_the_sides_that_others_chose_are_told_as_the_reviewer_sees_them(
    project, sign_in, item, shown
) -> None:
    rea = sign_in("rea", "reviewer")
    address = take(rea, item.id)
    with project.database.write() as connection:
        mine = update(schema.assignments).where(schema.assignments.c.kind == "adjudication")
        connection.execute(mine.values(shown=list(shown)))
    html = rea.get(address).text
    assert (html.index(">red</p>") < html.index(">blue</p>")) == (shown == (0, 1))
    answer(rea, address, choice="a")

    after = rea.get(address).text

    told = re.findall(r"<bdi>(\w+)-the-voter</bdi>.*?<strong[^>]*>(\w) is better", after, re.DOTALL)
    assert told == [("bob", "A" if shown == (0, 1) else "B"), ("cem", "B" if shown == (0, 1) else "A")]


def test_a_decision_is_taken_back_and_votes_are_hidden_again(project, sign_in, item) -> None:
    rea = sign_in("rea", "reviewer")
    address = take(rea, item.id)
    answer(rea, address, choice="a", rationale="my own words")
    html = rea.get(address).text

    undone = rea.post(f"{address}/undo", data={"csrf": csrf_of(html), "uid": "undo"})

    assert (undone.status_code, undone.headers["location"]) == (303, address)
    again = rea.get(address).text
    assert (seen(again), "my own words" in again) == ([], True)
    twice = rea.post(f"{address}/undo", data={"csrf": csrf_of(html), "uid": "other"})
    assert (twice.status_code, "no answer of yours" in twice.text) == (409, True)


def test_a_draft_survives_a_reload(sign_in, item) -> None:
    rea = sign_in("rea", "reviewer")
    address = take(rea, item.id)
    data = {"csrf": csrf_of(rea.get(address).text), "uid": "new", "rationale": "half a thou"}

    assert rea.post(f"{address}/draft", data=data).status_code == 204
    assert "half a thou" in rea.get(address).text


def test_another_reviewer_sees_a_decision_when_it_is_made_and_cannot_change_it(sign_in, item) -> None:
    rea, rob = sign_in("rea", "reviewer"), sign_in("rob", "reviewer")
    address = take(rea, item.id)
    csrf = csrf_of(rob.get("/review").text)

    assert rob.get(address).status_code == 404
    listed = rob.get("/review").text
    assert ("With rea" in listed, ">Review</button>" in listed) == (True, False)
    taken = rob.post("/review", data={"csrf": csrf, "item": str(item.id)})
    assert (taken.status_code, "reviewing this item now" in taken.text) == (409, True)

    answer(rea, address, choice="a", rationale="I say so")

    shown = rob.get(address)
    assert (shown.status_code, seen(shown.text)) == (200, list(OTHERS))
    assert "I say so" in shown.text
    for path in (address, f"{address}/draft", f"{address}/undo"):
        sent = rob.post(path, data={"csrf": csrf, "uid": "x", "choice": "b"})
        assert sent.status_code == 404


def test_who_voted_on_it_reviews_it_not(project, sign_in, item) -> None:
    rea = sign_in("rea", "reviewer")
    with project.database.write() as connection:
        row = connection.execute(select(schema.people).where(schema.people.c.name == "rea")).one()
        voted(connection, Person.of(row), item, Answer(verdict="tie"))
        people.add(connection, "rob", "reviewer")
    html = rea.get("/review").text

    assert "You have voted on it" in html
    assert ">Review</button>" not in html
    sent = rea.post("/review", data={"csrf": csrf_of(html), "item": str(item.id)})
    assert (sent.status_code, "You have voted on this item" in sent.text) == (409, True)


@pytest.mark.parametrize(
    ("sent", "status"),
    [("", 400), ("x", 400), ("-1", 400), ("1" * 40, 400), ("²", 400), ("1 OR 1=1", 400), ("999999999", 409)],
)
def test_what_is_no_item_is_refused(sign_in, item, sent: str, status: int) -> None:
    rea = sign_in("rea", "reviewer")
    csrf = csrf_of(rea.get("/review").text)

    assert rea.post("/review", data={"csrf": csrf, "item": sent}).status_code == status
    assert rea.get("/review/guess").status_code == 404


def test_a_form_of_another_site_is_refused(sign_in, item) -> None:
    rea = sign_in("rea", "reviewer")
    address = take(rea, item.id)

    for path in ("/review", address, f"{address}/draft", f"{address}/undo"):
        assert rea.post(path, data={"item": str(item.id), "uid": "x", "choice": "a"}).status_code == 403


def test_review_in_a_browser_from_the_list_to_the_decision(project, served, browser_page, item) -> None:
    page = browser_page
    page.goto(served.link("rea", "reviewer"))
    page.goto("/review")
    page.get_by_role("button", name="Review", exact=True).click()
    page.wait_for_url("**/review/*")
    assert page.get_by_text("because-it-is-shorter").count() == 0

    page.keyboard.press("a")
    page.keyboard.press("Enter")

    page.get_by_role("heading", name="What others said").wait_for()
    assert page.get_by_text("because-it-is-shorter").is_visible()
    assert page.get_by_text("You decided: A is better").is_visible()
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review")
    page.get_by_role("link", name="Decided 1").click()
    page.get_by_role("link", name="See").click()
    assert page.get_by_text("You decided: B is better").is_visible()


def test_a_reviewers_draft_survives_a_reload_in_a_browser(project, served, browser_page, item) -> None:
    page = browser_page
    page.goto(served.link("rea", "reviewer"))
    page.goto("/review")
    page.get_by_role("button", name="Review", exact=True).click()
    page.wait_for_url("**/review/*")
    page.keyboard.press("r")
    with page.expect_response(
        lambda sent: "/draft" in sent.url and "thought" in (sent.request.post_data or "")
    ):
        page.keyboard.type("half a thought")

    page.reload()

    assert page.get_by_label("Why?").input_value() == "half a thought"
