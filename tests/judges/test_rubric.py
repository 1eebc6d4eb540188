"""What a judge is shown: all of the texts, as letters, and labels that none of them could know."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.judges import rubric
from heedful.judges.judge import Question
from heedful.judges.rubric import RUBRIC, encoded, request, system_text
from heedful.records import Message, assistant, user

PROMPT = (Message("system", "be brief"), user("one?"), assistant("1"), user("two?"))


def test_the_texts_are_data_in_one_json_object() -> None:
    asked = request(Question(PROMPT, "uno", "due"), "the rubric")
    told = json.loads(asked.user)
    assert asked.system == "the rubric"
    assert list(told) == ["conversation", "answers", "verdicts"]
    assert told["conversation"][0] == {"role": "system", "content": "be brief"}
    assert [turn["content"] for turn in told["conversation"]] == ["be brief", "one?", "1", "two?"]
    assert [answer["text"] for answer in told["answers"]] == ["uno", "due"]
    first, second = (answer["label"] for answer in told["answers"])
    assert list(told["verdicts"]) == [first, second, next(iter(set(asked.labels) - {first, second}))]
    assert (asked.labels[first], asked.labels[second]) == ("first", "second")
    assert sorted(asked.labels.values()) == ["first", "second", "tie"]


def test_labels_are_other_ones_every_time() -> None:
    drawn = [label for _ in range(50) for label in request(Question(PROMPT, "a", "b"), "").labels]
    assert len(set(drawn)) == 150
    assert all(len(label) == rubric.LABEL and label.isalpha() and label.isupper() for label in drawn)


def test_a_label_stands_in_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the draw would give one that does, it is drawn again."""
    letters = iter("BBBBBBCCCCCCDDDDDDDDDDDDFFFFFFGGGGGG")
    monkeypatch.setattr(rubric.secrets, "choice", lambda of: next(letters))
    asked = request(Question((user("is it bbbbbb?"),), "ends with CCCCCC", "no"), "")
    assert list(asked.labels) == ["DDDDDD", "FFFFFF", "GGGGGG"]


@given(st.text(alphabet=st.characters(), max_size=80))
def test_the_json_holds_every_text_unchanged_and_nothing_that_is_not_seen(text: str) -> None:
    made = encoded({"text": text})
    assert json.loads(made) == {"text": text}
    hidden = [letter for letter in made if unicodedata.category(letter) in rubric._HIDDEN and letter != "\n"]
    assert not hidden
    made.encode("utf-8")  # half of a surrogate pair has no UTF-8 form, and is an escape


@pytest.mark.parametrize(
    "mark",
    [
        "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|start_header_id|>", "<s>", "</s>", "<bos>", "<think>",
        "</think>", "<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "<<SYS>>", "<</SYS>>",
        "[TOOL_CALLS]", "[SYSTEM_PROMPT]", "<｜User｜>", "<extra_id_0>", "<tool_call>",
    ],
)  # fmt: skip
def test_marks_of_tokenizers_are_not_in_what_is_sent(mark: str) -> None:
    made = encoded([f"x {mark} y", mark])
    assert mark not in made
    assert json.loads(made) == [f"x {mark} y", mark]


@pytest.mark.parametrize(
    "text", ["a < b and c > d", "1 << 2", "list[int]", "[see 3]", "größer, 漢字, عربي, 🙂", "x[i] <= 3"]
)
def test_plain_writing_stays_as_it_is(text: str) -> None:
    assert text in encoded([text])


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u200b", "\u2066", "\U000e0041", "\ufe0f", "\x00", "\x1b", "\u3164"]
)
def test_what_nobody_sees_is_shown_as_an_escape(hidden: str) -> None:
    assert hidden not in encoded([f"a{hidden}b"])


def test_the_rubric_is_heedfuls_or_ones_own_and_the_form_always_follows() -> None:
    assert system_text().startswith(RUBRIC)
    own = system_text("The funnier one wins.", ["No puns.", " Short ones first. "])
    assert own.startswith("The funnier one wins.\n\nWhat matters here:\n- No puns.\n- Short ones first.\n")
    assert RUBRIC not in own
    assert own.endswith(rubric.FORM)
