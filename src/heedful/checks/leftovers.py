"""What other programs left in the replies: who made them, error texts, buttons of a chat page.

The kinds are those that FastChat's cleaning of ShareGPT and of arena battles takes out. A reply that explains
an error is not one: error texts must begin a reply and be all of it.
"""

from __future__ import annotations

import re

from heedful.checks.finding import Finding, Outcome, Severity
from heedful.checks.tally import Tally
from heedful.checks.text import responses_of
from heedful.records import Record

SHORT = 300  # characters: what is longer is no error message

MAKERS = (
    r"(?:openai|anthropic|google(?: deepmind)?|deepmind|meta(?: ai)?|microsoft|mistral(?: ai)?"
    r"|alibaba(?: cloud)?|baidu|deepseek|lmsys|laion|cohere|hugging ?face"
    r"|zhipu(?: ai)?|stability ai|tsinghua university|xai)\b"
)
MODELS = (
    r"(?:chat ?gpt|gpt-?[345]|claude|bard|gemini|gemma|llama|vicuna|koala|alpaca|open ?assistant|chatglm"
    r"|mistral|mixtral|qwen|ernie bot|deepseek|bing chat|copilot|smollm|grok)\b"
)
NAMES_ITSELF = re.compile(
    rf"(?:i am|i'm|my name is|call me) "
    rf"(?:(?:the )?{MODELS}(?!'s )|an? {MAKERS} (?:ai|language|model|assistant))"
)
BY_MAKER = re.compile(rf" by {MAKERS}")
# Ends where " by OpenAI" begins; one sentence that speaks of "I".
MADE_ME = re.compile(
    r"\b(?:i am|i'm|i was|i have been|as an?)\b[^.!?\n]*\b(?:developed|created|trained|made|built|designed)$"
)
SENTENCE = 80  # characters before " by OpenAI" that are looked at

DISCLAIMER = re.compile(
    r"as an? (?:ai |artificial intelligence |ai-powered |ai-based )?(?:large )?language model\b"
)

ERRORS = (
    r"network error due to high traffic",
    r"(?:moderation\W+)?your input violates our content moderation",
    r"api request error",
    r"(?:error\W+)?rate limit (?:exceeded|reached)",
    r"(?:you(?:'ve| have)? )?exceeded your current quota",
    r"(?:you've|you have) reached (?:our|your|the) limit of messages",
    r"(?:http )?(?:error )?(?:(?:500|502|503|504|429)\W+)?(?:internal server error|bad gateway"
    r"|gateway time-?out|service (?:temporarily )?unavailable|too many requests)",
    r"(?:the|that) (?:server|model) (?:is (?:currently )?overloaded|had an error)",
    r"(?:request|read|connection) (?:timed out|aborted|reset by peer)",
    r"something went wrong\W+(?:please )?(?:try|if this)",
    r"(?:an error (?:has )?occurred|there was an error)(?: while| when)? (?:generating|processing)",
    r"(?:openai|anthropic|requests|httpx|urllib3)(?:\.[a-z_]+)*\.[a-z_]*(?:error|exception|timeout)\b",
    r"error (?:communicating with|generating|in message stream)",
    r"max retries exceeded",
    r"(?:the )?(?:prompt|response) (?:was|has been) (?:blocked|filtered)",
    r"this (?:content|prompt) may violate our (?:content|usage) polic",
)
EXPLAINS = r"(?!.{0,40}\b(?:means|is an?|indicates|refers|occurs|happens|usually)\b)"
ERROR = re.compile(rf"\W*(?:{'|'.join(ERRORS)}){EXPLAINS}")
JSON_ERROR = re.compile(r'\s*\{\s*"(?:error"|object"\s*:\s*"error")')
TRACEBACK = "traceback (most recent call last)"
PAGE = re.compile(
    r"\s*(?:<!doctype html[^>]*>\s*)?<html.{0,600}?<(?:title|h1)>\s*"
    r"(?:[45]\d\d\b|error|access denied|just a moment|attention required|bad gateway"
    r"|service unavailable|forbidden|internal server error)",
    re.DOTALL,
)

ENDS = ("]", ">", ")")
TAIL = 60  # characters in which a mark of having been cut off stands
CUT = re.compile(
    r"(?:\[(?:(?:output|text|response|message|content) )?(?:truncated|cut off|clipped)\]"
    r"|<(?:truncated|cut)>|\((?:output )?truncated\)"
    r"|\[\d+ (?:more )?(?:characters|tokens|lines) (?:truncated|omitted)\])$"
)
BUTTONS = re.compile(
    r"(?:^|\n)[ \t]*(?:regenerate response|share prompt|copy code)[ \t]*(?:\n|$)"
    r"|(?:^|\n|```)[a-z+#]{1,12}copy code\b"
)

KINDS: dict[str, tuple[Severity, str, str]] = {
    "api_error": (
        "error",
        "an error message in place of a reply",
        "A call failed and its message was saved: nobody meant it to be learned, or to lose.",
    ),
    "identity": (
        "warning",
        "a reply that says which other model or company it is from",
        "The model will say so of itself.",
    ),
    "cut_marker": (
        "warning",
        "a reply that ends with a mark of having been cut off",
        "The model learns to stop in the middle, and to write the mark.",
    ),
    "buttons": (
        "warning",
        'buttons of a chat page ("Copy code", "Regenerate response") in a reply',
        "They were copied with the text and will be written by the model.",
    ),
    "disclaimer": (
        "note",
        'a reply that says "as an AI language model"',
        "It is a habit of other assistants' replies; a model takes it up quickly.",
    ),
}


class Leftovers:
    """Error messages, identities and page elements that were saved as parts of replies."""

    name = "leftovers"
    asks = "Are there identities, error messages or buttons of other programs in the replies?"

    def __init__(self) -> None:
        self.of = 0
        self.tallies = {kind: Tally() for kind in KINDS}

    def see(self, record: Record, index: int) -> None:
        responses = responses_of(record)
        self.of += bool(responses)
        for response in responses:
            for message in response:
                for kind, text in leftovers_of(message.content):
                    self.tallies[kind].add(record, index, text)

    def outcome(self) -> Outcome:
        if not self.of:
            return Outcome(skipped="no record has a response")
        counts = {kind: tally.count for kind, tally in self.tallies.items()}
        findings = [self._finding(kind, tally) for kind, tally in self.tallies.items() if tally.count]
        return Outcome(findings, {**counts, "of": self.of})

    def _finding(self, kind: str, tally: Tally) -> Finding:
        severity, what, why = KINDS[kind]
        remove = severity == "error"
        return tally.finding(
            self.name,
            kind,
            severity,
            what,
            of=self.of,
            why=why,
            mend="Take them out: heedful check FILE --fix OUT."
            if remove
            else "Take the words out of the replies, or leave those records out.",
            remove=remove,
        )


def leftovers_of(text: str) -> list[tuple[str, str]]:
    """What a reply holds of other programs: kinds of `KINDS`, each with the words."""
    low = text.lower()
    if not low.isascii():
        low = low.replace("’", "'")
    found = []
    if _is_error(low):
        found.append(("api_error", text))
    if match := _identity(low):
        found.append(("identity", _around(text, match)))
    elif "language model" in low and (match := DISCLAIMER.search(low)):
        found.append(("disclaimer", _around(text, match)))
    if low.endswith(ENDS) and CUT.search(low, max(0, len(low) - TAIL)):
        found.append(("cut_marker", text[-TAIL:]))
    if ("copy code" in low or "regenerate response" in low or "share prompt" in low) and (
        match := BUTTONS.search(low)
    ):
        found.append(("buttons", _around(text, match)))
    return found


def _is_error(low: str) -> bool:
    """Whether the whole of a lower-cased reply is an error message or an error page."""
    if len(low) <= SHORT and (ERROR.match(low) or JSON_ERROR.match(low)):
        return True
    return low.startswith(TRACEBACK) or ("<html" in low and PAGE.match(low) is not None)


def _identity(low: str) -> re.Match[str] | None:
    """Where a lower-cased reply says which other model or company it is from."""
    if ("i am " in low or "i'm " in low or "name is " in low or "call me " in low) and (
        match := NAMES_ITSELF.search(low)
    ):
        return match
    if " by " in low:
        for match in BY_MAKER.finditer(low):
            if MADE_ME.search(low, max(0, match.start() - SENTENCE), match.start()):
                return match
    return None


CONTEXT = 60  # characters shown before a match


def _around(text: str, match: re.Match[str]) -> str:
    """The matched words of the lower-cased text with what stands before and after them."""
    start = max(0, match.start() - CONTEXT)
    return ("…" if start else "") + text[start : match.end() + CONTEXT].strip()
