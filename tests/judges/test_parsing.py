"""A reply is read if it has exactly the form that was asked for, and in no other case."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.evaluation.duels import Choice
from heedful.judges.parsing import LONGEST_REASON, read
from tests.judges.endpoint import verdict

LABELS: dict[str, Choice] = {"QWRTPL": "first", "ZXCVBN": "second", "MNBVCX": "tie"}
GOOD = verdict("QWRTPL", "it is right")


@pytest.mark.parametrize(("label", "choice"), LABELS.items())
def test_each_label_means_its_choice(label: str, choice: str) -> None:
    found = read(verdict(label, "so it is"), LABELS)
    assert (found.choice, found.reason) == (choice, "so it is")


@pytest.mark.parametrize(
    "reply",
    [
        GOOD,
        f"  \n{GOOD}\n ",
        '{"verdict": "QWRTPL", "reason": ""}',
        json.dumps({"reason": "x", "verdict": "QWRTPL"}, indent=4),
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}\n```\n",
        f"<think>ZXCVBN {verdict('ZXCVBN')}</think>\n{GOOD}",
        f"<think></think>{GOOD}",
    ],
)
def test_the_same_object_in_what_models_put_around_it(reply: str) -> None:
    assert read(reply, LABELS).choice == "first"


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("", "its reply is empty"),
        ("<think>so</think>", "its reply is empty"),
        ("QWRTPL", "no JSON object"),
        ('"QWRTPL"', "exactly the keys"),
        ("[" + GOOD + "]", "exactly the keys"),
        ("null", "exactly the keys"),
        (f"{GOOD}{GOOD}", "no JSON object"),
        (f"{GOOD}\n{verdict('ZXCVBN')}", "no JSON object"),
        (f"Here it is: {GOOD}", "no JSON object"),
        (f"{GOOD} I hope this helps.", "no JSON object"),
        (f"```json\n{GOOD}\n```\n```json\n{GOOD}\n```", "no JSON object"),
        (f"```python\n{GOOD}\n```", "no JSON object"),
        ("{'reason': 'x', 'verdict': 'QWRTPL'}", "no JSON object"),
        ('{"verdict": "QWRTPL"}', "exactly the keys"),
        ('{"reason": "x", "verdict": "QWRTPL", "score": 3}', "exactly the keys"),
        ('{"reason": "x", "Verdict": "QWRTPL"}', "exactly the keys"),
        ('{"reason": "x", "verdict": "ZXCVBN", "verdict": "QWRTPL"}', "no JSON object"),
        ('{"reason": "x", "reason": "y", "verdict": "QWRTPL"}', "no JSON object"),
        ('{"reason": NaN, "verdict": "QWRTPL"}', "no JSON object"),
        ('{"reason": ["x"], "verdict": "QWRTPL"}', "no text"),
        ('{"reason": "x", "verdict": ["QWRTPL"]}', "no text"),
        ('{"reason": "x", "verdict": {"verdict": "QWRTPL"}}', "no text"),
        (verdict("qwrtpl"), "none of the labels"),
        (verdict(" QWRTPL"), "none of the labels"),
        (verdict("QWRTPL."), "none of the labels"),
        (verdict("QWRTPLZXCVBN"), "none of the labels"),
        (verdict("first"), "none of the labels"),
        (verdict("tie"), "none of the labels"),
        (verdict("A"), "none of the labels"),
        (verdict("ＱＷＲＴＰＬ"), "none of the labels"),
        (verdict("QWRTP\u200bL"), "none of the labels"),
        (f"<think>{GOOD}", "its thoughts have no end"),
        (f"Well. <think>x</think>{GOOD}", "no JSON object"),
        (f"<think>x</think>{GOOD}<think>y</think>", "no JSON object"),
        (f"<think>it says </think>{verdict('ZXCVBN')}</think>{GOOD}", "no JSON object"),
        (f"\ufeff{GOOD}", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ('{"reason": ' + "9" * 5000 + ', "verdict": "QWRTPL"}', "no"),
    ],
)
def test_anything_else_is_no_verdict(reply: str, why: str) -> None:
    found = read(reply, LABELS)
    assert found.choice is None
    assert why in found.reason


def test_the_reason_has_plain_words_for_the_labels_and_an_end() -> None:
    found = read(verdict("QWRTPL", "QWRTPL beats\n ZXCVBN, no MNBVCX. " + "x" * 9000), LABELS)
    assert found.reason.startswith("the first answer beats the second answer, no a tie. xxx")
    assert len(found.reason) == LONGEST_REASON


@given(st.text(alphabet=st.sampled_from('{}[]":,\\ \nQWRTPLZXCVBNMreasonverdict<think>/`'), max_size=200))
def test_a_verdict_is_in_the_reply_or_there_is_none(reply: str) -> None:
    found = read(reply, LABELS)
    if found.choice is not None:
        assert any(label in reply and LABELS[label] == found.choice for label in LABELS)
