"""Marks of chat templates inside texts."""

from __future__ import annotations

import pytest

from heedful.checks.template_trouble import TemplateTrouble
from tests.checks.planted import CLEAN, HH, PUBLISHED, codes, only, outcome, pair, published, reply


@pytest.mark.parametrize(
    "text",
    [
        "So it is.\n\nHuman: And then?",
        "Assistant: So it is.",
        "So.\nUSER: Why?",
        "So it is.\n  Assistant: And more.",
    ],
)
def test_a_reply_that_runs_on_into_the_next_turn_is_found(text: str) -> None:
    finding = only(outcome(TemplateTrouble(), [*CLEAN, reply(text, id="on")]))

    assert (finding.code, finding.severity, finding.count, finding.of) == ("role_in_reply", "warning", 1, 201)
    assert (finding.removes, finding.examples[0].id) == ({200}, "on")


@pytest.mark.parametrize(
    "text",
    [
        "So it is.<|im_end|>",
        "<|eot_id|>",
        "<|start_header_id|>assistant<|end_header_id|>\n\nSo.",
        "[INST] Why? [/INST] So.",
        "<<SYS>>Be good.<</SYS>>",
        "<start_of_turn>model\nSo.",
        "<s> So it is.",
        "So it is.</s>",
        "a</s><s>b",
        "### Response:\nSo it is.",
        "So.\n### Instruction: Why?",
    ],
)
def test_a_marker_in_a_reply_or_a_prompt_is_found(text: str) -> None:
    assert codes(outcome(TemplateTrouble(), [*CLEAN, reply(text)])) == ["marker_in_reply"]
    assert codes(outcome(TemplateTrouble(), [*CLEAN, pair("a", "b", prompt=text)])) == ["marker_in_prompt"]


@pytest.mark.parametrize(
    "text",
    [
        "He said: Human: no, robot: yes.",
        "Dear Assistant: please",
        "Virtual Assistant: a program that helps",
        "### Instructions:\n1. Cut the bread.",
        "## Response: a study",
        "[INSTRUCTION]: {step}",
        "<p>Human: hello</p> <strong>a</strong> a <s>old</s> price",
        "a <| b |> c, a || b",
        "User: hi\nBot: hello",
    ],
)
def test_words_that_only_look_like_it_are_let_pass(text: str) -> None:
    assert outcome(TemplateTrouble(), [*CLEAN, reply(text), pair("a", "b", prompt=text)]).findings == []


def test_a_marker_in_either_side_counts_the_pair_once() -> None:
    text = "So.\n\nHuman: Why?"
    found = outcome(TemplateTrouble(), [pair(text, text + " "), pair("a", text)])

    assert (only(found).count, only(found).of) == (2, 2)


def test_clean_texts_have_no_finding() -> None:
    assert outcome(TemplateTrouble(), CLEAN).findings == []


def test_published_transcripts_have_inline_turns_and_the_other_files_none(shared_data) -> None:
    for name in PUBLISHED:
        figures = outcome(TemplateTrouble(), published(shared_data, name)).figures
        assert (figures["marker_in_reply"], figures["marker_in_prompt"]) == (0, 0), name
        assert (figures["role_in_reply"], figures["role_in_prompt"]) == ((11, 7) if name == HH else (0, 0)), (
            name
        )
