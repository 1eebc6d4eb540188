"""Who is visiting: the person behind a session cookie, what they may, and whether a form is their own.

Handlers take these as dependencies:

    def vote(project: ProjectDep, person: Annotator, form: OwnForm) -> Response: ...
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from starlette.datastructures import FormData

from heedful.collect.store.model import Person, Role
from heedful.collect.store.project import Project
from heedful.collect.team import people
from heedful.collect.web import sessions
from heedful.collect.web.security import LARGEST
from heedful.collect.web.threads import quick

MOST_FIELDS = 3000  # of a form: scores of fifty responses by some dozens of aspects


class NotSignedIn(Exception):
    """There is no session, or it has ended: the visitor is sent to the sign-in page."""


# What only looks at what is there is async: it runs at once, where anything else waits for a thread.
async def project_of(request: Request) -> Project:
    project: Project = request.app.state.project
    return project


ProjectDep = Annotated[Project, Depends(project_of)]


@quick
def visitor(request: Request) -> Person | None:
    """The person behind the session, if there is one."""
    project: Project = request.app.state.project
    session = sessions.read(request, project.secret)
    if session is None:
        return None
    with project.database.glance() as connection:
        person = people.by_session(connection, session.person, session.epoch, session.nonce)
    if person is not None:
        request.state.person, request.state.csrf = person, sessions.csrf(session, project.secret)
        request.state.nonce = session.nonce
    return person


Visitor = Annotated[Person | None, Depends(visitor)]


class May:
    """The visitor, if they have a role or one that may more.

    Raises:
        NotSignedIn: nobody is signed in.
        HTTPException: 403, they may not.
    """

    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, person: Visitor) -> Person:
        if person is None:
            raise NotSignedIn
        if not person.may(self.role):
            raise HTTPException(403)
        return person


Annotator = Annotated[Person, Depends(May("annotator"))]
Reviewer = Annotated[Person, Depends(May("reviewer"))]
Admin = Annotated[Person, Depends(May("admin"))]


async def form_of(request: Request) -> FormData:
    """A request's form, without files.

    Raises:
        HTTPException: 400, it has too many fields, a file, or NUL characters, which databases do not keep.
    """
    form = await request.form(max_files=0, max_fields=MOST_FIELDS, max_part_size=LARGEST)
    if any("\0" in part for pair in form.multi_items() for part in pair if isinstance(part, str)):
        raise HTTPException(400, "The text has a character in it that is none.")
    return form


def same(given: object, token: str) -> bool:
    """Whether a token is the one, in a time that says nothing of how nearly it is."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), token.encode())


async def own_form(request: Request, person: Annotator) -> FormData:
    """The form of a signed-in visitor, whose token shows that it came from one of the app's own pages.

    The token is the field `csrf`, or the header `X-CSRF-Token` of what a script sends.

    Raises:
        HTTPException: 403, the token is missing or another's.
    """
    form = await form_of(request)
    given = request.headers.get("X-CSRF-Token") or form.get("csrf")
    if not same(given, request.state.csrf):
        raise HTTPException(403)
    return form


OwnForm = Annotated[FormData, Depends(own_form)]
