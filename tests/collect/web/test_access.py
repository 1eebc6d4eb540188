"""Who may ask what: every route of the app, without a session, as an annotator, and from another site."""

from __future__ import annotations

import pytest
from fastapi import APIRouter
from fastapi.testclient import TestClient

from heedful.collect.team import people
from heedful.collect.web.app import create_app
from heedful.collect.web.visit import Admin
from tests.collect.web.conftest import OWN, csrf_of
from tests.collect.web.routes import Asked, operations, pages

PUBLIC = {("GET", "/login"), ("POST", "/login"), ("GET", "/join/" + "x" * 22)}
HIGHER = ("/people", "/dashboard", "/review", "/downloads")  # than an annotator's


@pytest.fixture
def chats() -> object:
    """What only stands for models to talk to, so that the pages about them are there to be refused."""
    return object()


@pytest.fixture
def app(project, chats):
    return create_app(project, chats=chats)


@pytest.fixture
def stranger(app) -> TestClient:
    return TestClient(app, OWN, follow_redirects=False)


def higher(asked: Asked) -> bool:
    return any(asked.path == root or asked.path.startswith(f"{root}/") for root in HIGHER)


def test_the_routes_are_found(app) -> None:
    found = pages(app)

    assert {("GET", "/"), ("POST", "/people/1/role"), ("GET", "/judge/" + "x" * 22)} <= set(found)
    assert any(asked.path.startswith("/chat") for asked in found)
    assert sum(higher(asked) for asked in found) > 10
    assert ("GET", "/api/v1/next") in operations(app)


def test_without_a_session_every_page_leads_to_sign_in(app, stranger) -> None:
    for asked in pages(app):
        if asked in PUBLIC:
            continue
        response = stranger.request(*asked)
        assert (asked, response.status_code, response.headers.get("location")) == (asked, 303, "/login")
        assert response.text == ""


def test_an_annotator_is_refused_whatever_is_higher(app, sign_in) -> None:
    ann = sign_in("Ann")
    headers = {"X-CSRF-Token": csrf_of(ann.get("/account").text)}

    for asked in filter(higher, pages(app)):
        response = ann.request(*asked, headers=headers)
        assert (asked, response.status_code) == (asked, 403)
        assert "You may not see this." in response.text


def test_a_reviewer_is_refused_what_is_for_admins(app, sign_in) -> None:
    rita = sign_in("Rita", "reviewer")
    headers = {"X-CSRF-Token": csrf_of(rita.get("/account").text)}

    for asked in pages(app):
        if asked.path.startswith(("/people", "/downloads")):
            assert (asked, rita.request(*asked, headers=headers).status_code) == (asked, 403)


@pytest.mark.parametrize("token", ["", "foreign", "x" * 64, "é"])
def test_every_form_without_its_own_token_is_refused(app, sign_in, token: str) -> None:
    """Cross-site request forgery: a page elsewhere can have a browser post, and cannot know the token."""
    root, other = sign_in("Root", "admin"), sign_in("Other", "admin")
    if token == "foreign":
        token = csrf_of(other.get("/account").text)
    forms = [asked for asked in pages(app) if asked.method != "GET" and asked not in PUBLIC]
    assert len(forms) > 15

    for asked in forms:
        by_field = root.request(*asked, data={"csrf": token} if token else {})
        by_header = root.request(*asked, headers={"X-CSRF-Token": token.encode()})
        assert (asked, by_field.status_code, by_header.status_code) == (asked, 403, 403)
    assert root.get("/people").status_code == 200


def test_no_page_changes_anything_by_other_methods_than_post(app) -> None:
    assert {asked.method for asked in pages(app)} == {"GET", "POST"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://[broken"},
        {"Origin": OWN, "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_what_another_site_sends_is_refused_even_with_the_right_token(sign_in, headers) -> None:
    ann = sign_in("Ann")
    form = {"csrf": csrf_of(ann.get("/account").text)}

    assert ann.post("/logout", data=form, headers=headers).status_code == 403
    assert ann.post("/login", headers=headers).status_code == 403
    assert ann.post("/api/v1/items", headers=headers).status_code == 403
    assert ann.get("/account", headers=headers).status_code == 200  # a link from there is fine


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": OWN}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]
)
def test_what_our_own_pages_send_is_let_pass(sign_in, headers) -> None:
    ann = sign_in("Ann")
    form = {"csrf": csrf_of(ann.get("/account").text)}

    assert ann.post("/logout", data=form, headers=headers).status_code == 303


def test_the_api_lets_nobody_in_by_a_cookie_or_by_no_token_of_the_project(app, sign_in) -> None:
    root = sign_in("Root", "admin")

    for asked in operations(app):
        if asked.path.endswith("/nowhere"):
            continue
        for given in ({}, {"Authorization": "Bearer heedful_guess"}, {"Authorization": "Basic cm9vdDo="}):
            assert (asked, root.request(*asked, headers=given).status_code) == (asked, 401)


def test_an_annotators_api_token_is_refused_what_is_higher(app, project, stranger) -> None:
    with project.database.write() as connection:
        ann, _ = people.add(connection, "Ann")
        token = people.issue_token(connection, ann, "script")
    theirs = ("/api/v1/next", "/api/v1/progress", "/api/v1/assignments")

    for asked in operations(app):
        if asked.path.startswith(theirs) or asked.path.endswith("/nowhere"):
            continue
        response = stranger.request(*asked, headers={"Authorization": f"Bearer {token}"}, json={})
        assert (asked, response.status_code) in ((asked, 403), (asked, 422))
        if asked.method == "GET":
            assert (asked, response.status_code) == (asked, 403)


def test_a_role_counts_from_the_moment_it_is_taken_away(project, sign_in) -> None:
    root = sign_in("Root", "admin")
    sign_in("Other", "admin")
    with project.database.write() as connection:
        people.set_role(connection, people.by_name(connection, "Root"), "annotator")

    assert root.get("/people").status_code == 403


def test_a_bug_shows_a_page_that_says_nothing_of_it(project) -> None:
    router = APIRouter()

    @router.get("/bug")
    def bug() -> None:
        raise RuntimeError("secret detail")

    @router.get("/api/v1/bug")
    def api_bug() -> None:
        raise RuntimeError("secret detail")

    @router.get("/admins")
    def admins(person: Admin) -> None: ...

    app = create_app(project)
    app.router.routes[:0] = router.routes
    client = TestClient(app, OWN, raise_server_exceptions=False)

    page, answer = client.get("/bug"), client.get("/api/v1/bug")

    assert (page.status_code, answer.status_code) == (500, 500)
    assert "Something went wrong here" in page.text
    assert "Something went wrong here" in answer.json()["detail"]
    assert not any(word in page.text + answer.text for word in ("secret", "Traceback", "RuntimeError", ".py"))
    assert "default-src 'none'" in page.headers["content-security-policy"]
    with pytest.raises(RuntimeError):  # the server's log gets it
        TestClient(app, OWN).get("/bug")
