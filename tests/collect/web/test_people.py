"""The admin pages about people: who is let in, by what, and as what."""

from __future__ import annotations

import html
import re
import uuid

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.project import now
from heedful.collect.team import people
from heedful.collect.web.app import create_app
from tests.collect.web.conftest import OWN, csrf_of

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.usefixtures("quick_hashes")
HARMFUL = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


@pytest.fixture
def settings() -> Settings:
    return Settings(calibration=5)


@pytest.fixture
def admin(sign_in) -> TestClient:
    return sign_in("Root", "admin")


@pytest.fixture
def person(project):
    """A look at somebody by name, as they are now."""

    def found(name: str):
        with project.database.read() as connection:
            return people.by_name(connection, name)

    return found


def post(client: TestClient, path: str, **form: str):
    return client.post(path, data={"csrf": csrf_of(client.get("/people").text)} | form)


def once_of(response) -> str:
    """What a page shows once."""
    found = re.search(r'<input id="once"[^>]* value="([^"]*)"', response.text)
    assert found is not None
    return html.unescape(found[1])


def test_somebody_added_comes_in_by_the_link_that_is_shown_once(project, admin, person) -> None:
    response = post(admin, "/people", name="  Ann  ", role="reviewer")

    link = once_of(response)
    assert response.status_code == 200
    assert re.fullmatch(r"http://localhost/join/[\w-]{43}", link)
    assert person("Ann").role == "reviewer"
    assert link not in admin.get(f"/people/{person('Ann').id}").text
    ann = TestClient(create_app(project), OWN, follow_redirects=False)
    assert ann.get(link).status_code == 303
    assert ann.get("/people").status_code == 403


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "at least one letter"),
        ("ROOT", "already"),
        ("a\nb", "control characters"),
        ("n" * 201, "200 letters"),
    ],
)
def test_a_name_that_does_not_do_is_refused_and_says_why(admin, name: str, said: str) -> None:
    response = post(admin, "/people", name=name, role="annotator")

    assert (response.status_code, said in response.text) == (422, True)
    assert "1 person takes part" in response.text


def test_a_role_that_is_none_is_refused(admin, person) -> None:
    assert post(admin, "/people", name="Ann", role="owner").status_code == 400
    assert person("Ann") is None


def test_harmful_names_are_shown_as_text(admin, person) -> None:
    post(admin, "/people", name=HARMFUL, role="annotator")
    post(admin, f"/people/{person(HARMFUL).id}/tokens", name=HARMFUL)

    for path in ("/people", f"/people/{person(HARMFUL).id}"):
        text = admin.get(path).text
        assert html.escape(HARMFUL).replace("&quot;", "&#34;") in text
        assert "<img" not in text
        assert "<script>" not in text


def test_a_new_link_ends_the_old_one_and_the_sessions(project, admin, sign_in, person) -> None:
    ann = sign_in("Ann")

    new = once_of(post(admin, f"/people/{person('Ann').id}/link"))

    assert ann.get("/account").headers["location"] == "/login"
    assert ann.get(new).status_code == 303


def test_what_an_admin_does_is_done(admin, sign_in, person) -> None:
    ann = sign_in("Ann")
    path = f"/people/{person('Ann').id}"

    assert post(admin, f"{path}/role", role="reviewer").headers["location"] == f"{path}?done=role"
    assert person("Ann").role == "reviewer"
    assert post(admin, f"{path}/calibrated").status_code == 303
    assert person("Ann").calibrated
    assert post(admin, f"{path}/sessions").status_code == 303
    assert ann.get("/account").status_code == 303
    assert post(admin, f"{path}/deactivate").status_code == 303
    assert not person("Ann").active
    assert "removed" in admin.get("/people").text
    assert post(admin, f"{path}/activate").status_code == 303
    assert person("Ann").active
    assert "They are let in again" in admin.get(f"{path}?done=back").text
    assert "<script>" not in admin.get(f"{path}?done=<script>").text


def test_an_admin_sets_and_ends_a_password(project, admin, sign_in, person) -> None:
    sign_in("Ann")
    path = f"/people/{person('Ann').id}"

    assert post(admin, f"{path}/password", password="short").status_code == 422
    assert post(admin, f"{path}/password", password=PASSWORD).status_code == 303
    assert people.check_password(project.database, "Ann", PASSWORD) == person("Ann")
    assert post(admin, f"{path}/password/end").status_code == 303
    assert people.check_password(project.database, "Ann", PASSWORD) is None


def test_the_last_admin_stays_one(admin, person) -> None:
    path = f"/people/{person('Root').id}"

    for response in (post(admin, f"{path}/deactivate"), post(admin, f"{path}/role", role="annotator")):
        assert (response.status_code, "Root is the only admin" in response.text) == (422, True)
    assert (person("Root").active, person("Root").role) == (True, "admin")


def test_an_api_token_is_shown_once_and_ends_when_it_is_revoked(project, admin, sign_in, person) -> None:
    sign_in("Ann")
    path = f"/people/{person('Ann').id}"

    token = once_of(post(admin, f"{path}/tokens", name="script"))

    with project.database.read() as connection:
        assert people.by_token(connection, token) == person("Ann")
    assert token not in admin.get(path).text
    assert post(admin, f"{path}/tokens", name="script").status_code == 422
    assert post(admin, f"{path}/tokens/revoke", name="other").status_code == 422
    assert post(admin, f"{path}/tokens/revoke", name="script").status_code == 303
    with project.database.read() as connection:
        assert people.by_token(connection, token) is None


@pytest.mark.parametrize("id", ["0", "-1", "2", "2147483648", "9" * 5000, "1e9", "x", "1%00", "%ff", "1;--"])
def test_people_who_are_not_there_are_not_found(admin, id: str) -> None:
    for response in (admin.get(f"/people/{id}"), post(admin, f"/people/{id}/link")):
        assert response.status_code in (400, 404, 422)


def test_the_list_says_how_much_stands_of_everybody_and_since_when(project, admin, sign_in, person) -> None:
    sign_in("Ann")
    ann = person("Ann")
    with project.database.write() as connection:
        item = {
            "key": "k",
            "fingerprint": "f",
            "prompt": [],
            "responses": [],
            "stage": "main",
            "origin": "data",
        }
        more = {"metadata": {}, "wanted": 1, "created_at": now()}
        for key in "xyz":
            connection.execute(insert(schema.items).values(item | more | {"key": key, "fingerprint": key}))

        def say(item: int, action: str) -> None:
            log.append(
                connection,
                uid=str(uuid.uuid4()),
                item=item,
                person=ann.id,
                kind="vote",
                action=action,
                answer=Answer(verdict="a") if action == "give" else None,
                shown=[0, 1],
                seconds=1.0,
                at=now().replace(year=2031, month=2, day=3),
            )

        for item, action in ((1, "give"), (1, "give"), (2, "give"), (2, "retract"), (3, "give")):
            say(item, action)

    row = re.search(r"<bdi>Ann</bdi>.*?</tr>", admin.get("/people").text, re.DOTALL)

    assert row is not None
    assert '<td class="number">2</td>' in row[0]
    assert "2031-02-03" in row[0]
