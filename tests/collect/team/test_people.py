"""People, on both backends: names, links, passwords, roles, tokens, and what ends a session."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from heedful.collect.store import schema
from heedful.collect.store.database import Database
from heedful.collect.store.model import Person
from heedful.collect.team import passwords, people

PASSWORD = "correct horse battery"

pytestmark = pytest.mark.usefixtures("quick_hashes")


def _add(database: Database, name: str = "Ann", role="annotator", password: str | None = None) -> Person:
    with database.write() as connection:
        person, _ = people.add(connection, name, role)
        if password is not None:
            people.set_password(connection, person, passwords.hashed(password))
    return _now(database, person)


def _now(database: Database, person: Person) -> Person:
    with database.read() as connection:
        found = people.by_id(connection, person.id)
    assert found is not None
    return found


KEPT = [
    ("  Ann  ", "Ann"),
    ("Zoe\u0301", "Zoé"),
    ("'; DROP TABLE people;--", "'; DROP TABLE people;--"),
    ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ("100%_\\", "100%_\\"),
    ("محمد", "محمد"),
    ("می‌خواهم", "می‌خواهم"),  # with a zero-width non-joiner, which Persian needs
    ("n" * 200, "n" * 200),
]


def test_a_name_is_kept_composed_and_stripped_and_finds_its_person(database) -> None:
    for name, kept in KEPT:
        person = _add(database, name)

        assert person.name == kept
        with database.read() as connection:
            assert people.by_name(connection, name) == people.by_name(connection, kept) == person


UNFIT = [
    ("", "at least one letter"),
    (" \u200b ", "at least one letter"),
    ("n" * 201, "200 letters or fewer"),
    ("\ufdfa" * 100, "200 letters or fewer"),  # one character that folds to eighteen
    ("a\x00b", "control characters"),
    ("a\nb", "control characters"),
    ("a\u202eb", "control characters"),
    ("a\ud800b", "control characters"),
]


def test_a_name_that_does_not_do_is_refused_and_finds_nobody(database) -> None:
    for name, said in UNFIT:
        with pytest.raises(people.Refused, match=said):
            _add(database, name)
        with database.read() as connection:
            assert people.by_name(connection, name) is None
            assert people.everyone(connection) == []


SAME = [
    ("Ann", "aNN"),
    ("Straße", "STRASSE"),
    ("Zoé", "ZOE\u0301"),
    ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ("Ann Lee", "Ann  Lee"),
    ("Ann", "A\u200bnn"),
    ("Ann", "\uff21nn"),
    ("İpek", "i\u0307pek"),
]


def test_two_names_that_read_the_same_are_one(database) -> None:
    for name, same in SAME:
        with database.read() as connection:
            person = people.by_name(connection, name)
        person = person or _add(database, name)

        with pytest.raises(people.Refused, match="already"):
            _add(database, same)
        with database.read() as connection:
            assert people.by_name(connection, same) == person


def test_everyone_comes_by_name(database) -> None:
    for name in ("bob", "Zed", "Ann"):
        _add(database, name)

    with database.read() as connection:
        assert [person.name for person in people.everyone(connection)] == ["Ann", "bob", "Zed"]


def test_a_link_lets_its_person_in_until_a_new_one_is_made(database) -> None:
    with database.write() as connection:
        person, first = people.add(connection, "Ann")
        assert people.by_link(connection, first) == person
        second = people.new_link(connection, person)

        assert people.by_link(connection, first) is None
        renewed = people.by_link(connection, second)
    assert renewed is not None
    assert (renewed.id, renewed.epoch) == (person.id, person.epoch + 1)


def test_secrets_are_not_in_the_database(database) -> None:
    with database.write() as connection:
        person, link = people.add(connection, "Ann")
        token = people.issue_token(connection, person, "script")
        people.set_password(connection, person, passwords.hashed(PASSWORD))
        tables = (schema.people, schema.tokens, schema.events)
        rows = "".join(str(connection.execute(select(table)).all()) for table in tables)

    assert "$argon2id$" in rows
    assert not any(secret in rows for secret in (link, token, PASSWORD))


def test_name_and_password_sign_in_and_nothing_else_does(database) -> None:
    ann = _add(database, "Ann", password=PASSWORD)
    _add(database, "Bob")  # who has none

    assert people.check_password(database, "ann", PASSWORD) == ann
    for name, password in (("Ann", "wrong"), ("Bob", PASSWORD), ("Cy", PASSWORD), ("Ann", ""), ("\x00", "x")):
        assert people.check_password(database, name, password) is None
    assert people.check_password(database, "Ann", "\ud800" * 12) is None
    assert people.check_password(database, "Ann", PASSWORD * 1000) is None


def test_a_password_is_the_same_however_its_letters_are_composed(database) -> None:
    person = _add(database, password="cafe\u0301 au lait")

    assert people.check_password(database, "Ann", "caf\u00e9 au lait") == person


@pytest.mark.parametrize(
    ("password", "said"),
    [("9 letters", "10 letters or more"), ("x" * 1001, "1000 letters or fewer"), ("\ud800" * 10, "not text")],
)
def test_a_password_that_does_not_do_is_refused(password: str, said: str) -> None:
    with pytest.raises(passwords.Unfit, match=said):
        passwords.hashed(password)


def test_unknown_names_and_people_without_a_password_cost_a_hash_too(sqlite_url, monkeypatch) -> None:
    database = Database(sqlite_url)
    _add(database, "Bob")
    _add(database, "Ann", password=PASSWORD)
    checked = []

    class Counting(PasswordHasher):
        def verify(self, kept: str, password: str) -> bool:
            checked.append(kept)
            return super().verify(kept, password)

    monkeypatch.setattr(passwords, "_hasher", Counting(time_cost=1, memory_cost=8, parallelism=1))
    for name in ("Ann", "Bob", "nobody", "\x00"):
        people.check_password(database, name, "something else")

    assert len(checked) == 4
    assert checked[1] == checked[2] == checked[3] != checked[0]
    database.close()


def test_a_hash_of_other_parameters_is_made_anew_and_sessions_go_on(database, monkeypatch) -> None:
    before = _add(database, password=PASSWORD)
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    monkeypatch.setattr(passwords, "_hasher", stronger)

    assert people.check_password(database, "Ann", PASSWORD) == before
    with database.read() as connection:
        kept = connection.execute(select(schema.people.c.password_hash)).scalar_one()
    assert "m=16,t=2,p=1" in kept
    assert _now(database, before).epoch == before.epoch
    assert people.check_password(database, "Ann", PASSWORD) == before


def test_hashes_wait_for_their_turn_and_not_for_ever(monkeypatch) -> None:
    monkeypatch.setattr(passwords, "PATIENCE", 0.01)
    kept = passwords.hashed(PASSWORD)
    for _ in range(passwords.AT_ONCE):
        passwords._turns.acquire()
    try:
        with pytest.raises(passwords.Busy):
            passwords.fits(PASSWORD, kept)
    finally:
        for _ in range(passwords.AT_ONCE):
            passwords._turns.release()
    assert passwords.fits(PASSWORD, kept)


def test_the_real_hasher_is_argon2id_of_the_strength_that_the_standard_asks_for(monkeypatch) -> None:
    monkeypatch.undo()

    assert passwords.hashed(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize("change", [people.new_link, people.end_sessions, people.deactivate])
def test_what_changes_how_somebody_signs_in_ends_their_sessions(database, change) -> None:
    person = _add(database)

    with database.write() as connection:
        change(connection, person)
    assert _now(database, person).epoch == person.epoch + 1
    with database.write() as connection:
        people.set_password(connection, person, passwords.hashed(PASSWORD))
    assert _now(database, person).epoch == person.epoch + 2


def test_somebody_deactivated_is_let_in_by_nothing_and_by_all_again_once_activated(database) -> None:
    with database.write() as connection:
        person, link = people.add(connection, "Ann")
        token = people.issue_token(connection, person, "script")
        people.set_password(connection, person, passwords.hashed(PASSWORD))
        people.deactivate(connection, person)

        assert people.by_link(connection, link) is None
        assert people.by_token(connection, token) is None
        assert people.by_name(connection, "Ann") is not None  # the name stays theirs
    assert people.check_password(database, "Ann", PASSWORD) is None

    with database.write() as connection:
        people.activate(connection, person)
        assert people.by_link(connection, link) == people.by_token(connection, token)
    assert people.check_password(database, "Ann", PASSWORD) == _now(database, person)


def test_the_last_admin_can_be_neither_demoted_nor_removed(database) -> None:
    admin = _add(database, "Root", "admin")
    gone = _add(database, "Gone", "admin")
    with database.write() as connection:
        people.deactivate(connection, gone)

        with pytest.raises(people.Refused, match="the only admin"):
            people.deactivate(connection, admin)
        with pytest.raises(people.Refused, match="the only admin"):
            people.set_role(connection, admin, "reviewer")
        people.set_role(connection, admin, "admin")
        people.activate(connection, gone)
        people.set_role(connection, admin, "reviewer")

    assert _now(database, admin).role == "reviewer"


def test_a_token_acts_for_its_person_until_it_is_revoked(database) -> None:
    ann, bob = _add(database, "Ann"), _add(database, "Bob")
    with database.write() as connection:
        token = people.issue_token(connection, ann, "script")
        other = people.issue_token(connection, bob, "script")
        assert token.startswith("heedful_")
        assert (people.by_token(connection, token), people.by_token(connection, other)) == (ann, bob)
        with pytest.raises(people.Refused, match="already"):
            people.issue_token(connection, ann, "script")

        people.revoke(connection, ann, "script")

        assert (people.by_token(connection, token), people.by_token(connection, other)) == (None, bob)
        assert people.tokens(connection, ann) == []
        with pytest.raises(people.Refused, match="no token called script"):
            people.revoke(connection, ann, "script")
        people.issue_token(connection, ann, "script")
        assert [one.name for one in people.tokens(connection, ann)] == ["script"]


def test_a_guessed_secret_finds_nobody(database) -> None:
    with database.write() as connection:
        person, _ = people.add(connection, "Ann")
        people.issue_token(connection, person, "script")

        for guess in ("", "\x00", "\ud800", "%", "_" * 43, "' OR 1=1 --", "x" * 100_000):
            assert people.by_link(connection, guess) is None
            assert people.by_token(connection, guess) is None


def test_who_did_what_is_taken_down(database) -> None:
    root = _add(database, "Root", "admin")
    with database.write() as connection:
        ann, _ = people.add(connection, "Ann", by=root)
        people.set_role(connection, ann, "reviewer", by=root)
        people.let_through(connection, ann, by=root)
        people.issue_token(connection, ann, "script", by=root)
        rows = connection.execute(select(schema.events).order_by(schema.events.c.id)).all()

    assert [(row.person, row.what) for row in rows] == [
        (None, "person added"),
        (root.id, "person added"),
        (root.id, "made reviewer"),
        (root.id, "let through calibration"),
        (root.id, "token issued"),
    ]
    assert _now(database, ann).calibrated
