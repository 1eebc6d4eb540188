"""Judging in a real browser: by keyboard, by drag, on a phone, and with scripts turned off.

The fixture `browser_page` fails each of these if a script failed, the policy was broken, or a request left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store import log, schema
from heedful.collect.store.model import Entry
from heedful.collect.store.project import Project
from tests.collect.making import an_item
from tests.collect.web.browser import PHONE, Served

CODE = "Use this:\n\n```python\ndef wide(argument): return " + "argument + " * 20 + "1  # <b>\n```\n"
TABLE = "| name | what |\n|:--|--:|\n" + "| a-rather-long-name-in-one-word | 1 |\n" * 3
HOSTILE = (
    "<script>document.title = 'broken'</script> <img src=https://evil.example/x onerror=alert(1)> **bold**"
)
RANKING = Settings(task="ranking")
RATING = Settings(task="rating", aspects=("helpful", "tone"))


def fill(project: Project, *items: Sequence[str]) -> None:
    """Items of these responses."""
    with project.database.write() as connection:
        for number, responses in enumerate(items):
            an_item(connection, prompt=f"Question {number}?", responses=responses)


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def press_and_go(page: Any, key: str) -> None:
    """Press a key that leads to another page."""
    with page.expect_navigation():
        page.keyboard.press(key)
    page.wait_for_load_state()


def said(project: Project) -> list[Entry]:
    with project.database.read() as connection:
        return list(log.entries(connection))


def answers(project: Project) -> list[Answer]:
    """What was given, in terms of what was shown."""
    return [entry.given.as_shown(entry.shown) for entry in said(project) if entry.action == "give"]


def test_a_strangers_first_votes_need_the_keyboard_alone(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "blue"), ("red", "blue"), ("red", "blue"))
    browser_page.goto(served.link())
    assert browser_page.inner_text("h1") == "Which response would you rather have got?"

    press(browser_page, "2", "1")
    assert browser_page.is_checked("#choice-a")
    assert browser_page.inner_text("#said") == "A is better. Press again or Enter to submit."
    press_and_go(browser_page, "Enter")
    assert "1 of 3" in browser_page.inner_text(".progress")
    press(browser_page, "ArrowRight")
    press_and_go(browser_page, "ArrowRight")  # the same key twice
    press(browser_page, "x", "t")
    press_and_go(browser_page, "Enter")

    assert [answer.verdict for answer in answers(served.project)] == ["a", "b", "tie"]
    assert all(0 < entry.seconds < 60 for entry in said(served.project))
    assert browser_page.inner_text("h1") == "All done"


@pytest.mark.slow
def test_nothing_is_sent_without_an_answer_and_the_page_says_what_is_missing(
    served: Served, browser_page: Any
) -> None:
    fill(served.project, ("red", "blue"))
    browser_page.goto(served.link())

    press(browser_page, "Enter")

    assert browser_page.inner_text("#saved") == "Say which one is better first."
    assert said(served.project) == []


@pytest.mark.slow
def test_keys_are_letters_while_somebody_writes(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "blue"))
    browser_page.goto(served.link())

    press(browser_page, "1", "r")
    browser_page.keyboard.type("2 t x s u ? because")
    press(browser_page, "Escape", "f", " ", "b")
    press_and_go(browser_page, "Control+Enter")

    given = answers(served.project)
    assert given == [Answer(verdict="b", rationale="2 t x s u ? because", flags=("unsafe",))]


@pytest.mark.slow
def test_a_skip_says_why(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "blue"))
    browser_page.goto(served.link())

    assert not browser_page.is_visible("text=Why do you skip it?")
    press(browser_page, "s", "Enter")
    assert browser_page.inner_text("#saved") == "Say why you skip it."
    press(browser_page, "2")
    press_and_go(browser_page, "2")

    assert answers(served.project) == [Answer(verdict="skip", reason="The text is broken")]


def test_a_vote_is_undone_and_changed(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "blue"), ("red", "blue"))
    browser_page.goto(served.link())
    press(browser_page, "1")
    press_and_go(browser_page, "1")

    press_and_go(browser_page, "u")
    assert browser_page.is_checked("#choice-a")
    press(browser_page, "2")
    press_and_go(browser_page, "Enter")

    browser_page.goto("/mine")
    assert "B is better" in browser_page.inner_text(".mine")
    with browser_page.expect_navigation():
        browser_page.click(".mine a.button")
    assert "You have judged this one already" in browser_page.inner_text("main")
    press(browser_page, "t")
    press_and_go(browser_page, "Enter")

    assert [entry.action for entry in said(served.project)] == ["give", "retract", "give", "give"]
    assert [answer.verdict for answer in answers(served.project)] == ["a", "b", "tie"]


def test_a_draft_survives_a_reload(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "blue"))
    browser_page.goto(served.link())

    press(browser_page, "2", "r")
    browser_page.keyboard.type("half a thou")
    browser_page.get_by_text("Draft saved").wait_for()
    browser_page.reload()

    assert browser_page.is_checked("#choice-b")
    assert browser_page.input_value("#rationale") == "half a thou"
    assert said(served.project) == []


@pytest.mark.slow
def test_a_draft_is_saved_when_the_page_is_left_at_once(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "blue"))
    browser_page.goto(served.link())

    press(browser_page, "2")
    browser_page.goto("/mine")

    for _ in range(100):
        with served.project.database.read() as connection:
            kept = connection.execute(select(schema.drafts.c.answer)).scalars().all()
        if kept:
            break
        browser_page.wait_for_timeout(50)
    assert kept == [{"verdict": "b"}]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [Settings(strength=7)])
def test_the_scale_of_7_is_walked_along_with_arrows(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "blue"), ("red", "blue"))
    browser_page.goto(served.link())

    press(browser_page, "ArrowLeft", "ArrowLeft")
    assert browser_page.is_checked("#choice-a2")
    press(browser_page, "ArrowRight", "ArrowRight", "ArrowRight")
    press_and_go(browser_page, "Enter")
    press(browser_page, "7")
    press_and_go(browser_page, "7")

    assert answers(served.project) == [Answer(verdict="b", strength=1), Answer(verdict="b", strength=3)]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [Settings(strength=4)])
def test_a_side_is_chosen_and_then_how_much_better_it_is(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "blue"))
    browser_page.goto(served.link())

    press(browser_page, "b", "Enter")
    assert browser_page.inner_text("#saved") == "Say how much better it is."
    press(browser_page, "3")
    press_and_go(browser_page, "Enter")

    assert answers(served.project) == [Answer(verdict="b", strength=3)]


@pytest.mark.parametrize("settings", [RANKING])
def test_responses_are_ranked_by_keyboard(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "green", "blue", "grey"))
    browser_page.goto(served.link())

    press(browser_page, "4", "2", "2", "1")
    assert browser_page.inner_text("#said") == "Response D: rank 1 of 4. Order: D, then B and C, then A."
    press(browser_page, "a", "Alt+ArrowUp")
    assert browser_page.is_checked("#rank-0-3")
    press(browser_page, "ArrowRight", "Alt+ArrowDown")
    assert browser_page.inner_text("#said") == (
        "Response B: rank 3 of 4, tied with A. Order: D, then C, then A and B."
    )
    press_and_go(browser_page, "Enter")

    assert answers(served.project) == [Answer(ranks=(3, 3, 2, 1))]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [RANKING])
def test_responses_are_ranked_by_dragging_their_letters(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "green", "blue"))
    browser_page.goto(served.link())

    for letter, place in (("A", 2), ("B", 1), ("C", 3), ("C", 1)):
        chip = browser_page.locator(".chip", has_text=letter).bounding_box()
        slot = browser_page.locator(f'.slot[data-rank="{place}"]').bounding_box()
        browser_page.mouse.move(chip["x"] + 5, chip["y"] + 5)
        browser_page.mouse.down()
        browser_page.mouse.move(slot["x"] + 30, slot["y"] + 30, steps=3)
        browser_page.mouse.up()
    assert browser_page.inner_text('.slot[data-rank="1"]').split() == ["1", "best", "B", "C"]
    press_and_go(browser_page, "Enter")

    assert answers(served.project) == [Answer(ranks=(2, 1, 1))]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [RATING])
def test_responses_are_rated_one_aspect_after_the_other(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "blue"))
    browser_page.goto(served.link())

    press(browser_page, "4", "5", "1", "Enter")
    assert browser_page.inner_text("#saved") == "Rate everything first."
    press(browser_page, "2", "ArrowUp", "3")
    press_and_go(browser_page, "Enter")

    assert answers(served.project) == [Answer(scores=({"helpful": 4, "tone": 5}, {"helpful": 3, "tone": 2}))]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [Settings(task="thumbs")])
def test_thumbs_are_given_one_after_the_other(served: Served, browser_page: Any) -> None:
    fill(served.project, ("red", "blue", "grey"))
    browser_page.goto(served.link())

    press(browser_page, "1", "-", "+")
    press_and_go(browser_page, "Enter")

    assert answers(served.project) == [Answer(thumbs=(True, False, True))]


@pytest.mark.slow
def test_guidelines_and_plain_texts_are_one_key_away(served: Served, browser_page: Any) -> None:
    fill(served.project, (HOSTILE, "blue"), ("**red**", "blue"))
    browser_page.goto(served.link())
    assert browser_page.title() == "Which answer is better?"
    assert browser_page.is_visible(".rich strong:has-text('bold')")

    press(browser_page, "?")
    assert browser_page.is_visible("dialog >> text=Right before pretty.")
    press(browser_page, "1", "Escape")
    assert not browser_page.is_visible("dialog")
    assert not browser_page.is_checked("#choice-a")
    press(browser_page, "p")
    assert browser_page.is_visible("text=**bold**")
    press(browser_page, "1")
    press_and_go(browser_page, "1")
    assert browser_page.is_visible("text=**red**")


@pytest.mark.slow
def test_on_a_phone_nothing_is_wider_than_the_window_and_thumbs_reach_the_buttons(
    served: Served, browser_page: Any
) -> None:
    fill(served.project, (CODE, TABLE), ("word" * 300, "![a](https://a.example/" + "b" * 200 + ")"))
    browser_page.set_viewport_size(PHONE)
    browser_page.goto(served.link())

    for _ in range(2):
        assert browser_page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        for box in browser_page.locator(".verdict label, #submit").all():
            place = box.bounding_box()
            assert place["y"] + place["height"] <= PHONE["height"]
            assert place["height"] >= 40
        browser_page.click("label[for=choice-b]")
        with browser_page.expect_navigation():
            browser_page.click("#submit")

    assert [answer.verdict for answer in answers(served.project)] == ["b", "b"]


@pytest.mark.slow
def test_a_long_text_is_folded_and_unfolds(served: Served, browser_page: Any) -> None:
    fill(served.project, ("A sentence of a long text. " * 400, "blue"))
    browser_page.goto(served.link())

    tall = "document.querySelector('.long .rich').getBoundingClientRect().height"
    folded = browser_page.evaluate(tall)
    browser_page.click("text=Show all 10,800 letters")
    assert browser_page.evaluate(tall) > folded
    assert browser_page.is_visible("text=Show less")


@pytest.mark.slow
@pytest.mark.parametrize("settings", [Settings(), RANKING])
def test_without_scripts_everything_works_by_hand(served: Served, browser: Any, settings: Settings) -> None:
    fill(served.project, ("red", "blue"))
    context = browser.new_context(java_script_enabled=False, base_url=served.address)
    page = context.new_page()
    page.goto(served.link())

    for box in ["choice-b"] if settings.task == "pairwise" else ["rank-0-2", "rank-1-1"]:
        page.click(f"label[for={box}]")
    page.click("summary")
    page.fill("#rationale", "by hand")
    page.click("#submit")
    expected = Answer(verdict="b") if settings.task == "pairwise" else Answer(ranks=(2, 1))
    assert answers(served.project) == [expected.model_copy(update={"rationale": "by hand"})]
    assert page.inner_text("h1") == "All done"
    page.goto("/mine")
    with page.expect_navigation():
        page.click(".mine button")
    context.close()

    assert [entry.action for entry in said(served.project)] == ["give", "retract"]
