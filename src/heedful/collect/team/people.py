"""Who takes part: annotators, reviewers and admins, their links, passwords and API tokens.

A link's or a token's secret is shown once, when it is made; kept is its hash. Passwords are hashed by argon2,
outside of transactions (`passwords`). Whatever changes how somebody signs in ends their sessions, by raising
their epoch. Nobody is ever deleted: their votes stay, and those name them.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, Select, bindparam, delete, exists, insert, select, update

from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Person, Role
from heedful.collect.store.project import note, now
from heedful.collect.team import passwords

LONGEST_NAME = 200  # letters
TOKEN_MARK = "heedful_"  # an API token begins so, for scanners that look for secrets in files
_TURNED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they turn other text around
_UNSEEN = ("Cc", "Cs", "Zl", "Zp")  # controls, halves of characters, line and paragraph separators


class Refused(ValueError):
    """What was asked cannot be; the message says why, as a page or a command shows it."""


@dataclass(frozen=True, slots=True)
class Token:
    """An API token, without its secret."""

    id: int
    name: str
    created_at: datetime


def add(
    connection: Connection, name: str, role: Role = "annotator", *, by: Person | None = None
) -> tuple[Person, str]:
    """A new person, and the token of their personal link (`/join/TOKEN`).

    Args:
        by: who did it; None where it was done from the command line. So in all that follows.

    Raises:
        Refused: the name does not do, or is taken.
    """
    name = named(name)
    if by_name(connection, name) is not None:
        raise Refused(f"There is somebody called {name} already.")
    token = secrets.token_urlsafe(32)
    row = {"name": name, "folded": folded(name), "role": role, "link_hash": hashed(token)}
    made = connection.execute(
        insert(schema.people).values(row | {"created_at": now()}).returning(schema.people)
    ).one()
    note(connection, "person added", _id(by), name=name, role=role)
    return Person.of(made), token


def by_id(connection: Connection, person: int) -> Person | None:
    return _one(connection, select(schema.people).where(schema.people.c.id == person))


def by_name(connection: Connection, name: str) -> Person | None:
    """Whose name it is, in capitals or not; active or not."""
    try:
        wanted = folded(named(name))
    except Refused:
        return None
    return _one(connection, select(schema.people).where(schema.people.c.folded == wanted))


def by_link(connection: Connection, token: str) -> Person | None:
    """Whose link it is; None of one that is unknown, replaced, or of somebody no longer active."""
    known = select(schema.people).where(schema.people.c.link_hash == hashed(token), schema.people.c.active)
    return _one(connection, known)


# These two stand before every request, and are built once: building one takes longer than running it.
_BY_SESSION = select(schema.people).where(
    schema.people.c.id == bindparam("of"),
    schema.people.c.epoch == bindparam("of_epoch"),
    schema.people.c.active,
    ~exists().where(schema.ended_sessions.c.nonce == bindparam("of_nonce")),
)
_BY_TOKEN = (
    select(schema.people)
    .join(schema.tokens)
    .where(
        schema.tokens.c.token_hash == bindparam("hash"),
        schema.tokens.c.revoked_at.is_(None),
        schema.people.c.active,
    )
)


def by_session(connection: Connection, person: int, epoch: int, nonce: str) -> Person | None:
    """Who is signed in by a session; None of one that has ended, or of somebody no longer active."""
    return _one(connection, _BY_SESSION, {"of": person, "of_epoch": epoch, "of_nonce": nonce})


def by_token(connection: Connection, token: str) -> Person | None:
    """For whom an API token acts; None of one that is unknown, revoked, or of somebody no longer active."""
    return _one(connection, _BY_TOKEN, {"hash": hashed(token)})


def everyone(connection: Connection) -> list[Person]:
    """All there are, by name."""
    rows = connection.execute(select(schema.people).order_by(schema.people.c.folded))
    return [Person.of(row) for row in rows]


def new_link(
    connection: Connection, person: Person, *, end_sessions: bool = True, by: Person | None = None
) -> str:
    """The token of a new personal link; the old one ends and, unless told otherwise, all sessions."""
    token = secrets.token_urlsafe(32)
    more = 1 if end_sessions else 0
    _change(connection, person, "link made", by, link_hash=hashed(token), epoch=schema.people.c.epoch + more)
    return token


def set_password(
    connection: Connection, person: Person, kept: str | None, *, by: Person | None = None
) -> None:
    """Let somebody sign in by name and password, which ends all their sessions.

    Args:
        kept: of `passwords.hashed`, which takes its time before the transaction; None ends the password.
    """
    what = "password set" if kept is not None else "password ended"
    _change(connection, person, what, by, password_hash=kept, epoch=schema.people.c.epoch + 1)


def check_password(database: Database, name: str, password: str) -> Person | None:
    """Who signs in by this name and password; None if they do not fit, which takes as long to say.

    A hash made with other parameters than today's is made anew.

    Raises:
        passwords.Busy: too many are being checked.
    """
    with database.read() as connection:
        person = by_name(connection, name)
        kept = None if person is None or not person.active else password_of(connection, person)
    if not passwords.fits(password, kept) or person is None or kept is None:
        return None
    if passwords.outdated(kept):
        again = passwords.hashed(password)
        with database.write() as connection:  # unless it was changed meanwhile
            same = (schema.people.c.id == person.id) & (schema.people.c.password_hash == kept)
            connection.execute(update(schema.people).where(same).values(password_hash=again))
    return person


def password_of(connection: Connection, person: Person) -> str | None:
    """The hash of somebody's password; None of somebody without one."""
    known = select(schema.people.c.password_hash).where(schema.people.c.id == person.id)
    return connection.execute(known).scalar()


def end_session(connection: Connection, nonce: str, until: datetime) -> None:
    """Sign somebody out where this session is.

    Args:
        until: when its cookie expires by itself, so that it need be remembered no longer.
    """
    table = schema.ended_sessions
    connection.execute(delete(table).where((table.c.until < now()) | (table.c.nonce == nonce)))
    connection.execute(insert(table).values(nonce=nonce, until=until))


def end_sessions(connection: Connection, person: Person, *, by: Person | None = None) -> None:
    """Sign somebody out wherever they are signed in."""
    _change(connection, person, "signed out everywhere", by, epoch=schema.people.c.epoch + 1)


def set_role(connection: Connection, person: Person, role: Role, *, by: Person | None = None) -> None:
    """Let somebody do more or less.

    Raises:
        Refused: nobody could then do what admins do.
    """
    if role != "admin":
        _keep_an_admin(connection, person)
    _change(connection, person, f"made {role}", by, role=role)


def deactivate(connection: Connection, person: Person, *, by: Person | None = None) -> None:
    """Let somebody in no more, by no link, password or token; their votes stay.

    Raises:
        Refused: nobody could then do what admins do.
    """
    _keep_an_admin(connection, person)
    _change(connection, person, "deactivated", by, active=False, epoch=schema.people.c.epoch + 1)


def activate(connection: Connection, person: Person, *, by: Person | None = None) -> None:
    """Let somebody in again, by what let them in before."""
    _change(connection, person, "activated", by, active=True)


def let_through(connection: Connection, person: Person, *, by: Person | None = None) -> None:
    """Let somebody judge in earnest, however their calibration round went."""
    _change(connection, person, "let through calibration", by, calibrated=True)


def issue_token(connection: Connection, person: Person, name: str, *, by: Person | None = None) -> str:
    """A new API token that acts for somebody.

    Args:
        name: what it is for.

    Raises:
        Refused: the name does not do, or they have a token of this name.
    """
    name = named(name)
    if any(token.name == name for token in tokens(connection, person)):
        raise Refused(f"{person.name} has a token called {name} already.")
    token = TOKEN_MARK + secrets.token_urlsafe(32)
    row = {"name": name, "token_hash": hashed(token), "person": person.id, "created_at": now()}
    connection.execute(insert(schema.tokens).values(row))
    note(connection, "token issued", _id(by), of=person.name, token=name)
    return token


def tokens(connection: Connection, person: Person) -> list[Token]:
    """Somebody's API tokens that are not revoked, in the order they were issued."""
    table = schema.tokens.c
    known = select(schema.tokens).where(table.person == person.id, table.revoked_at.is_(None))
    rows = connection.execute(known.order_by(table.id))
    return [Token(row.id, row.name, row.created_at) for row in rows]


def revoke(connection: Connection, person: Person, name: str, *, by: Person | None = None) -> None:
    """End somebody's API token of a name.

    Raises:
        Refused: they have none.
    """
    table = schema.tokens.c
    its = (table.person == person.id) & (table.name == name) & table.revoked_at.is_(None)
    ended = connection.execute(update(schema.tokens).where(its).values(revoked_at=now()))
    if not ended.rowcount:
        raise Refused(f"{person.name} has no token called {name}.")
    note(connection, "token revoked", _id(by), of=person.name, token=name)


def named(name: str) -> str:
    """A name as it is kept: composed and stripped.

    Raises:
        Refused: it is empty, too long, or has characters that cannot be seen or turn others around.
    """
    if any(letter in _TURNED or unicodedata.category(letter) in _UNSEEN for letter in name):
        raise Refused("A name has no control characters.")
    name = unicodedata.normalize("NFC", name).strip()
    if not folded(name):
        raise Refused("A name has at least one letter.")
    if max(len(name), len(folded(name))) > LONGEST_NAME:
        raise Refused(f"A name has {LONGEST_NAME} letters or fewer.")
    return name


def folded(name: str) -> str:
    """What two names that a reader takes for one have in common, worked out here so that databases agree."""
    seen = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold()).split())


def hashed(token: str) -> str:
    """What is kept of a token: it is drawn from 256 bits, so that a plain hash does."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _one(
    connection: Connection, query: Select[tuple[object, ...]], given: Mapping[str, object] | None = None
) -> Person | None:
    row: Row[tuple[object, ...]] | None = connection.execute(query, given).one_or_none()
    return None if row is None else Person.of(row)


def _id(person: Person | None) -> int | None:
    return None if person is None else person.id


def _change(connection: Connection, person: Person, what: str, by: Person | None, **values: object) -> None:
    connection.execute(update(schema.people).where(schema.people.c.id == person.id).values(values))
    note(connection, what, _id(by), name=person.name)


def _keep_an_admin(connection: Connection, person: Person) -> None:
    """Refuse to take the last one who may all."""
    table = schema.people.c
    admins = connection.execute(select(table.id).where(table.role == "admin", table.active)).scalars().all()
    if admins == [person.id]:
        raise Refused(f"{person.name} is the only admin. Make somebody else an admin first.")
