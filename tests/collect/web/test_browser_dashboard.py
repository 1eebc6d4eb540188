"""The dashboard in a real browser: what it says, that it fits a phone, and that nothing is wrong with it.

The fixture `browser_page` fails each of these if the policy was broken, or a request left.
"""

from __future__ import annotations

from typing import Any

import pytest

from heedful.collect.settings import Settings
from tests.collect.simulated import Habits, fill, right, team, verdicts
from tests.collect.web.browser import PHONE, WIDE, Served

PEOPLE = [
    *team(4, 0.9),
    Habits("lefty", left=0.95),
    Habits("ein Name, der so lang ist, dass er nirgends passt"),
]


@pytest.fixture
def settings() -> Settings:
    return Settings(overlap=3, title="Helpful answers")


@pytest.fixture
def opened(served: Served, browser_page: Any) -> Any:
    """The dashboard of a project with votes, as a reviewer has it."""
    votes = verdicts(PEOPLE, items=120, overlap=3, seed=0)
    with served.project.database.write() as connection:
        fill(connection, PEOPLE, votes, wanted=3, gold=lambda item: right(item) if item % 6 == 0 else None)
    browser_page.goto(served.link("rey", "reviewer"))
    browser_page.click("text=Dashboard")
    return browser_page


def test_a_reviewer_finds_the_verdict_the_plots_and_the_numbers(opened: Any) -> None:
    assert opened.inner_text("h1").startswith("All 360 votes are in; people agree")
    assert opened.locator("figure svg.chart").count() == 6
    assert opened.locator("tr.suspect").inner_text().startswith("lefty")

    bars = opened.locator("#votes rect.bar")
    heights = [bar["height"] for bar in (bars.nth(n).bounding_box() for n in range(bars.count()))]
    assert max(heights) > 50  # the style sheet is there, and so is the chart
    opened.click("#votes summary")
    numbers = opened.locator("#votes tbody td:last-child").all_inner_texts()
    assert sum(int(number.replace(",", "")) for number in numbers) == 360


@pytest.mark.slow
def test_plots_and_figures_are_saved_as_files(opened: Any) -> None:
    for name, link in (("votes.svg", "#votes a[download]"), ("figures.json", "text=All figures")):
        with opened.expect_download() as saved:
            opened.click(link)
        assert saved.value.suggested_filename == name
        assert saved.value.path().stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_the_screen_and_axe_finds_nothing(opened: Any, size: dict[str, int], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    opened.set_viewport_size(size)
    opened.emulate_media(color_scheme=scheme)

    assert opened.evaluate("document.documentElement.scrollWidth") <= size["width"]
    found = axe.Axe().run(opened).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:80]) for one in found] == []


@pytest.mark.slow
def test_text_in_charts_can_be_read_on_a_phone(opened: Any) -> None:
    opened.set_viewport_size(PHONE)
    heights = opened.evaluate(
        "[...document.querySelectorAll('.plots text')].map(text => text.getBoundingClientRect().height)"
    )

    assert min(heights) >= 11


@pytest.mark.slow
def test_marks_of_a_chart_follow_the_colours_of_the_page(opened: Any) -> None:
    def fill_of_bars() -> str:
        return opened.evaluate("getComputedStyle(document.querySelector('rect.bar')).fill")

    opened.emulate_media(color_scheme="light")
    light = fill_of_bars()
    opened.emulate_media(color_scheme="dark")
    assert light != fill_of_bars() != "rgb(0, 0, 0)"
