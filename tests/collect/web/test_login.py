"""Signing in by link and by password, out here and everywhere, and what a session's cookie is good for."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

from heedful.collect.team import passwords, people
from heedful.collect.web import sessions
from heedful.collect.web.app import create_app
from heedful.collect.web.limits import Limits
from tests.collect.web.conftest import OWN, csrf_of

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.usefixtures("quick_hashes")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(project, clock):
    return create_app(project, limits=Limits(clock))


@pytest.fixture
def browser(app):
    """A browser of its own at every call."""
    return lambda url=OWN: TestClient(app, url, follow_redirects=False)


@pytest.fixture
def ann(project):
    """Somebody with a link and a password: the person and the link's path."""
    with project.database.write() as connection:
        person, token = people.add(connection, "Ann")
        people.set_password(connection, person, passwords.hashed(PASSWORD))
    return f"/join/{token}"


def before_of(client: TestClient) -> str:
    found = re.search(r'name="before" value="([0-9a-f]+)"', client.get("/login").text)
    assert found is not None
    return found[1]


def enter(client: TestClient, name: str = "Ann", password: str = PASSWORD, **more: str):
    form = {"before": before_of(client), "name": name, "password": password} | more
    return client.post("/login", data=form)


def signed_in(client: TestClient) -> bool:
    return client.get("/account").status_code == 200


def opens(client: TestClient, cookie: str) -> bool:
    """Whether this cookie alone lets somebody in."""
    headers = {"cookie": f"{sessions.COOKIE}={cookie}".encode()}
    return client.get("/account", headers=headers).status_code == 200


def test_a_link_signs_in_and_its_token_is_in_no_answer(ann, browser) -> None:
    client = browser()

    response = client.get(ann)

    assert (response.status_code, response.headers["location"], response.text) == (303, "/", "")
    assert ann.rsplit("/")[-1] not in str(response.headers)
    assert signed_in(client)


def test_the_cookie_is_for_this_site_alone_and_scripts_cannot_read_it(ann, browser) -> None:
    plain, secure = browser().get(ann), browser("https://localhost").get(ann)

    for response in (plain, secure):
        cookie = response.headers["set-cookie"].split(",")[0].lower()
        assert all(word in cookie for word in ("httponly", "samesite=lax", "path=/", "max-age=2592000"))
        assert "domain" not in cookie
    assert "secure" not in plain.headers["set-cookie"].lower()
    assert "secure" in secure.headers["set-cookie"].split(",")[0].lower()


def test_a_link_that_is_unknown_or_replaced_says_so_and_signs_nobody_in(project, ann, browser) -> None:
    with project.database.write() as connection:
        people.new_link(connection, people.by_name(connection, "Ann"))

    for path in (ann, "/join/guess", "/join/%00", "/join/" + "x" * 5000, "/join/..%2f..%2flogin"):
        response = browser().get(path)
        assert response.status_code in (400, 404)
        assert "set-cookie" not in response.headers
    assert "Ask for a new one" in browser().get(ann).text


def test_a_link_does_not_take_over_from_somebody_else_unless_they_say_so(
    project, ann, sign_in, browser
) -> None:
    client = sign_in("Bob")
    bobs = client.cookies[sessions.COOKIE]

    asked = client.get(ann)

    assert asked.status_code == 200
    assert "You are signed in as <bdi>Bob</bdi>" in asked.text
    assert client.cookies[sessions.COOKIE] == bobs
    assert client.post(ann).status_code == 403  # without the page's token
    assert client.post(ann, data={"csrf": csrf_of(asked.text)}).status_code == 303
    assert "Ann" in client.get("/account").text

    assert not opens(browser(), bobs)  # Bob was signed out


def test_ones_own_link_begins_a_new_session(ann, browser) -> None:
    client = browser()
    client.get(ann)
    first = client.cookies[sessions.COOKIE]

    assert client.get(ann).status_code == 303
    assert client.cookies[sessions.COOKIE] != first


def test_name_and_password_sign_in(ann, browser) -> None:
    client = browser()

    response = enter(client, "ANN")

    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert signed_in(client)
    assert client.get("/login").headers["location"] == "/"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("Ann", "wrong password"),
        ("Bob", PASSWORD),
        ("", ""),
        ("' OR 1=1 --", "' OR 1=1 --"),
        ("Ann%", PASSWORD),
    ],
)
def test_what_does_not_fit_is_refused_in_the_same_words(ann, browser, name: str, password: str) -> None:
    client = browser()

    response = enter(client, name, password)

    assert response.status_code == 403
    assert "This name and password do not go together." in response.text
    assert password not in response.text or not password
    assert not signed_in(client)


def test_a_sign_in_form_of_another_site_signs_nobody_in(ann, browser) -> None:
    """Else people would vote in the name of whoever lured them there."""
    theirs = before_of(browser())

    for form in ({}, {"before": ""}, {"before": theirs}, {"before": "é"}):
        client = browser()
        client.get("/login")
        response = client.post("/login", data={"name": "Ann", "password": PASSWORD} | form)
        assert response.status_code == 403
        assert "open for too long" in response.text
        assert not signed_in(client)
    without_cookie = browser().post("/login", data={"name": "Ann", "password": PASSWORD, "before": theirs})
    assert without_cookie.status_code == 403


def test_two_sign_in_pages_of_one_browser_both_work(ann, browser) -> None:
    client = browser()
    first, _ = before_of(client), before_of(client)

    form = {"before": first, "name": "Ann", "password": PASSWORD}
    assert client.post("/login", data=form).status_code == 303


def test_a_planted_session_is_not_the_one_after_signing_in(project, ann, browser) -> None:
    """Session fixation: a value that an attacker knows must not become a signed-in session."""
    with project.database.write() as connection:
        _, token = people.add(connection, "Mallory")
    mallory = browser()
    mallory.get(f"/join/{token}")

    for planted in ("anything", mallory.cookies[sessions.COOKIE]):
        client = browser()
        client.cookies.set(sessions.COOKIE, planted)
        form = {"name": "Ann", "password": PASSWORD}
        client.cookies.set(sessions.BEFORE, "x" * 22)
        form["before"] = sessions._mac(project.secret, "before " + "x" * 22)
        response = client.post("/login", data=form)
        assert response.status_code == 303
        fresh = response.cookies[sessions.COOKIE]
        assert fresh != planted
    assert "Mallory" in mallory.get("/account").text


def test_signing_out_ends_the_session_for_copies_of_its_cookie_too(ann, browser) -> None:
    client, elsewhere = browser(), browser()
    client.get(ann)
    elsewhere.get(ann)
    stolen = client.cookies[sessions.COOKIE]

    response = client.post("/logout", data={"csrf": csrf_of(client.get("/account").text)})

    assert response.headers["location"] == "/login"
    assert sessions.COOKIE not in client.cookies
    assert not opens(browser(), stolen)
    assert signed_in(elsewhere)


def test_signing_out_everywhere_ends_all_sessions(ann, browser) -> None:
    client, elsewhere = browser(), browser()
    client.get(ann)
    elsewhere.get(ann)

    client.post("/logout/everywhere", data={"csrf": csrf_of(client.get("/account").text)})

    assert not signed_in(client)
    assert not signed_in(elsewhere)
    assert client.get(ann).status_code == 303  # the link still lets them in


@pytest.mark.parametrize("change", [people.new_link, people.deactivate, people.end_sessions])
def test_what_an_admin_changes_ends_sessions_at_once(project, ann, browser, change) -> None:
    client = browser()
    client.get(ann)
    with project.database.write() as connection:
        change(connection, people.by_name(connection, "Ann"))

    assert not signed_in(client)


def test_forged_truncated_swapped_and_expired_cookies_are_none(project, ann, browser, monkeypatch) -> None:
    client = browser()
    client.get(ann)
    good = client.cookies[sessions.COOKIE]
    payload, stamp, mac = good.rsplit(".", 2)
    with project.database.write() as connection:
        bob, _ = people.add(connection, "Bob", "admin")
    other = sessions._signer("another secret").dumps([bob.id, bob.epoch, "nonce"])
    swapped = ".".join([other.rsplit(".", 2)[0], stamp, mac])

    forged = [
        "",
        ".",
        "..",
        "x" * 4000,
        good[:-1],
        good[1:],
        good + "A",
        payload,
        f"{payload}.{mac}",
        "é",
        other,
    ]
    for value in [*forged, swapped, f"{payload}.{stamp}.", f"{payload}..{mac}", good.swapcase()]:
        assert not opens(browser(), value)
    assert opens(browser(), good)

    monkeypatch.setattr(sessions, "LONGEST", -1)
    assert not signed_in(client)


def test_too_many_wrong_passwords_for_a_name_must_wait_and_others_need_not(
    project, ann, browser, clock
) -> None:
    with project.database.write() as connection:
        bob, _ = people.add(connection, "Bob")
        people.set_password(connection, bob, passwords.hashed(PASSWORD))
    client = browser()

    statuses = [enter(client, "Ann", "wrong password").status_code for _ in range(11)]

    assert statuses == [403] * 10 + [429]
    refused = enter(client, "aNN")  # the right one now, in other capitals
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "6")
    assert "That was too often" in refused.text
    assert enter(browser(), "Bob").status_code == 303
    clock.now += 6
    assert enter(client, "Ann").status_code == 303


def test_too_many_wrong_passwords_from_one_address_must_wait_whatever_the_names(ann, browser) -> None:
    client = browser()

    statuses = [enter(client, f"name {i}", "wrong password").status_code for i in range(31)]

    assert statuses == [403] * 30 + [429]


def test_right_passwords_are_not_counted(ann, browser) -> None:
    assert {enter(browser()).status_code for _ in range(40)} == {303}


def test_when_too_many_passwords_are_checked_at_once_one_is_told_to_wait(ann, browser, monkeypatch) -> None:
    def busy(*_: object) -> None:
        raise passwords.Busy

    monkeypatch.setattr(people, "check_password", busy)

    response = enter(browser())

    assert (response.status_code, response.headers["retry-after"]) == (429, "2")


def test_a_password_can_be_set_and_changed_and_ends_other_sessions(ann, browser) -> None:
    client, elsewhere = browser(), browser()
    client.get(ann)
    elsewhere.get(ann)
    csrf = csrf_of(client.get("/account").text)

    wrong = client.post("/account/password", data={"csrf": csrf, "old": "wrong password", "new": "x" * 10})
    assert (wrong.status_code, "is not your password" in wrong.text) == (422, True)
    short = client.post("/account/password", data={"csrf": csrf, "old": PASSWORD, "new": "short"})
    assert (short.status_code, "10 letters or more" in short.text) == (422, True)
    done = client.post("/account/password", data={"csrf": csrf, "old": PASSWORD, "new": "another password"})

    assert done.status_code == 303
    assert signed_in(client)
    assert not signed_in(elsewhere)
    assert enter(browser(), "Ann", PASSWORD).status_code == 403
    assert enter(browser(), "Ann", "another password").status_code == 303


def test_somebody_without_a_password_sets_one_without_an_old_one(sign_in, browser) -> None:
    client = sign_in("Cy")
    page = client.get("/account").text
    assert 'name="old"' not in page

    client.post("/account/password", data={"csrf": csrf_of(page), "new": PASSWORD})

    assert enter(browser(), "Cy").status_code == 303
    assert 'name="old"' in client.get("/account").text
