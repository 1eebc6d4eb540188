"""The pictures in these pages, made anew: `python -m docs.pictures`, or `... --report FOLDER`, or
`... --comparison FOLDER`.

Takes the machine's Chromium and Playwright. Of the annotation app: annotators and their votes are simulated,
three are careful, one is hasty, and one clicks at random. Of a report: the top of the page in the folder that
is named, which is the quickstart's. Of a comparison: the figure of over-optimisation.

    heedful quickstart
    python -m docs.pictures --report runs/quickstart/report
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from heedful import data, formats
from heedful.collect.settings import Settings
from heedful.collect.store.database import Database
from heedful.collect.store.project import Project
from heedful.collect.team import people
from heedful.collect.web.app import create_app
from heedful.collect.web.serving import address, bind, run_server
from heedful.collect.work import items
from heedful.evaluating.writing import PAGE
from tests.collect import simulated
from tests.collect.simulated import Habits, fill, verdicts
from tests.collect.web.browser import chromium

IMAGES = Path(__file__).parent / "images"
TEAM = [Habits("Ann", 0.95), Habits("Bo", 0.93), Habits("Cleo", 0.9), Habits("Dag", 0.82), Habits("Eve", 0.5)]
ITEMS, OVERLAP = 300, 3
REPORT_HEIGHT = 1100  # pixels: the figures of all models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--report", metavar="FOLDER", type=Path, help="only the report in this folder")
    parser.add_argument(
        "--comparison", metavar="FOLDER", type=Path, help="only the comparison in this folder"
    )
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        if asked.report:
            _report(browser, asked.report / PAGE)
        if asked.comparison:
            _over_optimisation(browser, asked.comparison / PAGE)
        if not (asked.report or asked.comparison):
            _annotation(browser)
        browser.close()


def _report(browser: Browser, path: Path) -> None:
    """The top of its page."""
    page = browser.new_page(viewport={"width": 1200, "height": REPORT_HEIGHT}, color_scheme="light")
    page.goto(path.resolve().as_uri())
    page.screenshot(path=IMAGES / "report.png")
    page.close()


def _over_optimisation(browser: Browser, path: Path) -> None:
    """The figure of the run, proxy above gold."""
    page = browser.new_page(viewport={"width": 1000, "height": 800}, device_scale_factor=2)
    page.goto(path.resolve().as_uri())
    page.locator("#over-optimisation figure").first.screenshot(path=IMAGES / "over-optimisation.png")
    page.close()


def _annotation(browser: Browser) -> None:
    """The annotation app as its people see it."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Project.open(Database.in_folder(Path(folder, "asked")), Settings(overlap=3, strength=7))
        with asked.database.write() as connection:
            items.add_records(
                connection, formats.read(data.path("everyday/preferences-train.jsonl")), asked.settings
            )
        _shoot(browser, asked, "/", IMAGES / "judge.png", height=760)
        judged = Project.open(Database.in_folder(Path(folder, "judged")), Settings(overlap=OVERLAP))
        votes = verdicts(TEAM, items=ITEMS, overlap=OVERLAP, seed=2)
        simulated.BEGAN = datetime.now(UTC) - len(votes) * simulated.EVERY
        with judged.database.write() as connection:
            fill(connection, TEAM, votes, wanted=OVERLAP)
        _shoot(browser, judged, "/dashboard", IMAGES / "dashboard.png", height=1500)


def _shoot(browser: Browser, project: Project, path: str, out: Path, *, height: int) -> None:
    """A picture of a page as the project's admin sees it."""
    with project.database.write() as connection:
        _, token = people.add(connection, "Kim", "admin")
    with _served(project) as place:
        page = browser.new_page(viewport={"width": 1200, "height": height}, color_scheme="light")
        page.goto(f"{place}/join/{token}")
        page.goto(f"{place}{path}")
        page.screenshot(path=out)
        page.close()


@contextmanager
def _served(project: Project) -> Iterator[str]:
    sock: socket.socket = bind("127.0.0.1", 0)
    ready = threading.Event()
    arguments = {"ready": ready.set}
    threading.Thread(
        target=run_server, args=(create_app(project), sock), kwargs=arguments, daemon=True
    ).start()
    ready.wait()
    yield address(sock, "127.0.0.1")


if __name__ == "__main__":
    main()
