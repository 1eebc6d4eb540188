"""Requests as a server hands them on, however odd: what a client library would mend or refuse to send."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from fastapi import FastAPI
from fastapi.testclient import TestClient

from heedful.collect.web import sessions
from tests.collect.running import run

Header = tuple[bytes, bytes]
HOST: Header = (b"host", b"localhost")


def ask(
    app: FastAPI,
    method: str,
    target: str,
    headers: Sequence[Header] = (HOST,),
    chunks: Sequence[bytes] = (),
) -> tuple[int, str]:
    """The status and the body of the app's answer.

    Args:
        target: path and query as they stand on the request's first line.
        chunks: of the body, one after the other.
    """
    parts = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    parts.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    run(app(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


def cookie_of(client: TestClient) -> Header:
    """The header that carries a client's session."""
    return b"cookie", f"{sessions.COOKIE}={client.cookies[sessions.COOKIE]}".encode()
