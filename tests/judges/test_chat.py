"""A chat endpoint as a judge: what it is sent, and what all kinds of trouble come to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from heedful.errors import JudgeError
from heedful.judges import Question, chat
from heedful.judges.chat import ChatJudge
from heedful.judges.judge import Verdict
from heedful.models import endpoint as endpoint_module
from heedful.recipe.judges import EndpointSettings
from heedful.records import user
from tests.judges.asking import ask, judge_of, questions, refusal
from tests.judges.endpoint import (
    Asked,
    Endpoint,
    Reply,
    Sent,
    breaks_off,
    by_length,
    chosen,
    completion,
    hangs_up,
    honest,
    says,
    verdict,
)


def test_a_question_goes_out_with_temperature_0_a_seed_and_a_form_for_the_reply(endpoint: Endpoint) -> None:
    (found,) = ask(judge_of(endpoint, seed=7, max_tokens=99, criteria=["Be kind."]))
    assert found == Verdict("second", why="because")
    (asked,) = endpoint.asked
    assert asked.headers[":path"] == "/v1/chat/completions"
    assert "authorization" not in asked.headers
    body = dict(asked.body)
    system, told = (turn["content"] for turn in body.pop("messages"))
    assert "- Be kind." in system
    assert json.loads(told)["answers"][0]["text"] == "short"
    schema = body.pop("response_format")["json_schema"]["schema"]
    assert schema["required"] == ["reason", "verdict"]
    assert body == {"model": "tiny", "temperature": 0, "seed": 7, "max_tokens": 99}


def test_the_key_comes_from_the_environment_and_is_never_shown(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_KEY", " hush-hush\n")
    ask(judge_of(endpoint, key_env="JUDGE_KEY", headers={"X-Team": "ours ${JUDGE_KEY}"}))
    assert endpoint.asked[0].headers["authorization"] == "Bearer hush-hush"
    assert endpoint.asked[0].headers["x-team"] == "ours hush-hush"
    endpoint.answers_by(says(401, "x" * 195 + " wrong key: hush-hush"))
    judge = judge_of(endpoint, key_env="JUDGE_KEY", seed=1)
    message = refusal(judge)
    assert "hush" not in message + repr(judge.account) + judge.name
    assert message.startswith(f"judge tiny at {endpoint.url}/chat/completions: it answered 401 xxx")
    assert message.endswith("endpoint.key_env.")


@pytest.mark.parametrize("held", [None, "", "two\nlines", "schlüssel"])
def test_a_key_that_is_not_there_or_is_none_is_said_before_anything_is_asked(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, held: str | None
) -> None:
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    if held is not None:
        monkeypatch.setenv("JUDGE_KEY", held)
    with pytest.raises(JudgeError, match="its key is to be in the environment variable JUDGE_KEY, which"):
        judge_of(endpoint, key_env="JUDGE_KEY")
    assert not endpoint.asked


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://[::1"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(JudgeError, match="this is no"):
        ChatJudge(EndpointSettings(url=url, model="tiny"))


@pytest.mark.parametrize("end", ["", "/", "/chat/completions", "/chat/completions/"])
def test_the_url_is_the_base_or_the_whole(endpoint: Endpoint, end: str) -> None:
    told = EndpointSettings(url=endpoint.url + end, model="tiny")
    ChatJudge(told)(questions(1))
    assert endpoint.asked[0].headers[":path"] == "/v1/chat/completions"


@pytest.mark.parametrize(
    "trouble",
    [says(429, "slowly"), says(500), says(503, "warming up"), says(529), says(408), hangs_up, breaks_off],
)
def test_trouble_that_passes_is_waited_out(endpoint: Endpoint, trouble: Reply) -> None:
    endpoint.answers_by(trouble, trouble, honest())
    judge = judge_of(endpoint)
    assert ask(judge) == [Verdict("second", why="because")]
    assert judge.account.requests == len(endpoint.asked) == 3


def test_retry_after_is_honoured_within_reason(endpoint: Endpoint) -> None:
    waits: list[float] = []
    endpoint.answers_by(says(429, retry_after="7"), says(429, retry_after="9999"), says(429), honest())
    ask(judge_of(endpoint, waits.append, retries=3))
    assert waits == [7.0, endpoint_module.LONGEST_WAIT, 0.0]


NO_COMPLETION = {
    "HTML": "<html><title>Just a moment</title></html>",
    "not JSON": "{",
    "nothing": "",
    "null": "null",
    "a list": "[]",
    "an error": '{"error": {"message": "overloaded"}}',
    "no choices": '{"choices": []}',
    "choices of another kind": '{"choices": "none"}',
    "a choice without a message": '{"choices": [{}]}',
    "a message of another kind": '{"choices": [{"message": "hello"}]}',
    "content of another kind": '{"choices": [{"message": {"content": 3}}]}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("body", NO_COMPLETION.values(), ids=NO_COMPLETION)
def test_what_is_no_completion_is_asked_for_again(endpoint: Endpoint, body: str) -> None:
    endpoint.answers_by(says(200, body), honest())
    assert ask(judge_of(endpoint))[0].choice == "second"
    assert len(endpoint.asked) == 2


UNREADABLE = {
    "no JSON": completion("The second one."),
    "other keys": completion('{"winner": "second"}'),
    "two objects": completion(verdict("X") + verdict("Y")),
    "a wrong label": completion(verdict("second")),
    "no content": completion(None),
    "empty": completion(""),
    "parts": Sent(200, '{"choices": [{"message": {"content": [{"type": "text", "text": "hm"}]}}]}'),
    "cut": completion('{"reason": "it', finish_reason="length"),
    "huge": completion("x" * 2_000_000),
}


@pytest.mark.parametrize("sent", UNREADABLE.values(), ids=UNREADABLE)
def test_a_reply_that_cannot_be_read_is_asked_for_again_with_other_labels(
    endpoint: Endpoint, sent: Sent
) -> None:
    endpoint.answers_by(lambda asked: sent)
    judge = judge_of(endpoint, tries=3)
    (found,) = ask(judge)
    assert (found.choice, found.undecided) == (None, "unreadable")
    assert len(endpoint.asked) == 3
    assert len({asked.labels for asked in endpoint.asked}) == 3
    assert (judge.account.unread, judge.account.decided) == (3, 0)
    endpoint.answers_by(lambda asked: sent, honest())
    assert ask(judge_of(endpoint, seed=1))[0].choice == "second"


def test_a_reply_in_parts_is_put_together(endpoint: Endpoint) -> None:
    def reply(asked: Asked) -> Sent:
        text = verdict(chosen(asked, by_length))
        parts = [{"type": "text", "text": text[:9]}, {"type": "image"}, {"type": "text", "text": text[9:]}]
        return Sent(200, json.dumps({"choices": [{"message": {"content": parts}}]}))

    endpoint.answers_by(reply)
    assert ask(judge_of(endpoint))[0].choice == "second"


def test_a_cut_reply_says_what_to_raise(endpoint: Endpoint) -> None:
    endpoint.answers_by(lambda asked: UNREADABLE["cut"])
    assert "raise endpoint.max_tokens" in ask(judge_of(endpoint))[0].why


@pytest.mark.parametrize("message", [{"refusal": "I cannot."}, {"finish_reason": "content_filter"}])
def test_who_declines_is_not_asked_again(endpoint: Endpoint, message: dict[str, str]) -> None:
    endpoint.answers_by(lambda asked: completion(verdict(asked.labels[0]), **message))
    (found,) = ask(judge_of(endpoint))
    assert (found.choice, found.undecided, len(endpoint.asked)) == (None, "declined", 1)


def complains(name: str, unless: Callable[[dict[str, Any]], bool], status: int = 400) -> Reply:
    """An endpoint that does not take something."""

    def reply(asked: Asked) -> Sent:
        if unless(asked.body):
            return honest()(asked)
        return Sent(status, json.dumps({"error": {"message": f"{name} is not supported by this model"}}))

    return reply


@pytest.mark.parametrize(
    ("name", "unless", "times"),
    [
        ("response_format", lambda body: "response_format" not in body, 2),
        ("'json_schema'", lambda body: body.get("response_format") == {"type": "json_object"}, 1),
        ("seed", lambda body: "seed" not in body, 1),
        ("temperature", lambda body: "temperature" not in body, 1),
        ("max_tokens", lambda body: body.get("max_completion_tokens") == 2048, 1),
        ("max_tokens, and max_completion_tokens,", lambda body: not any("max" in key for key in body), 2),
        ("System role", lambda body: len(body["messages"]) == 1, 1),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
def test_a_parameter_that_is_not_taken_gives_way_once_and_for_all(
    endpoint: Endpoint, name: str, unless: Callable[[dict[str, Any]], bool], times: int, status: int
) -> None:
    endpoint.answers_by(complains(name, unless, status))
    judge = judge_of(endpoint)
    assert [found.choice for found in ask(judge, 12)] == ["second"] * 12
    assert len(endpoint.asked) == 12 + times
    ask(judge, 14)
    assert len(endpoint.asked) == 14 + times


def test_an_endpoint_that_takes_messages_alone_is_asked_with_them_alone(endpoint: Endpoint) -> None:
    def reply(asked: Asked) -> Sent:
        for name in ("response_format", "seed", "temperature", "max_tokens", "max_completion_tokens"):
            if name in asked.body:
                return Sent(400, json.dumps({"detail": f"extra field: {name}"}))
        return honest()(asked)

    endpoint.answers_by(reply)
    assert ask(judge_of(endpoint))[0].choice == "second"
    assert set(endpoint.asked[-1].body) == {"model", "messages"}


def test_a_question_that_is_too_long_for_an_endpoint_is_undecided_and_the_others_are_not(
    endpoint: Endpoint,
) -> None:
    def reply(asked: Asked) -> Sent:
        if asked.told["conversation"][0]["content"] == "question 3":
            return Sent(400, '{"error": {"message": "the maximum context length is 8192 tokens"}}')
        return honest()(asked)

    endpoint.answers_by(reply)
    judge = judge_of(endpoint)
    found = ask(judge, 6)
    assert [one.undecided for one in found] == ["", "", "", "rejected", "", ""]
    assert "maximum context length" in found[3].why
    assert judge.account.undecided == {"rejected": 1}
    ask(judge_of(endpoint), 6)
    assert len(endpoint.asked) == 7  # it is asked for again: nothing says that it stays so
    ask(judge_of(endpoint), 4)  # and though it is the only one asked for, nobody gives up for it


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "endpoint.key_env"),
        (403, "endpoint.key_env"),
        (404, "/chat/completions"),
        (307, "base of an OpenAI-compatible"),
        (405, "base of an OpenAI-compatible"),
    ],
)
def test_an_endpoint_that_answers_nothing_ends_it_at_once(endpoint: Endpoint, status: int, mend: str) -> None:
    endpoint.answers_by(says(status, "no", location="http://127.0.0.1:1/"))
    message = refusal(judge_of(endpoint), 20)
    assert f"it answered {status} no" in message
    assert mend in message
    assert len(endpoint.asked) == 1


def test_an_endpoint_that_takes_no_request_is_given_up(endpoint: Endpoint) -> None:
    endpoint.answers_by(says(400, "no such model"))
    assert "it answered 400 no such model" in refusal(judge_of(endpoint, at_once=1), 50)
    assert len(endpoint.asked) == chat.LOST_IN_A_ROW
    assert "it answered 400 no such model" in refusal(judge_of(endpoint), 2)


def test_an_endpoint_that_is_gone_is_given_up_and_what_was_answered_is_kept(endpoint: Endpoint) -> None:
    endpoint.answers_by(*[honest()] * 5, says(503, "gone"))
    message = refusal(judge_of(endpoint, at_once=1, retries=0), 50)
    assert message.endswith("it answered 503 gone. What was answered is kept: run this again to go on.")
    assert len(endpoint.asked) == 5 + chat.LOST_IN_A_ROW
    endpoint.answers_by(honest())
    judge = judge_of(endpoint)
    assert {found.choice for found in ask(judge, 50)} == {"second"}
    assert (judge.account.known, judge.account.requests) == (5, 45)


def test_a_question_that_is_lost_is_undecided_and_asked_for_the_next_time(endpoint: Endpoint) -> None:
    endpoint.answers_by(honest(), says(500, "hm"), honest())
    judge = judge_of(endpoint, at_once=1, retries=0)
    assert [found.undecided for found in ask(judge, 3)] == ["", "unreachable", ""]
    assert [found.undecided for found in ask(judge_of(endpoint), 3)] == ["", "", ""]
    assert len(endpoint.asked) == 4


def test_an_endpoint_that_loses_every_other_question_is_not_given_up(endpoint: Endpoint) -> None:
    endpoint.answers_by(*[honest(), says(500)] * 15, honest())
    judge = judge_of(endpoint, at_once=1, retries=0)
    ask(judge, 30)
    assert (judge.account.decided, judge.account.undecided) == (15, {"unreachable": 15})


def test_nobody_there_is_said_with_the_address(endpoint: Endpoint) -> None:
    endpoint.close()
    message = refusal(judge_of(endpoint, retries=1))
    assert "the connection failed: " in message
    assert endpoint.url in message


def test_an_endpoint_that_does_not_answer_is_a_time_out(endpoint: Endpoint) -> None:
    over = threading.Event()

    def slow(asked: Asked) -> Sent:
        over.wait(10)
        return honest()(asked)

    endpoint.answers_by(slow)
    message = refusal(judge_of(endpoint, timeout=0.05, retries=1))
    over.set()
    assert "no answer within 0.05 seconds (attempt 2 of 2)" in message


def test_requests_go_out_several_at_a_time_and_verdicts_keep_their_places(endpoint: Endpoint) -> None:
    there, inside, most = threading.Lock(), 0, 0
    full = threading.Barrier(4)

    def reply(asked: Asked) -> Sent:
        nonlocal inside, most
        with there:
            inside += 1
            most = max(most, inside)
            alone = len(endpoint.asked) == 1
        if not alone:
            full.wait(5)  # broken unless four come together
        with there:
            inside -= 1
        return honest()(asked)

    endpoint.answers_by(reply)
    told: list[int] = []
    asked = [Question((user(str(n)),), "x" * (n % 3), "x") for n in range(13)]
    found = judge_of(endpoint, at_once=4)(asked, told.append)
    assert [one.choice for one in found] == ["second", "tie", "first"] * 4 + ["second"]
    assert told == list(range(1, 14))
    assert most == 4


def test_an_answer_without_end_is_not_read_to_its_end(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_module, "LARGEST", 1000)
    endpoint.answers_by(lambda asked: completion("x" * 5000))
    assert "its answer is longer than" in refusal(judge_of(endpoint))
