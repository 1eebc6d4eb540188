"""What a recipe takes, of one stage or of several, without a weight loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful import formats, planning
from heedful.errors import DataError, HeedfulError
from heedful.planning import RecipePlan, plan_recipe
from heedful.recipe import Recipe, RewardSource, load
from heedful.rlhf import outlined
from heedful.training.duration import Duration
from heedful.training.plan import plan, predicted
from tests import pipelines, tiny
from tests.training import small

GB = 1_000_000_000


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model's configuration and tokenizer, but no weights, and data."""
    monkeypatch.chdir(tmp_path)
    tiny.save(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    formats.write(small.demonstrations(10), tmp_path / "demos.jsonl")
    formats.write(small.pairs(12), tmp_path / "pairs.jsonl")
    return tmp_path


def recipe(stage: str, *overrides: str) -> Any:
    data = "demos" if stage == "sft" else "pairs"
    own = ["model.name=./model", f"data.train={data}.jsonl", "training.batch_size=4"]
    return load(None, [*own, *overrides], stage=stage)


def planned(stage: str, *overrides: str) -> RecipePlan:
    return plan_recipe(recipe(stage, *overrides), time=False)


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("stage", ["sft", "dpo", "reward", "ppo"])
def test_a_recipe_of_one_stage(stage: str) -> None:
    own: Recipe = recipe(stage)
    if stage == "ppo":
        own = own.model_copy(update={"reward": [RewardSource(length=1.0)]})
    found = plan_recipe(own, time=False)
    (only,) = found.stages
    alone = plan(outlined(own, own.model))
    assert (only.name, only.plan.steps, only.plan.tokens) == (stage, alone.steps, alone.tokens)
    assert only.memory.phase("training").by_kind()["weights"] == alone.parameters * 4
    assert (only.durations, only.time, found.time) == ((), None, None)


@pytest.mark.usefixtures("work")
def test_the_process_is_measured_and_not_assumed() -> None:
    libraries = planned("sft").peak.memory.peak.by_kind()["libraries"]
    resident = planning.resident_bytes()
    assert resident is not None
    assert libraries == pytest.approx(resident + planning.FIRST_USE_BYTES, rel=0.1)


@pytest.mark.usefixtures("work")
def test_rlhf_is_planned_stage_by_stage_though_none_has_run() -> None:
    keys = ["model.name=./model", "sft.data.train=demos.jsonl", "reward.data.train=pairs.jsonl"]
    found = plan_recipe(load(None, [*keys, "output=runs/rlhf"], stage="rlhf"), time=False)
    assert [stage.name for stage in found.stages] == ["sft", "reward", "ppo"]
    # The reward model that is to come is an adapter over the same weights.
    ppo = found.stages[-1].memory.phase("rollout").by_role()
    assert 0 < ppo["reward"] < ppo["shared"]
    assert found.peak.memory.total == max(stage.memory.total for stage in found.stages)


def test_a_pipeline_is_planned_without_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pipelines.furnish(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    found = plan_recipe(pipelines.recipe(stages=pipelines.STAGES), time=False)
    assert [stage.name for stage in found.stages] == list(pipelines.STAGES)
    assert all(stage.plan.steps == 3 for stage in found.stages)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.usefixtures("work")
def test_stages_that_are_alike_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    measure = planning.measure

    def noted(*arguments: Any, **options: Any) -> Any:
        tried.append(options["training"].method)
        return measure(*arguments, seconds=0.0, **options)

    monkeypatch.setattr(planning, "measure", noted)
    keys = ["model.name=./model", "sft.data.train=demos.jsonl", "reward.data.train=pairs.jsonl"]
    found = plan_recipe(load(None, [*keys, "ppo.training.max_steps=2"], stage="rlhf"))
    assert tried == ["lora", "lora"]  # SFT and the reward model together, and PPO, which samples
    assert [part.phase for part in found.stages[0].durations] == ["training", "evaluation"]
    assert [part.phase for part in found.stages[2].durations] == ["rollout", "scoring", "training"]
    every = [part.seconds for stage in found.stages for part in stage.durations]
    assert all(seconds > 0 for seconds in every)
    assert found.time is not None
    assert found.time.seconds == pytest.approx(sum(every))


@pytest.mark.usefixtures("work")
def test_what_would_need_less_is_told_with_what_it_would_need() -> None:
    own = recipe("dpo", "training.method=full", "training.tokens_per_row=4096", "training.batch_size=12")
    (stage,) = plan_recipe(own, time=False).stages
    job = outlined(own, own.model)
    libraries = stage.memory.peak.by_kind()["libraries"]
    turns = {turn.setting: turn.bytes for turn in stage.turns}
    longest = max(row.tokens for row in job.train)
    # Two layers are recomputed in vain: a CPU keeps what the heap has grown to.
    assert {f"training.tokens_per_row={longest}", "training.method=lora"} <= set(turns)
    assert "training.gradient_checkpointing=true" not in turns
    assert list(turns.values()) == sorted(turns.values())
    assert all(size < stage.memory.total for size in turns.values())
    changed = own.model_copy(update={"training": own.training.model_copy(update={"method": "lora"})})
    assert turns["training.method=lora"] == predicted(outlined(changed, own.model), libraries=libraries).total


@pytest.mark.usefixtures("work")
def test_what_is_set_already_is_not_told_again() -> None:
    (stage,) = planned("sft", "training.gradient_checkpointing=true", "model.dtype=bfloat16").stages
    settings = [turn.setting.partition("=")[0] for turn in stage.turns]
    assert not {"training.gradient_checkpointing", "model.dtype", "training.method"} & set(settings)
    assert "4-bit weights" in settings


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize(
    ("room", "word"), [(None, "unknown"), (100 * GB, "fits"), (1.05, "tight"), (0.95, "too much")]
)
def test_whether_it_fits(room: float | None, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = planned("sft").peak.memory.total
    bytes_of_room = room if room is None or room >= GB else int(room * needed)
    monkeypatch.setattr(planning, "room_of", lambda device: bytes_of_room)
    found = planned("sft")
    assert found.room == bytes_of_room
    assert found.standing(needed) == word


@pytest.mark.usefixtures("work")
def test_as_plain_values() -> None:
    found = planned("dpo")
    value = json.loads(json.dumps(found.to_json(), allow_nan=False))
    (stage,) = value["stages"]
    assert (value["seconds"], value["standing"]) == (None, found.standing(found.peak.memory.total))
    assert (stage["stage"], stage["rows"], stage["seconds"]) == ("dpo", found.stages[0].plan.train.kept, {})
    assert stage["memory"]["peak_bytes"] == found.stages[0].memory.total
    assert stage["memory"]["phases"]["training"]["shared"]["weights"] == found.stages[0].plan.parameters * 4


@pytest.mark.usefixtures("work")
def test_seconds_add_up_over_stages() -> None:
    (stage,) = planned("sft").stages
    timed = [
        planning.StagePlan(name, stage.plan, (Duration("training", seconds, 0.2),), ())
        for name, seconds in (("a", 10.0), ("b", 20.0))
    ]
    found = RecipePlan(tuple(timed), None)
    assert found.time == Duration("total", 30.0, pytest.approx(0.2))
    assert found.to_json()["stages"][1]["seconds"] == {"training": {"seconds": 20.0, "off": 0.2}}


@pytest.mark.usefixtures("work")
def test_what_cannot_be_read_is_a_persons_mistake() -> None:
    with pytest.raises(DataError, match="no such file"):
        planned("sft", "data.train=demo.jsonl")
    with pytest.raises(HeedfulError, match="no such file or folder"):
        planned("sft", "model.name=./modle")
    with pytest.raises(HeedfulError, match="no layers"):
        planned("sft", "lora.targets=[no_proj]")


@pytest.mark.usefixtures("work")
def test_nothing_is_computed_for_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "measure", None)
    monkeypatch.setattr(torch.nn.functional, "linear", None)
    assert planned("ppo", "reward=[{length: 1.0}]").stages
