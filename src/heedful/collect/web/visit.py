"""Who is visiting: the person behind a session cookie, what they may, and whether a form is their own.

Handlers take these as dependencies:

    def vote(project: ProjectDep, person: Annotator, form: OwnForm) -> Response: ...
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from starlette.datastructures import FormData

from heedful.collect import people
from heedful.collect.model import Person, Role
from heedful.collect.project import Project
from heedful.collect.web import sessions


class NotSignedIn(Exception):
    """There is no session, or it has ended: the visitor is sent to the sign-in page."""


def project_of(request: Request) -> Project:
    project: Project = request.app.state.project
    return project


ProjectDep = Annotated[Project, Depends(project_of)]


def visitor(request: Request, project: ProjectDep) -> Person | None:
    """The person behind the session, if there is one."""
    session = sessions.read(request, project.secret)
    if session is None:
        return None
    with project.database.read() as connection:
        person = people.by_id(connection, session.person)
    if person is None or not person.active or person.epoch != session.epoch:
        return None
    request.state.person, request.state.csrf = person, sessions.csrf(session, project.secret)
    return person


class May:
    """The visitor, if they have a role or one that may more.

    Raises:
        NotSignedIn: nobody is signed in.
        HTTPException: 403, they may not.
    """

    def __init__(self, role: Role) -> None:
        self.role = role

    def __call__(self, person: Annotated[Person | None, Depends(visitor)]) -> Person:
        if person is None:
            raise NotSignedIn
        if not person.may(self.role):
            raise HTTPException(403)
        return person


Annotator = Annotated[Person, Depends(May("annotator"))]
Reviewer = Annotated[Person, Depends(May("reviewer"))]
Admin = Annotated[Person, Depends(May("admin"))]


async def own_form(request: Request, person: Annotator) -> FormData:
    """The form of a signed-in visitor, whose token shows that it came from one of the app's own pages.

    The token is the field `csrf`, or the header `X-CSRF-Token` of what a script sends.

    Raises:
        HTTPException: 403, the token is missing or another's.
    """
    form = await request.form()
    given = request.headers.get("X-CSRF-Token") or form.get("csrf")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), request.state.csrf.encode()):
        raise HTTPException(403)
    return form


OwnForm = Annotated[FormData, Depends(own_form)]
