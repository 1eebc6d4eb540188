"""A reward behind an HTTP endpoint, in any language on any machine.

Asked by POST with JSON `{"prompts": [text], "messages": [[{"role", "content"}]], "responses": [text]}`, it
answers `{"scores": [number]}`; `{"rewards": [number]}` and a bare list do as well. Trouble that may pass is
waited out; what stays ends in a `RewardError`.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from heedful.errors import RewardError
from heedful.models.rewards.reward import complaint, prompt_text
from heedful.records import Messages

# Too many requests, and whatever a server says of itself.
TOO_MANY = 429
SERVER_ERRORS = range(500, 600)
# Seconds: no single wait is longer, whatever Retry-After asks for.
LONGEST_WAIT = 120.0
# Characters of an answer that an error shows.
SHOWN = 200

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_MAY_PASS = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)


class HttpReward:
    """Posts prompts and responses to a URL and reads scores from the answer.

    Args:
        url: http or https.
        headers: `${NAME}` in a value stands for the environment variable NAME, so that secrets stay out of
            recipes.
        batch_size: responses in one request.
        timeout: seconds to connect, and seconds to wait for the server to go on.
        retries: further attempts after a lost connection, a time-out, a 429 or a 5xx.
        backoff: seconds before the first retry, doubled each time; Retry-After, where sent, wins.

    Raises:
        RewardError: the URL is none, or an environment variable is not set.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        batch_size: int = 16,
        timeout: float = 30.0,
        retries: int = 3,
        backoff: float = 1.0,
    ) -> None:
        # The query and a user's part may hold secrets, and a name is shown.
        self.url, self.name = url, _public(url)
        self.headers = {key: _expand(value, key, self.name) for key, value in (headers or {}).items()}
        self.batch_size, self.timeout = batch_size, timeout
        self.retries, self.backoff = retries, backoff

    def __call__(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[float]:
        scores: list[float] = []
        with httpx2.Client(headers=self.headers, timeout=self.timeout) as client:
            for start in range(0, len(responses), self.batch_size):
                part = slice(start, start + self.batch_size)
                scores += self._batch(client, prompts[part], responses[part])
        return scores

    def _batch(
        self, client: httpx2.Client, prompts: Sequence[Messages], responses: Sequence[str]
    ) -> list[float]:
        body = {
            "prompts": [prompt_text(prompt) for prompt in prompts],
            "messages": [[{"role": turn.role, "content": turn.content} for turn in one] for one in prompts],
            "responses": list(responses),
        }
        try:
            scores = _scores(self._post(client, body))
            if len(scores) != len(responses):
                raise _Unusable(f"it gave {len(scores)} scores for {len(responses)} responses")
        except _Unusable as error:
            what = f"{error}. The first of the request's {len(responses)} responses:"
            raise complaint(self.name, what, prompts[0], responses[0]) from error
        return scores

    def _post(self, client: httpx2.Client, body: dict[str, Any]) -> httpx2.Response:
        """The answer; attempts that may go better next time are made again."""
        attempts = self.retries + 1
        for attempt in range(attempts):
            wait = self.backoff * 2**attempt
            try:
                answer = client.post(self.url, json=body)
            except _MAY_PASS as error:
                trouble = self._worded(error)
            except httpx2.HTTPError as error:
                # Its text may quote a header.
                raise _Unusable(f"it cannot be asked ({type(error).__name__})") from error
            else:
                trouble = f"it answered {answer.status_code} {_excerpt(answer)}"
                if answer.status_code != TOO_MANY and answer.status_code not in SERVER_ERRORS:
                    if answer.is_success:
                        return answer
                    raise _Unusable(trouble)
                asked = _retry_after(answer)
                wait = wait if asked is None else asked
            if attempt + 1 < attempts:
                time.sleep(min(wait, LONGEST_WAIT))
        times = f" (attempt {attempts} of {attempts})" if attempts > 1 else ""
        raise _Unusable(f"{trouble}{times}")

    def _worded(self, error: httpx2.HTTPError) -> str:
        if isinstance(error, httpx2.ConnectTimeout):
            return f"no connection within {self.timeout:g} seconds"
        if isinstance(error, httpx2.TimeoutException):
            return f"no answer within {self.timeout:g} seconds"
        return f"the connection failed: {error or type(error).__name__}"


class _Unusable(Exception):
    """The endpoint gave no scores for a batch; the batch's texts are added where they are known."""


def _scores(answer: httpx2.Response) -> list[float]:
    try:
        found = answer.json()
    except ValueError as error:
        raise _Unusable(f"its answer is not JSON: {_excerpt(answer)}") from error
    if isinstance(found, dict):
        found = found.get("scores", found.get("rewards"))
    if not isinstance(found, list):
        raise _Unusable(f'its answer holds no list of "scores": {_excerpt(answer)}')
    return found


def _excerpt(answer: httpx2.Response) -> str:
    text = " ".join(answer.text.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _retry_after(answer: httpx2.Response) -> float | None:
    """Seconds that the server asks to be left alone, given as a number or as a date."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isdecimal():
        return float(asked)
    try:
        until = parsedate_to_datetime(asked)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())


def _public(url: str) -> str:
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise RewardError(f"this is no URL: {error}", where="url") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise RewardError("this is no http or https URL.", where=f"url {url}")
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}{parsed.path}"


def _expand(value: str, header: str, name: str) -> str:
    """A header's value with environment variables in it."""

    def read(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            what = f"the header {header} needs the environment variable {match[1]}, which is not set."
            raise RewardError(what, where=f"reward {name}")
        return found.strip()

    return _VARIABLE.sub(read, value)
