"""Data on their way in: made comparable, dealt out, counted; never learned from and judged by."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from heedful import formats
from heedful.errors import DataError
from heedful.pipeline import incoming
from heedful.quarantine import Quarantined
from heedful.records import Demonstration, user
from tests import pipelines
from tests.pipelines import prepare, refused


def test_a_prompt_is_never_learned_from_and_judged_by_in_whatever_file_it_stands(work: Path) -> None:
    # Demonstrations and pairs share prompts, and the pairs bring rows to judge by.
    shared = pipelines.pairs(16, seed=0)
    formats.write(shared, "pairs.jsonl")
    formats.write(shared[:3], "held.jsonl")
    prepare("data.preferences.eval=held.jsonl")
    learned, judged = set[Any](), set[Any]()
    for path in Path("out/split").glob("*.jsonl"):
        if path.name != incoming.LEFT_OUT:
            side = judged if "held-out" in path.name else learned
            side |= {record.prompt for record in formats.read(path)}
    assert {pair.prompt for pair in shared[:3]} <= judged
    assert not learned & judged
    counts = json.loads(Path("out/split/counts.json").read_text())
    assert counts["preferences-train"] == {
        "read": 16,
        "kept": counts["preferences-train"]["rows"],
        "quarantined": {incoming.HELD_OUT: 16 - counts["preferences-train"]["rows"]},
        "rows": counts["preferences-train"]["rows"],
    }
    left_out = Path("out/split/left-out.jsonl").read_text().splitlines()
    assert len(left_out) == counts["preferences-train"]["quarantined"][incoming.HELD_OUT] >= 3


def test_prompts_that_kinds_share_are_dealt_once(work: Path) -> None:
    formats.write(pipelines.demonstrations(20, seed=0), "demos.jsonl")
    formats.write(pipelines.pairs(40, seed=0), "pairs.jsonl")
    prepare("split.held_out=0.2", "split.seed=3")
    held = {
        kind: {record.prompt for record in formats.read(f"out/split/{kind}-held-out.jsonl")}
        for kind in ("demonstrations", "preferences")
    }
    # A fifth of the twenty that both have, and of the twenty that pairs have alone.
    assert {kind: len(prompts) for kind, prompts in held.items()} == {"demonstrations": 4, "preferences": 8}
    assert held["demonstrations"] <= held["preferences"]


def test_near_prompts_stay_on_one_side(work: Path) -> None:
    words = "please tell me in a few words what the weather in the north of the country is like in early may"
    demos = [
        Demonstration((user(f"{words} of {year}?"),), pipelines.ANSWER, id=str(year))
        for year in range(2000, 2010)
    ]
    formats.write([*demos, *pipelines.demonstrations(10)], "demos.jsonl")
    prepare("split.near=0.8")
    sides = {
        name: {record.id for record in formats.read(f"out/split/demonstrations-{name}.jsonl")}
        for name in ("train", "held-out")
    }
    of_the_weather = {demo.id for demo in demos}
    assert of_the_weather <= sides["train"] or of_the_weather <= sides["held-out"]


def test_pairs_are_made_of_ratings_as_they_are_imported(work: Path) -> None:
    rows = [
        {"prompt": f"What is {n}?", "response": reply, "score": score}
        for n in range(16)
        for reply, score in (("a cat", 5), ("a dog", 1))
    ]
    Path("ratings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prepare("data.preferences.train=ratings.jsonl")
    made = formats.read("out/import/preferences-train.jsonl")
    assert len(made) == 16
    assert {pair.chosen for pair in made} == {pipelines.ANSWER}
    assert json.loads(Path("out/import/counts.json").read_text())["preferences-train"]["read"] == 32


def test_data_without_what_a_stage_needs_are_refused_before_anything_is_trained(work: Path) -> None:
    for overrides, words in (
        (
            ["data.preferences.train=demos.jsonl"],
            "nothing in it that can be taken for preferences (16 read, 0 kept",
        ),
        (["data.demonstrations.train=pairs.jsonl"], "nothing in it that can be taken for demonstrations"),
        (["data.preferences.train=pears.jsonl"], "no such file. Did you mean"),
        (["data.preferences.train=heedful:everyday/none.jsonl"], "Heedful ships no data named"),
    ):
        assert words in refused(*overrides, kind=DataError)
        assert not Path("out/split").exists()
        shutil.rmtree("out", ignore_errors=True)


def test_too_few_prompts_to_hold_any_out_are_said(work: Path) -> None:
    formats.write(pipelines.demonstrations(1) * 3, "demos.jsonl")
    with pytest.raises(DataError, match=r"data\.demonstrations: of 3 records none can be held out"):
        prepare()


def test_what_is_left_out_is_kept_with_its_reason(work: Path) -> None:
    mixed = [*pipelines.demonstrations(12), *pipelines.pairs(2)]
    formats.write(mixed, "demos.jsonl")
    prepare()
    rows = [json.loads(line) for line in Path("out/import/left-out.jsonl").read_text().splitlines()]
    assert [row["reason"] for row in rows] == ["other_kind"] * 2
    assert set(rows[0]) == set(Quarantined.__slots__)
