"""AlpacaEval's annotations: the likelier output is chosen, with its probability; a tie is neither."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from heedful.formats import read
from heedful.records import Preference, assistant, user

ROW: dict[str, Any] = {
    "dataset": "koala",
    "instruction": "Name a prime.",
    "output_1": "Two.",
    "generator_1": "large",
    "output_2": "Four.",
    "generator_2": "small",
    "annotator": "judge",
    "preference": 1.25,
    "raw_completion": {"text": "m", "logprobs": [[-0.1] * 50]},
}


def pair(path: Path) -> Preference:
    (record,) = read(path)
    assert isinstance(record, Preference)
    return record


@pytest.mark.parametrize(
    ("preference", "chosen", "probability"),
    [
        (1, "Two.", None),
        (1.0, "Two.", None),
        (1.0025695767, "Two.", 0.9974304233),
        (1.25, "Two.", 0.75),
        (1.499, "Two.", 0.501),
        (1.501, "Four.", 0.501),
        (1.75, "Four.", 0.75),
        (1.9999997686, "Four.", 0.9999997686),
        (2, "Four.", None),
    ],
)
def test_the_likelier_output_is_chosen_with_its_probability(jsonl, preference, chosen, probability) -> None:
    record = pair(jsonl([ROW | {"preference": preference}]))

    assert record.prompt == (user("Name a prime."),)
    assert record.chosen == (assistant(chosen),)
    assert record.rejected == (assistant({"Two.": "Four.", "Four.": "Two."}[chosen]),)
    assert record.probability == (None if probability is None else pytest.approx(probability, abs=1e-12))
    assert (record.margin, record.weight, record.id, record.source) == (None, 1.0, "data:1", "data.jsonl")


@pytest.mark.parametrize(("preference", "generators"), [(1.25, ("large", "small")), (2, ("small", "large"))])
def test_the_metadata_say_whose_the_sides_are_and_leave_the_raw_completion_behind(
    jsonl, preference, generators
) -> None:
    record = pair(jsonl([ROW | {"preference": preference, "price_per_example": 0.01}]))

    assert record.metadata == {
        "dataset": "koala",
        "annotator": "judge",
        "price_per_example": 0.01,
        "generator_chosen": generators[0],
        "generator_rejected": generators[1],
    }


def test_a_row_of_alpaca_farm_has_an_input_and_no_generators(jsonl) -> None:
    row = {"instruction": "Add.", "input": "1 + 1", "output_1": "2", "output_2": "3", "preference": 1}
    record = pair(jsonl([row]))

    assert (record.prompt, record.chosen) == ((user("Add.\n1 + 1"),), (assistant("2"),))
    assert record.metadata == {}


@pytest.mark.parametrize("preference", [1.5, None, 0, 0.0])
def test_a_tie_prefers_neither_and_keeps_the_order_of_the_file(jsonl, preference) -> None:
    record = pair(jsonl([ROW | {"preference": preference}]))

    assert (record.tie, record.probability) == (True, 0.5)
    assert (record.chosen, record.rejected) == ((assistant("Two."),), (assistant("Four."),))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"preference": 0.5}, "bad_value"),
        ({"preference": 2.1}, "bad_value"),
        ({"preference": -1}, "bad_value"),
        ({"preference": float("nan")}, "bad_value"),
        ({"preference": "2"}, "wrong_type"),
        ({"preference": True}, "wrong_type"),
        ({"output_1": ["Two."]}, "wrong_type"),
        ({"output_2": None}, "wrong_type"),
        ({"instruction": None}, "wrong_type"),
        ({"instruction": " "}, "empty_prompt"),
        ({"output_1": " "}, "empty_chosen"),
        ({"output_2": ""}, "empty_rejected"),
        ({"output_2": "Two. "}, "equal_sides"),
        ({"output_2": "Two.", "preference": 1.5}, "equal_sides"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, change, reason: str) -> None:
    assert read(jsonl([ROW, ROW | change])).counts.quarantined == {reason: 1}


@pytest.mark.parametrize("missing", ["instruction", "output_1", "output_2", "preference"])
def test_a_row_without_one_of_its_fields_is_quarantined(jsonl, missing: str) -> None:
    row = {key: value for key, value in ROW.items() if key != missing}

    assert read(jsonl([ROW, row])).counts.quarantined == {"missing_field": 1}


def test_a_file_is_a_zipped_array_as_published_or_lines(tmp_path: Path, jsonl) -> None:
    array = tmp_path / "data.json.gz"
    array.write_bytes(gzip.compress(json.dumps([ROW], indent=4).encode()))

    assert pair(array).chosen == pair(jsonl([ROW])).chosen
    assert pair(array).probability == pair(jsonl([ROW])).probability == 0.75


@pytest.mark.parametrize(
    ("model", "quarantined", "ties", "chosen"),
    [
        ("FuseChat-Llama-3.2-3B-Instruct", {"equal_sides": 3}, 0, 424),
        ("gemma-7b-it", {}, 1, 50),
        ("vicuna-7b", {"equal_sides": 2}, 0, 28),
    ],
)
def test_the_published_verdicts_are_kept_but_for_equal_answers(
    shared_data: Path, model: str, quarantined: dict[str, int], ties: int, chosen: int
) -> None:
    kept = read(shared_data / f"alpaca-eval-{model}.json.gz")

    assert (kept.counts.read, kept.counts.quarantined) == (805, quarantined)
    pairs = [record for record in kept if isinstance(record, Preference) and not record.tie]
    assert len(pairs) == kept.counts.kept - ties
    assert all(0.5 < (1.0 if p.probability is None else p.probability) <= 1 for p in pairs)
    assert {p.metadata["annotator"] for p in pairs} == {"weighted_alpaca_eval_gpt4_turbo"}
    assert all("raw_completion" not in p.metadata for p in pairs)
    # How often the model's answer was the likelier one.
    assert sum(p.metadata["generator_chosen"] == model for p in pairs) == chosen
    assert sum(p.metadata["generator_rejected"] == model for p in pairs) == len(pairs) - chosen
