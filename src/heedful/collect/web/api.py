"""The REST API under `/api/v1`: everything that people do by the pages, for programs.

A token (`Authorization: Bearer ...`) acts for one person and may what their role may. Cookies are no way in,
so that no page elsewhere can make a browser call it. An annotator is told as little as by the pages.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import Connection, select

from heedful.collect.store import log, schema
from heedful.collect.store.model import Assignment, Item, Person, Role
from heedful.collect.store.project import Project, now
from heedful.collect.team import people
from heedful.collect.web import api_models as models
from heedful.collect.web.api_rows import records_of_rows
from heedful.collect.web.asking import tells
from heedful.collect.web.downloads import TYPES, AskedDep, file
from heedful.collect.web.threads import quick
from heedful.collect.web.visit import ProjectDep
from heedful.collect.work import items, queue, votes

PREFIX = "/api/v1"
REASONS = {
    400: "The body is not JSON, or the address has a character that is none.",
    401: "There is no token, or it is none of this project's.",
    403: "The person whom the token acts for may not do this.",
    404: "There is no such thing, or it is not yours.",
    409: "It does not go with what is there.",
    413: "That is too much text.",
    422: "The request does not fit.",
    429: "That was too often. Wait a little and try again.",
    503: "The database does not answer. Nothing is lost: try again.",
}


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """What an operation answers besides success, for the OpenAPI document.

    `model=` would say the same, and have every start of the app build a hundred models that nobody uses.
    """
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{models.Problem.__name__}"}}}
    always = (400, 401, 403, 422, 429, 503)
    return {code: {"description": REASONS[code], "content": content} for code in sorted({*always, *codes})}


_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A token acts for one person.")


class Holder:
    """The person a request's token acts for, if they have a role or one that may more."""

    def __init__(self, role: Role) -> None:
        self.role = role

    @quick
    def __call__(
        self,
        project: ProjectDep,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Person:
        if given is None:
            raise HTTPException(401, REASONS[401], {"WWW-Authenticate": "Bearer"})
        with project.database.glance() as connection:
            person = people.by_token(connection, given.credentials)
        if person is None:
            raise HTTPException(401, REASONS[401], {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if not person.may(self.role):
            raise HTTPException(403, REASONS[403])
        return person


Annotator = Annotated[Person, Depends(Holder("annotator"))]
Reviewer = Annotated[Person, Depends(Holder("reviewer"))]
Admin = Annotated[Person, Depends(Holder("admin"))]

router = APIRouter(prefix=PREFIX)


@router.get(
    "/next",
    tags=["judging"],
    responses={204: {"description": "Nothing is left for you."}, **problems()},
    response_description="An item, as you are shown it.",
    response_model=models.Next,
)
@quick
def next_item(project: ProjectDep, person: Annotator) -> models.Next | Response:
    """The next item for you; one you have open comes first."""
    with project.database.write() as connection:
        assignment = queue.open_next(connection, person, project.settings, now())
        if assignment is None:
            return Response(status_code=204)
        item = items.get(connection, assignment.item)
    return models.Next(
        token=assignment.token,
        prompt=models.Turn.several(item.prompt),
        responses=[models.Turn.several(item.responses[place].turns) for place in assignment.shown],
        asks=models.Asks.of(project.settings),
        expires_at=assignment.expires_at,
    )


@router.post("/assignments/{token}/answer", tags=["judging"], responses=problems(404, 409, 413))
@quick
def answer(token: models.Token, vote: models.Vote, project: ProjectDep, person: Annotator) -> models.Accepted:
    """Answer an item that you were given; a later answer takes the place of an earlier one."""
    at = now()
    with project.database.write() as connection:
        assignment, item = _own(connection, token, person)
        _check_unseen(connection, assignment, item, vote.uid, project)
        try:
            entry = votes.submit(
                connection,
                assignment,
                vote.answer,
                project.settings,
                uid=vote.uid,
                seconds=vote.seconds,
                at=at,
                item=item,
            )
        except votes.Refused as refused:
            status = 409 if log.by_uid(connection, vote.uid) is not None else 422
            raise HTTPException(status, str(refused)) from None
    return models.Accepted(new=entry.at == at)


@router.post("/assignments/{token}/undo", tags=["judging"], responses=problems(404, 409, 413))
@quick
def undo(token: models.Token, wish: models.Undo, project: ProjectDep, person: Annotator) -> models.Accepted:
    """Take your answer to an item back; you can answer it again."""
    at = now()
    with project.database.write() as connection:
        assignment, item = _own(connection, token, person)
        _check_unseen(connection, assignment, item, wish.uid, project)
        try:
            entry = votes.retract(connection, assignment, project.settings, uid=wish.uid, at=at)
        except votes.Refused as refused:
            raise HTTPException(409, str(refused)) from None
    return models.Accepted(new=entry.at == at)


@router.get("/progress", tags=["judging"], responses=problems())
@quick
def progress(project: ProjectDep, person: Annotator) -> models.Progress:
    """How far you are."""
    with project.database.read() as connection:
        found = queue.progress(connection, person, project.settings)
    return models.Progress(done=found.done, left=found.left, seconds_each=found.seconds_each)


@router.get("/judgements", tags=["results"], responses=problems())
def judgements(
    project: ProjectDep, person: Admin, after: models.After = 0, limit: models.Limit = models.ROWS
) -> models.Log:
    """The log, oldest first: all that was ever voted, with what came in its place or took it back."""
    with project.database.read() as connection:
        found = [models.LogEntry.of(entry) for entry in log.entries(connection, after, limit)]
    return models.Log(entries=found)


@router.get(
    "/figures",
    tags=["results"],
    responses=problems(),
    response_description="Figures; one that cannot be told yet is null.",
    response_model=dict[str, Any],
)
def figures(request: Request, project: ProjectDep, person: Reviewer) -> Response:
    """What the dashboard shows: progress, pace, agreement, and each annotator's figures."""
    from heedful.collect.web import figure_pages

    return Response(figure_pages.json_of(request, project), media_type="application/json")


@router.get(
    "/export",
    tags=["results"],
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in TYPES.values()}}, **problems()},
    response_description="A file, in the layout and ending asked for.",
    response_class=Response,
)
def export(project: ProjectDep, person: Admin, asked: AskedDep) -> Response:
    """What `heedful collect export` writes. The same log, up to the row `until`, makes the same file."""
    return file(project, person, asked)


@router.get("/items", tags=["results"], responses=problems())
def list_items(
    project: ProjectDep, person: Reviewer, after: models.After = 0, limit: models.Limit = models.ROWS
) -> models.Items:
    """The items, in the order they were added."""
    known = schema.items
    wanted = select(known).where(known.c.id > after).order_by(known.c.id).limit(limit)
    with project.database.read() as connection:
        rows = connection.execute(wanted).all()
    found = [models.Item.of(Item.of(row), hidden=person.may("admin")) for row in rows]
    return models.Items(items=found)


@router.post("/items", tags=["project"], responses=problems(413))
def add_items(new: models.NewItems, project: ProjectDep, person: Admin) -> models.Loaded:
    """Add records as items; one that is in the project already is left as it is."""
    rows = records_of_rows(new.records)
    with project.database.write() as connection:
        loaded = items.add_records(connection, rows, project.settings, stage=new.stage)
    left_out = [
        models.LeftOut(where=one.where, reason=one.reason, detail=one.detail) for one in loaded.quarantined
    ]
    return models.Loaded(
        read=loaded.counts.read,
        used=loaded.used,
        added=loaded.added,
        known=loaded.known,
        left_out=left_out,
    )


@router.get("/people", tags=["project"], responses=problems())
def list_people(
    project: ProjectDep, person: Admin, after: models.After = 0, limit: models.Limit = models.ROWS
) -> models.People:
    """Who takes part, and who did."""
    known = schema.people
    wanted = select(known).where(known.c.id > after).order_by(known.c.id).limit(limit)
    with project.database.read() as connection:
        rows = connection.execute(wanted).all()
    return models.People(people=[models.Person.of(Person.of(row)) for row in rows])


@router.post("/people", tags=["project"], status_code=201, responses=problems(409, 413))
def invite(new: models.NewPerson, project: ProjectDep, person: Admin) -> models.Invited:
    """Somebody new, and the link that lets them in."""
    try:
        name = people.named(new.name)
    except people.Refused as refused:
        raise HTTPException(422, str(refused)) from None
    with project.database.write() as connection:
        try:
            made, token = people.add(connection, name, new.role, by=person)
        except people.Refused as refused:
            raise HTTPException(409, str(refused)) from None
    return models.Invited(person=models.Person.of(made), link=f"/join/{token}")


@router.post("/people/{id}/link", tags=["project"], responses=problems(404, 409))
def renew_link(id: models.PersonId, project: ProjectDep, person: Admin) -> models.Invited:
    """A new link for somebody; the one before and all their sessions end."""
    with project.database.write() as connection:
        found = _person(connection, id)
        token = people.new_link(connection, found, by=person)
    return models.Invited(person=models.Person.of(found), link=f"/join/{token}")


@router.delete("/people/{id}", tags=["project"], status_code=204, responses=problems(404, 409))
def deactivate(id: models.PersonId, project: ProjectDep, person: Admin) -> None:
    """Let somebody in no more. Their votes stay; so does their name, in the log."""
    with project.database.write() as connection:
        found = _person(connection, id)
        try:
            people.deactivate(connection, found, by=person)
        except people.Refused as refused:
            raise HTTPException(409, str(refused)) from None


def _own(connection: Connection, token: str, person: Person) -> tuple[Assignment, Item]:
    found = queue.find_with_item(connection, token, person)
    if found is None or found[0].kind != "vote":
        raise HTTPException(404, REASONS[404])
    return found


def _check_unseen(
    connection: Connection, assignment: Assignment, item: Item, uid: str, project: Project
) -> None:
    """Refuse to change an answer after which its outcome can be seen: what was said before stays as it is."""
    if not tells(item.stage, project.settings) or votes.current(connection, assignment) is None:
        return
    if log.by_uid(connection, uid) is None:  # else it was sent before
        raise HTTPException(409, "The outcome of this one can be seen, so your answer stays as it is.")


def _person(connection: Connection, id: int) -> Person:
    found = people.by_id(connection, id)
    if found is None:
        raise HTTPException(404, REASONS[404])
    return found
