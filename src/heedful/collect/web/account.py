"""One's own account: setting a password, and signing out wherever one is signed in."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from heedful.collect.store.model import Person
from heedful.collect.store.project import Project
from heedful.collect.team import passwords, people
from heedful.collect.web import sessions
from heedful.collect.web.login import guarded
from heedful.collect.web.pages import page
from heedful.collect.web.visit import Annotator, OwnForm, ProjectDep

router = APIRouter()


@router.get("/account")
def account(request: Request, project: ProjectDep, person: Annotator, changed: bool = False) -> Response:
    return _page(request, project, person, changed=changed)


@router.post("/account/password")
def set_password(request: Request, project: ProjectDep, person: Annotator, form: OwnForm) -> Response:
    """A new password ends all sessions but this one, which goes on in a new one."""
    old, new = str(form.get("old", "")), str(form.get("new", ""))
    if _has_password(project, person) and guarded(request, project, person.name, old) is None:
        return _page(request, project, person, refusal="That is not your password.")
    try:
        kept = passwords.hashed(new)
    except passwords.Unfit as unfit:
        return _page(request, project, person, refusal=str(unfit))
    with project.database.write() as connection:
        people.set_password(connection, person, kept, by=person)
        again = people.by_id(connection, person.id)
    assert again is not None
    response = RedirectResponse("/account?changed=true", status_code=303)
    sessions.begin(response, request, again, project.secret)
    return response


def _has_password(project: Project, person: Person) -> bool:
    with project.database.read() as connection:
        return people.password_of(connection, person) is not None


def _page(
    request: Request, project: Project, person: Person, *, refusal: str = "", changed: bool = False
) -> Response:
    has_one = _has_password(project, person)
    shown = page(request, "account.html.j2", has_password=has_one, refusal=refusal, changed=changed)
    shown.status_code = 422 if refusal else 200
    return shown
