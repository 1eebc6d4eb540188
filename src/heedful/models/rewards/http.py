"""A reward behind an HTTP endpoint, in any language on any machine.

Asked by POST with JSON `{"prompts": [text], "messages": [[{"role", "content"}]], "responses": [text]}`, it
answers `{"scores": [number]}`; `{"rewards": [number]}` and a bare list do as well. Trouble that may pass is
waited out (`heedful.models.endpoint`); what stays ends in a `RewardError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

from heedful.errors import RewardError
from heedful.models.endpoint import Answer, EndpointError, Post, client, expanded, public
from heedful.models.rewards.reward import complaint, prompt_text
from heedful.records import Messages


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
        try:
            self.name = public(url)
        except ValueError as error:
            raise RewardError(str(error), where=f"reward {url}") from None
        try:
            self.headers, secrets = expanded(headers or {})
        except ValueError as error:
            raise RewardError(str(error), where=f"reward {self.name}") from None
        self.batch_size = batch_size
        self._post = Post(url, timeout, retries, backoff, secrets)

    def __call__(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[float]:
        scores: list[float] = []
        with client(self.headers) as connections:
            for start in range(0, len(responses), self.batch_size):
                part = slice(start, start + self.batch_size)
                scores += self._batch(connections, prompts[part], responses[part])
        return scores

    def _batch(
        self, connections: httpx2.Client, prompts: Sequence[Messages], responses: Sequence[str]
    ) -> list[float]:
        body: dict[str, Any] = {
            "prompts": [prompt_text(prompt) for prompt in prompts],
            "messages": [[{"role": turn.role, "content": turn.content} for turn in one] for one in prompts],
            "responses": list(responses),
        }
        try:
            scores = self._scores(self._post(connections, body))
            if len(scores) != len(responses):
                raise EndpointError(f"it gave {len(scores)} scores for {len(responses)} responses")
        except EndpointError as error:
            what = f"{error}. The first of the request's {len(responses)} responses:"
            raise complaint(self.name, what, prompts[0], responses[0]) from error
        return scores

    def _scores(self, answer: Answer) -> list[float]:
        try:
            found = answer.json()
        except ValueError as error:
            raise EndpointError(f"its answer is not JSON: {self._post.excerpt(answer)}") from error
        if isinstance(found, dict):
            found = found.get("scores", found.get("rewards"))
        if not isinstance(found, list):
            what = f'its answer holds no list of "scores": {self._post.excerpt(answer)}'
            raise EndpointError(what)
        return found
