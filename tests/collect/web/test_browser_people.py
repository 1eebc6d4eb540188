"""Signing in and managing people in a real browser: by keyboard, with nothing serious found by axe."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.collect.team import passwords, people
from tests.collect.web.browser import PHONE, WIDE, Served

PASSWORD = "correct horse battery"
SERIOUS = ("serious", "critical")

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_hashes")]


def test_somebody_is_added_by_keyboard_and_comes_in_by_the_link_that_was_copied(
    browser_page: Any, browser: Any, served: Served
) -> None:
    page = browser_page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(served.link("Root", "admin"))
    page.get_by_role("link", name="People").press("Enter")
    page.get_by_label("Name").press_sequentially("Ann")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Copy").press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")

    theirs = browser.new_context().new_page()
    theirs.goto(link)

    assert link.startswith(f"{served.address}/join/")
    assert theirs.get_by_role("link", name="Ann").is_visible()
    theirs.context.close()


def test_signing_in_by_name_and_out_again(browser_page: Any, served: Served) -> None:
    with served.project.database.write() as connection:
        ann, _ = people.add(connection, "Ann")
        people.set_password(connection, ann, passwords.hashed(PASSWORD))
    page = browser_page

    page.goto("/mine")
    page.get_by_label("Name").fill("ann")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").press("Enter")
    page.wait_for_url("**/login")
    page.goto("/account")

    assert page.url == f"{served.address}/login"


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide", "phone"])
def test_the_pages_fit_the_screen_and_axe_finds_nothing(
    browser_page: Any, served: Served, size: dict[str, int], scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = browser_page
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme)
    with served.project.database.write() as connection:
        ann, link = people.add(connection, "Ann")
        people.issue_token(connection, ann, "script")
        gone, _ = people.add(connection, "Gone")
        people.deactivate(connection, gone)

    def look(path: str) -> None:
        page.goto(path)
        found = axe.run(page).response["violations"]
        assert [(path, one["id"]) for one in found if one["impact"] in SERIOUS] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]

    look("/login")
    page.goto(served.link("Root", "admin"))
    for path in ("/people", f"/people/{ann.id}", f"/people/{gone.id}", "/account", f"/join/{link}"):
        look(path)
        hidden = page.evaluate("(nav => nav.scrollWidth - nav.clientWidth)(document.querySelector('nav'))")
        assert (path, hidden) == (path, 0), "a part of the way about the app is out of sight"
