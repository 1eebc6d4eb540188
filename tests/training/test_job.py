"""From records to a run: counts that add up, what is held out, and what the run folder says afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from heedful import formats
from heedful.errors import DataError, ModelError, RecipeError, RunError, TrainingStopped
from heedful.models import export
from heedful.models.catalog import resolve
from heedful.models.loading import load
from heedful.quarantine import Kept, Quarantined
from heedful.records import Preference, assistant, user
from heedful.training import dpo, job, sft
from heedful.training.job import Given, Job
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import read_metrics
from tests import tiny
from tests.training import small


def write(path: Path, records: list[Any]) -> str:
    formats.write(records, path)
    return str(path)


def prepared(tmp_path: Path, given: Given | None = None, **settings: Any) -> Job:
    given = given or Given(backbone=tiny.backbone())
    return dpo.prepare(small.recipe("dpo", tmp_path / "run", **settings), given, reporter=small.QUIET)


def adds_up(counts: dict[str, Any]) -> bool:
    return bool(counts["read"] == counts["kept"] + sum(counts["quarantined"].values()))


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """Ten good pairs; two with equal sides; one that is too long; one line that is no JSON."""
    path = tmp_path / "pairs.jsonl"
    long = Preference((user("long"),), (assistant("cat " * 90),), (assistant("dog"),), id="long")
    formats.write([*small.pairs(10), long], path)
    equal = {"prompt": "p", "chosen": "same", "rejected": "same"}
    lines = [json.dumps(equal), json.dumps(equal), "{no json"]
    path.write_text(path.read_text() + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def careful(faulty: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "train": str(faulty),
        "bad_lines": "quarantine",
        "truncation": "drop",
        "max_length": 100,
        "quarantine": str(tmp_path / "left-out.jsonl"),
    }


def test_counts_add_up_at_every_step(careful: dict[str, Any], faulty: Path, tmp_path: Path) -> None:
    found = prepared(tmp_path, eval_fraction=0.2, **careful)
    counts = found.counts()
    read = counts["read"][str(faulty)]
    assert all(map(adds_up, (read, counts["train"], counts["held_out"])))
    assert read["read"] == 14
    assert read["kept"] == counts["train"]["read"] + counts["held_out"]["read"] == 11
    assert counts["train"]["kept"] + counts["held_out"]["kept"] == 10
    left_out = {**counts["train"]["quarantined"], **counts["held_out"]["quarantined"]}
    assert left_out == {"too_long": 1}


def test_every_row_left_out_is_in_the_quarantine_file(careful: dict[str, Any], tmp_path: Path) -> None:
    found = prepared(tmp_path, **careful)
    rows = [json.loads(line) for line in (tmp_path / "left-out.jsonl").read_text().splitlines()]
    assert len(rows) == len(found.left_out()) == 4
    assert sorted(row["where"] for row in rows)[-1].startswith("long")
    assert all(row["reason"] and row["detail"] for row in rows)


def test_one_bad_line_stops_by_default(faulty: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pairs\.jsonl"):
        prepared(tmp_path, train=str(faulty))


def test_no_row_left_is_said_with_the_reason(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", small.pairs(3))
    with pytest.raises(
        DataError, match=r"no row is left to train on \(3 read, 0 kept, 3 quarantined \(too_long 3\)"
    ):
        prepared(tmp_path, train=path, truncation="drop", max_length=3)


def test_no_prompt_is_on_both_sides(tmp_path: Path) -> None:
    # Each prompt comes three times, with other responses.
    records = [
        Preference(
            pair.prompt,
            pair.chosen,
            (assistant(f"{pair.rejected[0].content} {copy}"),),
            id=f"{pair.id}/{copy}",
        )
        for pair in small.pairs(10)
        for copy in range(3)
    ]
    found = prepared(tmp_path, train=write(tmp_path / "pairs.jsonl", records), eval_fraction=0.3)
    train, held_out = ({tuple(row.prompt) for row in rows} for rows in (found.train, found.held_out))
    assert (len(train), len(held_out)) == (7, 3)
    assert not train & held_out
    assert (len(found.train), len(found.held_out)) == (21, 9)


def test_a_file_to_judge_by_leaves_the_training_rows_whole(tmp_path: Path) -> None:
    train, judge = (
        write(tmp_path / "a.jsonl", small.pairs(8)),
        write(tmp_path / "b.jsonl", small.pairs(3, seed=5)),
    )
    found = prepared(tmp_path, train=train, eval=judge, eval_fraction=0.5)
    assert (len(found.train), len(found.held_out)) == (8, 3)
    assert found.counts()["read"].keys() == {train, judge}


def test_several_files_are_learned_from_together(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.jsonl", small.pairs(4, seed=n)) for n in range(2)]
    assert len(prepared(tmp_path, train=paths).train) == 8


def test_records_in_memory_are_learned_from_as_they_are(tmp_path: Path) -> None:
    found = prepared(
        tmp_path, Given(small.pairs(6), small.pairs(2, seed=3), tiny.backbone()), eval_fraction=0.5
    )
    assert (len(found.train), len(found.held_out)) == (6, 2)


def test_what_reading_left_out_still_counts_for_records_in_memory(tmp_path: Path) -> None:
    kept = Kept(small.pairs(6), [Quarantined("a.jsonl:7", "bad_json", "no JSON", "{")])
    found = prepared(tmp_path, Given(kept, None, tiny.backbone()))
    (counts,) = found.counts()["read"].values()
    assert adds_up(counts)
    assert (counts["read"], counts["kept"]) == (7, 6)
    assert [row.where for row in found.left_out()] == ["a.jsonl:7"]


def test_records_of_another_kind_are_refused_with_the_right_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"learns from preferences.*heedful sft"):
        prepared(tmp_path, Given(small.demonstrations(3), None, tiny.backbone()))
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_is_not_there_is_refused_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(RecipeError, match=r"training\.trackers: tensorboard is not installed\..*pip install"):
        prepared(tmp_path, trackers=["tensorboard"], train=str(tmp_path / "absent.jsonl"))


def test_half_an_epoch_sees_half_of_the_rows(tmp_path: Path) -> None:
    outcome = small.train("sft", tmp_path / "run", epochs=0.5, batch_size=2)
    lines = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert outcome.steps == 3
    assert sum(line["rows"] for line in lines) == 6
    assert [line["epoch"] for line in lines] == pytest.approx([1 / 6, 2 / 6, 3 / 6])


def test_one_and_a_half_epochs_see_some_rows_twice(tmp_path: Path) -> None:
    outcome = small.train("sft", tmp_path / "run", epochs=1.5, batch_size=5)
    # Twelve rows are steps of 5, 5 and 2; half of three steps is rounded to the even number.
    assert outcome.steps == 4
    assert [line["rows"] for line in read_metrics(tmp_path / "run" / "metrics.jsonl")] == [5, 5, 2, 5]


@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_a_finished_run_describes_itself(stage: str, tmp_path: Path) -> None:
    outcome = small.train(stage, tmp_path / "run", eval_fraction=0.25)
    info = RunFolder(outcome.run).info()
    assert info["status"] == "finished"
    assert info["error"] is None
    assert info["steps"] == outcome.steps == 3
    assert info["evaluation"] == outcome.evaluation
    assert info["counts"]["train"]["kept"] == 9
    assert info["counts"]["held_out"]["kept"] == 3
    assert info["model"]["fingerprint"] == tiny.backbone().fingerprint()
    assert info["compute_dtype"] == "float32"
    names = {path.name for path in outcome.run.iterdir()}
    assert names == {"recipe.yaml", "run.json", "metrics.jsonl", "checkpoints", "adapter", "model_card.md"}
    card = (outcome.run / "model_card.md").read_text()
    assert info["model"]["fingerprint"] in card
    assert f"{outcome.evaluation['loss']:.4g}" in card


def test_a_run_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="LoRA cannot be put on this model"):
        small.train("sft", tmp_path / "run", targets=["no_such_layer"])
    info = RunFolder(tmp_path / "run").info()
    assert info["status"] == "modelerror"
    assert "no_such_layer" in info["error"]


def stopped(run: Path, spoilt: set[int], monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of six steps with a checkpoint after every other one, when the guard has no patience and
    the loss of the steps `spoilt` is NaN.
    """
    monkeypatch.setattr(sft, "SFTStage", lambda rows: small.SpoiltStage(rows, spoilt))
    settings = {"batch_size": 2, "checkpoint_every": 2, "patience": 1, "max_rollbacks": 0, "merged": True}
    tiny.save(run.parent / "model")
    given = Given(small.demonstrations(12), None, load(str(run.parent / "model")))
    with pytest.raises(TrainingStopped) as caught:
        small.train("sft", run, given=given, **settings)
    info = RunFolder(run).info()
    assert (info["status"], info["error"]) == ("trainingstopped", str(caught.value))
    return str(caught.value)


def test_a_run_that_the_guard_stops_leaves_the_last_good_weights_to_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    message = stopped(run, {4}, monkeypatch)
    assert f"The run is not whole, but {run} can be used: it holds the weights of step 2 of 6. " in message
    assert RunFolder(run).info()["steps"] == 2
    assert resolve(str(run)).adapter == run / "adapter"
    assert (run / "merged" / "config.json").is_file()
    assert not (run / "model_card.md").exists()
    kept = load_file(run / "checkpoints" / "step-000002" / "trainable.safetensors")
    policy = small.policy_of(run)
    assert policy.keys() == kept.keys()
    assert all(torch.equal(policy[name], weight) for name, weight in kept.items())


def test_a_run_that_is_stopped_before_its_first_good_checkpoint_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    assert "Nothing was learned" in stopped(run, {2}, monkeypatch)
    assert not (run / "adapter").exists()
    with pytest.raises(ModelError, match="no finished weights"):
        resolve(str(run))


def test_a_command_is_named_only_where_it_could_resume_the_run(tmp_path: Path) -> None:
    path, backbone = write(tmp_path / "pairs.jsonl", small.pairs(6)), tiny.backbone()
    assert prepared(tmp_path, train=path).command == f"heedful dpo {tmp_path}/run/recipe.yaml --resume"
    for train, held_out in ((small.pairs(6), None), (None, small.pairs(2, seed=1))):
        assert prepared(tmp_path, Given(train, held_out, backbone), train=path).command == ""


def test_results_show_when_they_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(backbone: Any, folder: Path, role: str) -> None:
        export.save_adapter(backbone, folder)
        (folder / "adapter_model.safetensors").write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(job, "save_adapter", half)
    with pytest.raises(RunError, match=r"the results cannot be written: the disk is full.*then resume"):
        small.train("sft", tmp_path / "run")
    assert not (tmp_path / "run" / "adapter").exists()
    monkeypatch.undo()
    small.train("sft", tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").stat().st_size > 100
    assert not list((tmp_path / "run").glob(".adapter*"))


def test_rows_longer_than_the_models_context_are_refused(tmp_path: Path) -> None:
    reach = tiny.backbone().context_length
    assert reach is not None
    long = Preference((user("long"),), (assistant("cat " * reach),), (assistant("dog"),), id="long")
    records = [*small.pairs(2), long]
    given = Given(records, backbone=tiny.backbone())
    with pytest.raises(RecipeError, match=rf"at most {reach}\. Set data\.max_length={reach}\."):
        prepared(tmp_path, given, max_length=2 * reach)
    assert prepared(tmp_path, given, max_length=reach).train.responses_cut == 1
