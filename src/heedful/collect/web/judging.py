"""The pages on which people judge: the next item, an answer to it, its draft, and taking it back.

An item's address is the random token of one person's assignment; to anybody else it does not exist.
"""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from heedful.collect.settings import Settings
from heedful.collect.store import log
from heedful.collect.store.model import Assignment, Item, Person
from heedful.collect.store.project import now
from heedful.collect.web import asking
from heedful.collect.web.asking import ASKED, Ask, tells
from heedful.collect.web.judging_forms import Entered, sent_seconds, sent_uid
from heedful.collect.web.pages import page
from heedful.collect.web.threads import quick
from heedful.collect.web.views import shown
from heedful.collect.web.visit import Annotator, OwnForm, ProjectDep
from heedful.collect.work import items, queue, votes
from heedful.collect.work.votes import Refused

router = APIRouter()


@router.get("/")
@quick
def start(request: Request, project: ProjectDep, person: Annotator) -> Response:
    """On to the next item, or to a page that says that there is none."""
    settings = project.settings
    with project.database.write() as connection:
        assignment = queue.open_next(connection, person, settings, now())
    if assignment is not None:
        return RedirectResponse(f"/judge/{assignment.token}", status_code=303)
    with project.database.read() as connection:
        progress = queue.progress(connection, person, settings)
    return page(request, "done.html.j2", progress=progress)


@router.get("/judge/{token}")
@quick
def ask(request: Request, token: str, project: ProjectDep, person: Annotator) -> Response:
    """The item of an assignment, with what was entered before: a draft, or the answer that was given."""
    settings = project.settings
    with project.database.read() as connection:
        found = queue.find_with_item(connection, token, person)
        if found is None:
            raise HTTPException(404)
        assignment, item = found
        given = None if assignment.closed_at is None else votes.current(connection, assignment)
        if given is not None and tells(item.stage, settings):
            return RedirectResponse(f"/judge/{token}/outcome", status_code=303)
        begun = votes.draft(connection, assignment)
        if begun is None and given is not None and given.answer is not None:
            begun = given.answer.as_shown(assignment.shown)
        entered = Entered.of_answer(begun, settings, len(assignment.shown))
        made = _ask(connection, person, assignment, item, entered, settings, changing=given is not None)
    return page(request, "judge.html.j2", ask=made, refused="")


@router.post("/judge/{token}")
@quick
def vote(request: Request, token: str, project: ProjectDep, person: Annotator, form: OwnForm) -> Response:
    """Take an answer and go on with the next item, or say what is wrong with it and keep what was entered."""
    settings = project.settings
    try:
        with project.database.write() as connection:
            found = queue.find_with_item(connection, token, person)
            if found is None:
                return _gone(request)
            assignment, item = found
            entered = Entered.of_form(form, settings, len(assignment.shown))
            if tells(item.stage, settings):
                given = votes.current(connection, assignment)
                if given is not None and given.uid != form.get("uid"):
                    raise Refused("You have seen the outcome of this one, so it stays as it is.")
            votes.submit(
                connection,
                assignment,
                entered.answer(settings),
                settings,
                uid=sent_uid(form),
                seconds=sent_seconds(form, assignment, now()),
                at=now(),
                item=item,
            )
            if tells(item.stage, settings):
                onward = f"/judge/{token}/outcome"
            else:  # what the start page would do, without the way there
                following = queue.open_next(connection, person, settings, now())
                onward = "/" if following is None else f"/judge/{following.token}"
    except Refused as refused:
        with project.database.read() as connection:
            changing = votes.current(connection, assignment) is not None
            made = _ask(connection, person, assignment, item, entered, settings, changing=changing)
        response = page(request, "judge.html.j2", ask=made, refused=str(refused))
        response.status_code = 422
        return response
    return RedirectResponse(onward, status_code=303)


@router.post("/judge/{token}/draft")
@quick
def keep_draft(token: str, project: ProjectDep, person: Annotator, form: OwnForm) -> Response:
    """Keep what was entered so far; the page's script sends it while somebody writes."""
    settings = project.settings
    with project.database.write() as connection:
        assignment = queue.find(connection, token, person)
        if assignment is None:
            raise HTTPException(404)
        # What was sent before the answer may arrive after it.
        if log.by_uid(connection, sent_uid(form)) is None:
            entered = Entered.of_form(form, settings, len(assignment.shown))
            try:
                votes.save_draft(connection, assignment, entered.draft(settings), now())
            except Refused as refused:
                raise HTTPException(422, str(refused)) from None
    return Response(status_code=204)


@router.post("/judge/{token}/undo")
@quick
def undo(token: str, project: ProjectDep, person: Annotator, form: OwnForm) -> Response:
    """Take an answer back, and show the item again with what had been entered."""
    with project.database.write() as connection:
        assignment = queue.find(connection, token, person)
        if assignment is None or assignment.kind != "vote":
            raise HTTPException(404)
        if tells(items.get(connection, assignment.item).stage, project.settings):
            raise HTTPException(409, "You have seen the outcome of this one, so it stays as it is.")
        try:
            votes.retract(connection, assignment, project.settings, uid=sent_uid(form), at=now())
        except Refused as refused:
            raise HTTPException(409, str(refused)) from None
    return RedirectResponse(f"/judge/{token}", status_code=303)


@router.get("/guidelines")
def guidelines(request: Request, person: Annotator) -> Response:
    """The guidelines as a page, for browsers without scripts."""
    return page(request, "guidelines.html.j2")


def _ask(
    connection: Connection,
    person: Person,
    assignment: Assignment,
    item: Item,
    entered: Entered,
    settings: Settings,
    *,
    changing: bool,
) -> Ask:
    """The page about an assignment of somebody's."""
    progress = queue.progress(connection, person, settings)
    last = _last(connection, person, settings)
    action = f"/judge/{assignment.token}"
    undone = action if changing else last and f"/judge/{last}"
    return Ask(
        ASKED[settings.task],
        shown(item, assignment.shown),
        entered,
        action,
        way=asking.way(progress.done, progress.left, progress.seconds_each),
        changing=changing,
        first=progress.done == 0,
        undo=undone and f"{undone}/undo",
    )


def _last(connection: Connection, person: Person, settings: Settings) -> str | None:
    """The token of the last vote of theirs, if they may take it back."""
    last = votes.last(connection, person.id)
    return None if last is None or tells(last.stage, settings) else last.token


def _gone(request: Request) -> Response:
    said = "This item is not yours, or no longer: it was open for so long that it went to somebody else."
    response = page(request, "error.html.j2", status=404, said=said, detail="")
    response.status_code = 404
    return response
