"""The page on which one talks to models and chooses between two answers. It is there only where models are.

A page is handed a `Seen`, never a speaker: who writes an answer is on no page before the choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from heedful.collect.answer import MOST_LETTERS, Answer
from heedful.collect.chat import LONGEST, Chats, Conversation
from heedful.collect.settings import Settings
from heedful.collect.web.pages import page
from heedful.collect.web.views import letter
from heedful.collect.web.visit import Annotator, OwnForm, ProjectDep
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
def show(request: Request, chats: ChatsDep, person: Annotator) -> Response:
    return page(request, "chat.html.j2", seen=seen(chats.of(person.id)), longest=LONGEST)


@router.get("/live")
def live(request: Request, chats: ChatsDep, person: Annotator) -> Response:
    """The part of the page that changes while answers are written."""
    return page(request, "chat_live.html.j2", seen=seen(chats.of(person.id)), longest=LONGEST)


@router.post("/say")
def say(chats: ChatsDep, person: Annotator, form: OwnForm) -> Response:
    chats.say(person.id, _text(form, "text", LONGEST))
    return _back()


@router.post("/pick")
def pick(project: ProjectDep, chats: ChatsDep, person: Annotator, form: OwnForm) -> Response:
    answer = _answer(form, project.settings)
    chats.pick(project, person.id, str(form.get("turn", "")), answer)
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


def _answer(form: FormData, settings: Settings) -> Answer:
    """The choice that a form holds, in terms of what is shown.

    Raises:
        HTTPException: 400, it holds none that may be made.
    """
    verdict = form.get("verdict")
    allowed = {"a", "b", *(["tie"] if settings.tie else []), *(["both_bad"] if settings.both_bad else [])}
    if verdict not in allowed:
        raise HTTPException(400, "Choose one of the answers.")
    rationale = _text(form, "rationale", MOST_LETTERS).strip()
    if settings.rationale == "required" and not rationale:
        raise HTTPException(400, "Say in a few words why.")
    if settings.rationale == "off" and rationale:
        raise HTTPException(400, "No rationale is asked for here.")
    return Answer.model_validate({"verdict": verdict, "rationale": rationale})


def _text(form: FormData, name: str, most: int) -> str:
    text = str(form.get(name, "")).replace("\r\n", "\n")
    if len(text) > most:
        raise HTTPException(400, f"That is longer than {most:,} letters.")
    return text


def _back() -> Response:
    return RedirectResponse("/chat", status_code=303)
