"""Sessions in signed cookies: who, since when, and which session.

A session ends when its person signs out, when their epoch is raised (a new password, a new link, signing out
everywhere) or after `LONGEST`. Each sign-in begins a new one, so that a cookie somebody planted is of no use
afterwards. Who is not signed in yet has a cookie too, to show that a sign-in form came from our own page.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from functools import cache
from typing import NamedTuple

from fastapi import Request, Response
from itsdangerous import BadData, URLSafeTimedSerializer

from heedful.collect.store.model import Person
from heedful.collect.store.project import now

COOKIE = "heedful_session"
BEFORE = "heedful_before"  # signing in
LONGEST = 30 * 24 * 3600  # seconds
_NONCE = re.compile(r"[\w-]{22}", re.ASCII)


class Session(NamedTuple):
    """What the cookie holds."""

    person: int
    epoch: int
    nonce: str


def begin(response: Response, request: Request, person: Person, secret: str) -> None:
    """Sign the visitor in as this person, in a new session."""
    value = _signer(secret).dumps([person.id, person.epoch, secrets.token_urlsafe(16)])
    _set(response, request, COOKIE, value, LONGEST)
    response.delete_cookie(BEFORE, httponly=True, samesite="lax")


def end(response: Response) -> None:
    """Have the browser forget its session; `people.end_session` has the app forget it."""
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")


def until() -> datetime:
    """When a session that begins now is over at the latest."""
    return now() + timedelta(seconds=LONGEST)


def read(request: Request, secret: str) -> Session | None:
    """The session of a request; None where there is none, or its cookie was not signed here or is too old."""
    if not hasattr(request.state, "session"):  # more than one asks
        request.state.session = _read(request, secret)
    found: Session | None = request.state.session
    return found


def _read(request: Request, secret: str) -> Session | None:
    value = request.cookies.get(COOKIE)
    if value is None:
        return None
    try:
        person, epoch, nonce = _signer(secret).loads(value, max_age=LONGEST)
    except (BadData, ValueError, TypeError):
        return None
    return Session(person, epoch, nonce)


def csrf(session: Session, secret: str) -> str:
    """The token that the session's forms carry."""
    return _mac(secret, f"csrf {session.nonce}")


def csrf_before(request: Request, secret: str) -> tuple[str, str]:
    """The cookie's value and the form's token of a visitor who is about to sign in.

    The value is the browser's own, if it has one, so that two open sign-in pages both work.
    """
    value = request.cookies.get(BEFORE, "")
    if not _NONCE.fullmatch(value):
        value = secrets.token_urlsafe(16)
    return value, _mac(secret, f"before {value}")


def keep_before(response: Response, request: Request, value: str) -> None:
    """Set the cookie that goes with the token of a sign-in form."""
    _set(response, request, BEFORE, value, None)


def _set(response: Response, request: Request, name: str, value: str, seconds: int | None) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        httponly=True,
        samesite="lax",  # strict would forget people who come by a link in a mail
        secure=request.url.scheme == "https",
    )


def _mac(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(errors="replace"), hashlib.sha256).hexdigest()


@cache
def _signer(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        secret, salt="heedful session", signer_kwargs={"digest_method": hashlib.sha256}
    )
