"""A reward over HTTP, against a server that behaves and one that does not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from heedful.errors import RewardError
from heedful.models import endpoint
from heedful.models.rewards import HttpReward, checked
from heedful.records import Message, Messages, user

PROMPTS: list[Messages] = [(user("one"),), (Message("system", "be short"), user("two")), (user("three"),)]
RESPONSES = ["a", "bb", "ccc"]

# What a server does with the body of a request: the status, headers and body of its answer.
Answer = tuple[int, dict[str, str], str]


def lengths(body: dict[str, Any]) -> Answer:
    return 200, {}, json.dumps({"scores": [len(response) for response in body["responses"]]})


class Server:
    """A server in a thread that goes through `answers` and stays with the last one."""

    def __init__(self) -> None:
        self.answers: list[Callable[[dict[str, Any]], Answer]] = [lengths]
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        ours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                ours.bodies.append(body)
                ours.headers.append({key.lower(): value for key, value in self.headers.items()})
                answer = ours.answers.pop(0) if len(ours.answers) > 1 else ours.answers[0]
                status, headers, text = answer(body)
                if not status:
                    self.close_connection = True
                    return
                try:
                    self.send_response(status)
                    for key, value in headers.items():
                        self.send_header(key, value)
                    self.send_header("content-length", str(len(text.encode())))
                    self.end_headers()
                    self.wfile.write(text.encode())
                except OSError:
                    pass  # the client did not wait

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/score"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Server()
    yield running
    running.close()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited between attempts, without the waiting."""
    found: list[float] = []
    monkeypatch.setattr(endpoint.time, "sleep", found.append)
    return found


def says(status: int, text: str = "", **headers: str) -> Callable[[dict[str, Any]], Answer]:
    return lambda body: (status, headers, text)


def hangs_up(body: dict[str, Any]) -> Answer:
    return 0, {}, ""


def trouble(reward: HttpReward) -> str:
    with pytest.raises(RewardError) as caught:
        checked(reward, PROMPTS, RESPONSES)
    return str(caught.value)


def test_text_messages_and_responses_go_out_and_scores_come_back(server: Server) -> None:
    reward = HttpReward(server.url)
    assert reward.name == server.url
    assert checked(reward, PROMPTS, RESPONSES).tolist() == [1, 2, 3]
    assert server.bodies == [
        {
            "prompts": ["one", "system: be short\nuser: two", "three"],
            "messages": [
                [{"role": "user", "content": "one"}],
                [{"role": "system", "content": "be short"}, {"role": "user", "content": "two"}],
                [{"role": "user", "content": "three"}],
            ],
            "responses": ["a", "bb", "ccc"],
        }
    ]
    assert server.headers[0]["content-type"] == "application/json"


@pytest.mark.parametrize("text", ['{"rewards": [1, 2, 3]}', "[1, 2, 3]"])
def test_two_other_forms_of_answer_do_as_well(server: Server, text: str) -> None:
    server.answers = [says(200, text)]
    assert checked(HttpReward(server.url), PROMPTS, RESPONSES).tolist() == [1, 2, 3]


def test_responses_go_out_in_batches_and_in_order(server: Server) -> None:
    assert checked(HttpReward(server.url, batch_size=2), PROMPTS, RESPONSES).tolist() == [1, 2, 3]
    assert [body["responses"] for body in server.bodies] == [["a", "bb"], ["ccc"]]


def test_secrets_come_from_the_environment_and_are_not_shown(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_TOKEN", "hush\n")
    headers = {"Authorization": "Bearer ${REWARD_TOKEN}", "X-Plain": "$5"}
    reward = HttpReward(f"{server.url}?key=hush", headers=headers)
    server.answers = [lengths, says(403, "no")]
    checked(reward, PROMPTS, RESPONSES)
    assert server.headers[0]["authorization"] == "Bearer hush"
    assert server.headers[0]["x-plain"] == "$5"
    assert "hush" not in trouble(reward)
    assert "hush" not in HttpReward(server.url.replace("//", "//me:hush@")).name


def test_an_environment_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REWARD_TOKEN", raising=False)
    with pytest.raises(RewardError, match="header Authorization needs the environment variable REWARD_TOKEN"):
        HttpReward("http://localhost/score", headers={"Authorization": "Bearer ${REWARD_TOKEN}"})


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://here/score", "http://", "/score", "http://[::1/"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(RewardError, match="this is no"):
        HttpReward(url)


@pytest.mark.parametrize("passing", [says(503, "warming up"), says(429, "slowly"), says(500), hangs_up])
def test_trouble_that_passes_is_waited_out(
    server: Server, waits: list[float], passing: Callable[[dict[str, Any]], Answer]
) -> None:
    server.answers = [passing, passing, lengths]
    assert checked(HttpReward(server.url, backoff=0.5), PROMPTS, RESPONSES).tolist() == [1, 2, 3]
    assert waits == [0.5, 1.0]


def test_trouble_that_stays_is_told_with_its_words(server: Server, waits: list[float]) -> None:
    server.answers = [says(503, "the model\nis loading")]
    message = trouble(HttpReward(server.url, retries=2))
    assert message == (
        f"reward {server.url}: it answered 503 the model is loading (attempt 3 of 3). "
        "The first of the request's 3 responses:\n"
        '  prompt: "one"\n  response: "a"'
    )
    assert (len(server.bodies), waits) == (3, [1.0, 2.0])


def test_a_refusal_is_not_asked_again(server: Server, waits: list[float]) -> None:
    server.answers = [says(401, "who are you? " * 40)]
    message = trouble(HttpReward(server.url))
    assert "it answered 401 who are you?" in message
    assert len(message) < 500
    assert (len(server.bodies), waits) == (1, [])


def test_a_redirect_is_no_answer(server: Server) -> None:
    server.answers = [says(307, "elsewhere", location="http://127.0.0.1:1/")]
    assert "it answered 307 elsewhere" in trouble(HttpReward(server.url))


def test_retry_after_is_honoured_within_reason(server: Server, waits: list[float]) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    asked = ("7", "0", soon, "3600", "whenever")
    server.answers = [*(says(429, **{"retry-after": value}) for value in asked), lengths]
    checked(HttpReward(server.url, retries=5), PROMPTS, RESPONSES)
    assert waits[:2] == [7.0, 0.0]
    assert 20 < waits[2] <= 30
    assert waits[3:] == [endpoint.LONGEST_WAIT, 16.0]


def test_a_slow_answer_is_a_time_out_and_is_asked_again(server: Server, waits: list[float]) -> None:
    over = threading.Event()

    def slow(body: dict[str, Any]) -> Answer:
        over.wait(10)
        return lengths(body)

    server.answers = [slow]
    started = time.monotonic()
    message = trouble(HttpReward(server.url, timeout=0.1, retries=1))
    over.set()
    assert "no answer within 0.1 seconds (attempt 2 of 2)" in message
    assert time.monotonic() - started < 5
    assert waits == [1.0]


def test_nobody_there_is_a_connection_that_failed(server: Server, waits: list[float]) -> None:
    server.close()
    message = trouble(HttpReward(server.url, retries=1))
    assert "the connection failed: " in message
    assert "(attempt 2 of 2)" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html>hello</html>", "its answer is not JSON: <html>hello</html>"),
        ('{"score": [1, 2, 3]}', 'its answer holds no list of "scores": {"score": [1, 2, 3]}'),
        ("3", 'its answer holds no list of "scores": 3'),
        ('{"scores": [1, 2]}', "it gave 2 scores for 3 responses"),
        ('{"scores": [1, NaN, 3]}', "the score of response 2 of 3 is nan, not a finite number"),
        ('{"scores": [1, 2, null]}', "the score of response 3 of 3 is None, not a number"),
        ('{"scores": ["1", 2, 3]}', "the score of response 1 of 3 is '1', not a number"),
    ],
)
def test_an_answer_that_is_of_no_use_says_why(server: Server, text: str, words: str) -> None:
    server.answers = [says(200, text)]
    message = trouble(HttpReward(server.url))
    assert words in message
    assert "prompt: " in message
    assert len(server.bodies) == 1


def test_a_batch_with_too_few_scores_is_not_made_up_for_by_the_next(server: Server) -> None:
    server.answers = [says(200, "[1]"), says(200, "[2, 3]")]
    assert "it gave 1 scores for 2 responses" in trouble(HttpReward(server.url, batch_size=2))
