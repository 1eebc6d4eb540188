"""The chat's page: there only with models, the sources hidden, every form the visitor's own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from heedful.collect.answer import Answer
from heedful.collect.sampling.chat import LONGEST, Chats
from heedful.collect.sampling.journal import Drawn
from heedful.collect.settings import Settings
from heedful.collect.store import log
from heedful.collect.store.project import Project
from heedful.collect.web.app import create_app
from tests.collect.speakers import Fake, chatting, wait
from tests.collect.web.conftest import OWN, SignIn, csrf_of

ACTIONS = ("say", "pick", "again", "stop", "go-on", "undo", "new")
SCRIPT = "<script>alert(1)</script>"


def said(name: str) -> Fake:
    """A speaker whose answers do not give it away."""
    return Fake(name, lambda conversation, times: f"{'First' if name == 'smol' else 'Second'} {times}")


@pytest.fixture
def chats() -> Iterator[Chats]:
    with chatting(said("smol"), said("tuned")) as found:
        yield found


def post(client: TestClient, action: str, **fields: str):
    fields.setdefault("csrf", csrf_of(client.get("/chat").text))
    return client.post(f"/chat/{action}", data=fields)


def answers(client: TestClient) -> str:
    """The page once both answers are there."""
    wait(lambda: 'data-state="answering"' not in client.get("/chat/live").text)
    return client.get("/chat").text


def token_of(html: str) -> str:
    found = re.search(r'name="turn" value="([^"]+)"', html)
    assert found is not None
    return found[1]


def shown(html: str) -> list[str]:
    return re.findall(r"(First|Second) \d", re.sub(r'<pre class="plain".*?</pre>', "", html, flags=re.DOTALL))


def entries(project: Project) -> list:
    with project.database.read() as connection:
        return list(log.entries(connection))


def test_without_models_there_is_no_chat_and_with_some_people_begin_there(
    project: Project, sign_in: SignIn
) -> None:
    client = sign_in("ann")
    assert client.get("/chat").status_code == 200
    assert '<a href="/chat" aria-current="page">Chat</a>' in client.get("/chat").text
    assert '<a href="/chat">Chat</a>' in client.get("/mine").text

    plain = TestClient(create_app(project), OWN, cookies=client.cookies, follow_redirects=False)
    assert plain.get("/chat").status_code == 404
    assert "/chat" not in plain.get("/mine").text
    assert [plain.post(f"/chat/{action}").status_code for action in ACTIONS] == [404] * len(ACTIONS)


def test_who_is_not_signed_in_or_has_no_token_is_refused(
    project: Project, chats: Chats, sign_in: SignIn
) -> None:
    stranger = TestClient(create_app(project, chats=chats), OWN, follow_redirects=False)
    assert stranger.get("/chat").headers["location"] == "/login"
    assert stranger.post("/chat/say", data={"text": "Hello"}).headers["location"] == "/login"

    ann = sign_in("ann")
    assert [post(ann, action, csrf="guess").status_code for action in ACTIONS] == [403] * len(ACTIONS)
    assert "Nothing has been said yet" in ann.get("/chat").text


def test_a_question_two_answers_and_a_choice(project: Project, sign_in: SignIn) -> None:
    client = sign_in("ann")

    assert post(client, "say", text="Hello").headers["location"] == "/chat"
    page = answers(client)
    both = shown(page)
    assert sorted(both) == ["First", "Second"]
    post(client, "pick", turn=token_of(page), choice="b", rationale=" Kinder. ")

    page = client.get("/chat").text
    assert shown(page) == both[1:]
    assert "You chose B." in page
    (entry,) = entries(project)
    assert entry.answer.as_shown(entry.shown) == Answer(verdict="b", rationale="Kinder.")

    post(client, "undo")
    assert shown(client.get("/chat").text) == both
    assert [entry.action for entry in entries(project)] == ["give", "retract"]


def test_no_page_says_who_wrote_an_answer(sign_in: SignIn, project: Project) -> None:
    client = sign_in("ann")
    seen = [client.get("/chat")]
    post(client, "say", text="Hello")
    page = answers(client)
    seen += [client.get("/chat"), client.get("/chat/live")]
    seen.append(post(client, "pick", turn=token_of(page), choice="tie"))
    seen += [client.get("/chat"), client.get("/chat/live"), client.get("/mine")]

    assert {entry.kind for entry in entries(project)} == {"chat"}
    for response in seen:
        told = (response.text + str(response.headers)).lower()
        assert "smol" not in told
        assert "tuned" not in told


def test_a_conversation_survives_a_reload_and_is_ones_own(sign_in: SignIn) -> None:
    ann, bob = sign_in("ann"), sign_in("bob")
    post(ann, "say", text="A secret")
    page = answers(ann)

    assert token_of(ann.get("/chat").text) == token_of(page)
    assert "A secret" not in bob.get("/chat").text
    post(bob, "pick", turn=token_of(page), choice="a")
    assert 'data-state="ready"' in ann.get("/chat").text


def test_texts_of_people_and_models_are_shown_as_text(project: Project, sign_in: SignIn) -> None:
    with chatting(
        Fake("smol", lambda *_: f"A {SCRIPT}"), Fake("tuned", lambda *_: f"B {SCRIPT}"), system=SCRIPT
    ) as own:
        client = TestClient(create_app(project, chats=own), OWN, cookies=sign_in("ann").cookies)
        fresh = client.get("/chat").text
        post(client, "say", text=SCRIPT)
        page = answers(client)
        post(client, "pick", turn=token_of(page), choice="both_bad")
        after = client.get("/chat").text
    for html in (fresh, page, after):
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)" in html


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("pick", {}),
        ("pick", {"choice": "skip"}),
        ("pick", {"choice": "a", "rationale": "x" * 20_001}),
        ("say", {"text": "x" * (LONGEST + 1)}),
        ("new", {"system": "x" * (LONGEST + 1)}),
    ],
)
def test_what_does_not_fit_is_refused(sign_in: SignIn, project: Project, action: str, fields: dict) -> None:
    client = sign_in("ann")
    post(client, "say", text="Hello")
    page = answers(client)

    assert post(client, action, turn=token_of(page), **fields).status_code == 400
    assert entries(project) == []


def test_a_choice_follows_the_projects_settings(project: Project, chats: Chats, sign_in: SignIn) -> None:
    settings = Settings(tie=False, both_bad=False, rationale="required")
    strict = Project.open(project.database, settings)
    cookies = sign_in("ann").cookies
    client = TestClient(create_app(strict, chats=chats), OWN, cookies=cookies, follow_redirects=False)
    post(client, "say", text="Hello")
    page = answers(client)

    assert re.findall(r'name="choice" value="(\w+)"', page) == ["a", "b"]
    for fields in (
        {"choice": "tie", "rationale": "x"},
        {"choice": "both_bad", "rationale": "x"},
        {"choice": "a"},
    ):
        assert post(client, "pick", turn=token_of(page), **fields).status_code == 400
    assert post(client, "pick", turn=token_of(page), choice="a", rationale="x").status_code == 303
    assert len(entries(project)) == 1


SEVEN = ["a3", "a2", "a1", "tie", "b1", "b2", "b3"]
FOUR = ["a4", "a3", "a2", "a1", "tie", "b1", "b2", "b3", "b4"]


@pytest.mark.parametrize(
    ("settings", "steps", "choice", "given"),
    [
        (Settings(strength=4), [*FOUR, "both_bad"], "b4", Answer(verdict="b", strength=4)),
        (Settings(strength=4), [*FOUR, "both_bad"], "tie", Answer(verdict="tie")),
        (Settings(strength=7), [*SEVEN, "both_bad"], "a2", Answer(verdict="a", strength=2)),
        (Settings(strength=7), [*SEVEN, "both_bad"], "tie", Answer(verdict="tie", strength=0)),
        (Settings(strength=7, both_bad=False), SEVEN, "b1", Answer(verdict="b", strength=1)),
        (
            Settings(strength=7, tie=False, task="rating"),
            [*SEVEN[:3], *SEVEN[4:], "both_bad"],
            "both_bad",
            Answer(verdict="both_bad"),
        ),
    ],
)
def test_how_much_better_an_answer_is_is_asked_where_the_project_asks_it(
    project: Project, chats: Chats, sign_in: SignIn, settings: Settings, steps: list[str], choice: str, given
) -> None:
    asking = Project.open(project.database, settings)
    cookies = sign_in("ann").cookies
    client = TestClient(create_app(asking, chats=chats), OWN, cookies=cookies, follow_redirects=False)
    post(client, "say", text="Hello")
    page = answers(client)

    assert re.findall(r'name="choice" value="(\w+)"', page) == steps
    for nonsense in ("a", "b", "a9", "b4" if settings.strength == 7 else "b5"):
        assert post(client, "pick", turn=token_of(page), choice=nonsense).status_code == 400
    assert post(client, "pick", turn=token_of(page), choice=choice).status_code == 303
    (entry,) = entries(project)
    assert entry.answer.as_shown(entry.shown) == given


def test_an_answer_that_was_cut_says_so(project: Project, sign_in: SignIn) -> None:
    with chatting(Fake("smol", lambda *_: Drawn("On and on and", False)), Fake("tuned")) as own:
        client = TestClient(create_app(project, chats=own), OWN, cookies=sign_in("ann").cookies)
        post(client, "say", text="Hello")
        assert answers(client).count("cut at the limit") == 1


def test_a_new_conversation_takes_a_system_message_of_ones_own(sign_in: SignIn, chats: Chats) -> None:
    client = sign_in("ann")
    post(client, "say", text="Hello")
    answers(client)

    post(client, "new", system="Rhyme.")
    page = client.get("/chat").text
    assert "Rhyme." in page
    assert "Hello" not in page


def test_the_page_works_without_scripts_by_reloading(sign_in: SignIn, project: Project) -> None:
    slow = Fake("smol", waits=True)
    with chatting(slow) as own:
        client = TestClient(create_app(project, chats=own), OWN, cookies=sign_in("ann").cookies)
        post(client, "say", text="Hello")
        assert 'http-equiv="refresh"' in client.get("/chat").text
        slow.gate.set()
        assert 'http-equiv="refresh"' not in answers(client)
