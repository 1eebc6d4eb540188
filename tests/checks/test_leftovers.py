"""Leftovers of other programs in replies: what is one, and what only speaks of one."""

from __future__ import annotations

import pytest

from heedful.checks.leftovers import Leftovers, leftovers_of
from heedful.records import Message, Preference, user
from tests.checks.planted import CLEAN, HH, only, outcome, pair, published, reply


def kinds(text: str) -> list[str]:
    return [kind for kind, _ in leftovers_of(text)]


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model developed by OpenAI, I cannot say.",
        "I am ChatGPT, here to help.",
        "I'm Claude, made by Anthropic.",
        "My name is Vicuna.",
        "You can call me Qwen.",
        "I’m an OpenAI language model.",
        "I was trained by Google and know little of it.",
    ],
)
def test_a_reply_that_says_whose_it_is_has_an_identity(text: str) -> None:
    assert kinds(text) == ["identity"]


@pytest.mark.parametrize(
    "text",
    [
        "GPT-3 is an advanced artificial intelligence program developed by OpenAI.",
        "ChatGPT was trained by OpenAI.",
        "I am a Gemini, born in June.",
        "I'm Claude's neighbour.",
        "The phone I am using is by Google.",
        "I like it. The model was made by Meta.",
    ],
)
def test_a_reply_about_other_models_has_none(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Rate limit exceeded",
        "Error: Rate limit reached for gpt-4 in organization org-1. Please try again in 6ms.",
        "Internal Server Error",
        "HTTP Error 503: Service Unavailable",
        "**NETWORK ERROR DUE TO HIGH TRAFFIC. PLEASE REGENERATE OR REFRESH THIS PAGE.**",
        "$MODERATION$ YOUR INPUT VIOLATES OUR CONTENT MODERATION GUIDELINES.",
        "**API REQUEST ERROR** Reason: The response was blocked.",
        "You exceeded your current quota, please check your plan and billing details.",
        "openai.error.APIConnectionError: Error communicating with OpenAI",
        "Something went wrong. Please try again later.",
        '{"error": {"message": "overloaded", "type": "server_error"}}',
        'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\nValueError: no',
        "<html>\n<head><title>502 Bad Gateway</title></head>\n<body></body></html>",
        "<!DOCTYPE html><html lang='en'><head><title>Just a moment...</title></head></html>",
    ],
)
def test_an_error_message_in_place_of_a_reply_is_one(text: str) -> None:
    assert kinds(text) == ["api_error"]


@pytest.mark.parametrize(
    "text",
    [
        "Internal Server Error means that the server met something it did not expect.",
        "An HTTP 503 says that the service is unavailable. Rate limit exceeded is 429.",
        "The traceback says: Traceback (most recent call last): ... It means that x is None.",
        "<html><head><title>My garden</title></head><body>Roses</body></html>",
        "Something went wrong between them years ago.",
        "Rate limit exceeded is what the server says where too many ask." + " It is so." * 30,
    ],
)
def test_a_reply_that_explains_an_error_is_a_reply(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("It goes on and on [truncated]", "cut_marker"),
        ("def f(): ... [200 more characters truncated]", "cut_marker"),
        ("```pythonCopy code\nprint(1)\n```", "buttons"),
        ("So it is.\nRegenerate response\n", "buttons"),
        ("As an AI language model, I have no taste.", "disclaimer"),
        ("I'm sorry, but as a large language model I do not eat.", "disclaimer"),
    ],
)
def test_marks_buttons_and_disclaimers_are_told_apart(text: str, kind: str) -> None:
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "The list was [truncated] in print, as it says.",
        "Press Copy code to copy the code.",
        "Regenerate response times are long.",
        "A language model predicts words.",
        "As an assistant, I type letters.",
    ],
)
def test_words_that_only_look_like_it_are_let_pass(text: str) -> None:
    assert kinds(text) == []


def test_each_record_is_counted_once_and_only_error_messages_are_taken_out() -> None:
    same = "I am ChatGPT."
    found = outcome(Leftovers(), [*CLEAN, pair(same, same + "!"), pair("Rate limit exceeded", "So it is.")])
    identity, error = sorted(found.findings, key=lambda finding: finding.code, reverse=True)

    assert (identity.code, identity.severity, identity.count, identity.removes) == (
        "identity",
        "warning",
        1,
        None,
    )
    assert (error.code, error.severity, error.count, error.removes) == ("api_error", "error", 1, {201})
    assert found.figures["of"] == 202


def test_an_example_shows_the_words_within_a_long_reply() -> None:
    found = outcome(Leftovers(), [reply("So. " * 500 + "I am ChatGPT. " + "So. " * 500)])

    assert "I am ChatGPT" in only(found).examples[0].text


def test_prompts_may_say_what_they_like() -> None:
    prompt = (user("I am ChatGPT."), Message("assistant", "Rate limit exceeded"), user("Why?"))
    assert outcome(Leftovers(), [Preference(prompt, (user("a"),), (user("b"),))]).findings == []


def test_clean_replies_have_no_leftovers(shared_data) -> None:
    assert outcome(Leftovers(), CLEAN).findings == []
    assert outcome(Leftovers(), published(shared_data, HH)).findings == []


def test_published_replies_of_vicuna_and_gpt4_say_whose_they_are(shared_data) -> None:
    found = outcome(Leftovers(), published(shared_data, "alpaca-eval-vicuna-7b.json.gz"))

    assert found.figures == {
        "api_error": 0, "identity": 5, "cut_marker": 0, "buttons": 0, "disclaimer": 15, "of": 803
    }  # fmt: skip
