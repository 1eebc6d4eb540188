"""The REST API: what people do by the pages, by a token; and what it keeps from them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.model import Role, Stage
from heedful.collect.store.project import Project
from heedful.collect.team import people
from heedful.collect.web import api_page
from heedful.collect.web.app import create_app
from heedful.collect.work import items
from heedful.records import GOLD, Candidates, Preference, assistant, user

PLANTED = ("item-key-7", "planted-source", "planted-generator", "planted-metadata")
JSON = {"Content-Type": "application/json"}
WithToken = Callable[..., TestClient]


@pytest.fixture
def settings() -> Settings:
    return Settings(overlap=2)


@pytest.fixture
def with_token(project: Project) -> WithToken:
    """Makes a person of a name and role, and a client with a token that acts for them."""
    app = create_app(project)

    def made(name: str = "ann", role: Role = "annotator") -> TestClient:
        with project.database.write() as connection:
            person, _ = people.add(connection, name, role)
            token = people.issue_token(connection, person, "test")
        return TestClient(
            app, headers={"Authorization": f"Bearer {token}"}, base_url="http://127.0.0.1/api/v1"
        )

    return made


@pytest.fixture
def two_items(project: Project) -> None:
    records = [
        Candidates(
            (user(f"Question {n}?"),),
            ((assistant(f"Left {n}."),), (assistant(f"Right {n}."),)),
            id=f"item-key-{n}",
            source="planted-source",
            metadata={"generators": ["planted-generator", "planted-generator-2"], "note": "planted-metadata"},
        )
        for n in (7, 8)
    ]
    with project.database.write() as connection:
        items.add_records(connection, records, project.settings)


def vote(verdict: str = "a", **more: object) -> dict[str, object]:
    return {"answer": {"verdict": verdict, **more}, "uid": str(uuid.uuid4()), "seconds": 0.0}


@pytest.mark.usefixtures("two_items")
def test_an_item_is_taken_answered_and_answered_anew(project: Project, with_token: WithToken) -> None:
    ann = with_token("ann")

    first = ann.get("/next").json()
    assert ann.get("/next").json()["token"] == first["token"]  # it is still in her hands
    assert [turn["content"][:8] for turn in first["prompt"]] == ["Question"]
    assert first["asks"]["task"] == "pairwise"
    answered = ann.post(f"/assignments/{first['token']}/answer", json=vote("a", rationale="Yes."))
    assert (answered.status_code, answered.json()) == (200, {"new": True})
    assert ann.get("/progress").json()["done"] == 1

    ann.post(f"/assignments/{first['token']}/answer", json=vote("b"))
    second = ann.get("/next").json()
    assert second["token"] != first["token"]
    ann.post(f"/assignments/{second['token']}/answer", json=vote("tie"))
    assert ann.get("/next").status_code == 204

    log = with_token("ada", "admin").get("/judgements").json()["entries"]
    assert [entry["action"] for entry in log] == ["give"] * 3
    shown = ["a", "b"][log[0]["shown"].index(0)]  # where the item's first response stood
    assert [entry["answer"]["verdict"] for entry in log] == (
        ["a", "b", "tie"] if shown == "a" else ["b", "a", "tie"]
    )


@pytest.mark.usefixtures("two_items")
def test_a_vote_sent_twice_counts_once(project: Project, with_token: WithToken) -> None:
    ann = with_token()
    path = f"/assignments/{ann.get('/next').json()['token']}/answer"
    same = vote()

    assert [ann.post(path, json=same).json() for _ in range(2)] == [{"new": True}, {"new": False}]
    with project.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(schema.judgements)).scalar() == 1


@pytest.mark.usefixtures("two_items")
def test_an_answer_can_be_taken_back_and_only_once(with_token: WithToken) -> None:
    ann, ada = with_token(), with_token("ada", "admin")
    token = ann.get("/next").json()["token"]
    ann.post(f"/assignments/{token}/answer", json=vote())

    assert ann.post(f"/assignments/{token}/undo", json={"uid": "u1"}).json() == {"new": True}
    assert ann.post(f"/assignments/{token}/undo", json={"uid": "u1"}).json() == {"new": False}
    again = ann.post(f"/assignments/{token}/undo", json={"uid": "u2"})
    assert (again.status_code, again.json()) == (409, {"detail": "There is no answer of yours to take back."})
    assert [entry["action"] for entry in ada.get("/judgements").json()["entries"]] == ["give", "retract"]
    assert ann.get("/next").json()["token"] == token


@pytest.mark.usefixtures("two_items")
def test_what_does_not_fit_is_refused_and_the_log_stays_empty(with_token: WithToken) -> None:
    ann, ada = with_token(), with_token("ada", "admin")
    path = f"/assignments/{ann.get('/next').json()['token']}/answer"

    for body in (
        vote("c"),
        vote("a", strength=2),
        vote("a", flags=["no such flag"]),
        vote("a", more="fields"),
        vote("skip"),
        {"answer": {"ranks": [1, 2]}, "uid": "u"},
        {"answer": {"verdict": "a"}, "uid": "two words"},
        {"answer": {"verdict": "a"}},
        vote("a") | {"seconds": -1},
    ):
        refused = ann.post(path, json=body)
        assert (refused.status_code, type(refused.json()["detail"])) == (422, str), body
    for text in ('{"answer": {"verdict": "a", "rationale": "\\ud800"}, "uid": "u"}', '{"uid": NaN}', "{"):
        assert ann.post(path, content=text.encode(), headers=JSON).status_code == 422
    assert ann.post(path, content=b"\xff", headers=JSON).status_code == 400
    assert ann.post(path, content=json.dumps(vote()).encode()).status_code == 422  # says not that it is JSON
    assert ada.get("/judgements").json() == {"entries": []}


@pytest.mark.usefixtures("two_items")
def test_nobody_answers_what_is_in_anothers_hands(with_token: WithToken) -> None:
    ann, bob = with_token("ann"), with_token("bob", "admin")
    token = ann.get("/next").json()["token"]

    assert bob.post(f"/assignments/{token}/answer", json=vote()).status_code == 404
    assert bob.post(f"/assignments/{token}/undo", json={"uid": "u"}).status_code == 404
    assert bob.post("/assignments/guess/answer", json=vote()).status_code == 404


@pytest.mark.usefixtures("two_items")
def test_an_annotator_is_told_nothing_that_blinding_hides(with_token: WithToken) -> None:
    ann, bob = with_token("ann"), with_token("bob")
    theirs = vote("a", rationale="planted-rationale")
    bob.post(f"/assignments/{bob.get('/next').json()['token']}/answer", json=theirs)

    heard = []
    for _ in range(2):
        answer = ann.get("/next")
        heard += [answer, ann.post(f"/assignments/{answer.json()['token']}/answer", json=vote("b"))]
        heard.append(ann.post(f"/assignments/{answer.json()['token']}/answer", json=vote("c")))
        heard.append(ann.get("/progress"))
    heard += [
        ann.get(path) for path in ("/items", "/judgements", "/people", "/figures", "/nowhere", "/items/7")
    ]
    heard.append(ann.post("/items", json={"records": [{}]}))

    said = " ".join(f"{answer.url} {answer.headers} {answer.text}" for answer in heard)
    assert "Question 7?" in said  # so that something was said
    for planted in (*PLANTED, "planted-rationale", "bob", "item-key", "gold", "stage", "votes"):
        assert planted not in said


ALLOWED = {
    ("GET", "/next"): "annotator",
    ("GET", "/progress"): "annotator",
    ("GET", "/judgements"): "admin",
    ("GET", "/export"): "admin",
    ("GET", "/figures"): "reviewer",
    ("GET", "/items"): "reviewer",
    ("POST", "/items"): "admin",
    ("GET", "/people"): "admin",
    ("POST", "/people"): "admin",
    ("POST", "/people/1/link"): "admin",
    ("DELETE", "/people/999"): "admin",
}


@pytest.mark.parametrize(("call", "role"), ALLOWED.items(), ids=lambda value: str(value))
def test_a_role_may_what_it_may_and_no_more(with_token: WithToken, call: tuple[str, str], role: Role) -> None:
    bodies = {"/items": {"records": [{}]}, "/people": {"name": "new"}}
    clients = {name: with_token(name, name) for name in ("admin", "annotator", "reviewer")}
    lowest = list(clients).index(role)

    order = ("annotator", "reviewer", "admin")
    for name, client in clients.items():
        answer = client.request(*call, json=bodies.get(call[1]) if call[0] == "POST" else None)
        assert (answer.status_code == 403) == (order.index(name) < order.index(role)), (name, lowest)
        assert answer.status_code < 500


def test_a_token_is_the_only_way_in(project: Project, with_token: WithToken, sign_in) -> None:
    signed_in = sign_in("eve", "admin")
    assert signed_in.get("/").status_code < 400  # a session is good for pages
    for headers in ({}, {"Authorization": "Bearer guess"}, {"Authorization": "Basic YTpi"}):
        for path in ("next", "progress", "items", "people"):
            answer = signed_in.get(f"/api/v1/{path}", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert list(answer.json()) == ["detail"]

    ann = with_token("ann")
    assert ann.get("/progress").status_code == 200
    with project.database.write() as connection:
        ann_herself = people.by_name(connection, "ann")
        assert ann_herself is not None
        people.revoke(connection, ann_herself, "test")
    assert ann.get("/progress").status_code == 401


def test_items_are_added_once_and_counts_add_up(with_token: WithToken) -> None:
    admin = with_token("ada", "admin")
    good = {
        "heedful": 1,
        "kind": "candidates",
        "id": "one",
        "prompt": [{"role": "user", "content": "Hi"}],
        "responses": [[{"role": "assistant", "content": text}] for text in ("Hello.", "What?")],
    }
    rows = [
        good,
        {"heedful": 1, "kind": "candidates"},
        good | {"heedful": 2},
        good | {"id": "nul\0"},
        good | {"metadata": {"x": "\ud800"}},
        {"kind": "?"},
    ]

    answer = admin.post("/items", content=json.dumps({"records": rows}).encode(), headers=JSON)
    loaded = answer.json()
    assert answer.status_code == 200, answer.text
    assert (loaded["read"], loaded["used"], loaded["added"], loaded["known"]) == (6, 1, 1, 0)
    assert {one["where"]: one["reason"] for one in loaded["left_out"]} == {
        "records[1]": "missing_field",
        "records[2]": "bad_value",
        "records[3]": "broken_text",
        "records[4]": "broken_text",
        "records[5]": "missing_field",
    }
    again = admin.post("/items", json={"records": [good]}).json()
    assert again == {"read": 1, "used": 1, "added": 0, "known": 1, "left_out": []}
    assert [item["key"] for item in admin.get("/items").json()["items"]] == ["one"]
    nan = json.dumps({"records": [good | {"metadata": {"x": float("nan")}}]})
    assert (
        admin.post("/items", content=nan.encode(), headers=JSON).json()["left_out"][0]["reason"]
        == "bad_value"
    )


@pytest.mark.usefixtures("two_items")
def test_admins_alone_see_who_wrote_a_response_and_what_is_right(with_token: WithToken) -> None:
    admin, reviewer = with_token("ada", "admin"), with_token("rob", "reviewer")

    seen = admin.get("/items", params={"limit": 1}).json()["items"][0]
    assert seen["hidden"]["generators"] == ["planted-generator", "planted-generator-2"]
    assert seen["hidden"]["source"] == "planted-source"
    unseen = reviewer.get("/items", params={"after": seen["id"]}).json()["items"]
    assert [(item["key"], item["hidden"]) for item in unseen] == [("item-key-8", None)]


def test_admins_invite_and_let_go(project: Project, with_token: WithToken) -> None:
    admin = with_token("ada", "admin")

    made = admin.post("/people", json={"name": "Zoë", "role": "reviewer"})
    assert made.status_code == 201
    assert made.json()["person"]["role"] == "reviewer"
    stranger = TestClient(create_app(project), base_url="http://127.0.0.1", follow_redirects=False)
    assert stranger.get(made.json()["link"]).status_code == 303
    assert admin.post("/people", json={"name": "zoë"}).status_code == 409
    assert admin.post("/people", json={"name": "nul\0"}).status_code == 422
    assert "Zoë" in [person["name"] for person in admin.get("/people").json()["people"]]

    id = made.json()["person"]["id"]
    renewed = admin.post(f"/people/{id}/link").json()["link"]
    assert stranger.get(made.json()["link"]).status_code == 404
    assert stranger.get(renewed).status_code == 303
    assert admin.delete(f"/people/{id}").status_code == 204
    assert stranger.get(renewed).status_code == 404
    assert admin.delete("/people/999").status_code == 404
    only = admin.delete(f"/people/{admin.get('/people').json()['people'][0]['id']}")
    assert (only.status_code, "only admin" in only.json()["detail"]) == (409, True)


def test_an_address_of_nothing_is_answered_in_json(with_token: WithToken) -> None:
    ann = with_token()

    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("PUT", "/next", 405),
        ("GET", "/people/1/link", 405),
    ):
        answer = ann.request(method, path)
        assert (answer.status_code, list(answer.json())) == (status, ["detail"])


def test_a_character_that_is_none_is_refused_as_the_document_says(with_token: WithToken) -> None:
    document = api_page.document()

    refused = with_token("ada", "admin").get("/judgements?after=%00")

    assert refused.status_code == 400
    for methods in document["paths"].values():
        assert all("400" in told["responses"] for told in methods.values())


def test_the_document_and_its_page_are_there_for_anybody_and_load_nothing(project: Project) -> None:
    stranger = TestClient(create_app(project), base_url="http://127.0.0.1")

    document = stranger.get("/api/openapi.json").json()
    assert all(path.startswith("/api/v1/") for path in document["paths"])
    answer = document["components"]["schemas"]["Answer"]
    assert "Attributes" not in answer["description"]
    assert (
        answer["properties"]["ranks"]["description"] == "Of each response, 1 is best, equal ranks are ties."
    )
    assert all("description" in told for told in answer["properties"].values())
    shown = stranger.get("/api")
    assert shown.status_code == 200
    for path, methods in document["paths"].items():
        assert path in shown.text
        for told in methods.values():
            assert told["security"] == [{"token": []}]
            assert told["summary"]
    assert "http://" not in shown.text.replace("http://127.0.0.1", "")
    assert "https://" not in shown.text
    assert "<script" not in shown.text


@pytest.mark.parametrize(
    ("stage", "told", "stays"),
    [
        ("calibration", Settings(calibration=1), True),
        ("gold", Settings(gold_every=2, gold_feedback=True), True),
        ("gold", Settings(gold_every=2, gold_feedback=False), False),
        ("main", Settings(), False),
    ],
)
def test_an_answer_whose_outcome_can_be_seen_stays_as_it_is(
    project: Project, with_token: WithToken, stage: Stage, told: Settings, stays: bool
) -> None:
    sides = ((assistant("Yes."),), (assistant("No."),))
    known = Preference((user("Known?"),), *sides, id="known", metadata={GOLD: "chosen"})
    with project.database.write() as connection:
        items.add_records(connection, [known], told, stage=stage)
        item = connection.execute(select(schema.items.c.id)).scalar_one()
        filler = [Candidates((user(f"Other {n}?"),), sides, id=f"o{n}") for n in range(20)]
        items.add_records(connection, filler if stage == "gold" else [], told)
    client = TestClient(
        create_app(Project(project.database, told, project.secret)),
        base_url="http://127.0.0.1/api/v1",
        headers=with_token("ann").headers,
    )

    def on_the_item(token: str) -> bool:
        of = select(schema.assignments.c.item).where(schema.assignments.c.token == token)
        with project.database.read() as connection:
            return connection.execute(of).scalar_one() == item

    while not on_the_item(token := client.get("/next").json()["token"]):
        client.post(f"/assignments/{token}/answer", json=vote("tie"))
    first = vote("a")

    assert client.post(f"/assignments/{token}/answer", json=first).json() == {"new": True}
    assert client.post(f"/assignments/{token}/answer", json=first).json() == {"new": False}
    refused = [
        client.post(f"/assignments/{token}/answer", json=vote("b")),
        client.post(f"/assignments/{token}/undo", json={"uid": "u"}),
    ]
    assert [answer.status_code for answer in refused] == [409 if stays else 200] * 2
    with project.database.read() as connection:
        said = [(entry.action, entry.uid) for entry in log.history(connection, item)]
    assert said[0] == ("give", first["uid"])
    assert [action for action, _ in said[1:]] == ([] if stays else ["give", "retract"])
