"""What stands before every request: who may ask at all, how much may be sent, and what browsers are told."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import Headers as Given
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heedful.collect.web.errors import explained

LARGEST = 1 << 20  # bytes of a body
LONGEST_ADDRESS = 8 << 10  # bytes of path and query
LARGEST_HEADERS = 32 << 10  # bytes
DIGITS = 15  # of a length that is a number at all
SAFE = ("GET", "HEAD", "OPTIONS")
OWN_SITES = ("same-origin", "none")  # what browsers call a request of our pages, and of the user's own
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # personal links must not leak
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Headers:
    """Adds `HEADERS` to every response, and keeps all but static files out of caches."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if not scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self.app(scope, receive, told)


class Door:
    """Turns away what no browser on one of our own pages, and no honest program, would send."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str] = ()) -> None:
        """`hosts`: names besides this machine's loopback and addresses in digits that the app answers to."""
        self.app = app
        self.hosts = frozenset(name.lower() for name in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            await explained(Request(scope), refusal)(scope, receive, send)

    def _refusal(self, scope: Scope) -> HTTPException | None:
        headers = Given(scope=scope)
        query = scope["query_string"]
        if len(scope.get("raw_path") or scope["path"]) + len(query) > LONGEST_ADDRESS:
            return HTTPException(414)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST_HEADERS:
            return HTTPException(431)
        if "\0" in scope["path"] or b"%00" in query:  # which PostgreSQL keeps in no text
            return HTTPException(400, "The address has a character in it that is none.")
        if not self._knows(headers.getlist("host")):
            mend = "Start it with --allow-host NAME to let people reach it by that name."
            return HTTPException(400, f"The app does not answer to that host name. {mend}")
        if scope["method"] not in SAFE and not _from_own_page(headers):
            return HTTPException(403)
        return None

    def _knows(self, given: Sequence[str]) -> bool:
        """Whether a `Host` is ours: a page elsewhere whose name was made to lead here has another."""
        name = _host_name(given[0]) if len(given) == 1 else None
        if name is None:
            return False
        return name == "localhost" or name in self.hosts or _in_digits(name)


class BodyLimit:
    """Refuses a body of more than `LARGEST` bytes with 413, whether its length is declared or not."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        for declared in Given(scope=scope).getlist("content-length"):
            if not (declared.isascii() and declared.isdigit()):
                refusal = HTTPException(400, "The length of the request is no number.")
                await explained(Request(scope), refusal)(scope, receive, send)
                return
            if len(declared) > DIGITS or int(declared) > LARGEST:
                await explained(Request(scope), HTTPException(413))(scope, receive, send)
                return
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > LARGEST:
                raise HTTPException(413)  # in the midst of a handler, which lets it pass
            return message

        await self.app(scope, limited, send)


def _from_own_page(headers: Given) -> bool:
    """Whether a request that changes something may be from a page of ours, by what the browser says of it.

    A program says nothing, and is let pass: cookies it has none, or it could say what it likes.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site in OWN_SITES
    if origin is None:
        return True
    try:
        return bool(origin) and urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:
        return False


def _host_name(given: str) -> str | None:
    """The name in a `Host` header, without port and brackets; None of what is no host."""
    try:
        parts = urlsplit(f"//{given}")
        name, _ = parts.hostname, parts.port  # a port that is no number raises
    except ValueError:
        return None
    return name if parts.netloc == given and "@" not in given else None


def _in_digits(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
