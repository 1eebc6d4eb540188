"""What the dashboard shows, as a page, as files and as plots: the figures and what is drawn of them.

The routes are in `dashboard`, which loads this when somebody asks: numpy and what stands on it take a while,
and nobody waits for them who only judges.
"""

from __future__ import annotations

import threading
from pathlib import Path

from fastapi import Request, Response
from markupsafe import Markup
from starlette.applications import Starlette

from heedful.collect.findings.agreeing import LABELS
from heedful.collect.findings.figures import Board, Figures
from heedful.collect.findings.progress import StageProgress
from heedful.collect.store.project import Project, now
from heedful.collect.web import charts, wording
from heedful.collect.web.figure_files import as_csv, as_json
from heedful.collect.web.pages import page
from heedful.collect.web.plots import plots

STYLE = Path(__file__).parent / "static" / "charts.css"

_BOARDS = threading.Lock()


def whole(request: Request, project: Project) -> Response:
    """The dashboard."""
    figures = _now(request, project)
    main = figures.progress.main
    return page(
        request,
        "dashboard.html.j2",
        figures=figures,
        measured=figures.measured,
        verdict=wording.verdict(figures),
        outlook=wording.outlook(figures.pace, main.left),
        watched=wording.watched(figures.measured),
        plots=plots(figures),
        stages=_stages(figures),
        labels=LABELS,
        say=wording,
    )


def json_of(request: Request, project: Project) -> str:
    """All figures."""
    return as_json(_now(request, project))


def csv_of(request: Request, project: Project) -> str:
    """A line for each person."""
    return as_csv(_now(request, project))


def svg_of(request: Request, project: Project, name: str) -> str | None:
    """A plot of that name with its colours; None where there is none."""
    found = next((plot for plot in plots(_now(request, project)) if plot.name == name), None)
    if found is None:
        return None
    style = f"<style>{STYLE.read_text(encoding='utf-8')}</style>"
    begin = found.svg.index(">") + 1
    return f"{found.svg[:begin]}{style}{found.svg[begin:]}"


def _now(request: Request, project: Project) -> Figures:
    """The figures as they are, worked out anew only where the log has grown."""
    with project.database.read() as connection:
        return _board(request.app).figures(connection, project.settings, now())


def _board(app: Starlette) -> Board:
    """The app's one board, which remembers what it has read."""
    with _BOARDS:
        if not hasattr(app.state, "board"):
            app.state.board = Board()
        board: Board = app.state.board
        return board


def _stages(figures: Figures) -> list[tuple[StageProgress, Markup]]:
    """Each stage with its bar: how many of its items are done, in hand, and waiting."""
    found = []
    for stage in figures.progress.stages:
        told = (
            ("done", stage.done, f"{wording.counted(stage.done, 'item')} done"),
            ("in-hand", stage.in_hand, f"{wording.counted(stage.in_hand, 'item')} in somebody's hands"),
            ("waiting", stage.waiting, f"{wording.counted(stage.waiting, 'item')} waiting"),
        )
        found.append((stage, charts.parts(told, says=", ".join(says for _, _, says in told))))
    return found
