"""Talking to models and choosing between two answers at every turn: conversations, and who is answering.

Each person has one conversation, kept in memory: it outlives a reload of the page and not the server. Models
come in as `Speaker`s and answer one at a time, on one thread. What is chosen goes to the log by `chat_log`.
"""

from __future__ import annotations

import logging
import queue
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from heedful.checks.text import folded
from heedful.collect.answer import Answer, Verdict
from heedful.collect.sampling import chat_log
from heedful.collect.sampling.chat_log import Told
from heedful.collect.sampling.journal import Drawn
from heedful.collect.store.model import Response
from heedful.collect.store.project import Project
from heedful.records import Message, Messages, assistant, user

log = logging.getLogger(__name__)

TRIES = 3
"""Pairs that are sampled until two answers differ."""

LONGEST = 20_000  # letters of what a person says
FAILED = "A model could not answer; where the app was started stands why."

OnText = Callable[[int, str], None]
"""Told (which answer, its whole text so far); may raise `Stopped`."""

State = Literal["answering", "ready", "same", "stopped", "failed", "both_bad"]
"""Of a turn: being answered; to be judged; the same answer again and again; or to be asked again."""


class CannotAnswer(Exception):
    """A speaker cannot take a conversation; the message is for the person, and names no model."""


class Stopped(Exception):
    """Nobody waits for this answer any more."""


class Speaker(Protocol):
    """A model that one can talk to."""

    @property
    def name(self) -> str:
        """What the log calls it; never shown before the choice."""
        ...

    def answer(self, conversation: Messages, *, count: int, seed: int, on_text: OnText) -> list[Drawn]:
        """`count` answers to the conversation.

        Raises:
            CannotAnswer: it does not take this conversation.
            Stopped: `on_text` said so.
        """
        ...


@dataclass(slots=True)
class Writing:
    """An answer while it is written, and after."""

    text: str = ""
    state: Literal["waiting", "writing", "whole", "cut"] = "waiting"


@dataclass(slots=True)
class Turn:
    """A question with the two answers to it.

    Attributes:
        said: the conversation so far; it ends with the question.
        shown: which of the answers stands in each place.
        ready_at: on the monotonic clock, since when it can be judged.
        problem: what went wrong, for the person.
    """

    said: Messages
    shown: tuple[int, int]
    token: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    answers: tuple[Writing, Writing] = field(default_factory=lambda: (Writing(), Writing()))
    state: State = "answering"
    ready_at: float = 0.0
    problem: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def places(self) -> list[Writing]:
        """The answers as they are shown."""
        return [self.answers[index] for index in self.shown]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A choice that was made, so that it can be undone.

    Attributes:
        length: of the conversation before the answer was added.
    """

    turn: Turn
    told: Told
    length: int


@dataclass(slots=True)
class Conversation:
    """What one person and the models have said.

    Attributes:
        notes: what was chosen, by the place of the answer among the messages.
    """

    messages: Messages = ()
    turn: Turn | None = None
    chosen: list[Chosen] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def ask(self, turn: Turn | None) -> None:
        """Put another turn in the place of this one, which nobody waits for any more."""
        if self.turn is not None:
            self.turn.stop.set()
        self.turn = turn


class Chats:
    """All conversations of a project, and the thread on which models answer.

    Args:
        speakers: one, of which two answers are compared, or two.
        system: the system message of a new conversation.
        reveal: say who wrote which answer once it is chosen.
        seed: of what is drawn at random; None draws another one each time.

    Attributes:
        speakers, system: those that were given.
    """

    def __init__(
        self,
        speakers: Sequence[Speaker],
        *,
        system: str = "",
        reveal: bool = False,
        seed: int | None = None,
    ) -> None:
        if len(speakers) not in (1, 2):
            raise ValueError(f"one speaker or two, not {len(speakers)}")
        self.system, self._reveal = system, reveal
        self.speakers = tuple(speakers)
        self._random = random.Random(seed)
        self._conversations: dict[int, Conversation] = {}
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[tuple[Conversation, Turn] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="speakers", daemon=True)
        self._thread.start()

    def of(self, person: int) -> Conversation:
        """A person's conversation; theirs alone."""
        with self._lock:
            if person not in self._conversations:
                self._conversations[person] = Conversation(_system(self.system))
            return self._conversations[person]

    def begin(self, person: int, system: str) -> None:
        """Forget the conversation and begin a new one. The votes are in the log for good."""
        one = self.of(person)
        with one.lock:
            one.ask(None)
            one.messages, one.chosen, one.notes = _system(system), [], {}

    def say(self, person: int, text: str) -> None:
        """Ask something; in the place of a question that no answer was chosen to, if there is one."""
        one = self.of(person)
        with one.lock:
            if text.strip() and (one.turn is None or one.turn.state not in ("answering", "ready")):
                self._ask(one, (*one.messages, user(text.strip())))

    def again(self, person: int) -> None:
        """Have the question answered anew, without a vote on the answers that are there."""
        one = self.of(person)
        with one.lock:
            if one.turn is not None and one.turn.state != "answering":
                self._ask(one, one.turn.said)

    def stop(self, person: int) -> None:
        """Stop the answers that are being written."""
        one = self.of(person)
        with one.lock:
            if one.turn is not None:
                one.turn.stop.set()

    def pick(self, project: Project, person: int, token: str, answer: Answer) -> None:
        """Judge the two answers; the better one becomes the models' turn, of a tie one by lot.

        A turn that is not there to be judged (any more) changes nothing.

        Args:
            answer: in terms of what is shown.

        Raises:
            Refused: it does not fit what the project asks of a pair.
        """
        one = self.of(person)
        with one.lock:
            turn = one.turn
            if turn is None or turn.token != token or turn.state != "ready":
                return
            seconds = time.monotonic() - turn.ready_at
            responses = self._responses(turn)
            cut = any(writing.state == "cut" for writing in turn.answers)
            with project.database.write() as connection:
                told = chat_log.give(
                    connection,
                    project.settings,
                    person,
                    turn.said,
                    responses,
                    turn.shown,
                    answer,
                    seconds,
                    cut,
                )
            one.chosen.append(Chosen(turn, told, len(one.messages)))
            if answer.verdict == "both_bad":
                turn.state = "both_bad"
            else:
                place = {"a": 0, "b": 1}.get(answer.verdict or "", self._random.randrange(2))
                self._go_on(one, turn, place, self._note(turn, answer.verdict, place))

    def undo(self, project: Project, person: int) -> None:
        """Take the last choice back: the two answers are there to be judged again."""
        one = self.of(person)
        with one.lock:
            if not one.chosen or (one.turn is not None and one.turn.state in ("answering", "ready")):
                return
            last = one.chosen[-1]
            with project.database.write() as connection:
                chat_log.retract(connection, person, last.told)
            one.chosen.pop()
            one.messages = one.messages[: last.length]
            one.notes = {place: note for place, note in one.notes.items() if place < last.length}
            last.turn.state, last.turn.ready_at = "ready", time.monotonic()
            one.turn = last.turn

    def go_on(self, person: int) -> None:
        """Go on with an answer that both would have given; there is nothing to choose."""
        one = self.of(person)
        with one.lock:
            if one.turn is not None and one.turn.state == "same":
                self._go_on(one, one.turn, 0, "Both answers were the same.")

    def close(self, patience: float = 5.0) -> None:
        """Stop answering; seconds to wait for the token in hand."""
        for one in list(self._conversations.values()):
            if one.turn is not None:
                one.turn.stop.set()
        self._waiting.put(None)
        self._thread.join(patience)

    def _ask(self, one: Conversation, said: Messages) -> None:
        first = self._random.randrange(2)
        turn = Turn(said, (first, 1 - first))
        one.ask(turn)
        self._waiting.put((one, turn))

    def _go_on(self, one: Conversation, turn: Turn, place: int, note: str) -> None:
        one.messages = (*turn.said, assistant(turn.places[place].text))
        one.notes[len(one.messages) - 1] = note
        one.turn = None

    def _responses(self, turn: Turn) -> tuple[Response, Response]:
        """The answers as the log has them: the first speaker's, then the second's."""
        first, second = turn.answers
        names = self.speakers[0].name, self.speakers[-1].name
        return (
            Response((assistant(first.text),), names[0]),
            Response((assistant(second.text),), names[1]),
        )

    def _note(self, turn: Turn, verdict: Verdict | None, place: int) -> str:
        note = f"You chose {'AB'[place]}."
        if verdict == "tie":
            note = f"You called it a tie; {'AB'[place]} was drawn to go on with."
        if not self._reveal:
            return note
        names = [self._responses(turn)[index].generator for index in turn.shown]
        return f"{note} A was by {names[0]}, B by {names[1]}."

    # --- On the thread of the speakers.

    def _work(self) -> None:
        while (job := self._waiting.get()) is not None:
            one, turn = job
            state, problem = self._answered(turn)
            with one.lock:
                turn.state, turn.problem, turn.ready_at = state, problem, time.monotonic()

    def _answered(self, turn: Turn) -> tuple[State, str]:
        """Have the turn answered, up to `TRIES` times until the answers differ."""
        try:
            for number in range(TRIES):
                turn.problem = "The answers were the same. Asking again." if number else ""
                self._answer(turn)
                texts = [folded(writing.text) for writing in turn.answers]
                if all(texts) and texts[0] != texts[1]:
                    return "ready", ""
        except Stopped:
            return "stopped", ""
        except CannotAnswer as error:
            return "failed", str(error)
        except Exception:
            log.exception("a model could not answer")
            return "failed", FAILED
        return ("same", "") if all(texts) else ("failed", "A model had nothing to say. Ask in other words.")

    def _answer(self, turn: Turn) -> None:
        """Write both answers: side by side where one model gives both, else the one that is shown first.

        That order follows the places and not the models, so that it says nothing of who is who.
        """
        for writing in turn.answers:
            writing.text, writing.state = "", "waiting"
        if len(self.speakers) == 1:
            self._speak(turn, self.speakers[0], turn.answers)
        else:
            for index in turn.shown:
                self._speak(turn, self.speakers[index], turn.answers[index : index + 1])

    def _speak(self, turn: Turn, speaker: Speaker, answers: Sequence[Writing]) -> None:
        def on_text(index: int, text: str) -> None:
            if turn.stop.is_set():
                raise Stopped
            answers[index].text, answers[index].state = text, "writing"

        if turn.stop.is_set():
            raise Stopped
        seed = self._random.getrandbits(48)
        drawn = speaker.answer(turn.said, count=len(answers), seed=seed, on_text=on_text)
        for writing, (text, ended) in zip(answers, drawn, strict=True):
            writing.text, writing.state = text, "whole" if ended else "cut"


def _system(text: str) -> Messages:
    return (Message("system", text.strip()),) if text.strip() else ()
