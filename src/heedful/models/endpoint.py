"""Posting JSON to an HTTP endpoint: trouble that may pass is waited out, what stays is told in words.

Knows nothing of what is asked there: rewards and judges over HTTP share it. Secrets in headers are never
part of a message.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import httpx2

# The server gave up waiting, too many requests, and whatever it says of itself.
MAY_PASS = (408, 429, *range(500, 600))
# Seconds: no single wait is longer, whatever Retry-After asks for.
LONGEST_WAIT = 120.0
# Bytes: an answer that is longer is none.
LARGEST = 32 * 2**20
# An answer that trickles in is waited for so many times the time-out.
TRICKLE = 10
# Characters of an answer that an error shows.
SHOWN = 200

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_PASSING = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)


class EndpointError(Exception):
    """The endpoint gave nothing that can be used; the text says why, for the caller's own error to quote.

    Attributes:
        status: of an answer that says no; None where none came, or none that might not be better next time.
        said: the answer's text, secrets taken out.
    """

    def __init__(self, what: str, *, status: int | None = None, said: str = "") -> None:
        super().__init__(what)
        self.status, self.said = status, said


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint sent back, whole."""

    status: int
    content: bytes
    retry_after: str = ""

    def json(self) -> Any:
        """Raises ValueError where it is no JSON."""
        try:
            return json.loads(self.content)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


@dataclass(frozen=True, slots=True)
class Post:
    """How an endpoint is asked.

    Attributes:
        url: where.
        timeout: seconds to connect, and seconds to wait for the server to go on.
        retries: further attempts after a lost connection, a time-out, a 429 or a 5xx.
        backoff: seconds before the first retry, doubled each time; Retry-After, where sent, wins.
        secrets: what no message may show.
        wait: spends the seconds between two attempts.
        before: called before every attempt; what it raises ends them.
    """

    url: str
    timeout: float = 30.0
    retries: int = 3
    backoff: float = 1.0
    secrets: tuple[str, ...] = ()
    wait: Callable[[float], object] = lambda seconds: time.sleep(seconds)
    before: Callable[[], object] = lambda: None

    def __call__(self, client: httpx2.Client, body: Mapping[str, Any]) -> Answer:
        """The answer to a JSON body, with a status of 2xx.

        Raises:
            EndpointError: there is none.
        """
        attempts = self.retries + 1
        for attempt in range(attempts):
            self.before()
            wait = self.backoff * 2**attempt
            try:
                answer = self._once(client, body)
            except _PASSING as error:
                trouble, said = self._worded(error), ""
            except httpx2.HTTPError as error:
                # Its text may quote a header.
                raise EndpointError(f"it cannot be asked ({type(error).__name__})") from error
            else:
                trouble, said = f"it answered {answer.status} {self.excerpt(answer)}", self._text(answer)
                if 200 <= answer.status < 300:
                    return answer
                if answer.status not in MAY_PASS:
                    raise EndpointError(trouble, status=answer.status, said=said)
                asked = _retry_after(answer.retry_after)
                wait = wait if asked is None else asked
            if attempt + 1 < attempts:
                self.wait(min(wait, LONGEST_WAIT))
        times = f" (attempt {attempts} of {attempts})" if attempts > 1 else ""
        raise EndpointError(f"{trouble}{times}", said=said)

    def excerpt(self, answer: Answer) -> str:
        """The beginning of an answer's text, on one line."""
        text = " ".join(self._text(answer).split())
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"

    def _once(self, client: httpx2.Client, body: Mapping[str, Any]) -> Answer:
        # ASCII: half of a surrogate pair, which has no UTF-8 form, travels as the escape that it is in JSON.
        sent = json.dumps(body).encode("ascii")
        until = time.monotonic() + TRICKLE * self.timeout
        with client.stream(
            "POST", self.url, content=sent, headers={"Content-Type": "application/json"}, timeout=self.timeout
        ) as response:
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > LARGEST:
                    raise EndpointError(f"its answer is longer than {LARGEST // 2**20} MiB")
                if time.monotonic() > until:
                    raise httpx2.ReadTimeout("the answer trickles in")
            return Answer(response.status_code, bytes(content), response.headers.get("retry-after", ""))

    def _text(self, answer: Answer) -> str:
        text = answer.content.decode("utf-8", "replace")
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def _worded(self, error: httpx2.HTTPError) -> str:
        if isinstance(error, httpx2.ConnectTimeout):
            return f"no connection within {self.timeout:g} seconds"
        if isinstance(error, httpx2.TimeoutException):
            return f"no answer within {self.timeout:g} seconds"
        return f"the connection failed: {error or type(error).__name__}"


def client(headers: Mapping[str, str], at_once: int = 1) -> httpx2.Client:
    """Connections for so many requests at a time."""
    limits = httpx2.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    return httpx2.Client(headers=headers, limits=limits, verify=_certificates())


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Whom to trust; reading that takes longer than many a request."""
    return httpx2.create_ssl_context()


def public(url: str) -> str:
    """A URL without what may be secret in it, its query and a user's part.

    Raises:
        ValueError: it is no http or https URL; the text says so.
    """
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ValueError(f"this is no URL: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError("this is no http or https URL.")
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}{parsed.path}"


def expanded(headers: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Headers with environment variables in the place of `${NAME}`, and what these hold: secrets.

    Raises:
        ValueError: one is not set, or holds what no header can; the text says which.
    """
    secrets: list[str] = []

    def read(match: re.Match[str]) -> str:
        secrets.append(secret_of(match[1]))
        return secrets[-1]

    made: dict[str, str] = {}
    for key, value in headers.items():
        try:
            made[key] = _VARIABLE.sub(read, value)
        except ValueError as error:
            raise ValueError(f"the header {key} needs {error}") from None
    return made, tuple(secrets)


def secret_of(variable: str) -> str:
    """What an environment variable holds that is sent in a header.

    Raises:
        ValueError: it is not set, or holds what no header can.
    """
    found = os.environ.get(variable, "").strip()
    if not found:
        raise ValueError(f"the environment variable {variable}, which is not set.")
    if not (found.isascii() and found.isprintable()):
        raise ValueError(f"the environment variable {variable}, which holds more than plain characters.")
    return found


def _retry_after(asked: str) -> float | None:
    """Seconds that the server asks to be left alone, given as a number or as a date."""
    asked = asked.strip()
    if asked.isdecimal():
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
