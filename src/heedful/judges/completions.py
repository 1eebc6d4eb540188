"""An OpenAI-compatible chat endpoint: one conversation in, one reply out, and what it took.

Endpoints differ in what they take beside the messages. Each such parameter has forms, the first of which is
tried first; where an answer of 400 complains of one, the next form is, and what helped is remembered.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import httpx2

from heedful.errors import JudgeError
from heedful.judges.account import Tokens
from heedful.judges.rubric import Request
from heedful.models.endpoint import Answer, EndpointError, Post, client, expanded, public, secret_of
from heedful.recipe.judges import EndpointSettings

PATH = "/chat/completions"
# An answer that is about this one request: malformed for this endpoint, too large, or not to be processed.
ABOUT_THE_REQUEST = (400, 413, 422)
ABOUT_A_PARAMETER = (400, 422)
# Characters of a complaint in which a parameter's name is looked for: further on it may quote the texts.
COMPLAINT = 300

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "verdict": {"type": "string"}},
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
# What a complaint about a parameter calls it.
_CALLED = {
    "response_format": ("response_format", "json_schema", "json_object"),
    "seed": ("seed",),
    "temperature": ("temperature",),
    "max_tokens": ("max_tokens", "max_completion_tokens"),
    "system": ("system role", "system message", "role 'system'", 'role "system"', "roles must alternate"),
}


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply.

    Attributes:
        text: what the model says; "" of a refusal.
        refused: the endpoint or the model declined, by a sign beside the text.
        cut: it ran into the limit of its tokens.
    """

    text: str
    refused: bool
    cut: bool
    tokens: Tokens


class NoCompletion(EndpointError):
    """An answer that is no chat completion, such as a proxy's page."""


class ChatEndpoint:
    """Sends requests to one model behind one URL.

    Args:
        backoff: seconds before the first retry.

    Raises:
        JudgeError: the URL is none, or an environment variable is not set.
    """

    def __init__(self, settings: EndpointSettings, *, backoff: float) -> None:
        base = settings.url.rstrip("/")
        url = base if base.endswith(PATH) else base + PATH
        try:
            self.url = public(url)
        except ValueError as error:
            raise JudgeError(str(error), where=f"judge {settings.url}") from None
        self.model = settings.model
        self.where = f"judge {self.model} at {self.url}"
        self._headers, secrets = self._authorised(settings)
        self._post = Post(url, settings.timeout, settings.retries, backoff, secrets)
        self._forms = _forms(settings)
        self._at = dict.fromkeys(self._forms, 0)
        self._lock = threading.Lock()

    def connect(self, at_once: int) -> httpx2.Client:
        """Connections for so many requests at a time."""
        return client(self._headers, at_once)

    def __call__(
        self,
        connections: httpx2.Client,
        request: Request,
        *,
        before: Callable[[], object],
        wait: Callable[[float], object],
    ) -> Completion:
        """The reply to a request.

        Args:
            before: called before every attempt; what it raises ends them.
            wait: spends the seconds between two attempts.

        Raises:
            NoCompletion: what came is none; the same request may well be answered another time.
            EndpointError: there is none to this request, and may be to another.
            JudgeError: the endpoint answers no request at all.
        """
        post = dataclasses.replace(self._post, before=before, wait=wait)
        with self._lock:
            at = dict(self._at)
        tried = dict(at)
        while True:
            try:
                answer = post(connections, self._body(request, tried))
            except EndpointError as error:
                name = self._complained_of(error, tried)
                if name is not None:
                    tried[name] += 1
                    continue
                if error.status is not None and error.status not in ABOUT_THE_REQUEST:
                    raise self._hopeless(error) from None
                raise
            break
        if tried != at:
            with self._lock:
                self._at = {name: max(form, self._at[name]) for name, form in tried.items()}
        return self._completion(answer, request)

    def _body(self, request: Request, at: Mapping[str, int]) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model}
        for name, form in at.items():
            if name == "system":
                body["messages"] = _messages(request, apart=form == 0)
            else:
                body |= self._forms[name][form]
        return body

    def _complained_of(self, error: EndpointError, at: Mapping[str, int]) -> str | None:
        """The parameter that an answer of 400 is about, where there is another form of it."""
        if error.status not in ABOUT_A_PARAMETER:
            return None
        said = _complaint(error.said)
        for name, words in _CALLED.items():
            if at[name] + 1 < len(self._forms[name]) and any(word in said for word in words):
                return name
        return None

    def _hopeless(self, error: EndpointError) -> JudgeError:
        mend = {
            401: "Name the environment variable that holds its key in endpoint.key_env.",
            403: "See whether the key in endpoint.key_env may use this model.",
            404: "See whether the URL ends where /chat/completions is added, and how the model is called.",
        }.get(error.status or 0, "See whether this is the base of an OpenAI-compatible chat endpoint.")
        return JudgeError(f"{error}.", where=self.where, mend=mend)

    def _completion(self, answer: Answer, request: Request) -> Completion:
        try:
            told = answer.json()
            choice = told["choices"][0]
            message = choice["message"]
            text, refusal, end = _text(message), message.get("refusal"), choice.get("finish_reason")
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise NoCompletion(f"its answer is no chat completion: {self._post.excerpt(answer)}") from None
        refused = bool(refusal) or end == "content_filter"
        sent = request.system + request.user
        tokens = _tokens(told.get("usage")) or Tokens.guess(sent, text)
        return Completion(text, refused, end == "length", tokens)

    def _authorised(self, settings: EndpointSettings) -> tuple[dict[str, str], tuple[str, ...]]:
        try:
            headers, secrets = expanded(settings.headers)
            if settings.key_env is not None:
                key = secret_of(settings.key_env)
                headers["Authorization"], secrets = f"Bearer {key}", (*secrets, key)
        except ValueError as error:
            what = str(error) if settings.key_env is None else f"its key is to be in {error}"
            raise JudgeError(what, where=self.where, mend="Set it, and run this again.") from None
        return headers, secrets


def _forms(settings: EndpointSettings) -> dict[str, tuple[dict[str, Any], ...]]:
    """What is sent beside the messages, by parameter, and what instead where that is not taken."""
    schema = {"name": "verdict", "strict": True, "schema": SCHEMA}
    return {
        "response_format": (
            {"response_format": {"type": "json_schema", "json_schema": schema}},
            {"response_format": {"type": "json_object"}},
            {},
        ),
        "seed": ({"seed": settings.seed}, {}),
        "temperature": ({"temperature": 0}, {}),
        "max_tokens": (
            {"max_tokens": settings.max_tokens},
            {"max_completion_tokens": settings.max_tokens},
            {},
        ),
        "system": ({}, {}),
    }


def _messages(request: Request, *, apart: bool) -> list[dict[str, str]]:
    if apart:
        return [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}]
    return [{"role": "user", "content": f"{request.system}\n\n{request.user}"}]


def _complaint(said: str) -> str:
    return said[:COMPLAINT].lower()


def _text(message: Mapping[str, Any]) -> str:
    """What a message says: a text, or parts of which some are."""
    content = message.get("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def _tokens(usage: Any) -> Tokens | None:
    """What an endpoint counted, if it did."""
    if not isinstance(usage, dict):
        return None
    sent, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return Tokens(sent, written) if _is_count(sent) and _is_count(written) else None


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
