"""Claims about the reward model's benchmark: nothing tested was met in training, and the rulers are fair."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import reward_model, reward_table
from heedful.records import Preference, assistant, user
from tests import tiny

REFERENCE = "ref"


def pair(number: int, better: str, worse: str, **texts: str) -> Preference:
    return Preference(
        (user(f"question {number}"),),
        (assistant(texts.get("chosen", f"{better} says yes")),),
        (assistant(texts.get("rejected", f"{worse} says no")),),
        id=f"{better}-{worse}-{number}",
        metadata={"generator_chosen": better, "generator_rejected": worse},
    )


@pytest.fixture
def files() -> dict[str, list[Preference]]:
    return {name: [pair(n, REFERENCE, name) for n in range(40)] for name in ("first", "second", "third")}


def parts(files: dict[str, list[Preference]], **changed: Any) -> reward_model.Split:
    settings = {"held_out": 0.3, "pairs": 1000, "seed": 0, **changed}
    return reward_model.split([*files["first"], *files["second"]], files["third"], **settings)


def test_no_instruction_is_both_trained_and_tested_on(files: dict[str, list[Preference]]) -> None:
    found = parts(files)
    trained = {record.prompt for record in found.train}
    tested = {record.prompt for record in found.third}
    assert len(trained) == 28
    assert len(tested) == 12
    assert not trained & tested
    assert {record.prompt for record in found.seen} <= tested


def test_the_third_writer_is_in_no_training_pair(files: dict[str, list[Preference]]) -> None:
    found = parts(files)
    assert len(found.train) == 56  # both files' pairs on the 28
    assert len(found.seen) == len(found.third)
    writers = [
        {record.metadata["generator_rejected"] for record in part} for part in (found.train, found.third)
    ]
    assert writers == [{"first", "second"}, {"third"}]


def test_fewer_pairs_change_nothing_that_is_tested_on(files: dict[str, list[Preference]]) -> None:
    all_of_them, few = parts(files), parts(files, pairs=5)
    assert (few.third, few.seen) == (all_of_them.third, all_of_them.seen)
    assert len(few.train) == 5
    assert set(few.train) <= set(all_of_them.train)
    assert parts(files, pairs=5) == few
    assert parts(files, seed=1).third != few.third


def test_the_reference_is_whose_answer_is_in_every_pair() -> None:
    assert reward_model.reference([pair(1, "ref", "a"), pair(2, "a", "ref"), pair(3, "ref", "b")]) == "ref"
    with pytest.raises(ValueError, match="2 models"):
        reward_model.reference([pair(1, "ref", "a"), pair(2, "a", "ref")])
    with pytest.raises(ValueError, match="0 models"):
        reward_model.reference([pair(1, "ref", "a"), pair(2, "b", "c")])


def test_rulers_of_authors_and_accuracy_on_either_side_of_them() -> None:
    records = [pair(n, *("ref", "a") if n < 3 else ("a", "ref")) for n in range(8)]
    right = np.array([True, True, True, True, False, False, False, False])
    found = reward_model.authorship(records, right, REFERENCE)
    assert (found["reference_wins"].value, found["other_wins"].value) == (3 / 8, 5 / 8)
    assert (found["where_reference_is_better"].value, found["where_other_is_better"].value) == (1, 1 / 5)
    assert found["over_best"] == 4 / 8 - 5 / 8
    low, high = found["over_best_interval"]
    assert low < found["over_best"] < high


def test_an_author_who_never_wins_leaves_no_accuracy_behind() -> None:
    records = [pair(n, "ref", "a") for n in range(3)]
    found = reward_model.authorship(records, np.array([True, False, True]), REFERENCE)
    assert found["where_other_is_better"] is None
    assert found["where_reference_is_better"].n == 3


def test_lengths_are_those_of_texts_before_they_were_cut() -> None:
    long, longer = "the cat sat " * 20, "the dog ran " * 40
    records = [pair(n, "ref", "a", chosen=longer, rejected=long) for n in range(4)]
    backbone = tiny.backbone()
    backbone.add_head("reward", seed=0)
    found = reward_model.Judge(backbone, max_length=48)(records, REFERENCE, "pairs")
    assert found["responses_cut"] == 8
    assert found["quality"]["longer_wins"]["value"] == 1
    assert list(found["quality"]["by_length"]) == ["much longer"]
    assert found["responses_whole"] is None


def test_the_whole_benchmark_writes_what_the_table_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        reward_model.machine, "describe", lambda: {"cpu": "Some CPU", "cores": 2, "gpu": None}
    )
    names = {name: tmp_path / f"{name}.json.gz" for name in ("first", "second", "third")}
    for name, path in names.items():
        rows = [
            {
                "instruction": f"question {n}",
                "output_1": f"the answer to {n} is long",
                "generator_1": "ref",
                "output_2": f"{n}",
                "generator_2": name,
                "preference": 1.2 if n % 3 else 1.9,
            }
            for n in range(20)
        ]
        path.write_bytes(gzip.compress(json.dumps(rows).encode()))
    hh = tmp_path / "hh.jsonl"
    says = {"chosen": "yes", "rejected": "no"}
    rows = [
        {side: f"\n\nHuman: is it {n}?\n\nAssistant: {says[side]}, it is" for side in says} for n in range(6)
    ]
    hh.write_text("\n".join(json.dumps(row) for row in rows))
    given: list[Any] = ["--train", names["first"], names["second"], "--test", names["third"], "--hh", hh]
    given += ["--model", tiny.save(tmp_path / "model"), "--pairs", 8, "--max-length", 128]
    given += ["--output", tmp_path / "run", "--results", tmp_path, "--precision", "fp32", "--held-out", 0.4]
    reward_model.main([str(part) for part in given])
    (written,) = (tmp_path / "reward_model").glob("*.json")
    report = json.loads(written.read_text())
    assert report["settings"]["pairs"] == 8
    assert [report["sets"][name]["quality"]["n"] for name in reward_table.SETS] == [8, 8, 6]
    assert report["sets"]["third"]["quality"]["soft"] == 8
    lines = reward_table.render(report).splitlines()
    assert "8 pairs" in lines[0]
    assert len(lines) == 4 + len(reward_table.LINES)
    assert lines[4] == "| pairs | 8 | 8 | 6 |"
