"""HTTP/1.1 over one kept connection, in as few steps as a load generator can do with.

Simulated annotators share the machine with the server they ask; a client of the usual kind takes a third of
what the server takes.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT = 30.0  # seconds for one answer


class Broken(Exception):
    """The connection could not be made, or broke before the answer was there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; names of headers are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Wire:
    """A connection to a server, made anew where it broke; it keeps the cookies it is given.

    Args:
        address: `http://127.0.0.1:8765`.
        headers: of every request.
    """

    address: str
    headers: dict[str, str] = field(default_factory=dict)
    _cookies: dict[str, str] = field(default_factory=dict)
    _ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str) -> Answer:
        return await self._ask("GET", path, b"", "")

    async def post_form(self, path: str, form: dict[str, str]) -> Answer:
        return await self._ask("POST", path, urlencode(form).encode(), "application/x-www-form-urlencoded")

    async def post_json(self, path: str, value: object) -> Answer:
        return await self._ask("POST", path, json.dumps(value).encode(), "application/json")

    def close(self) -> None:
        if self._ends is not None:
            self._ends[1].close()
        self._ends = None

    async def _ask(self, method: str, path: str, body: bytes, kind: str) -> Answer:
        head = {"Host": urlsplit(self.address).netloc, **self.headers}
        if self._cookies:
            head["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if kind:
            head |= {"Content-Type": kind, "Content-Length": str(len(body))}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._exchange("\r\n".join(lines).encode() + body)
        except (OSError, EOFError, TimeoutError) as error:
            self.close()
            raise Broken(str(error)) from error

    async def _exchange(self, request: bytes) -> Answer:
        if self._ends is not None and self._ends[0].at_eof():  # it was idle for so long that the server left
            self.close()
        if self._ends is None:
            parts = urlsplit(self.address)
            self._ends = await asyncio.open_connection(parts.hostname, parts.port)
        reader, writer = self._ends
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.rstrip().split("\r\n")
        headers: dict[str, str] = {}
        for line in rest:
            name, _, value = line.partition(": ")
            if name.lower() == "set-cookie":
                key, _, kept = value.partition(";")[0].partition("=")
                self._cookies[key] = kept
            headers[name.lower()] = value
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(first.split(" ")[1]), headers, body)
