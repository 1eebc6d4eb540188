"""The pages on which people judge."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from heedful.collect.web.pages import page
from heedful.collect.web.visit import Annotator, ProjectDep

router = APIRouter()


@router.get("/")
def start(request: Request, project: ProjectDep, person: Annotator) -> Response:
    return page(request, "error.html.j2", status=200, said=f"Hello, {person.name}.", detail="")
