"""Sessions in signed cookies: who, since when, and which session. Nothing is kept on the server.

A session ends when its person's epoch is raised (a new password, a new link, signing out everywhere) or after
`LONGEST`. Each sign-in begins a new one, so that a cookie somebody planted is of no use afterwards.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import NamedTuple

from fastapi import Request, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from heedful.collect.model import Person

COOKIE = "heedful_session"
LONGEST = 30 * 24 * 3600  # seconds


class Session(NamedTuple):
    """What the cookie holds."""

    person: int
    epoch: int
    nonce: str


def begin(response: Response, request: Request, person: Person, secret: str) -> None:
    """Sign the visitor in as this person, in a new session."""
    value = _signer(secret).dumps([person.id, person.epoch, secrets.token_urlsafe(16)])
    response.set_cookie(
        COOKIE,
        value,
        max_age=LONGEST,
        httponly=True,
        samesite="lax",  # strict would forget people who come by a link in a mail
        secure=request.url.scheme == "https",
    )


def end(response: Response) -> None:
    response.delete_cookie(COOKIE, httponly=True, samesite="lax")


def read(request: Request, secret: str) -> Session | None:
    """The session of a request; None where there is none, or its cookie was not signed here or is too old."""
    value = request.cookies.get(COOKIE)
    if value is None:
        return None
    try:
        person, epoch, nonce = _signer(secret).loads(value, max_age=LONGEST)
    except (BadSignature, ValueError, TypeError):
        return None
    return Session(person, epoch, nonce)


def csrf(session: Session, secret: str) -> str:
    """The token that the session's forms carry."""
    return hmac.new(secret.encode(), f"csrf {session.nonce}".encode(), hashlib.sha256).hexdigest()


def _signer(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        secret, salt="heedful session", signer_kwargs={"digest_method": hashlib.sha256}
    )
