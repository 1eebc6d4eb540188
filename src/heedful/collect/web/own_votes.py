"""One's own votes, the newest first, with ways to change them, and what became known once one was given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from heedful.collect.settings import Settings
from heedful.collect.store.project import now
from heedful.collect.web.asking import ago, in_words, new_uid, tells
from heedful.collect.web.pages import page
from heedful.collect.web.views import beginning, letter, shown
from heedful.collect.web.visit import Annotator, ProjectDep
from heedful.collect.work import items, queue, votes
from heedful.collect.work.votes import Mine, Others

router = APIRouter()

AT_ONCE = 50  # votes on a page


@dataclass(frozen=True, slots=True)
class Row:
    """One vote in the list.

    Attributes:
        prompt: how its last turn begins.
        token: of the page to change it on; None where it stays as it is.
        uid: for taking it back.
    """

    prompt: str
    said: str
    flags: str
    rationale: str
    at: datetime
    ago: str
    token: str | None
    uid: str


@router.get("/mine")
def mine(request: Request, project: ProjectDep, person: Annotator, before: str | None = None) -> Response:
    """What somebody has answered; `before` is the token of the last row of the page before."""
    with project.database.read() as connection:
        found = votes.mine(connection, person.id, AT_ONCE + 1, before)
    rows = [_row(vote, project.settings, now()) for vote in found[:AT_ONCE]]
    older = found[AT_ONCE - 1].assignment.token if len(found) > AT_ONCE else None
    return page(request, "mine.html.j2", rows=rows, older=older, first_page=before is None)


@router.get("/judge/{token}/outcome")
def outcome(request: Request, token: str, project: ProjectDep, person: Annotator) -> Response:
    """What the known answer or the others say of an item that the person has answered."""
    settings = project.settings
    with project.database.read() as connection:
        assignment = queue.find(connection, token, person)
        if assignment is None:
            raise HTTPException(404)
        item = items.get(connection, assignment.item)
        given = votes.current(connection, assignment)
        if given is None or not tells(item.stage, settings):
            return RedirectResponse(f"/judge/{token}", status_code=303)
        met = votes.outcome(connection, assignment)
        others = votes.others(connection, assignment)
    gold = None if item.gold is None else in_words(item.gold.as_shown(assignment.shown), settings)
    return page(
        request,
        "outcome.html.j2",
        shown=shown(item, assignment.shown),
        said=in_words(given.given.as_shown(assignment.shown), settings),
        gold=gold,
        met=met,
        others=None if others is None else _others(others, settings),
    )


def _row(vote: Mine, settings: Settings, at: datetime) -> Row:
    return Row(
        prompt=beginning(vote.item.prompt),
        said=in_words(vote.answer, settings),
        flags=", ".join(vote.answer.flags),
        rationale=vote.answer.rationale,
        at=vote.at,
        ago=ago(vote.at, at),
        token=None if tells(vote.item.stage, settings) else vote.assignment.token,
        uid=new_uid(),
    )


def _others(others: Others, settings: Settings) -> str:
    """What the others said, in a sentence without names."""
    if not others.people:
        return "Nobody else has judged it yet."
    counted = f"{others.people} other{'s' * (others.people != 1)}"
    if settings.task == "pairwise":
        names = {"a": "A", "b": "B", "tie": "tie", "both_bad": "both bad"}
        said = [f"{names[verdict]} {n}" for verdict, n in others.verdicts.items() if verdict in names]
        return f"Of {counted}: {', '.join(sorted(said))}."
    if settings.task == "rating":
        rated = (" ".join(f"{aspect} {mean:.1f}" for aspect, mean in one.items()) for one in others.means)
        means = "; ".join(f"{letter(place)}: {said}" for place, said in enumerate(rated))
        return f"The mean of {counted}: {means}."
    counts = ", ".join(f"{letter(place)} {n}" for place, n in enumerate(others.firsts))
    what = "put first" if settings.task == "ranking" else "found good"
    return f"What {counted} {what}: {counts}."
