"""The dashboard for reviewers and admins: the figures as a page, as JSON, as CSV, and its plots as SVG."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from heedful.collect.web.visit import ProjectDep, Reviewer

router = APIRouter(prefix="/dashboard")


@router.get("")
def dashboard(request: Request, project: ProjectDep, person: Reviewer) -> Response:
    from heedful.collect.web import figure_pages

    return figure_pages.whole(request, project)


@router.get("/figures.json")
def figures_json(request: Request, project: ProjectDep, person: Reviewer) -> Response:
    from heedful.collect.web import figure_pages

    return _file(figure_pages.json_of(request, project), "application/json", "figures.json")


@router.get("/annotators.csv")
def annotators_csv(request: Request, project: ProjectDep, person: Reviewer) -> Response:
    from heedful.collect.web import figure_pages

    return _file(figure_pages.csv_of(request, project), "text/csv; charset=utf-8", "annotators.csv")


@router.get("/plots/{name}.svg")
def plot_svg(request: Request, name: str, project: ProjectDep, person: Reviewer) -> Response:
    from heedful.collect.web import figure_pages

    drawn = figure_pages.svg_of(request, project, name)
    if drawn is None:
        raise HTTPException(404)
    return _file(drawn, "image/svg+xml", f"{name}.svg")


def _file(content: str, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=headers)
