"""What axe-core finds on the annotators' pages, light and dark: nothing serious, nothing critical."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from heedful.collect.answer import Answer
from heedful.collect.settings import Settings
from heedful.collect.store.project import Project
from tests.collect.making import an_item
from tests.collect.web.browser import PATIENCE, PHONE, Served

GRAVE = ("serious", "critical")
TALL = {"width": 1200, "height": 2000}  # so that nothing is hidden behind the foot
RICH = """# Heading

Some **words** with `code` and a [link](https://a.example/).

> A quotation.

| name | number |
|:--|--:|
| one | 1 |

```python
def f(x: int) -> str:  # a comment
    return "text" + str(12)
```

1. One
2. Two
"""
RTL = "مرحبا! هذا نص قصير.\n\n- أول\n- ثان"
TASKS = [
    Settings(),
    pytest.param(Settings(strength=4, rationale="required"), marks=pytest.mark.slow),
    pytest.param(Settings(strength=7), marks=pytest.mark.slow),
    pytest.param(Settings(task="ranking"), marks=pytest.mark.slow),
    pytest.param(Settings(task="rating"), marks=pytest.mark.slow),
    pytest.param(Settings(task="thumbs"), marks=pytest.mark.slow),
]


@pytest.fixture
def still_page(browser: Any, served: Served) -> Iterator[Any]:
    """A tall page on which nothing moves."""
    context = browser.new_context(viewport=TALL, base_url=served.address, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE * 1000)
    yield page
    context.close()


def grave(page: Any) -> list[str]:
    """What axe-core calls serious or critical, in light and in dark."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is missing"
    )
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        results = axe.Axe().run(page).response
        assert results["passes"]
        for violation in results["violations"]:
            if violation["impact"] in GRAVE:
                nodes = [node["html"] for node in violation["nodes"]]
                found.append(f"{scheme}: {violation['id']}: {violation['help']}: {nodes[:3]}")
    return found


def fill(project: Project, **how: Any) -> None:
    responses = (RICH, RTL) if project.settings.task == "pairwise" else (RICH, RTL, "x " * 3200)
    with project.database.write() as connection:
        for number in range(3):
            an_item(connection, prompt=f"Question *{number}*?", responses=responses, **how)


@pytest.mark.parametrize("settings", TASKS, ids=lambda settings: f"{settings.task}-{settings.strength}")
def test_the_judging_page_has_no_grave_fault_in_any_task(served: Served, still_page: Any) -> None:
    fill(served.project)
    still_page.goto(served.link())
    still_page.keyboard.press("1")
    still_page.keyboard.press("r")

    assert grave(still_page) == []


@pytest.mark.slow
def test_neither_has_skipping_nor_the_guidelines_nor_a_phone(served: Served, still_page: Any) -> None:
    fill(served.project)
    still_page.set_viewport_size(PHONE)
    still_page.goto(served.link())
    still_page.keyboard.press("s")
    assert grave(still_page) == []
    still_page.keyboard.press("?")
    assert grave(still_page) == []
    still_page.keyboard.press("Escape")
    still_page.evaluate("document.querySelector('.more').open = true")
    still_page.click("#submit")
    assert "Say why you skip it." in still_page.inner_text("#saved")
    assert grave(still_page) == []


@pytest.mark.slow
def test_neither_have_the_other_pages_of_annotators(served: Served, still_page: Any) -> None:
    still_page.goto("/login")
    assert grave(still_page) == []

    fill(served.project)
    still_page.goto(served.link())
    still_page.keyboard.press("1")
    with still_page.expect_navigation():
        still_page.keyboard.press("1")
    for path in ("/mine", "/guidelines", "/nowhere"):
        still_page.goto(path)
        assert grave(still_page) == []


@pytest.mark.slow
@pytest.mark.parametrize("settings", [Settings(calibration=1, calibration_pass=1.0)])
def test_neither_have_what_follows_a_calibration_item_and_the_end(served: Served, still_page: Any) -> None:
    with served.project.database.write() as connection:
        an_item(connection, stage="calibration", gold=Answer(verdict="tie"))
    still_page.goto(served.link())
    still_page.keyboard.press("1")
    with still_page.expect_navigation():
        still_page.keyboard.press("1")
    assert "You did not meet the expected answer" in still_page.inner_text("h1")
    assert grave(still_page) == []
    with still_page.expect_navigation():
        still_page.keyboard.press("Enter")
    assert still_page.inner_text("h1") == "The first round is over"
    assert grave(still_page) == []
