"""Private text: what belongs to somebody, and what is made up, public or a sum."""

from __future__ import annotations

import pytest

from heedful.checks.private import PrivateText
from heedful.checks.private_patterns import is_card, is_iban, masked, private_parts
from heedful.records import Message, Preference, assistant, user
from tests.checks.planted import CLEAN, HH, only, outcome, published, reply

KEY = "sk-proj-" + "aB3dE5gH7jK9mN1pQ2rS4tU6"


def kinds(text: str) -> list[str]:
    return [kind for kind, _ in private_parts(text)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to anna.lind@posteo.se today.", "email"),
        ("<bob+list@mail.uni-bonn.de>", "email"),
        ("Call 650-636-4884.", "phone"),
        ("Call (650) 636-4884 at night", "phone"),
        ("+1 650 636 4884", "phone"),
        ("Ring +49 151 2345 6789.", "phone"),
        ("It is +33 6 12 34 56 78", "phone"),
        (f"OPENAI_API_KEY={KEY}", "key"),
        ("AKIAQ4Z7BD2KX9MTWP35", "key"),
        ("token ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8", "key"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.dBjftJeZ4CVPmB92K27uhbUJU1p1r", "key"),
        ("-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq9" * 5 + "\n-----END", "key"),
        ("The card is 4539 1488 0343 6467.", "card"),
        ("my card 4539148803436467, thanks", "card"),
        ("IBAN: DE44 5001 0517 5407 3249 31", "iban"),
        ("GB94BARC10201530093459", "iban"),
    ],
)
def test_what_belongs_to_somebody_is_found(text: str, kind: str) -> None:
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com, you@yourcompany.com, john.doe@gmail.com, info@mill.org, a@b",
        "Write @anna or see pip@1.2",
        "555-0134 or (212) 555-0187, 123-456-7890, 1-800-273-8255, 000-000-0000",
        "+1234567890123456789 and 1234567890",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxx, sk-..., AKIAIOSFODNN7EXAMPLE",
        "a task-based approach-to-everything-that-is-written",
        "-----BEGIN PUBLIC KEY-----",
        "4242 4242 4242 4242 and 4111111111111111 cards",
        "4539148803436467 + 1 = 4539148803436468",
        "4539 1488 0343 6468",
        "DE89 3704 0044 0532 0130 00 and DE44 5001 0517 5407 3249 32",
        "pi is 3.14159265358979323846, from 2019-06-30 to 2020-07-31",
        "10.1038/s41586-021-03819-2, ISBN 978-3-16-148410-0",
        "Provide a calculation for 355909190063-746.",
    ],
)
def test_what_is_made_up_public_or_a_sum_is_let_pass(text: str) -> None:
    assert kinds(text) == []


def test_check_digits_decide() -> None:
    assert is_card("4539148803436467")
    assert not any(is_card(f"453914880343646{digit}") for digit in "012345689")
    assert is_iban("DE44500105175407324931")
    assert not is_iban("DE45500105175407324931")
    assert not is_iban("DE4450010517540732493")


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ("anna.lind@posteo.se", "a***@p***.se"),
        ("650-636-4884", "65********84"),
        (KEY, "sk************U6"),
        ("abc", "***"),
    ],
)
def test_an_example_shows_the_ends_alone(part: str, shown: str) -> None:
    assert masked(part) == shown


def test_prompts_and_every_response_are_looked_through() -> None:
    mail = "anna.lind@posteo.se"
    asked = Preference(
        (user(f"Mail {mail}"), assistant("No"), user("Do")), (assistant("a b"),), (assistant("c"),)
    )
    answered = Preference((user("Mail?"),), (assistant("No"),), (Message("tool", "x"), assistant(mail)))
    finding = only(outcome(PrivateText(), [*CLEAN, asked, answered]))

    assert (finding.code, finding.severity, finding.count, finding.of) == ("private_email", "warning", 2, 202)
    assert {example.text for example in finding.examples} == {"a***@p***.se"}
    assert finding.removes is None


def test_a_key_is_an_error_and_taken_out() -> None:
    finding = only(outcome(PrivateText(), [*CLEAN, reply(f"Use {KEY} twice: {KEY}")]))

    assert (finding.code, finding.severity, finding.count, finding.removes) == (
        "private_key",
        "error",
        1,
        {200},
    )
    assert KEY not in finding.examples[0].text


def test_clean_text_has_no_finding() -> None:
    assert outcome(PrivateText(), CLEAN).findings == []


def test_published_text_has_what_a_reader_finds_in_it(shared_data) -> None:
    assert outcome(PrivateText(), published(shared_data, HH)).figures == {
        "key": 0, "card": 0, "iban": 0, "email": 2, "phone": 0, "of": 598
    }  # fmt: skip
    sums = outcome(PrivateText(), published(shared_data, "sharegpt-ranking-en-300.json.gz"))
    assert sums.findings == []
