"""The pages on which admins let people in and out. A link or a token is shown once, when it is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, get_args

from fastapi import APIRouter, HTTPException, Path, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection
from starlette.datastructures import FormData

from heedful.collect.store.model import ROLES, Person, Role
from heedful.collect.store.project import Project
from heedful.collect.team import passwords, people
from heedful.collect.team.roster import roster
from heedful.collect.web.pages import page
from heedful.collect.web.visit import Admin, OwnForm, ProjectDep

router = APIRouter(prefix="/people")

LARGEST_ID = 2**31 - 1  # that a database's integer holds
Known = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Change = Callable[[Connection, Person], Any]

DONE = {
    "role": "The new role counts from now on.",
    "password": "The password is set. Wherever they were signed in, they are not any more.",
    "passwordless": "They cannot sign in by a password any more.",
    "removed": "They are let in no more. Their answers stay.",
    "back": "They are let in again, by what let them in before.",
    "calibrated": "They judge in earnest now, however their calibration round went.",
    "out": "They are signed out everywhere.",
    "revoked": "That token is of no use any more.",
}


@router.get("")
def everyone(request: Request, project: ProjectDep, person: Admin) -> Response:
    return _list(request, project)


@router.post("")
def add(request: Request, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    role = _role(form)
    try:
        with project.database.write() as connection:
            added, token = people.add(connection, str(form.get("name", "")), role, by=person)
    except people.Refused as refused:
        return _list(request, project, str(refused))
    return _one(request, project, added.id, link=token)


@router.get("/{id}")
def one(request: Request, id: Known, project: ProjectDep, person: Admin, done: str = "") -> Response:
    return _one(request, project, id, done=DONE.get(done, ""))


@router.post("/{id}/link")
def new_link(request: Request, id: Known, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    with project.database.write() as connection:
        token = people.new_link(connection, _found(connection, id), by=person)
    return _one(request, project, id, link=token)


@router.post("/{id}/role")
def role(request: Request, id: Known, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    new = _role(form)
    return _changed(request, project, id, "role", lambda c, who: people.set_role(c, who, new, by=person))


@router.post("/{id}/password")
def password(request: Request, id: Known, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    try:
        kept = passwords.hashed(str(form.get("password", "")))
    except passwords.Unfit as unfit:
        return _one(request, project, id, refusal=str(unfit))
    return _changed(
        request, project, id, "password", lambda c, who: people.set_password(c, who, kept, by=person)
    )


@router.post("/{id}/password/end")
def end_password(request: Request, id: Known, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    return _changed(
        request, project, id, "passwordless", lambda c, who: people.set_password(c, who, None, by=person)
    )


@router.post("/{id}/deactivate")
def deactivate(request: Request, id: Known, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    return _changed(request, project, id, "removed", lambda c, who: people.deactivate(c, who, by=person))


@router.post("/{id}/activate")
def activate(request: Request, id: Known, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    return _changed(request, project, id, "back", lambda c, who: people.activate(c, who, by=person))


@router.post("/{id}/calibrated")
def calibrated(request: Request, id: Known, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    return _changed(request, project, id, "calibrated", lambda c, who: people.let_through(c, who, by=person))


@router.post("/{id}/sessions")
def sign_out(request: Request, id: Known, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    return _changed(request, project, id, "out", lambda c, who: people.end_sessions(c, who, by=person))


@router.post("/{id}/tokens")
def issue(request: Request, id: Known, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    try:
        with project.database.write() as connection:
            who = _found(connection, id)
            token = people.issue_token(connection, who, str(form.get("name", "")), by=person)
    except people.Refused as refused:
        return _one(request, project, id, refusal=str(refused))
    return _one(request, project, id, token=token)


@router.post("/{id}/tokens/revoke")
def revoke(request: Request, id: Known, project: ProjectDep, person: Admin, form: OwnForm) -> Response:
    name = str(form.get("name", ""))
    return _changed(request, project, id, "revoked", lambda c, who: people.revoke(c, who, name, by=person))


def _changed(request: Request, project: Project, id: int, done: str, change: Change) -> Response:
    try:
        with project.database.write() as connection:
            change(connection, _found(connection, id))
    except people.Refused as refused:
        return _one(request, project, id, refusal=str(refused))
    return RedirectResponse(f"/people/{id}?done={done}", status_code=303)


def _list(request: Request, project: Project, refusal: str = "") -> Response:
    with project.database.read() as connection:
        participants = roster(connection)
    shown = page(request, "people.html.j2", participants=participants, roles=ROLES, refusal=refusal)
    shown.status_code = 422 if refusal else 200
    return shown


def _one(
    request: Request,
    project: Project,
    id: int,
    *,
    link: str = "",
    token: str = "",
    done: str = "",
    refusal: str = "",
) -> Response:
    """One person's page.

    Args:
        link, token: what was just made, and is shown this once.
    """
    with project.database.read() as connection:
        who = _found(connection, id)
        has_password = people.password_of(connection, who) is not None
        tokens = people.tokens(connection, who)
    shown = page(
        request,
        "people_one.html.j2",
        who=who,
        has_password=has_password,
        tokens=tokens,
        roles=ROLES,
        link=f"{request.base_url}join/{link}" if link else "",
        token=token,
        done=done,
        refusal=refusal,
    )
    shown.status_code = 422 if refusal else 200
    return shown


def _found(connection: Connection, id: int) -> Person:
    person = people.by_id(connection, id)
    if person is None:
        raise HTTPException(404)
    return person


def _role(form: FormData) -> Role:
    for role in get_args(Role):
        if role == form.get("role"):
            found: Role = role
            return found
    raise HTTPException(400, "There is no such role.")
