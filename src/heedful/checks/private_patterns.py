"""What private text looks like: addresses, numbers with check digits, keys. Meant to be right rather than
complete: documentation's examples, numbers made up for films and public hotlines are let pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

EMAIL = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._%+-]*@((?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24})\b"
)
PLACEHOLDER_DOMAIN = re.compile(
    r"(?:.*\.)?(?:example\.\w+(?:\.\w+)?"
    r"|(?:your|my|some|any|the)?-?_?(?:domain|company|e?mail|website|site|business|organi[sz]ation|school"
    r"|university|host|server|org|provider|test|sample|abc|xyz|acme)(?:name)?\.\w+|test|localhost|invalid)$",
    re.IGNORECASE,
)
PLACEHOLDER_USER = re.compile(
    r"(?:your|my|user|users?name|name|email|firstname|first|john\.?_?(?:doe|smith)?|jane\.?_?(?:doe|smith)?"
    r"|someone|somebody|no-?reply|example|test|foo|abc|xyz|info|support|contact|help|sales|admin|hello)\b",
    re.IGNORECASE,
)

PHONE = re.compile(
    r"(?<![\w.+/=-])(?:\+?1[ .-])?(?:\((\d{3})\) ?|(\d{3})[ .-])(\d{3})[ .-](\d{4})(?![\w-])"  # North America
    r"|(?<![\w.+/=-])(\+(?!1[ .-])[1-9]\d{0,2}(?:[ .-]?\(?\d{1,4}\)?){2,5}\d)(?!\w)"
)
PUBLIC_AREAS = frozenset({"800", "822", "833", "844", "855", "866", "877", "888", "900"})
FICTION = "555"  # the exchange of made-up numbers
DIGITS_OF_A_PHONE = range(9, 14)

KEY = re.compile(
    r"\b(?:(?:AKIA|ASIA)[0-9A-Z]{16}|sk-(?:proj-|ant-[a-z0-9]+-)?[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{36,}"
    r"|github_pat_\w{40,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{20,}|AIza[\w-]{35}|hf_[A-Za-z0-9]{30,}"
    r"|SG\.[\w-]{22}\.[\w-]{43})\b"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}"
)
KEY_HINTS = (
    "AKIA", "ASIA", "sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "_pat_", "glpat-", "xox", "AIza", "hf_",
    "SG.", "eyJ",
)  # fmt: skip
KEY_BLOCK = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s]{64,}")
DIFFERENT = 10  # letters that differ in a real key; "sk-xxxxxxxx" has few

CARD = re.compile(
    r"(?<![\w.+/=-])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{5}|\d{15,16})(?![\w-])"
)
CARD_PREFIX = re.compile(
    r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|3[47]|6(?:011|5|4[4-9])|35(?:2[89]|[3-8])"
)
CARD_LENGTHS = {"4": (16,), "3": (15, 16), "5": (16,), "2": (16,), "6": (16,)}
# Fifteen digits in a row may be a sum: they are a card's where the text speaks of cards.
CARD_WORDS = re.compile(r"\bcards?\b|\bvisa\b|mastercard|amex|american express|\bcvv\b", re.IGNORECASE)
DIFFERENT_DIGITS = 5  # in a real card's number; 4242 4242 4242 4242 is a test's

IBAN = re.compile(r"[A-Z]{2}(?<=\b[A-Z]{2})\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18,
    "EE": 20, "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23,
    "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15,
    "PL": 28, "PT": 25, "QA": 29, "RO": 24, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "TR": 26, "UA": 29,
}  # fmt: skip
# Printed in documentation everywhere.
EXAMPLES = frozenset(
    {
        "GB82WEST12345698765432", "GB29NWBK60161331926819", "GB33BUKB20201555555555",
        "DE89370400440532013000", "FR1420041010050500013M02606", "NL91ABNA0417164300",
        "CH9300762011623852957", "BE68539007547034", "ES9121000418450200051332",
        "IT60X0542811101000000123456", "AT611904300234573201", "378282246310005",
        "371449635398431", "378734493671000", "5555555555554444",
        "5105105105105100", "4012888888881881", "6011000990139424",
        "6011111111111117", "3530111333300000", "2223003122003222",
        "4111111111111111", "4242424242424242",
    }
)  # fmt: skip

NUMBER = re.compile(
    r"\d(?:[ ().-]{0,2}\d){8,}"
)  # where a telephone's, a card's or an account's number may be
BEFORE = 3  # characters that may stand before its first digit: "+1 ("
DIGITS = "0123456789"


def private_parts(text: str) -> Iterator[tuple[str, str]]:
    """The private parts of a text: `email`, `phone`, `key`, `card` or `iban`, with the part itself."""
    if "@" in text:
        for match in EMAIL.finditer(text):
            if not (PLACEHOLDER_DOMAIN.match(match[1]) or PLACEHOLDER_USER.match(match[0])):
                yield "email", match[0]
    if "-----BEGIN " in text and (block := KEY_BLOCK.search(text)):
        yield "key", block[0]
    # All the rest has digits in it, and most texts have none.
    if any(digit in text for digit in DIGITS):
        yield from _numbers(text)
        if any(hint in text for hint in KEY_HINTS):
            for match in KEY.finditer(text):
                if len(set(match[0])) >= DIFFERENT and "EXAMPLE" not in match[0].upper():
                    yield "key", match[0]


def _numbers(text: str) -> Iterator[tuple[str, str]]:
    number = None
    for number in NUMBER.finditer(text):
        start, end = max(0, number.start() - BEFORE), number.end()
        for match in CARD.finditer(text, start, end):
            digits = re.sub(r"\D", "", match[0])
            if is_card(digits) and (len(digits) < len(match[0]) or CARD_WORDS.search(text)):
                yield "card", match[0]
        for match in PHONE.finditer(text, start, end):
            if _is_phone(match):
                yield "phone", match[0]
    if number is None:
        return
    for match in IBAN.finditer(text):
        if is_iban(match[0].replace(" ", "")):
            yield "iban", match[0]


def is_card(digits: str) -> bool:
    """Whether digits are a payment card's number: issuer, length and check digit (Luhn) fit."""
    if len(digits) not in CARD_LENGTHS.get(digits[:1], ()) or not CARD_PREFIX.match(digits):
        return False
    if digits in EXAMPLES or len(set(digits)) < DIFFERENT_DIGITS:
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_iban(number: str) -> bool:
    """Whether letters and digits are a bank account's: length of the country, 1 modulo 97 (ISO 7064)."""
    if len(number) != IBAN_LENGTHS.get(number[:2]) or number in EXAMPLES:
        return False
    return int("".join(str(int(letter, 36)) for letter in number[4:] + number[:4])) % 97 == 1


def _is_phone(match: re.Match[str]) -> bool:
    area, exchange, line, abroad = match[1] or match[2], match[3], match[4], match[5]
    digits = re.sub(r"\D", "", match[0])
    if digits in "01234567890123456789" or digits in "98765432109876543210":
        return False
    if abroad is not None:
        return len(digits) in DIGITS_OF_A_PHONE and len(set(digits)) >= DIFFERENT_DIGITS
    if area in PUBLIC_AREAS or FICTION in (area, exchange) or area[0] in "01" or exchange[0] in "01":
        return False
    return (area, exchange) != ("123", "456") and len(set(area + exchange + line)) > 3


SHOWN = 2  # letters at each end


def masked(part: str) -> str:
    """A private part with its middle struck out, for an example."""
    part = " ".join(part.split())
    if len(part) <= 2 * SHOWN:
        return "*" * len(part)
    name, at, domain = part.partition("@")
    if at:
        return f"{name[0]}***@{domain[0]}***{domain[domain.rindex('.') :]}"
    return f"{part[:SHOWN]}{'*' * min(len(part) - 2 * SHOWN, 12)}{part[-SHOWN:]}"
