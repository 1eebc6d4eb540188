"""Texts that are scripts, SQL or no text at all, wherever somebody can put one: shown as text, or refused.

Both backends: what one keeps, the other may not.
"""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select

from heedful.collect.settings import Settings
from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.project import Project
from heedful.collect.team import people
from heedful.collect.web.app import create_app
from heedful.collect.work import items
from heedful.records import Candidates, assistant, user
from tests.collect.web.conftest import OWN, csrf_of
from tests.collect.web.harmless import look
from tests.collect.web.routes import Asked, pages

SCRIPT = "<script>alert(1)</script>"
TEXTS = (
    SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "' onfocus=alert(1) autofocus='",
    "</textarea><script>alert(1)</script>",
    "</title></style></option></select></dialog><svg/onload=alert(1)>",
    "[click](javascript:alert(1)) ![x](https://evil.example/x.png) <javascript:alert(1)>",
    "```\n</code></pre><script>alert(1)</script>\n```",
    "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7}",
    "'; DROP TABLE people;--",
    "' OR '1'='1' /*",
    "100% _ \\ %s %(name)s :name ?",
    "\u202etxt.exe\u2066 \ufeff\u200b",
    "=cmd|' /C calc'!A0",
    "\x00",
    "a\x00b\x1b[2J",
    "\ud83d\ude00 \U0001f600 \uffff",
    "e" + "\u0301" * 500,
    "9" * 400,
    "-1e309",
)
"""`\\ud83d\\ude00` are halves of a character, which no browser sends as they are."""

FIELDS = (
    *(
        "name",
        "role",
        "password",
        "old",
        "new",
        "choice",
        "strength",
        "rationale",
        "flag",
        "reason",
        "uid",
        "seconds",
    ),
    *("rank-0", "score-0-0", "thumb-0", "text", "message", "before", "verdict", "kind", "id", "token"),
)


@pytest.fixture
def settings() -> Settings:
    return Settings(
        title=SCRIPT, guidelines=TEXTS[5], flags=(TEXTS[1], TEXTS[2]), skip_reasons=(SCRIPT,), overlap=2
    )


@pytest.fixture
def project(database: Database, settings: Settings) -> Project:
    """On either backend, with items that are made of hostile texts."""
    project = Project.open(database, settings)
    records = [
        Candidates(
            (user(f"{number} {_kept(text)}"),),
            ((assistant(f"first {_kept(text)}"),), (assistant(f"second {_kept(text)}"),)),
        )
        for number, text in enumerate(TEXTS)
    ]
    with project.database.write() as connection:
        assert items.add_records(connection, records, settings).added == len(TEXTS)
    return project


def _kept(text: str) -> str:
    """Without halves of characters, which no data file has."""
    return text.encode(errors="replace").decode()


def post(client: TestClient, path: str, csrf: str, **form: str):
    data = {name: _kept(value) for name, value in ({"csrf": csrf} | form).items()}
    return client.post(path, data=data)


def test_texts_that_do_no_good_come_back_as_text_on_every_page(project, sign_in) -> None:
    root = sign_in("Root", "admin")
    csrf = csrf_of(root.get("/account").text)
    seen: dict[str, str] = {}
    for text in TEXTS:
        where = root.get("/").headers["location"]
        seen[where] = root.get(where).text
        uid = re.search(r'name="uid" value="([^"]+)"', seen[where])[1]
        draft = post(root, f"{where}/draft", csrf, uid=uid, choice="a", rationale=text, flag=TEXTS[1])
        assert draft.status_code in (204, 400)
        seen[f"{where} with a draft"] = root.get(where).text
        refused = post(root, where, csrf, uid=uid, choice="a", rationale=text, flag=text)
        assert refused.status_code in (303, 400, 422)
        seen[f"{where} refused"] = refused.text
        kept = post(root, where, csrf, uid=uid, choice="a", rationale=text, flag=TEXTS[1])
        if kept.status_code == 400:  # NUL, which is refused in every form
            assert "\x00" in text
            kept = post(root, where, csrf, uid=uid, choice="skip", reason=SCRIPT, flag=TEXTS[2])
        assert kept.status_code == 303
        added = post(root, "/people", csrf, name=text, role="annotator")
        assert added.status_code in (200, 400, 422)
        seen[f"{text!r} as a name"] = added.text
    for asked in pages(create_app(project)):
        if asked.method == "GET" and "x" * 22 not in asked.path:
            response = root.request(*asked)
            assert response.status_code < 500
            if response.headers.get("content-type", "").startswith("text/html"):
                seen[asked.path] = response.text

    assert len(seen) > 4 * len(TEXTS)
    assert {where: harm for where, html in seen.items() if (harm := look(html)[0])} == {}
    assert SCRIPT in look(seen["/account"])[1]  # the project's title
    assert TEXTS[1] in look(seen["/people"])[1]
    assert "</textarea><script>alert(1)</script>" in look(seen["/mine"])[1]
    drafts = "\n".join(look(html)[1] for where, html in seen.items() if where.endswith("with a draft"))
    assert all(text in drafts for text in TEXTS[:13] if "\n" not in text)


@pytest.mark.slow
@pytest.mark.usefixtures("quick_hashes")
def test_no_form_falls_over_whatever_its_fields_hold(project, sign_in) -> None:
    with project.database.write() as connection:
        people.add(connection, "One")  # whom the forms about person 1 are about
    root = sign_in("Root", "admin")
    csrf = csrf_of(root.get("/account").text)
    token = root.get("/").headers["location"].removeprefix("/judge/")
    forms = [
        Asked(asked.method, asked.path.replace("x" * 22, token))
        for asked in pages(create_app(project))
        if asked.method == "POST" and not asked.path.startswith("/logout")
    ]
    assert len(forms) > 15

    for asked in forms:
        for text in TEXTS:
            response = post(root, asked.path, csrf, **dict.fromkeys(FIELDS, text))
            assert (asked, text, response.status_code < 500) == (asked, text, True)
            assert (asked, look(response.text)[0]) == (asked, [])
    with project.database.read() as connection:
        assert people.by_name(connection, "Root").role == "admin"
        assert connection.execute(select(func.count()).select_from(schema.items)).scalar_one() == len(TEXTS)


@pytest.mark.slow
def test_no_page_falls_over_whatever_stands_in_its_address(project, sign_in) -> None:
    root = sign_in("Root", "admin")
    queries = ("before", "after", "done", "changed", "what", "until", "page", "person", "item")

    for asked in pages(create_app(project)):
        if asked.method == "GET":
            for text in map(_kept, TEXTS):
                response = root.get(asked.path, params=dict.fromkeys(queries, text))
                assert (asked, text, response.status_code < 500) == (asked, text, True)
            for guess in ("%27%20OR%201=1", "%ff", "%F0%9F%98%80", "-1", "9" * 30, "%2e%2e", "a" * 3000):
                path = re.sub(r"x{22}|(?<=/)1(?=/|$)", guess, asked.path)
                assert (path, root.get(path).status_code < 500) == (path, True)


def test_the_api_takes_no_text_that_it_cannot_keep(project) -> None:
    with project.database.write() as connection:
        root, _ = people.add(connection, "Root", "admin")
        token = people.issue_token(connection, root, "test")
    client = TestClient(create_app(project), OWN, headers={"Authorization": f"Bearer {token}"})

    for text in TEXTS:
        escaped = '"' + "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in text) + '"'
        body = f'{{"name": {escaped}, "role": "annotator"}}'.encode()
        made = client.post("/api/v1/people", content=body, headers={"Content-Type": "application/json"})
        assert (text, made.status_code) in ((text, 201), (text, 400), (text, 409), (text, 422))
        assert made.headers["content-type"] == "application/json"
        item = client.get("/api/v1/next").json()
        answer = (
            f'{{"answer": {{"verdict": "a", "rationale": {escaped}}}, "uid": "{item["token"]}"}}'.encode()
        )
        path = f"/api/v1/assignments/{item['token']}/answer"
        sent = client.post(path, content=answer, headers={"Content-Type": "application/json"})
        assert (text, sent.status_code) in ((text, 200), (text, 400), (text, 422))
    for path in ("/people", "/judgements", "/items"):
        assert client.get(f"/api/v1{path}").status_code == 200


def test_an_item_of_somebody_else_is_as_unknown_as_one_that_is_not_there(project, sign_in) -> None:
    ann, bob = sign_in("Ann"), sign_in("Bob")
    token = ann.get("/").headers["location"].removeprefix("/judge/")
    csrf = csrf_of(bob.get("/account").text)

    def asked(token: str) -> list[tuple[int, str]]:
        path = f"/judge/{token}"
        answers = [bob.get(path), bob.get(f"{path}/outcome")]
        answers += [post(bob, path + end, csrf, choice="a", uid="guess") for end in ("", "/draft", "/undo")]
        return [(answer.status_code, answer.text) for answer in answers]

    theirs, unknown = asked(token), asked("x" * len(token))

    assert theirs == unknown
    assert {status for status, _ in theirs} == {404}
    assert ann.get(f"/judge/{token}").status_code == 200
    for guess in ("1", "0", "-1", token[:-1], token + "x", token.swapcase(), "%", "_" * len(token), "*"):
        assert {status for status, _ in asked(guess)} == {404}


def test_numbers_that_are_none_or_too_large_are_refused_or_passed_over(project, sign_in) -> None:
    ann = sign_in("Ann")
    csrf = csrf_of(ann.get("/account").text)

    for number in ("9" * 400, "-1", "1e309", "nan", "inf", "0x10", "١", "1.5", "", " 1"):
        where = ann.get("/").headers["location"]
        fields = dict.fromkeys(("strength", "seconds", "rank-0", "rank-1", "score-0-0"), number)
        response = post(ann, where, csrf, uid=where[-20:], choice="a", **fields)
        assert (number, response.status_code) in ((number, 303), (number, 422))
    with project.database.read() as connection:
        seconds = connection.execute(select(schema.judgements.c.seconds)).scalars().all()
    assert len(seconds) > 5
    assert all(one is None or 0 <= one < 3600 for one in seconds)
