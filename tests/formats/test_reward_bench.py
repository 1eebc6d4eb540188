"""RewardBench's pairs and RewardBench 2's best of four, with the section that each counts in."""

from __future__ import annotations

from typing import Any

import pytest

from heedful.formats import read
from heedful.formats.reward_bench import SECTION_OF
from heedful.records import Preference, Ranking, assistant, user

ROW: dict[str, Any] = {
    "prompt": "Why?",
    "chosen": "Because.",
    "chosen_model": "A",
    "rejected": "No.",
    "rejected_model": "B",
    "subset": "llmbar-natural",
    "id": 7,
}
FOUR: dict[str, Any] = {
    "id": "12",
    "prompt": "Why?",
    "chosen": ["Because."],
    "rejected": ["No.", "Never.", "Perhaps."],
    "num_correct": 1,
    "subset": "Factuality",
}


def test_a_pair_knows_its_subset_its_section_and_who_wrote_it(jsonl) -> None:
    (record,) = read(jsonl([ROW]))

    assert record == Preference(
        (user("Why?"),), (assistant("Because."),), (assistant("No."),), id="7", source="data.jsonl"
    )
    assert record.metadata == {
        "subset": "llmbar-natural",
        "section": "Chat Hard",
        "generator_chosen": "A",
        "generator_rejected": "B",
    }


def test_sides_may_be_turns_with_or_without_the_prompt(jsonl) -> None:
    asked = [{"role": "user", "content": "Why?"}]
    sides = [[{"role": "assistant", "content": said}] for said in ("Because.", "No.")]
    alone = ROW | {"prompt": asked, "chosen": sides[0], "rejected": sides[1]}
    whole = alone | {"chosen": asked + sides[0], "rejected": asked + sides[1]}

    first, second = read(jsonl([alone, whole]))

    assert isinstance(first, Preference)
    assert isinstance(second, Preference)
    assert (first.prompt, first.chosen, first.rejected) == (second.prompt, second.chosen, second.rejected)
    assert first.rejected == (assistant("No."),)


def test_a_subset_of_somebody_elses_has_no_section(jsonl) -> None:
    (record,) = read(jsonl([ROW | {"subset": "mine"}]))

    assert isinstance(record, Preference)
    assert record.metadata["subset"] == "mine"
    assert "section" not in record.metadata


def test_the_four_sections_have_the_published_subsets() -> None:
    """Table 1 of the paper: 5, 6, 5 and 7 subsets."""
    counted = [list(SECTION_OF.values()).count(name) for name in ("Chat", "Chat Hard", "Safety", "Reasoning")]
    assert counted == [5, 6, 5, 7]
    assert SECTION_OF["math-prm"] == SECTION_OF["hep-rust"] == "Reasoning"
    assert SECTION_OF["mt-bench-hard"] == "Chat Hard"


def test_one_right_of_four_is_a_ranking_of_two_ranks(jsonl) -> None:
    (record,) = read(jsonl([FOUR]))

    assert isinstance(record, Ranking)
    assert [response[0].content for response in record.responses] == ["Because.", "No.", "Never.", "Perhaps."]
    assert record.ranks == (1, 2, 2, 2)
    assert (record.id, record.metadata) == ("12", {"num_correct": 1, "subset": "Factuality"})


def test_several_may_be_right(jsonl) -> None:
    (record,) = read(jsonl([FOUR | {"id": "tied:3", "subset": "Ties", "chosen": ["Red.", "Blue."]}]))

    assert isinstance(record, Ranking)
    assert (record.ranks, record.id) == ((1, 1, 2, 2, 2), "tied:3")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ROW | {"prompt": ""}, "empty_prompt"),
        (ROW | {"chosen": ""}, "empty_chosen"),
        (ROW | {"chosen": None}, "wrong_type"),
        (ROW | {"subset": None}, "wrong_type"),
        (FOUR | {"rejected": ["No.", " "]}, "empty_response"),
        (FOUR | {"rejected": []}, "empty_rejected"),
        (FOUR | {"chosen": []}, "empty_chosen"),
        (FOUR | {"chosen": ["Because.", 3]}, "wrong_type"),
    ],
)
def test_a_row_that_does_not_fit_is_quarantined_with_its_reason(jsonl, row, reason: str) -> None:
    kept = read(jsonl([ROW, row]), format="reward-bench")

    assert (len(kept), kept.counts.quarantined) == (1, {reason: 1})
