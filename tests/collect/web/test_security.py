"""What stands before every request: hosts, sizes, lengths, paths, and what is no text."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from heedful.collect.team import people
from heedful.collect.web.app import create_app
from heedful.collect.web.security import HEADERS, LARGEST, LARGEST_HEADERS, LONGEST_ADDRESS, POLICY
from heedful.collect.web.visit import MOST_FIELDS
from tests.collect.web.conftest import OWN, csrf_of
from tests.collect.web.raw import HOST, ask, cookie_of

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def app(project):
    return create_app(project)


@pytest.fixture
def stranger(app) -> TestClient:
    return TestClient(app, OWN, follow_redirects=False)


@pytest.fixture
def token(project) -> str:
    """An admin's, for the API."""
    with project.database.write() as connection:
        person, _ = people.add(connection, "Api", "admin")
        return people.issue_token(connection, person, "test")


def test_scripts_and_styles_come_from_the_app_alone_and_nothing_is_inline() -> None:
    assert "default-src 'none'" in POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert HEADERS["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8765",
        "LOCALHOST",
        "127.0.0.1:80",
        "[::1]:8765",
        "192.168.1.7",
        "Votes.example:1",
    ],
)
def test_the_app_answers_to_itself_to_digits_and_to_the_names_it_was_given(project, host: str) -> None:
    client = TestClient(create_app(project, hosts=["votes.EXAMPLE"]), OWN)

    assert client.get("/login", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "evil.example:localhost",
        "127.0.0.1.evil.example",
        "",
        "[::1",
        "localhost@evil.example",
        "evil.example/localhost",
        "localhost:x",
        "localhost, evil.example",
        "\u00e9",
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused(stranger, host: str) -> None:
    """DNS rebinding: a page of that name could else read what the app answers."""
    response = stranger.get("/login", headers={"Host": host.encode()})

    assert (response.status_code, "set-cookie" in response.headers) == (400, False)
    assert "--allow-host" in response.text


def test_a_request_with_two_hosts_or_none_is_refused(app) -> None:
    assert ask(app, "GET", "/login", [HOST])[0] == 200
    assert ask(app, "GET", "/login", [HOST, HOST])[0] == 400
    assert ask(app, "GET", "/login", [])[0] == 400


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (b"-1", 400),
        (b"", 400),
        (b"1e3", 400),
        (b"0x10", 400),
        (b"+5", 400),
        (b"\xb2", 400),
        (str(LARGEST + 1).encode(), 413),
        (b"9" * 5000, 413),
    ],
)
def test_a_length_that_is_no_number_or_too_large_is_refused_unread(app, length: bytes, status: int) -> None:
    assert ask(app, "POST", "/login", [HOST, (b"content-length", length)])[0] == status


def test_of_two_lengths_the_larger_counts(app) -> None:
    lengths = [(b"content-length", b"5"), (b"content-length", str(LARGEST + 1).encode())]

    assert ask(app, "POST", "/login", [HOST, *lengths])[0] == 413


@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=x"])
def test_a_body_that_grows_too_large_without_saying_so_is_refused_midway(app, sign_in, kind: str) -> None:
    cookie = cookie_of(sign_in("Ann"))
    begin = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' if "multipart" in kind else b"a="
    chunks = [begin] + [b"x" * 70_000] * 20

    status, body = ask(app, "POST", "/logout", [HOST, cookie, (b"content-type", kind.encode())], chunks)

    assert (status, "That is too much text." in body) == (413, True)


def test_the_api_refuses_such_a_body_too(app, token) -> None:
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json")]

    status, body = ask(
        app, "POST", "/api/v1/people", [HOST, *headers], [b'{"name": "'] + [b"x" * 70_000] * 20
    )

    assert (status, list(json.loads(body))) == (413, ["detail"])


def test_a_body_as_large_as_may_be_is_read(stranger) -> None:
    body = b"before=" + b"x" * (LARGEST - 7)

    assert stranger.post("/login", content=body, headers={"Content-Type": FORM}).status_code == 403


def test_a_form_of_too_many_fields_or_with_a_file_is_refused(sign_in) -> None:
    ann = sign_in("Ann")
    csrf = csrf_of(ann.get("/account").text)

    many = ann.post("/logout", data={"csrf": csrf} | {f"f{i}": "" for i in range(MOST_FIELDS)})
    file = ann.post("/logout", data={"csrf": csrf}, files={"f": ("name", b"text")})
    broken = ann.post("/logout", content=b"--x\r\nbroken", headers={"Content-Type": "multipart/form-data"})

    assert (many.status_code, file.status_code, broken.status_code) == (400, 400, 400)
    assert ann.get("/account").status_code == 200


def test_long_addresses_and_large_headers_are_refused(stranger) -> None:
    assert stranger.get("/" + "x" * LONGEST_ADDRESS).status_code == 414
    assert stranger.get("/login?" + "x" * LONGEST_ADDRESS).status_code == 414
    assert stranger.get("/login", headers={"X-Long": "x" * LARGEST_HEADERS}).status_code == 431


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../etc/passwd",
        "/static/..%2f..%2f..%2fetc%2fpasswd",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static/%252e%252e/app.py",
        "/static/..%5c..%5capp.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/../app.py",
        "/static/",
        "/static",
        "/static/base.css%00.html",
        "/static/" + "x" * 300,
        "/static/" + "a/" * 1000,
        "/static/%ff%fe",
        "//evil.example/",
        "//",
        "/..",
        "/.env",
        "/people/../login/../people",
        "/judge/..%2f..%2fpeople",
        "/%00",
        "/judge/%00",
        "/judge/x%0d%0aSet-Cookie:%20a=b",
        "/join/%0d%0aLocation:%20https://evil.example",
        "/mine?before=%00",
        "/mine?before=%ff",
        "/mine?before='%20OR%201=1--",
        "/people?%00=1",
    ],
)
def test_paths_that_play_tricks_lead_nowhere(app, sign_in, path: str) -> None:
    status, body = ask(app, "GET", path, [HOST, cookie_of(sign_in("Ann"))])

    assert status in (303, 307, 400, 403, 404, 405, 422) or (status == 200 and path.startswith("/mine?"))
    assert not any(word in body for word in ("root:", "FastAPI", "import ", "SECRET"))


def test_a_nul_in_an_address_is_refused_before_a_database_sees_it(stranger) -> None:
    for path in ("/judge/%00", "/judge/a%00b", "/login?x=%00", "/static/base.css%00"):
        response = stranger.get(path)
        assert (response.status_code, "has a character in it that is none" in response.text) == (400, True)


def test_nothing_leads_away_from_the_app(sign_in) -> None:
    client = sign_in("Ann")

    for path in (
        "//evil.example/",
        "/\\evil.example",
        "/login?next=//evil.example",
        "/join/x?next=http://evil.example",
    ):
        response = client.get(path)
        assert "evil.example" not in response.headers.get("location", "")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"csrf": "x"}'),
        ("text/plain", b"csrf=x"),
        (
            "text/xml",
            b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>',
        ),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x"),
        ("", b"csrf=x"),
        ("\xff", b"csrf=x"),
        (FORM, b"csrf=%ff%fe&name=%c3%28"),
        (FORM, b"csrf=\xff\xfe"),
        (FORM, b"&&==;%%%"),
        (FORM + "; charset=utf-7", b"csrf=x"),
        (FORM, b"csrf=x&csrf=y&csrf[]=z"),
    ],
)
def test_a_body_of_another_kind_is_refused_as_any_form_without_a_token(
    sign_in, kind: str, body: bytes
) -> None:
    response = sign_in("Ann").post("/logout", content=body, headers={"Content-Type": kind.encode("latin-1")})

    assert response.status_code in (400, 403)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[" * 100_000,
        b'{"name": "\\ud800", "role": "annotator"}',
        b'{"name": "a\\u0000b", "role": "annotator"}',
        b'{"\\ud800": 1, "role": "annotator"}',
        b'{"name": NaN, "role": Infinity}',
        b'{"name": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        b'{"name": "\xff"}',
    ],
)
def test_the_api_refuses_json_that_makes_no_sense(stranger, token, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    response = stranger.post("/api/v1/people", content=body, headers=headers)

    assert response.status_code in (400, 409, 422)
    assert set(response.json()) == {"detail"}


def test_a_method_or_a_page_that_is_not_there_says_so(stranger) -> None:
    for path, method, status, said in (
        ("/nowhere", "GET", 404, "There is no such page"),
        ("/login", "DELETE", 405, "That cannot be done here."),
        ("/login", "TRACE", 405, "That cannot be done here."),
        ("/api/nowhere", "GET", 404, '{"detail":"Not Found"}'),
    ):
        response = stranger.request(method, path)
        assert (response.status_code, said in response.text) == (status, True)
