"""What a run is made from: contents count, and names, times and the order of a set do not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from heedful import formats
from heedful.errors import DataError, ModelError
from heedful.recipe import load
from heedful.training import inputs
from heedful.training.job import Given
from tests import tiny
from tests.training import small


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tiny.save(tmp_path / "model")
    formats.write(small.pairs(4), "a.jsonl")
    formats.write(small.pairs(4, seed=1), "b.jsonl")
    return tmp_path


def of(*overrides: str, stage: str = "sft", given: Given | None = None, **options: Any) -> dict[str, str]:
    recipe: Any = load(None, ["model.name=model", "data.train=a.jsonl", *overrides], stage=stage)
    return inputs.of(recipe, given or Given(), **options)


def test_a_copy_and_a_touched_file_are_the_same_and_another_order_is_not(work: Path) -> None:
    before = of()
    Path("copy.jsonl").write_bytes(Path("a.jsonl").read_bytes())
    os.utime("a.jsonl", (0, 0))
    assert of() == of("data.train=copy.jsonl") == before
    one, other = of("data.train=[a.jsonl, b.jsonl]"), of("data.train=[b.jsonl, a.jsonl]")
    assert len({one["data.train"], other["data.train"], before["data.train"]}) == 3


def test_held_out_rows_count(work: Path) -> None:
    with_file, without = of("data.eval=b.jsonl"), of()
    assert with_file["data.train"] == without["data.train"]
    assert with_file["data.eval"] != without["data.eval"]


def test_records_in_memory_stand_for_files(work: Path) -> None:
    one, same, other = (of(given=Given(small.pairs(4, seed=seed))) for seed in (0, 0, 1))
    assert one == same
    assert one["data.train"] != other["data.train"]


def test_a_model_is_its_weights_and_all_that_is_folded_into_them(work: Path) -> None:
    small.train("sft", work / "sft")
    adapter = work / "sft" / "adapter"
    config = json.loads((adapter / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = str(work / "model")

    def named(**changed: Any) -> str:
        (adapter / "adapter_config.json").write_text(json.dumps({**config, **changed}))
        return of("model.name=sft")["model.name"]

    before = named()
    assert before != of()["model.name"]
    assert named(target_modules=config["target_modules"][::-1]) == before
    assert named(lora_alpha=7) != before
    named()
    tiny.save(work / "model", seed=1)
    assert of("model.name=sft")["model.name"] != before


def test_rewards_are_named_by_their_place(work: Path) -> None:
    Path("mine.py").write_text("def one(prompts, responses):\n    return [1.0] * len(responses)\n")
    sources = "reward=[{url: 'http://here'}, {function: 'mine.py:one'}, {model: model}]"
    found = of(sources, stage="ppo")
    assert sorted(found) == [
        "data.eval",
        "data.train",
        "model.name",
        "reward.1.function",
        "reward.2.model",
    ]
    assert found["reward.2.model"] == found["model.name"]


def test_a_function_is_the_file_it_is_in_however_it_is_named(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(function: str) -> str | None:
        return of(f"reward=[{{function: '{function}'}}]", stage="ppo").get("reward.0.function")

    Path("my_scores.py").write_text("def one(prompts, responses):\n    return [1.0] * len(responses)\n")
    Path("broken").mkdir()
    Path("broken/__init__.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(work)
    before = found("my_scores:one")
    assert before is not None
    assert found("my_scores.py:one") == before
    Path("my_scores.py").write_text("def one(prompts, responses):\n    return [2.0] * len(responses)\n")
    assert found("my_scores:one") not in (before, None)
    for nowhere in ("no_such_module:one", "no_such.module:one", "broken.scores:one", "sys:intern", "one"):
        assert found(nowhere) is None


def test_nothing_is_said_of_runs_that_are_still_to_come(work: Path) -> None:
    assert "model.name" not in of("model.name=out/sft", pending=[Path("out/sft")])
    assert "model.name" in of(pending=[Path("out/sft")])
    with pytest.raises(ModelError):
        of("model.name=./out/sft")


def test_a_file_that_is_not_there_is_said(work: Path) -> None:
    with pytest.raises(DataError, match=r"c\.jsonl: no such file"):
        of("data.train=[a.jsonl, c.jsonl]")
