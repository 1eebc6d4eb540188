"""Asking an endpoint: what its rewards' and judges' own tests do not see of it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from heedful.models import endpoint
from heedful.models.endpoint import SHOWN, Answer, EndpointError, Post, client, expanded, public


@contextmanager
def server(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    """Answers one request with the parts, whatever it asks and with a pause after each, and hangs up."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            try:
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause)
            except OSError:
                pass  # whoever asked did not wait

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    listening.close()


def trouble(url: str, **told: object) -> str:
    post = Post(url, retries=0, **told)  # type: ignore[arg-type]
    with client({}) as connections, pytest.raises(EndpointError) as caught:
        post(connections, {"x": 1})
    return str(caught.value)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_half_an_answer_is_a_connection_that_failed() -> None:
    with server(HEAD, b"x" * 500) as url:
        assert trouble(url).startswith("the connection failed: ")


def test_an_answer_that_trickles_in_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "TRICKLE", 1)
    with server(HEAD, *[b"x"] * 100, pause=0.02) as url:
        assert trouble(url, timeout=0.1) == "no answer within 0.1 seconds"


def test_an_answer_that_is_too_long_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "LARGEST", 100)
    with server(HEAD, b"x" * 1000) as url:
        assert trouble(url).startswith("its answer is longer than ")


def test_what_is_no_http_is_a_connection_that_failed() -> None:
    with server(b"SSH-2.0-OpenSSH_9.9\r\n") as url:
        assert "the connection failed" in trouble(url)


def test_a_secret_is_taken_out_before_an_answer_is_cut_to_what_is_shown() -> None:
    """Or a part of one that lies across the cut would be seen."""
    body = b"x" * (SHOWN - 4) + b"a-long-secret"
    head = f"HTTP/1.1 400 No\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with server(head, body) as url:
        assert "a-lo" not in trouble(url, secrets=("a-long-secret",))


def test_what_is_sent_may_hold_half_a_surrogate_pair() -> None:
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as url, client({}) as connections:
        post = Post(url, retries=0)
        assert post(connections, {"text": "\ud83d"}).json() == {}


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff", b"", b"{"])
def test_what_is_no_json_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever its text
        Answer(200, content).json()


def test_what_comes_before_every_attempt_may_end_them() -> None:
    class Spent(Exception):
        pass

    def refuse() -> None:
        raise Spent

    with client({}) as connections, pytest.raises(Spent):
        Post("http://127.0.0.1:9/", before=refuse)(connections, {})


def test_secrets_are_those_of_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", " first ")
    monkeypatch.setenv("TWO", "second")
    made, secrets = expanded({"A": "Bearer ${ONE}", "B": "${ONE}:${TWO}", "C": "$5"})
    assert made == {"A": "Bearer first", "B": "first:second", "C": "$5"}
    assert set(secrets) == {"first", "second"}


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    assert public("https://me:hush@host:8000/v1?key=hush#x") == "https://host:8000/v1"
