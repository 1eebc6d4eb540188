"""Formats are told apart by their rows, and where they cannot be, the message helps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heedful.errors import DataError
from heedful.formats.registry import by_name, claims, names, recognise

TURNS = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
HELPSTEER = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
RATINGS = {"chosen_rating": 5, "rejected_rating": 2}
SAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("heedful", {"heedful": 1, "kind": "preference"}),
    ("heedful", {"heedful": 1, "kind": "preference", "prompt": TURNS[:1], "chosen": [], "rejected": []}),
    ("trl", {"prompt": "q", "chosen": "a", "rejected": "b"}),
    ("trl", {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": TURNS[1:]}),
    ("trl", {"chosen": TURNS, "rejected": TURNS}),
    ("trl", {"chosen": "q a", "rejected": "q b"}),
    ("trl", {"prompt": "\n\nHuman: q\n\nAssistant:", "chosen": "a", "rejected": "b"}),
    ("trl", {"prompt": "q", "messages": TURNS, "chosen": TURNS, "rejected": TURNS, "score_chosen": 1}),
    ("trl", {"prompt": "q", "completion": "a", "label": True}),
    ("trl", {"prompt": "q", "completion": "a"}),
    ("hh", {"chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "\n\nHuman: q\n\nAssistant: b"}),
    ("sharegpt-ranking", {"conversations": [], "chosen": {}, "rejected": {}, "system": ""}),
    ("alpaca-ranking", {"instruction": "q", "input": "", "chosen": "a", "rejected": "b"}),
    ("alpaca", {"instruction": "q", "input": "", "output": "a"}),
    ("alpaca-eval", {"instruction": "q", "output_1": "a", "output_2": "b", "preference": 1.2}),
    (
        "alpaca-eval",
        {
            "dataset": "koala",
            "instruction": "q",
            "output_1": "a",
            "generator_1": "m",
            "output_2": "b",
            "generator_2": "n",
            "annotator": "judge",
            "preference": None,
            "raw_completion": {"text": "m"},
        },
    ),
    ("openai-chat", {"messages": TURNS}),
    ("openai-chat", {"prompt": "q", "prompt_id": "1", "messages": TURNS}),
    ("openai-preference", {"input": {}, "preferred_output": [], "non_preferred_output": []}),
    (
        "ultrafeedback",
        {"source": "s", "instruction": "q", "models": [], "completions": [{}], "correct_answers": []},
    ),
    ("trl", {"prompt": "q", "chosen": TURNS, "rejected": TURNS, "score_chosen": 8.0, "score_rejected": 2.0}),
    ("helpsteer", {"prompt": "q", "response": "a"} | dict.fromkeys(HELPSTEER, 3)),
    ("helpsteer", {"prompt": "q", "response_1": "a", "response_2": "b", "preference_strength": 1}),
    ("helpsteer", {"context": TURNS[:1], "response1": "a", "response2": "b", "overall_preference": 1}),
    (
        "shp",
        {
            "history": "q",
            "human_ref_A": "a",
            "human_ref_B": "b",
            "labels": 1,
            "score_A": 2,
            "score_ratio": 2.0,
        },
    ),
    ("summarize-from-feedback", {"info": {}, "summaries": [], "choice": 1, "worker": "w", "extra": {}}),
    ("summarize-from-feedback", {"info": {}, "summary": {}, "worker": "w", "split": "test"}),
    ("oasst", {"message_tree_id": "1", "tree_state": "ready_for_export", "prompt": {"text": "q"}}),
    ("distilabel", {"prompt": "q", "chosen": TURNS, "rejected": TURNS} | RATINGS),
    (
        "distilabel",
        {"instruction": "q", "prompt": "q", "generations": [], "chosen": [], "rejected": []} | RATINGS,
    ),
    ("distilabel", {"instruction": "q", "chosen": "a", "rejected": "b"} | RATINGS),
    ("distilabel", {"instruction": "q", "chosen_response": "a", "rejected_response": "b"} | RATINGS),
    ("distilabel", {"dataset": "d", "chosen": TURNS, "rejected": TURNS} | RATINGS),
    ("distilabel", {"prompt": "q", "chosen": [], "chosen-rating": 5, "rejected": [], "rejected-rating": 1}),
    ("scored", {"prompt": "q", "response": "a", "score": 4.5}),
    ("scored", {"prompt": TURNS[:1], "response": TURNS[1:], "score": "4", "aspect": "tone", "id": 1}),
    ("scored", {"prompt": "q", "responses": [{"response": "a", "score": 1}, {"response": "b", "score": 2}]}),
    ("reward-bench", {"prompt": "q", "chosen": "a", "rejected": "b", "subset": "hep-go"}),
    ("reward-bench", {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": TURNS[1:], "subset": "mine"}),
    ("reward-bench", {"prompt": "q", "chosen": ["a"], "rejected": ["b", "c", "d"], "subset": "Math"}),
    ("trl-prompt", {"prompt": "q"}),
    ("trl-prompt", {"prompt": TURNS[:1], "id": "1", "source": "s", "ground_truth": "4"}),
    ("trl-stepwise", {"prompt": "q", "completions": ["a", "b"], "labels": [True, False]}),
    ("llama-factory-kto", {"messages": TURNS, "label": True}),
    ("llama-factory-kto", {"messages": TURNS, "kto_tag": True}),
    ("llama-factory-kto", {"conversations": [{"from": "human", "value": "q"}], "kto_tag": False}),
    ("llama-factory-kto", {"instruction": "q", "input": "", "output": "a", "kto_tag": True}),
    ("axolotl", {"messages": TURNS[:1], "chosen": TURNS[1], "rejected": TURNS[1]}),
    ("axolotl", {"messages": TURNS[:1], "chosen": "a", "rejected": TURNS}),
    ("intel", {"system": "", "question": "q", "chosen": "a", "rejected": "b"}),
    ("intel", {"question": "q", "chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "b"}),
    ("alpaca-ranking", {"instruction": "q", "chosen": "\n\nHuman: q\n\nAssistant: a", "rejected": "b"}),
    ("argilla-dpo", {"instruction": "q", "chosen_response": "a", "rejected_response": "b"}),
    ("nectar", {"prompt": "q", "answers": [{"answer": "a", "rank": 1.0}, {"answer": "b", "rank": 2.0}]}),
    (
        "label-studio",
        {
            "id": 1,
            "data": {
                "prompt": "q",
                "answer1": "a",
                "answer2": "b",
                "items": [{"id": "x", "body": "a"}, {"id": "y", "body": "b"}],
            },
            "annotations": [
                {
                    "id": 1,
                    "completed_by": 2,
                    "lead_time": 3.5,
                    "result": [
                        {"type": "pairwise", "value": {"selected": "left"}},
                        {"type": "rating", "to_name": "answer1", "value": {"rating": 4}},
                    ],
                },
                {
                    "id": 2,
                    "completed_by": {"email": "e"},
                    "result": [
                        {"type": "ranker", "value": {"ranker": {"best": ["y", "x"], "_": []}}},
                        {"type": "choices", "value": {"choices": ["tie"]}},
                    ],
                },
            ],
        },
    ),
    (
        "label-studio",
        {
            "prompt": "q",
            "answer1": "a",
            "answer2": "b",
            "id": 1,
            "comparison": [{"selected": "left"}],
            "annotator": 2,
            "annotation_id": 3,
            "lead_time": 4.5,
        },
    ),
    (
        "argilla",
        {
            "id": "1",
            "fields": {"prompt": "q", "response1": "a", "response2": "b"},
            "metadata": {"n": 1},
            "suggestions": {},
            "responses": {
                "preference": [
                    {"value": "response1", "user_id": "u"},
                    {
                        "value": [{"value": "response2", "rank": 1}, {"value": "response1", "rank": 1}],
                        "user_id": "v",
                    },
                ],
                "response1_rating": [{"value": 4, "user_id": "u"}],
            },
        },
    ),
    (
        "arena",
        {"model_a": "m", "model_b": "n", "winner": "tie", "conversation_a": TURNS, "conversation_b": TURNS},
    ),
    (
        "arena",
        {
            "id": 1,
            "model_a": "m",
            "model_b": "n",
            "prompt": '["q"]',
            "response_a": '["a"]',
            "response_b": '["b"]',
            "winner_model_a": 1,
            "winner_model_b": 0,
            "winner_tie": 0,
        },
    ),
    (
        "arena",
        {
            "id": "1",
            "model_a": "m",
            "model_b": "n",
            "prompt": "q",
            "response_a": "a",
            "response_b": "b",
            "winner": "model_a",
        },
    ),
    ("plain", {"prompt": "q", "response": "a"}),
    ("plain", {"prompt": "q", "response": "a", "label": 1}),
    ("plain", {"prompt": "q", "response_a": "a", "response_b": "b", "label": "tie"}),
]


@pytest.mark.parametrize(("name", "row"), SAMPLES, ids=lambda value: value if isinstance(value, str) else "")
def test_exactly_one_format_claims_a_row(name: str, row: dict[str, Any]) -> None:
    assert claims(row) == [name]
    assert recognise([row], "file").format.name == name


def test_most_rows_decide() -> None:
    pair, chat = {"prompt": "q", "chosen": "a", "rejected": "b"}, {"messages": TURNS}

    assert recognise([chat, pair, {"junk": 1}, pair], "file").format.name == "trl"


def test_rows_of_no_layout_name_their_keys_and_the_nearest_layouts() -> None:
    with pytest.raises(DataError) as caught:
        recognise([{"prompt": "q", "answer": "a"}], "qa.jsonl")

    message = str(caught.value)
    assert message.startswith(
        'qa.jsonl: the layout is not recognised. Keys of the first rows: "prompt", "answer".'
    )
    assert "Nearest: trl-prompt with prompt (of another type, or beside columns of" in message
    assert "; trl with completion, prompt (completion missing);" in message
    assert message.endswith("--format " + "|".join(names()))


@pytest.mark.parametrize(
    "row",
    [
        {"query": "q", "chosen": "a", "rejected": "b"},
        {"input": "q", "chosen": "a", "rejected": "b"},
        {"messages": TURNS, "prompt_id": "1", "label": "spam"},
        {"chosen": None, "rejected": None},
    ],
)
def test_a_row_whose_prompt_stands_elsewhere_is_not_taken_for_an_implicit_prompt(row: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="not recognised"):
        recognise([row], "file")


def test_many_keys_are_cut_short() -> None:
    with pytest.raises(DataError, match='"k11" and 3 more'):
        recognise([{f"k{n}": 1 for n in range(15)}], "file")


@pytest.mark.parametrize(
    "rows",
    [
        [{"instruction": "q", "output": "", "chosen": "a", "rejected": "b"}],
        [{"instruction": "q", "output": "a"}, {"instruction": "q", "chosen": "a", "rejected": "b"}],
    ],
    ids=["both in one row", "half and half"],
)
def test_rows_of_two_layouts_are_ambiguous(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(DataError, match=r"ambiguous: rows fit .*--format (alpaca-ranking\|alpaca|alpaca\|)"):
        recognise(rows, "file")


def test_an_unknown_format_names_the_nearest() -> None:
    with pytest.raises(DataError, match=r'there is no format "TRLL"\. Did you mean "trl"\?'):
        by_name("TRLL")
    assert by_name("hh").name == "hh"


def test_the_names_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data-formats.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| `")]

    assert {row.strip("`") for row in rows} >= set(names())


def test_why_a_format_was_recognised_is_told_with_its_votes() -> None:
    pair, chat = {"prompt": "q", "chosen": "a", "rejected": "b"}, {"messages": TURNS}

    assert str(recognise([pair, chat, pair], "file")).startswith("2 of the first 3 rows fit TRL's columns")
    assert str(recognise([pair, chat, pair], "file")).endswith("; 1 also fit openai-chat")
