"""The page on which one talks to models and chooses between two answers. It is there only where models are.

A page is handed a `Seen`, never a speaker: who writes an answer is on no page before the choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from heedful.collect.sampling.chat import LONGEST, Chats, Conversation
from heedful.collect.sampling.chat_log import of_a_pair
from heedful.collect.settings import Settings
from heedful.collect.store.model import Person
from heedful.collect.store.project import Project
from heedful.collect.web.asking import STRENGTHS
from heedful.collect.web.judging_forms import Entered
from heedful.collect.web.pages import page
from heedful.collect.web.views import letter
from heedful.collect.web.visit import Annotator, OwnForm, ProjectDep
from heedful.collect.work.rules import Refused
from heedful.records import Message

router = APIRouter(prefix="/chat")


def chats_of(request: Request) -> Chats:
    chats: Chats = request.app.state.chats
    return chats


ChatsDep = Annotated[Chats, Depends(chats_of)]


@dataclass(frozen=True, slots=True)
class Line:
    """Something that was said, and what was chosen there."""

    message: Message
    note: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """An answer as far as it is written."""

    letter: str
    text: str
    state: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the scale from one answer to the other, in terms of what is shown; `value` is its choice."""

    value: str
    letter: str
    said: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A conversation as its page shows it.

    Attributes:
        question: what is to be answered now, the last of the lines otherwise.
        state: of the turn, see `chat.State`; "" where there is none.
    """

    lines: tuple[Line, ...]
    question: str
    answers: tuple[Written, ...]
    state: str
    token: str
    problem: str
    may_undo: bool

    @property
    def fresh(self) -> bool:
        """Whether nobody has said anything yet."""
        return not self.question and all(line.message.role == "system" for line in self.lines)

    @property
    def may_speak(self) -> bool:
        return self.state not in ("answering", "ready")


def seen(one: Conversation) -> Seen:
    """The conversation as it is now."""
    with one.lock:
        turn = one.turn
        lines = tuple(Line(message, one.notes.get(at, "")) for at, message in enumerate(one.messages))
        may_undo = bool(one.chosen) and (turn is None or turn.state not in ("answering", "ready"))
        if turn is None:
            return Seen(lines, "", (), "", "", "", may_undo)
        answers = tuple(
            Written(letter(place), answer.text, answer.state) for place, answer in enumerate(turn.places)
        )
        question = turn.said[-1].content
        return Seen(lines, question, answers, turn.state, turn.token, turn.problem, may_undo)


@router.get("")
def show(request: Request, project: ProjectDep, chats: ChatsDep, person: Annotator) -> Response:
    return _page(request, "chat.html.j2", project, chats, person)


@router.get("/live")
def live(request: Request, project: ProjectDep, chats: ChatsDep, person: Annotator) -> Response:
    """The part of the page that changes while answers are written."""
    return _page(request, "chat_live.html.j2", project, chats, person)


@router.post("/say")
def say(chats: ChatsDep, person: Annotator, form: OwnForm) -> Response:
    chats.say(person.id, _text(form, "text", LONGEST))
    return _back()


@router.post("/pick")
def pick(project: ProjectDep, chats: ChatsDep, person: Annotator, form: OwnForm) -> Response:
    asked = of_a_pair(project.settings)
    try:
        answer = Entered.of_form(form, asked, len("ab")).answer(asked)
        if answer.skipped:
            raise Refused("Choose one of the answers.")
        chats.pick(project, person.id, str(form.get("turn", "")), answer)
    except Refused as refused:
        raise HTTPException(400, str(refused)) from None
    return _back()


@router.post("/again")
def again(chats: ChatsDep, person: Annotator, _: OwnForm) -> Response:
    chats.again(person.id)
    return _back()


@router.post("/stop")
def stop(chats: ChatsDep, person: Annotator, _: OwnForm) -> Response:
    chats.stop(person.id)
    return _back()


@router.post("/go-on")
def go_on(chats: ChatsDep, person: Annotator, _: OwnForm) -> Response:
    chats.go_on(person.id)
    return _back()


@router.post("/undo")
def undo(project: ProjectDep, chats: ChatsDep, person: Annotator, _: OwnForm) -> Response:
    chats.undo(project, person.id)
    return _back()


@router.post("/new")
def new(chats: ChatsDep, person: Annotator, form: OwnForm) -> Response:
    """Begin a new conversation; with the usual system message where the form names none."""
    system = _text(form, "system", LONGEST) if "system" in form else chats.system
    chats.begin(person.id, system)
    return _back()


def _page(request: Request, template: str, project: Project, chats: Chats, person: Person) -> Response:
    conversation = seen(chats.of(person.id))
    return page(request, template, seen=conversation, steps=_steps(project.settings), longest=LONGEST)


def _steps(settings: Settings) -> list[Step]:
    """The scale from A to B, where the project asks how much better; empty where it does not."""
    if settings.strength is None:
        return []
    words = STRENGTHS[settings.strength]
    a = [Step(f"a{steps}", "A", said) for steps, said in reversed(words.items())]
    b = [Step(f"b{steps}", "B", said) for steps, said in words.items()]
    return [*a, *([Step("tie", "", "Tie")] if settings.tie else []), *b]


def _text(form: FormData, name: str, most: int) -> str:
    text = str(form.get(name, "")).replace("\r\n", "\n")
    if len(text) > most:
        raise HTTPException(400, f"That is longer than {most:,} letters.")
    return text


def _back() -> Response:
    return RedirectResponse("/chat", status_code=303)
