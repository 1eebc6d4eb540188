"""Simulated annotators: they vote over HTTP, through the pages as a browser does or through the REST API.

Each keeps a journal of what the server acknowledged. What is not acknowledged, because the connection broke
or the server said 5xx, they send again with the same uid, as the app's own pages do. They know HTTP and what
a page looks like, and nothing of the app's insides.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from tests.collect.wire import Answer, Broken, Wire

T = TypeVar("T")

PATIENCE = 60.0  # seconds that one request is tried again for
PAUSE = 0.05  # seconds between tries
VERDICTS = ("a", "b", "tie")


class TryAgain(Exception):
    """The server said that the trouble is its own."""


class GaveUp(Exception):
    """A request was tried for `PATIENCE` seconds, or refused."""


@dataclass(frozen=True)
class Open:
    """An item in hand: the token that names it, the uid of a vote on it, and the csrf token of its form."""

    token: str
    uid: str
    csrf: str = ""


@dataclass(frozen=True)
class Acknowledged:
    """A vote that the server said it has; the verdict is as shown."""

    uid: str
    token: str
    verdict: str


class Door(Protocol):
    """A way to the server."""

    async def enter(self) -> None: ...
    async def next(self) -> Open | None: ...
    async def submit(self, item: Open, verdict: str) -> None: ...
    def leave(self) -> None: ...


class Api:
    """Through the REST API, by a token."""

    def __init__(self, address: str, token: str) -> None:
        self._wire = Wire(address, {"Authorization": f"Bearer {token}"})

    async def enter(self) -> None:
        """A token needs no session."""

    async def next(self) -> Open | None:
        answer = _checked(await self._wire.get("/api/v1/next"))
        return None if answer.status == 204 else Open(answer.json()["token"], str(uuid.uuid4()))

    async def submit(self, item: Open, verdict: str) -> None:
        vote = {"answer": {"verdict": verdict}, "uid": item.uid, "seconds": 1.0}
        _checked(await self._wire.post_json(f"/api/v1/assignments/{item.token}/answer", vote))

    def leave(self) -> None:
        self._wire.close()


class Pages:
    """Through the pages, by a personal link; a vote is the form that the page of its item has."""

    def __init__(self, address: str, link: str) -> None:
        self._wire = Wire(address)
        self._link = link
        self._onward = "/"  # where the server said to go on

    async def enter(self) -> None:
        _checked(await self._wire.get(f"/join/{self._link}"))

    async def next(self) -> Open | None:
        if self._onward == "/":
            start = _checked(await self._wire.get("/"))
            if start.status != 303:
                return None
            self._onward = start.headers["location"]
        page = _checked(await self._wire.get(self._onward)).text
        return Open(self._onward.removeprefix("/judge/"), _hidden(page, "uid"), _hidden(page, "csrf"))

    async def submit(self, item: Open, verdict: str) -> None:
        form = {"csrf": item.csrf, "uid": item.uid, "seconds": "1.0", "choice": verdict, "rationale": ""}
        answer = _checked(await self._wire.post_form(f"/judge/{item.token}", form))
        if answer.status != 303:
            raise GaveUp(f"the vote was answered by {answer.status}")
        self._onward = answer.headers["location"]

    def leave(self) -> None:
        self._wire.close()


@dataclass
class Annotator:
    """Somebody who takes the next item and votes, over and over, until nothing is left.

    Args:
        think: seconds between an item and the vote, on average, drawn from an exponential distribution.

    Attributes:
        journal: what was acknowledged.
        next, submit: seconds that answers took; of tries that failed nothing is kept.
        failed: tries that the server did not answer, or answered by 5xx.
    """

    door: Door
    chance: random.Random
    think: float = 0.0
    journal: list[Acknowledged] = field(default_factory=list)
    next: list[float] = field(default_factory=list)
    submit: list[float] = field(default_factory=list)
    failed: int = 0

    async def work(self, stop: asyncio.Event) -> None:
        """Vote until nothing is left, or until `stop` is set."""
        await self._insist(self.door.enter)
        while not stop.is_set():
            item = await self._insist(self.door.next, self.next)
            if item is None:
                break
            if self.think:
                await asyncio.sleep(self.chance.expovariate(1 / self.think))
            verdict = self.chance.choice(VERDICTS)
            await self._insist(partial(self.door.submit, item, verdict), self.submit)
            self.journal.append(Acknowledged(item.uid, item.token, verdict))
        self.door.leave()

    async def _insist(self, ask: Callable[[], Awaitable[T]], times: list[float] | None = None) -> T:
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE:
            sent = time.perf_counter()
            try:
                done = await ask()
            except (Broken, TryAgain):
                self.failed += 1
                await asyncio.sleep(PAUSE)
                continue
            if times is not None:
                times.append(time.perf_counter() - sent)
            return done
        raise GaveUp(f"nothing came of it in {PATIENCE:g} s")


def _hidden(page: str, name: str) -> str:
    """What a page's form says in a hidden field."""
    found = re.search(
        f'<input type="hidden" name="{name}" value="([^"]+)">', page[page.index('id="judge"') :]
    )
    assert found is not None
    return found[1]


def _checked(answer: Answer) -> Answer:
    """The answer, unless it is an error."""
    if answer.status >= 500:
        raise TryAgain
    if answer.status >= 400:
        raise GaveUp(f"{answer.status}: {answer.text[:300]}")
    return answer
