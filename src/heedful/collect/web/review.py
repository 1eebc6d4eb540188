"""Review: the list of items that need a second look, and the page on which a reviewer decides one.

That page is the judging page. What others said is on it only once the reviewer's own answer is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from heedful.collect.settings import Settings
from heedful.collect.store.model import Assignment, Entry, Item, Person
from heedful.collect.store.project import now
from heedful.collect.web import judging
from heedful.collect.web.asking import ASKED, Ask, in_words
from heedful.collect.web.judging_forms import Entered, sent_seconds, sent_uid
from heedful.collect.web.pages import page
from heedful.collect.web.review_rows import FILTERS, Filter, is_in, names, rows_of
from heedful.collect.web.views import shown
from heedful.collect.web.visit import OwnForm, ProjectDep, Reviewer
from heedful.collect.work import items, review, votes
from heedful.collect.work.votes import Refused

router = APIRouter()

AT_ONCE = 50  # items on a page
_DIGITS = 9  # of an item's id


@dataclass(frozen=True, slots=True)
class Said:
    """What one person said of an item, as the reviewer sees its sides."""

    name: str
    role: str
    verdict: str
    flags: str
    rationale: str
    seconds: str


@router.get("/review")
def listed(
    request: Request, project: ProjectDep, person: Reviewer, why: Filter = "open", at: int = 1
) -> Response:
    """The items, by why they are here; `at` is the page of the list, from 1."""
    with project.database.read() as connection:
        cases = _cases(request).now(connection, project.settings)
        found = [case for case in cases if is_in(case, why)]
        pages = max(math.ceil(len(found) / AT_ONCE), 1)
        at = min(max(at, 1), pages)
        rows = rows_of(connection, person, found[(at - 1) * AT_ONCE : at * AT_ONCE])
    counts = {name: sum(is_in(case, name) for case in cases) for name in get_args(Filter)}
    context = {"filters": FILTERS, "counts": counts, "why": why, "at": at, "pages": pages}
    return page(request, "review.html.j2", rows=rows, **context)


@router.post("/review")
def take(project: ProjectDep, person: Reviewer, form: OwnForm) -> Response:
    """Take an item up, and on to its page."""
    item = form.get("item")
    if not isinstance(item, str) or not (item.isascii() and item.isdigit() and len(item) <= _DIGITS):
        raise HTTPException(400)
    with project.database.write() as connection:
        try:
            assignment = review.open_review(connection, person, int(item), project.settings, now())
        except Refused as refused:
            raise HTTPException(409, str(refused)) from None
    return RedirectResponse(f"/review/{assignment.token}", status_code=303)


@router.get("/review/{token}")
def ask(request: Request, token: str, project: ProjectDep, person: Reviewer) -> Response:
    """The item to decide, or a decision with all that was said."""
    settings = project.settings
    with project.database.read() as connection:
        assignment = _found(connection, token, person)
        item = items.get(connection, assignment.item)
        given = votes.current(connection, assignment)
        if assignment.person != person.id:
            return _decided(request, connection, assignment, item, settings)
        begun = votes.draft(connection, assignment)
        if begun is None and given is not None:
            begun = given.given.as_shown(assignment.shown)
        entered = Entered.of_answer(begun, settings, len(assignment.shown))
        return _asked(request, connection, assignment, item, entered, settings)


@router.post("/review/{token}")
def decide(request: Request, token: str, project: ProjectDep, person: Reviewer, form: OwnForm) -> Response:
    """Take the reviewer's answer, and show what others said; a later one keeps or changes it."""
    settings = project.settings
    with project.database.read() as connection:
        assignment = _own(connection, token, person)
        item = items.get(connection, assignment.item)
    entered = Entered.of_form(form, settings, len(assignment.shown))
    at, uid = now(), sent_uid(form)
    try:
        answer = votes.check(entered.answer(settings), item, settings)
        with project.database.write() as connection:
            given = votes.current(connection, assignment)
            if given is None or given.given != answer.of_item(assignment.shown):
                seconds = sent_seconds(form, assignment, at)
                votes.submit(connection, assignment, answer, settings, uid=uid, seconds=seconds, at=at)
    except Refused as refused:
        with project.database.read() as connection:
            response = _asked(request, connection, assignment, item, entered, settings, str(refused))
        response.status_code = 422
        return response
    first = given is None or given.uid == uid
    return RedirectResponse(f"/review/{token}" if first else "/review", status_code=303)


@router.post("/review/{token}/draft")
async def keep_draft(token: str, project: ProjectDep, person: Reviewer, form: OwnForm) -> Response:
    """Keep what was entered so far, as on the judging page."""
    return await judging.keep_draft(token, project, person, form)


@router.post("/review/{token}/undo")
def undo(token: str, project: ProjectDep, person: Reviewer, form: OwnForm) -> Response:
    """Take the decision back; the item waits for one again."""
    with project.database.write() as connection:
        assignment = _own(connection, token, person)
        try:
            votes.retract(connection, assignment, project.settings, uid=sent_uid(form), at=now())
        except Refused as refused:
            raise HTTPException(409, str(refused)) from None
    return RedirectResponse(f"/review/{token}", status_code=303)


def _cases(request: Request) -> review.Cases:
    """The app's, which keeps up with the log from one visit to the next."""
    state = request.app.state
    if not hasattr(state, "review_cases"):
        state.review_cases = review.Cases()
    cases: review.Cases = state.review_cases
    return cases


def _found(connection: Connection, token: str, person: Person) -> Assignment:
    """The assignment of that token: the reviewer's own, or one through which they may see what was said."""
    assignment = review.find(connection, token)
    if assignment is None:
        raise HTTPException(404)
    if assignment.person != person.id and not review.may_see(connection, person, assignment):
        raise HTTPException(404)
    return assignment


def _own(connection: Connection, token: str, person: Person) -> Assignment:
    assignment = _found(connection, token, person)
    if assignment.person != person.id:
        raise HTTPException(404)
    return assignment


def _asked(
    request: Request,
    connection: Connection,
    assignment: Assignment,
    item: Item,
    entered: Entered,
    settings: Settings,
    refused: str = "",
) -> Response:
    """The page on which the item's own reviewer answers, with what others said if they have."""
    action = f"/review/{assignment.token}"
    given = votes.current(connection, assignment)
    asked = Ask(
        ASKED[settings.task],
        shown(item, assignment.shown),
        entered,
        action,
        changing=given is not None,
        undo=None if given is None else f"{action}/undo",
    )
    told = None if given is None else _said(connection, assignment, settings)
    own = None if given is None else in_words(given.given.as_shown(assignment.shown), settings)
    return page(request, "review_item.html.j2", ask=asked, refused=refused, told=told, own=own)


def _decided(
    request: Request, connection: Connection, assignment: Assignment, item: Item, settings: Settings
) -> Response:
    """What another reviewer decided, to read."""
    given = votes.current(connection, assignment)
    assert given is not None
    return page(
        request,
        "review_decided.html.j2",
        shown=shown(item, assignment.shown),
        decision=_one(given, names(connection), assignment, settings),
        told=_said(connection, assignment, settings),
    )


def _said(connection: Connection, assignment: Assignment, settings: Settings) -> list[Said]:
    known = names(connection)
    return [_one(entry, known, assignment, settings) for entry in review.said(connection, assignment)]


def _one(entry: Entry, known: Mapping[int, str], assignment: Assignment, settings: Settings) -> Said:
    answer = entry.given
    roles = {"adjudication": "reviewer", "import": "imported", "chat": "in a chat"}
    return Said(
        name=known[entry.person],
        role=roles.get(entry.kind, ""),
        verdict=in_words(answer.as_shown(assignment.shown), settings),
        flags=", ".join(answer.flags),
        rationale=answer.rationale,
        seconds="" if entry.seconds is None else f"{entry.seconds:,.0f} s",
    )
