"""Passwords as argon2id hashes. Knows nothing of people or of a database.

A hash takes time and memory on purpose, so that nothing here may run inside a write transaction, and few run
at once: sign-ins that pour in wait, and after a while are turned away, rather than take the machine.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 10, 1000  # letters
AT_ONCE = 4  # hashes; each takes 64 MiB
PATIENCE = 2.0  # seconds until one's turn comes

_hasher = PasswordHasher()  # the second choice of RFC 9106: 64 MiB, 3 passes, 4 lanes
_turns = threading.BoundedSemaphore(AT_ONCE)


class Unfit(ValueError):
    """A password that is too short, too long, or no text."""


class Busy(RuntimeError):
    """So many passwords are being checked that it is not this one's turn."""


def hashed(password: str) -> str:
    """What is kept of a password.

    Raises:
        Unfit: it is not from `SHORTEST` to `LONGEST` letters.
        Busy: see `Busy`.
    """
    if len(password) < SHORTEST:
        raise Unfit(f"A password has {SHORTEST} letters or more.")
    if len(password) > LONGEST:
        raise Unfit(f"A password has {LONGEST} letters or fewer.")
    try:
        plain = _bytes(password)
    except UnicodeEncodeError:
        raise Unfit("The password is not text.") from None
    with _turn():
        return _hasher.hash(plain)


def fits(password: str, kept: str | None) -> bool:
    """Whether it is the password a hash was made of; with no hash it takes as long to say no.

    Raises:
        Busy: see `Busy`.
    """
    if len(password) > LONGEST:
        return False
    try:
        plain = _bytes(password)
    except UnicodeEncodeError:
        return False
    with _turn():
        try:
            return _hasher.verify(kept or _nobodys(), plain) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(kept)


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=PATIENCE):
        raise Busy
    try:
        yield
    finally:
        _turns.release()


@cache
def _nobodys() -> str:
    """A hash that no password fits, to check against where there is none."""
    return _hasher.hash(secrets.token_bytes(32))


def _bytes(password: str) -> bytes:
    """The same for a password typed on any keyboard: "é" is one character on some and two on others."""
    return unicodedata.normalize("NFKC", password).encode()
