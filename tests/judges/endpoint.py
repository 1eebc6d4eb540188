"""A chat endpoint on a real socket, for judges to be asked at: it answers as a test tells it to.

A `Reply` gets a request as a model would see it and says what goes back. The honest one reads the JSON with
the answers, decides by a hidden rule and answers in the form that was asked for.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Rule = Callable[[str, str], float]
"""How much better the first of two texts is; 0 is a tie."""


@dataclass(frozen=True)
class Asked:
    """A request, taken apart."""

    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def told(self) -> dict[str, Any]:
        """The JSON object that the last message is, wherever the instructions stand."""
        content = self.body["messages"][-1]["content"]
        found: dict[str, Any] = json.loads(content[content.index('{\n "conversation"') :])
        return found

    @property
    def texts(self) -> tuple[str, str]:
        first, second = (answer["text"] for answer in self.told["answers"])
        return first, second

    @property
    def labels(self) -> tuple[str, str, str]:
        """Of the first answer, of the second, and of a tie."""
        first, second, tie = self.told["verdicts"]
        return first, second, tie


@dataclass(frozen=True)
class Sent:
    """An answer: its status, headers and body. `half` breaks off in the middle; `closed` says nothing."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    half: bool = False
    closed: bool = False


Reply = Callable[[Asked], Sent]


def completion(text: str | None, usage: dict[str, Any] | None = None, **message: Any) -> Sent:
    """A chat completion that says `text`."""
    end = message.pop("finish_reason", "stop")
    told: dict[str, Any] = {
        "choices": [{"message": {"role": "assistant", "content": text, **message}, "finish_reason": end}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10} if usage is None else usage,
    }
    return Sent(200, json.dumps(told))


def verdict(label: str, reason: str = "because") -> str:
    return json.dumps({"reason": reason, "verdict": label})


def by_length(first: str, second: str) -> float:
    return len(first) - len(second)


def by_word(word: str) -> Rule:
    """More of a word is better."""
    return lambda first, second: len(re.findall(word, first)) - len(re.findall(word, second))


def honest(rule: Rule = by_length) -> Reply:
    def reply(asked: Asked) -> Sent:
        return completion(verdict(chosen(asked, rule)))

    return reply


def chosen(asked: Asked, rule: Rule) -> str:
    """The label that a rule picks."""
    first, second, tie = asked.labels
    better = rule(*asked.texts)
    return first if better > 0 else second if better < 0 else tie


class Endpoint:
    """Goes through `replies` and stays with the last one.

    Attributes:
        asked: every request so far.
    """

    def __init__(self, *replies: Reply) -> None:
        self.replies: list[Reply] = list(replies) or [honest()]
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        ours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                ours._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def named(self) -> str:
        return f"{self.url}#tiny"

    def answers_by(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        headers = {key.lower(): value for key, value in handler.headers.items()}
        asked = Asked(json.loads(body), {**headers, ":path": handler.path})
        with self._lock:
            self.asked.append(asked)
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        sent = reply(asked)
        handler.close_connection = sent.half or sent.closed
        if sent.closed:
            return
        content = sent.body.encode("utf-8", "surrogatepass")
        try:
            handler.send_response(sent.status)
            for key, value in sent.headers.items():
                handler.send_header(key, value)
            handler.send_header("content-length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content[: len(content) // 2] if sent.half else content)
        except OSError:
            pass  # whoever asked did not wait


def says(status: int, body: str = "", **headers: str) -> Reply:
    """An answer of this status, whatever is asked; `retry_after="7"` is a header."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda asked: Sent(status, body, given)


def breaks_off(asked: Asked) -> Sent:
    return Sent(200, completion("x" * 500).body, half=True)


def hangs_up(asked: Asked) -> Sent:
    return Sent(closed=True)
