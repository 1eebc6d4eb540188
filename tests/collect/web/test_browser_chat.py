"""The chat in a real browser: by keyboard alone, answers as they grow, nothing serious found by axe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from heedful.collect.answer import Answer
from heedful.collect.sampling.chat import Chats
from heedful.collect.store import log
from heedful.collect.store.project import Project
from tests.collect.speakers import Fake, chatting
from tests.collect.web.browser import PHONE, Served

TEXTS = {"smol": "The **first** answer, by hand.", "tuned": "Another answer altogether."}


@pytest.fixture
def speakers() -> list[Fake]:
    """Two that wait for their gates."""
    return [
        Fake(name, lambda conversation, times, text=text: f"{text} {times}", waits=True)
        for name, text in TEXTS.items()
    ]


@pytest.fixture
def chats(speakers: list[Fake]) -> Iterator[Chats]:
    with chatting(*speakers) as found:
        yield found


def standing(project: Project) -> list[Answer]:
    """What was chosen, as it was shown."""
    with project.database.read() as connection:
        return [entry.given.as_shown(entry.shown) for entry in log.standing(connection)]


def ask(page: Any, text: str) -> None:
    page.locator("#text").focus()
    page.keyboard.press("End")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def until(page: Any, state: str) -> None:
    page.wait_for_selector(f'#live[data-state="{state}"]')


def test_a_conversation_by_keyboard(
    browser_page: Any, served: Served, project: Project, speakers: list[Fake]
) -> None:
    page = browser_page
    page.goto(served.link())
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.type("Hello")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("there")
    page.keyboard.press("Enter")

    page.wait_for_selector(".stream .rich")  # half an answer
    until(page, "answering")
    page.evaluate("window.same = true")
    for speaker in speakers:
        speaker.gate.set()
    until(page, "ready")
    assert page.evaluate("window.same")  # no reload while one reads
    assert page.locator(".turn.user .rich").inner_text() == "Hello\nthere"
    second = page.locator(".at-b .rich").inner_text()
    assert page.locator("#said").inner_text() == "Both answers are there. Which is better?"

    page.keyboard.press("r")
    page.keyboard.type("t1x2")  # of no meaning while one types
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    until(page, "")
    assert standing(project) == [Answer(verdict="b", rationale="t1x2")]
    assert page.locator(".turn.assistant .rich").inner_text() == second

    page.keyboard.press("Escape")
    page.keyboard.press("u")
    until(page, "ready")
    page.keyboard.press("x")
    until(page, "both_bad")
    page.keyboard.press("n")
    until(page, "ready")
    page.keyboard.press("t")
    until(page, "")
    assert [answer.verdict for answer in standing(project)] == ["both_bad", "tie"]


@pytest.mark.slow
def test_answers_are_stopped_by_a_key_and_a_question_asked_in_other_words(
    browser_page: Any, served: Served, project: Project, speakers: list[Fake]
) -> None:
    page = browser_page
    page.goto(served.link())
    ask(page, "Hello")
    page.wait_for_selector(".stream .rich")
    page.keyboard.press("Escape")
    until(page, "stopped")
    assert page.locator("#text").input_value() == "Hello"

    for speaker in speakers:
        speaker.gate.set()
    ask(page, " again")
    until(page, "ready")
    assert page.locator(".turn.user .rich").all_inner_texts() == ["Hello again"]
    assert standing(project) == []


@pytest.mark.slow
def test_a_phone_shows_the_whole_of_it(browser_page: Any, served: Served, speakers: list[Fake]) -> None:
    page = browser_page
    page.set_viewport_size(PHONE)
    for speaker in speakers:
        speaker.gate.set()
    page.goto(served.link())
    ask(page, "A long word: " + "x" * 200)
    until(page, "ready")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.get_by_role("button", name="A is better").click()
    until(page, "")


@pytest.mark.slow
def test_axe_finds_nothing_serious(browser_page: Any, served: Served, speakers: list[Fake]) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = browser_page

    def serious() -> list[str]:
        found = axe.run(page).response["violations"]
        return [one["id"] for one in found if one["impact"] in ("serious", "critical")]

    page.goto(served.link())
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert serious() == []
    ask(page, "Hello")
    page.wait_for_selector(".stream .rich")
    assert serious() == []
    for speaker in speakers:
        speaker.gate.set()
    until(page, "ready")
    assert serious() == []
    page.keyboard.press("x")
    until(page, "both_bad")
    assert serious() == []
