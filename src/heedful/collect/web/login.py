"""Signing in, by personal link or by name and password, and out."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from heedful.collect import people
from heedful.collect.web import sessions
from heedful.collect.web.pages import page
from heedful.collect.web.visit import OwnForm, ProjectDep

router = APIRouter()


@router.get("/join/{token}")
def join(request: Request, token: str, project: ProjectDep) -> Response:
    with project.database.read() as connection:
        person = people.by_link(connection, token)
    if person is None:
        raise HTTPException(404)
    response = RedirectResponse("/", status_code=303)
    sessions.begin(response, request, person, project.secret)
    return response


@router.get("/login")
def form(request: Request) -> Response:
    return page(request, "login.html.j2", refused=False)


@router.post("/logout")
def leave(_: OwnForm) -> Response:
    response = RedirectResponse("/login", status_code=303)
    sessions.end(response)
    return response
