"""A run folder is never overwritten, and a resumed run is the same run."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest
import torch

from heedful.errors import RunError
from heedful.recipe import RewardSource, load
from heedful.training import run_folder
from heedful.training.run_folder import RunFolder
from tests.training import small


def opened(folder: Path, *, resume: bool = False, stage: str = "dpo", **settings: Any) -> RunFolder:
    return run_folder.open_run(small.recipe(stage, folder, **settings), resume=resume)


def test_a_new_run_says_what_it_is(tmp_path: Path) -> None:
    run = opened(tmp_path / "run", seed=7)
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info == run.info()
    assert (info["status"], info["stage"], info["seed"]) == ("running", "dpo", 7)
    assert info["versions"]["torch"] == torch.__version__
    assert info["versions"]["python"] == platform.python_version()
    assert {"heedful", "transformers", "peft"} <= info["versions"].keys()
    assert info["recipe"]["objective.beta"] == 0.1
    assert info["recipe"]["training.seed"] == 7
    assert "output" not in info["recipe"]
    assert load(run.path / "recipe.yaml", stage="dpo") == small.recipe("dpo", tmp_path / "run", seed=7)


def test_facts_are_added_and_replaced(tmp_path: Path) -> None:
    run = opened(tmp_path / "run")
    run.update(status="finished", steps=3)
    assert (run.info()["status"], run.info()["steps"], run.info()["stage"]) == ("finished", 3, "dpo")


def test_a_finished_or_broken_run_is_not_overwritten(tmp_path: Path) -> None:
    opened(tmp_path / "run")
    with pytest.raises(RunError, match=r"already holds a run.*--resume"):
        opened(tmp_path / "run")


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match="is not empty"):
        opened(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_empty_folder_may_be_used(tmp_path: Path) -> None:
    assert opened(tmp_path).checkpoints.is_dir()


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    for resume in (False, True):
        with pytest.raises(RunError, match="this is a file, not a folder"):
            opened(tmp_path / "run", resume=resume)


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run to resume.*without --resume"):
        opened(tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"learning_rate": 5e-4}, "training.learning_rate"),
        ({"beta": 0.3}, "objective.beta"),
        ({"rank": 8}, "lora.rank"),
        ({"max_length": 77}, "data.max_length"),
        ({"seed": 1}, "training.seed"),
        ({"patience": 9}, "guard.patience"),
    ],
)
def test_another_recipe_is_no_resumption(settings: dict[str, Any], key: str, tmp_path: Path) -> None:
    opened(tmp_path / "run")
    before = (tmp_path / "run" / "run.json").read_text()
    with pytest.raises(RunError) as error:
        opened(tmp_path / "run", resume=True, **settings)
    (value,) = settings.values()
    assert f"started with {key} = " in str(error.value)
    assert f"now it is {value!r}" in str(error.value)
    assert str(tmp_path / "run" / "recipe.yaml") in str(error.value)
    assert (tmp_path / "run" / "run.json").read_text() == before


def test_another_stage_is_no_resumption(tmp_path: Path) -> None:
    opened(tmp_path / "run")
    with pytest.raises(RunError, match="objective"):
        opened(tmp_path / "run", resume=True, stage="sft")


def test_what_is_only_written_and_shown_may_change(tmp_path: Path) -> None:
    opened(tmp_path / "run")
    run = opened(
        tmp_path / "run", resume=True, checkpoint_every=7, log_every=3, keep_checkpoints=9, merged=True
    )
    assert load(run.path / "recipe.yaml", stage="dpo").training.checkpoint_every == 7


def test_an_endpoint_may_move_but_not_become_another_kind_of_reward(tmp_path: Path) -> None:
    def scored(*, resume: bool = True, **source: Any) -> None:
        sources = [RewardSource(function="a:b"), RewardSource(**source)]
        recipe = small.recipe("ppo", tmp_path / "run").model_copy(update={"reward": sources})
        run_folder.open_run(recipe, resume=resume)

    scored(url="http://here", resume=False)
    scored(url="http://there", headers={"a": "b"}, timeout=90.0, retries=9, batch_size=1)
    with pytest.raises(RunError, match=r"started with reward\.1\.weight = 1\.0, and now it is 2\.0"):
        scored(url="http://here", weight=2.0)
    with pytest.raises(RunError, match=r"started with reward\.1\.\w+ = .*, and now it is"):
        scored(function="c:d")


def test_a_damaged_run_file_is_said(tmp_path: Path) -> None:
    opened(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text('{"stage": "d')
    with pytest.raises(RunError, match=r"run\.json cannot be read"):
        opened(tmp_path / "run", resume=True)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    with pytest.raises(RunError, match="the run folder cannot be written"):
        opened(tmp_path / "file" / "run")


def test_fingerprints_that_differ_are_named_by_their_key(tmp_path: Path) -> None:
    run = opened(tmp_path / "run")
    run_folder.check_same(run, {"data.train": "a"})  # nothing was known yet
    run.update(fingerprints={"data.train": "a", "data.eval": "b"})
    run_folder.check_same(run, {"data.train": "a", "data.eval": "b"})
    with pytest.raises(RunError, match=r"what data\.eval names has changed"):
        run_folder.check_same(run, {"data.train": "a", "data.eval": "c"})
