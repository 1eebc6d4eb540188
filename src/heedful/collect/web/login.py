"""Signing in, by personal link or by name and password, and out."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from heedful.collect.store.model import Person
from heedful.collect.store.project import Project
from heedful.collect.team import passwords, people
from heedful.collect.web import sessions
from heedful.collect.web.limits import Limits, address
from heedful.collect.web.pages import page
from heedful.collect.web.visit import Annotator, OwnForm, ProjectDep, Visitor, form_of, same

router = APIRouter()

WRONG = "This name and password do not go together."
TOO_OLD = "That page had been open for too long. Please try again."


async def sign_in_form(request: Request, project: ProjectDep) -> FormData | None:
    """The form of the sign-in page; None of one that did not come from there.

    Without that anybody could sign somebody else in under a name of theirs, and have them vote for it.
    """
    form = await form_of(request)
    _, token = sessions.csrf_before(request, project.secret)
    return form if same(form.get("before"), token) else None


SignInForm = Annotated[FormData | None, Depends(sign_in_form)]


@router.get("/join/{token}")
def join(request: Request, token: str, project: ProjectDep, visitor: Visitor) -> Response:
    person = _of_link(project, token)
    if person is None:
        return _no_link(request)
    if visitor is not None and visitor.id != person.id:  # perhaps somebody else's link, to vote in their name
        return page(request, "join.html.j2", name=person.name)
    return _signed_in(request, project, person)


@router.post("/join/{token}")
def join_instead(
    request: Request, token: str, project: ProjectDep, visitor: Annotator, _: OwnForm
) -> Response:
    """Sign in by a link although somebody else is signed in."""
    person = _of_link(project, token)
    if person is None:
        return _no_link(request)
    _end(request, project)
    return _signed_in(request, project, person)


@router.get("/login")
def form(request: Request, project: ProjectDep, visitor: Visitor) -> Response:
    return _form(request, project) if visitor is None else RedirectResponse("/", status_code=303)


@router.post("/login")
def enter(request: Request, project: ProjectDep, form: SignInForm) -> Response:
    if form is None:
        return _form(request, project, TOO_OLD)
    name, password = str(form.get("name", "")), str(form.get("password", ""))
    person = guarded(request, project, name, password)
    return _form(request, project, WRONG) if person is None else _signed_in(request, project, person)


@router.post("/logout")
def leave(request: Request, project: ProjectDep, _: OwnForm) -> Response:
    _end(request, project)
    return _left()


@router.post("/logout/everywhere")
def leave_everywhere(project: ProjectDep, person: Annotator, _: OwnForm) -> Response:
    with project.database.write() as connection:
        people.end_sessions(connection, person, by=person)
    return _left()


def guarded(request: Request, project: Project, name: str, password: str) -> Person | None:
    """Who this name and password are, and nobody too often for one name or from one address.

    Raises:
        HTTPException: 429.
    """
    limits: Limits = request.app.state.limits
    door, whom = address(request), people.hashed(people.folded(name))
    wait = limits.doors.take(door) or limits.names.take(whom)
    if wait:
        raise HTTPException(429, headers={"Retry-After": str(math.ceil(wait))})
    try:
        person = people.check_password(project.database, name, password)
    except passwords.Busy:
        raise HTTPException(429, headers={"Retry-After": str(math.ceil(passwords.PATIENCE))}) from None
    if person is not None:
        limits.doors.give_back(door)
        limits.names.give_back(whom)
    return person


def _of_link(project: Project, token: str) -> Person | None:
    with project.database.read() as connection:
        return people.by_link(connection, token)


def _no_link(request: Request) -> Response:
    said = "This link is of no use any more."
    detail = "A newer one took its place, or it was cut short on its way. Ask for a new one."
    shown = page(request, "error.html.j2", status=404, said=said, detail=detail)
    shown.status_code = 404
    return shown


def _form(request: Request, project: Project, refusal: str = "") -> Response:
    value, token = sessions.csrf_before(request, project.secret)
    shown = page(request, "login.html.j2", refusal=refusal, before=token)
    shown.status_code = 403 if refusal else 200
    sessions.keep_before(shown, request, value)
    return shown


def _signed_in(request: Request, project: Project, person: Person) -> Response:
    start = "/" if request.app.state.chats is None else "/chat"
    response = RedirectResponse(start, status_code=303)
    sessions.begin(response, request, person, project.secret)
    return response


def _end(request: Request, project: Project) -> None:
    with project.database.write() as connection:
        people.end_session(connection, request.state.nonce, sessions.until())


def _left() -> Response:
    response = RedirectResponse("/login", status_code=303)
    sessions.end(response)
    return response
