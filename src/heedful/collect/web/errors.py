"""What an error looks like: a page that says what to do, or JSON to a program. Never what is inside."""

from __future__ import annotations

import logging
import math

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import DBAPIError, OperationalError, TimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from heedful.collect.web.pages import page

EXPLAINED = {
    400: "That request made no sense to the app.",
    401: "Sign in to see this.",
    403: "You may not see this.",
    404: "There is no such page, or it is not yours.",
    405: "That cannot be done here.",
    409: "That does not fit what is there now.",
    413: "That is too much text.",
    414: "That address is too long.",
    422: "That request made no sense to the app.",
    429: "That was too often. Wait a little and try again.",
    431: "That request has too many headers.",
    503: "The app cannot reach its database.",
}
TOLD = (400, 409, 422, 503)  # of these the detail is shown too
OURS = "Something went wrong here. It is not your fault; what you had sent before is kept."
UNREACHABLE = (OperationalError, TimeoutError)
"""A database that does not answer, or has no connection left."""

RETRY_AFTER = 2  # seconds
MOST_FAULTS = 3  # of a request that are told

_log = logging.getLogger(__name__)


def to_sign_in(request: Request, _: Exception) -> Response:
    return RedirectResponse("/login", status_code=303)


def explained(request: Request, error: Exception) -> Response:
    """An `HTTPException` as a page or JSON."""
    assert isinstance(error, HTTPException)
    detail = error.detail if error.status_code in TOLD else ""
    return _shown(request, error.status_code, detail, error.detail, dict(error.headers or {}))


def unfit(request: Request, error: Exception) -> Response:
    """A request of another form than is taken: where and why, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    faults = [
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors()[:MOST_FAULTS]
    ]
    more = len(error.errors()) - len(faults)
    said = "; ".join(faults) + (f"; and {more} more" if more else "")
    # What does not fit may be text that has no UTF-8 form.
    return explained(request, HTTPException(422, said.encode(errors="replace").decode()))


def unreachable(request: Request, error: Exception) -> Response:
    """The database does not answer: try again."""
    _log.error("The database does not answer: %s", error.orig if isinstance(error, DBAPIError) else error)
    detail = "The database does not answer. Nothing that was acknowledged is lost; try again."
    return explained(request, HTTPException(503, detail, {"Retry-After": str(RETRY_AFTER)}))


def too_often(request: Request, wait: float) -> Response:
    """429, and in how many seconds it may be tried again."""
    return explained(request, HTTPException(429, headers={"Retry-After": str(max(1, math.ceil(wait)))}))


class Failures:
    """Answers a bug with a page that says nothing of it, and hands the exception on to the server's log.

    It stands within `security.Headers`, whose headers Starlette's own handler would come without.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            return  # as a browser does with what the page that it leaves was sending
        except Exception:
            if not begun:
                await _shown(Request(scope), 500, "", OURS, {})(scope, receive, send)
            raise


def _shown(request: Request, status: int, detail: str, brief: str, headers: dict[str, str]) -> Response:
    if request.scope["path"].startswith("/api/"):
        return JSONResponse({"detail": brief}, status, headers=headers)
    said = EXPLAINED.get(status, OURS if status >= 500 else "That did not work.")
    shown = page(request, "error.html.j2", status=status, said=said, detail=detail)
    shown.status_code = status
    shown.headers.update(headers)
    return shown
