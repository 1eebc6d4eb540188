"""TRL's prompts alone and stepwise rows: a prompt is no broken pair, and a step's thumb is its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats import read, write
from heedful.formats.registry import claims
from heedful.records import Feedback, Preference, Prompt, assistant, user

U = {"role": "user", "content": "q"}
STEPS: dict[str, Any] = {
    "prompt": "1+1+1?",
    "completions": ["1+1=2", "2+1=4", "So 4."],
    "labels": [True, False, False],
}


@pytest.mark.parametrize("prompt", ["q", [U]], ids=["text", "turns"])
def test_a_prompt_alone_is_a_prompt(jsonl, prompt: Any) -> None:
    (record,) = read(jsonl([{"prompt": prompt, "id": "p", "ground_truth": "4"}]))

    assert record == Prompt((user("q"),), id="p", source="data.jsonl")
    assert record.metadata == {"ground_truth": "4"}


@pytest.mark.parametrize(
    "column",
    [
        "completion", "chosen", "rejected", "response", "response_a", "answer", "answers", "output_1",
        "messages", "label", "score", "winner", "annotations", "fields", "question", "chosen_rating",
    ],
)  # fmt: skip
def test_a_prompt_beside_what_may_be_an_answer_or_a_verdict_is_not_taken_for_a_prompt_alone(
    column: str,
) -> None:
    assert "trl-prompt" not in claims({"prompt": "q", column: "x"})


def test_the_reward_columns_of_a_prompt_are_read_where_the_format_is_named(jsonl) -> None:
    (record,) = read(jsonl([{"prompt": "q", "answer": "4"}]), format="trl-prompt")

    assert isinstance(record, Prompt)
    assert record.metadata == {"answer": "4"}


def test_each_step_is_the_answer_so_far_with_the_thumb_of_that_step(jsonl) -> None:
    kept = read(jsonl([STEPS | {"id": "s", "level": 2}]))

    answers = ["1+1=2", "1+1=2\n2+1=4", "1+1=2\n2+1=4\nSo 4."]
    assert list(kept) == [
        Feedback((user("1+1+1?"),), (assistant(answer),), good, id=f"s.{place}", source="data.jsonl")
        for place, (answer, good) in enumerate(zip(answers, [True, False, False], strict=True), 1)
    ]
    assert [record.metadata for record in kept] == [  # type: ignore[union-attr]
        {"level": 2, "step": place, "steps": 3} for place in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        ({"labels": [True, False]}, {"bad_value": 1}),
        ({"completions": [], "labels": []}, {"no_responses": 1}),
        ({"completions": "1+1=2"}, {"wrong_type": 1}),
        ({"completions": ["1", 2, "3"]}, {"wrong_type": 1}),
        ({"labels": [True, 1, None]}, {"wrong_type": 2}),
        ({"prompt": " "}, {"empty_prompt": 3}),
        ({"completions": ["", "1", "2"]}, {"empty_response": 1}),
    ],
)
def test_steps_that_do_not_fit_are_counted(jsonl, change: dict[str, Any], reasons: dict[str, int]) -> None:
    kept = read(jsonl([STEPS, STEPS | change]))

    assert kept.counts.quarantined == reasons
    assert kept.counts.read == kept.counts.kept + sum(reasons.values())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": ""}, "empty_prompt"),
        ({"prompt": 3}, "wrong_type"),
        ({"text": "q"}, "missing_field"),
        ({"prompt": [U, {"role": "assistant", "content": "a"}]}, "prompt_ends_with_assistant"),
    ],
)
def test_a_prompt_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    assert read(jsonl([{"prompt": "q"}, row])).counts.quarantined == {reason: 1}


@pytest.mark.parametrize(
    ("record", "what"),
    [
        (Preference((user("q"),), (assistant("a"),), (assistant("b"),)), "not a Preference"),
        (Prompt((user("q"), assistant("a"))), "has been answered already"),
    ],
)
def test_what_is_no_prompt_is_not_written_as_one(tmp_path: Path, record, what: str) -> None:
    with pytest.raises(DataError, match=what):
        write([record], tmp_path / "out.jsonl", format="trl-prompt")
