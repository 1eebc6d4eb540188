"""The dashboard for reviewers and admins: the figures as a page, as JSON, as CSV, and its plots as SVG."""

from __future__ import annotations

import threading
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from markupsafe import Markup
from starlette.applications import Starlette

from heedful.collect.agreeing import LABELS
from heedful.collect.figures import Board, Figures
from heedful.collect.progress import StageProgress
from heedful.collect.project import Project, now
from heedful.collect.web import charts, wording
from heedful.collect.web.figure_files import as_csv, as_json
from heedful.collect.web.pages import page
from heedful.collect.web.plots import plots
from heedful.collect.web.visit import ProjectDep, Reviewer

router = APIRouter(prefix="/dashboard")

STYLE = Path(__file__).parent / "static" / "charts.css"

_BOARDS = threading.Lock()


@router.get("")
def dashboard(request: Request, project: ProjectDep, person: Reviewer) -> Response:
    figures = figures_now(request, project)
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


@router.get("/figures.json")
def figures_json(request: Request, project: ProjectDep, person: Reviewer) -> Response:
    return _file(as_json(figures_now(request, project)), "application/json", "figures.json")


@router.get("/annotators.csv")
def annotators_csv(request: Request, project: ProjectDep, person: Reviewer) -> Response:
    return _file(as_csv(figures_now(request, project)), "text/csv; charset=utf-8", "annotators.csv")


@router.get("/plots/{name}.svg")
def plot_svg(request: Request, name: str, project: ProjectDep, person: Reviewer) -> Response:
    found = next((plot for plot in plots(figures_now(request, project)) if plot.name == name), None)
    if found is None:
        raise HTTPException(404)
    style = f"<style>{STYLE.read_text(encoding='utf-8')}</style>"
    begin = found.svg.index(">") + 1
    drawn = f"{found.svg[:begin]}{style}{found.svg[begin:]}"
    return _file(drawn, "image/svg+xml", f"{name}.svg")


def figures_now(request: Request, project: Project) -> Figures:
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


def _file(content: str, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)
