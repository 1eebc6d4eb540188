"""The page of an evaluation in a real browser: the search, without scripts, hostile texts, a phone, paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.report import ReportData, write
from tests.collect.web.browser import PHONE, WIDE, Watch
from tests.report.evaluated import BASELINE, MODEL, comparison, duel, example, report
from tests.report.test_html import HOSTILE

PATIENCE = 60_000  # milliseconds; a machine may be busy


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(report(24), tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def shown(browser: Any, path: Path) -> Iterator[Any]:
    """The page; nothing may go wrong on it, and it may ask for nothing."""
    yield from _opened(browser, path)


def _opened(browser: Any, path: Path, **how: Any) -> Iterator[Any]:
    watch = Watch()
    context = browser.new_context(viewport=WIDE, **how)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    watch.on(page)
    page.goto(path.as_uri())
    yield page
    context.close()
    assert (watch.troubles, watch.requests) == ([], [path.as_uri()])


def test_the_search_shows_what_has_all_words_and_counts_it(shown: Any) -> None:
    cards, told = shown.locator("[data-example]"), shown.locator("#matches")
    assert told.inner_text() == "24 examples"
    assert not shown.locator(".others").get_attribute("open")
    shown.fill("#sought", "AND in  winter")
    matching = shown.locator("[data-example]:not([hidden])")
    assert told.inner_text() == "3 of 24 match"
    assert matching.count() == 3
    assert all("And in winter" in text for text in matching.all_text_contents())
    shown.fill("#sought", "in winter number 17")
    assert [text for text in matching.all_text_contents() if "And in winter, number 17" in text]
    assert shown.locator("[data-list]:not([hidden])").count() < 5
    shown.fill("#sought", "nothing like this")
    assert told.inner_text() == "0 of 24 match"
    shown.press("#sought", "Escape")
    assert shown.locator("[data-example][hidden]").count() == 0
    assert cards.count() == 24
    assert shown.locator(".others").evaluate("one => one.open") is False


def test_a_match_among_the_others_is_opened(shown: Any) -> None:
    last = shown.locator(".others [data-example] .prompt, .others [data-example] .turn .text").last
    shown.fill("#sought", last.text_content())
    assert last.is_visible()


def test_without_scripts_all_is_there_and_no_search(browser: Any, path: Path) -> None:
    for page in _opened(browser, path, java_script_enabled=False):
        assert not page.locator("#search").is_visible()
        page.locator(".others > summary").click()
        shown = page.locator("[data-example]")
        assert shown.count() == 24
        assert all(shown.nth(at).is_visible() for at in (0, 12, 23))


def test_hostile_texts_do_nothing_and_stay_in_their_place(browser: Any, tmp_path: Path) -> None:
    texts = [
        HOSTILE,
        "<!--",
        "</script><script>document.title = 'taken'</script>",
        "\u202egnirts",
        "x" * 20_000,
    ]
    verdict = duel(example().own.prompt, "a", "b", why=HOSTILE)
    data = ReportData(
        HOSTILE,
        stages=[BASELINE, MODEL],
        subject=MODEL,
        comparisons=[comparison([verdict], HOSTILE)],
        examples=[example(one, other, one, {HOSTILE: verdict}) for one in texts for other in texts],
    )
    for page in _opened(browser, write(data, tmp_path / "hostile.html")):
        assert page.title().startswith("</div>")
        assert page.locator("#matches").inner_text() == "25 examples"
        for size in (WIDE, PHONE):
            page.set_viewport_size(size)
            assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_a_phone_is_wide_enough_light_and_dark(shown: Any) -> None:
    shown.set_viewport_size(PHONE)
    paper = []
    for scheme in ("light", "dark"):
        shown.emulate_media(color_scheme=scheme)
        assert shown.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        paper.append(shown.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert paper[0] != paper[1]


def test_paper_has_no_controls_and_no_scrolling_texts(shown: Any) -> None:
    shown.emulate_media(media="print", color_scheme="dark")
    assert not shown.locator("#search").is_visible()
    assert not shown.locator(".lists").is_visible()
    assert shown.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    cut = "one => one.scrollHeight > one.clientHeight + 1"
    assert shown.evaluate(f"[...document.querySelectorAll('.text')].filter({cut}).length") == 0
