"""Speakers for tests of the chat: they say what they are told to, and wait where they are told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from heedful.collect.sampling.chat import Chats, OnText, Turn
from heedful.collect.sampling.journal import Drawn
from heedful.records import Messages

PATIENCE = 20.0  # seconds until a test that waits in vain gives up

Say = Callable[[Messages, int], Drawn | str]


class Fake:
    """Answers by a function of the conversation and of how often it was asked; by default says its own name.

    Attributes:
        asked: the conversations, in order.
        gate: an answer is whole only once this is set; its first half is told before.
    """

    def __init__(self, name: str, say: Say | None = None, *, waits: bool = False) -> None:
        self.name = name
        self.asked: list[Messages] = []
        self.seeds: list[int] = []
        self.gate = threading.Event()
        if not waits:
            self.gate.set()
        self._say = say or (lambda conversation, times: f"{name} says {times} to {conversation[-1].content}")

    def answer(self, conversation: Messages, *, count: int, seed: int, on_text: OnText) -> list[Drawn]:
        found = []
        self.seeds.append(seed)
        for index in range(count):
            self.asked.append(conversation)
            said = self._say(conversation, len(self.asked))
            drawn = Drawn(said) if isinstance(said, str) else said
            on_text(index, drawn.text[: len(drawn.text) // 2])
            while not self.gate.wait(0.005):
                on_text(index, drawn.text[: len(drawn.text) // 2])
            on_text(index, drawn.text)
            found.append(drawn)
        return found


@contextmanager
def chatting(*speakers: Fake, **options) -> Iterator[Chats]:
    chats = Chats(speakers, seed=0, **options)
    try:
        yield chats
    finally:
        chats.close()


def answered(chats: Chats, person: int) -> Turn:
    """The turn, once nobody writes at it any more."""
    wait(lambda: (turn := chats.of(person).turn) is not None and turn.state != "answering")
    turn = chats.of(person).turn
    assert turn is not None
    return turn


def wait(until: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not until():
        assert time.monotonic() - begun < PATIENCE, "waited in vain"
        time.sleep(0.002)
