"""How often: token buckets in memory, for attempts to sign in and for requests.

A bucket holds so many requests and fills again at its rate. Buckets are bounded in number, the longest unused
goes first. An address is the connection's: what `X-Forwarded-For` says counts only where the server was told
to believe it (`serving.run_server`).
"""

from __future__ import annotations

import hashlib
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heedful.collect.web import sessions
from heedful.collect.web.errors import too_often
from heedful.collect.web.security import SAFE

Clock = Callable[[], float]

MOST = 20_000  # buckets of a kind
BEARER = "bearer "


class Rate(NamedTuple):
    """How often something may be done: `burst` times at once, and `per_second` in the long run."""

    per_second: float
    burst: int


SIGN_IN_BY_NAME = Rate(10 / 60, 10)  # that failed; those that succeed are not counted
SIGN_IN_BY_ADDRESS = Rate(30 / 60, 30)  # the same; a whole office may share one
SIGNED_IN = Rate(50, 200)  # that change something, of a session; and any, of an API token
STRANGERS = Rate(20, 400)  # without either, of an address


class Buckets:
    """One bucket for each key."""

    def __init__(self, rate: Rate, clock: Clock, most: int = MOST) -> None:
        self._rate, self._clock, self._most = rate, clock, most
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key to level, as of when
        self._lock = threading.Lock()

    def take(self, key: str) -> float:
        """Take one, if there is one.

        Returns:
            0 if there was, else the seconds until there is.
        """
        with self._lock:
            now = self._clock()
            level = self._level(key, now)
            missing = max(0.0, 1 - level)
            self._levels[key] = (level if missing else level - 1, now)
            self._levels.move_to_end(key)
            if len(self._levels) > self._most:
                self._levels.popitem(last=False)
            return missing / self._rate.per_second

    def give_back(self, key: str) -> None:
        """Undo a `take`."""
        with self._lock:
            if key in self._levels:
                now = self._clock()
                self._levels[key] = (min(self._rate.burst, self._level(key, now) + 1), now)

    def __contains__(self, key: str) -> bool:
        return key in self._levels

    def __len__(self) -> int:
        return len(self._levels)

    def _level(self, key: str, now: float) -> float:
        level, at = self._levels.get(key, (float(self._rate.burst), now))
        return min(self._rate.burst, level + (now - at) * self._rate.per_second)


class Limits:
    """All buckets of an app."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.names = Buckets(SIGN_IN_BY_NAME, clock)
        self.doors = Buckets(SIGN_IN_BY_ADDRESS, clock)
        self.sessions = Buckets(SIGNED_IN, clock)
        self.tokens = Buckets(SIGNED_IN, clock)
        self.strangers = Buckets(STRANGERS, clock)


class RateLimit:
    """Answers with 429 what comes too often."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/static/"):
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        token = _token(request)
        if token and token not in self.limits.tokens:  # nothing shows yet that it is one
            send = self._noting(token, send)
            wait = self.limits.strangers.take(address(request))
        elif token:
            wait = self.limits.tokens.take(token)
        else:
            wait = self._take_of_visitor(request)
        if wait:
            await too_often(request, wait)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _take_of_visitor(self, request: Request) -> float:
        session = sessions.read(request, request.app.state.project.secret)
        if session is None:
            return self.limits.strangers.take(address(request))
        return 0.0 if request.method in SAFE else self.limits.sessions.take(session.nonce)

    def _noting(self, token: str, send: Send) -> Send:
        """A `send` that gives the token its own bucket once it was let in."""

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] not in (401, 429):
                self.limits.tokens.take(token)
            await send(message)

        return noting


def address(request: Request) -> str:
    """Whom a request comes from; of IPv6 the network, in which one machine has all addresses it likes."""
    host = request.client.host if request.client else ""
    try:
        known = ipaddress.ip_address(host)
    except ValueError:
        return host
    return host if known.version == 4 else str(ipaddress.ip_network((known, 64), strict=False))


def _token(request: Request) -> str:
    """A short stand-in for the API token of a request; "" of one without."""
    given = request.headers.get("authorization", "")
    if not given.lower().startswith(BEARER) or not request.scope["path"].startswith("/api/"):
        return ""
    return hashlib.sha256(given[len(BEARER) :].strip().encode(errors="replace")).hexdigest()
