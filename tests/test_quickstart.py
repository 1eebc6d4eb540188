"""The quickstart and `evaluate`, whole, with a tiny model in the default model's place."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import heedful
from heedful import data, quickstart
from heedful.errors import DataError, RunError
from heedful.models.backbone import Backbone
from heedful.pipeline import IMPLICIT, PER_TOKEN, evaluate
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter
from tests import tiny

HELD_OUT = "everyday/preferences-held-out.jsonl"


def test_quickstart_trains_both_stages_and_writes_a_report(tiny_default: Path, tmp_path: Path) -> None:
    output = tmp_path / "quickstart"
    found = quickstart.run(output, Reporter(stream=io.StringIO())).data
    assert found.stages == ["base", "SFT", "DPO"]
    assert {row.stage for row in found.accuracy if row.label == PER_TOKEN} == {"base", "SFT", "DPO"}
    assert {row.n for row in found.accuracy} == {44}
    assert len(found.side_by_side) == 12
    assert all(set(item.answers) == {"base", "SFT", "DPO"} for item in found.side_by_side)
    assert {curve.title.split(":")[0] for curve in found.curves} == {"SFT", "DPO"}
    page = (output / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    info = RunFolder(output / "dpo").info()
    assert info["status"] == "finished"
    # DPO's reference is the SFT model: its adapter was folded in before, and the run says so.
    assert info["model"]["lineage"] == [str((output / "sft" / "adapter").absolute())]


def test_the_dpo_run_of_a_quickstart_loads_by_its_folder(tiny_default: Path, tmp_path: Path) -> None:
    quickstart.run(tmp_path / "quickstart", Reporter(stream=io.StringIO()))
    backbone = heedful.load(str(tmp_path / "quickstart" / "dpo"))
    assert [Path(folder).parent.name for folder in backbone.lineage] == ["sft", "dpo"]


def test_quickstart_leaves_a_folder_in_use_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(RunError, match="not empty"):
        quickstart.run(tmp_path, Reporter(stream=io.StringIO()))
    assert quickstart.free_folder(tmp_path) == tmp_path.with_name(tmp_path.name + "-2")


def test_evaluate_compares_the_trained_policy_with_its_untrained_self(
    tiny_default: Path, tmp_path: Path
) -> None:
    backbone = heedful.load("smollm2-135m")
    pairs = heedful.read(data.path(HELD_OUT), limit=6)
    heedful.train.dpo(backbone, pairs, output=tmp_path / "run", max_steps=30, learning_rate=1e-2, quiet=True)
    found = evaluate(backbone, baseline=backbone, data=pairs, prompts=2, max_new_tokens=4, quiet=True)
    (implicit,) = [row for row in found.data.accuracy if row.label == IMPLICIT]
    assert implicit.value > 0.6
    assert implicit.n == 6
    assert found.save(tmp_path / "out" / "report.html").exists()


def test_evaluate_on_demonstrations_shows_behaviour_and_no_accuracy(tmp_path: Path) -> None:
    one, other = tiny.backbone("llama"), tiny.backbone("llama", seed=1)
    demonstrations = heedful.read(data.path("everyday/demonstrations-held-out.jsonl"), limit=3)
    found = evaluate(one, baseline=other, data=demonstrations, max_new_tokens=4, quiet=True).data
    assert found.accuracy == []
    assert [behaviour.n for behaviour in found.behaviour.values()] == [3, 3]


def test_evaluate_without_usable_records_says_so() -> None:
    backbone: Backbone = tiny.backbone("llama")
    with pytest.raises(DataError, match="no preference and no demonstration"):
        evaluate(backbone, baseline=backbone, data=[], quiet=True)
    with pytest.raises(DataError, match="nothing to compare"):
        evaluate(backbone, data=heedful.read(data.path(HELD_OUT), limit=1), quiet=True)


def test_rows_that_evaluation_leaves_out_are_counted_in_the_report() -> None:
    backbone = tiny.backbone("llama")
    pair = heedful.read(data.path(HELD_OUT), limit=1)[0]
    prompt = (heedful.Message("user", "Which?"),)
    same = heedful.Message("assistant", "the same start " * 400)
    cut_equal = heedful.Preference(
        prompt, (same,), (heedful.Message("assistant", same.content + "x"),), id="long"
    )
    thumb = heedful.Feedback(prompt, (heedful.Message("assistant", "Two."),), True, id="thumb")
    records = [pair, cut_equal, thumb]
    found = evaluate(
        backbone,
        baseline=tiny.backbone("llama", seed=1),
        data=records,
        max_length=64,
        max_new_tokens=2,
        quiet=True,
    ).data
    assert found.quarantine == {"equal_after_truncation": 1, "other_kind": 1}
    assert {row.n for row in found.accuracy} == {1}
