"""Preference optimisation as a stage: it starts at log 2 and moves the margin the right way."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

import heedful.train
from heedful.training.job import Given
from heedful.training.tracking import read_metrics
from tests import tiny
from tests.training import small


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [line for line in read_metrics(folder / "metrics.jsonl") if line["kind"] == kind]


def test_policy_and_reference_start_equal(tmp_path: Path) -> None:
    small.train("dpo", tmp_path / "run", eval_fraction=0.25, dropout=0.3)
    # Neither the pairs' weights nor dropout show: all losses are equal, and LoRA's B starts at 0.
    assert lines(tmp_path / "run", "train")[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    first = lines(tmp_path / "run", "eval")[0]
    assert (first["step"], first["loss"]) == (0, pytest.approx(math.log(2), abs=1e-6))
    assert first["rewards/margin"] == pytest.approx(0, abs=1e-5)


def test_one_step_on_a_pair_raises_its_margin(tmp_path: Path) -> None:
    # The same four pairs at both steps: the second one sees what the first one did.
    records = small.pairs(4)
    heedful.train.dpo(
        tiny.backbone(),
        records,
        output=tmp_path / "run",
        quiet=True,
        epochs=2.0,
        batch_size=4,
        eval_fraction=0.0,
        learning_rate=1e-3,
        schedule="constant",
        warmup_ratio=0.0,
    )
    before, after = lines(tmp_path / "run", "train")
    assert before["rewards/margin"] == pytest.approx(0, abs=1e-5)
    assert after["rewards/margin"] > 0.05
    assert after["loss"] < math.log(2) - 0.01


def test_training_learns_which_side_is_better(tmp_path: Path) -> None:
    # Every rejected response of these pairs begins with "no".
    outcome = small.train("dpo", tmp_path / "run", epochs=12.0, learning_rate=3e-3, eval_fraction=0.25)
    assert outcome.evaluation["rewards/accuracy"] == 1.0
    assert outcome.evaluation["rewards/margin"] > 0.5
    assert outcome.evaluation["loss"] < 0.5


@pytest.mark.parametrize(
    ("settings", "first_loss"),
    [
        ({"name": "ipo", "beta": 0.5}, 1.0),  # (0 - 1 / (2 β))²
        ({"label_smoothing": 0.2}, math.log(2)),
        ({"padded": True}, math.log(2)),
        ({"gradient_checkpointing": True}, math.log(2)),
    ],
)
def test_relatives_and_options_train(settings: dict[str, Any], first_loss: float, tmp_path: Path) -> None:
    small.train("dpo", tmp_path / "run", epochs=4.0, learning_rate=3e-3, **settings)
    trained = lines(tmp_path / "run", "train")
    assert trained[0]["loss"] == pytest.approx(first_loss, abs=1e-5)
    assert trained[-1]["loss"] < first_loss
    assert trained[-1]["rewards/margin"] > 0


def test_soft_labels_hold_the_margin_back_and_ties_are_left_out(tmp_path: Path) -> None:
    pairs = small.pairs(8)
    margins = {}
    for name, probability in (("certain", None), ("soft", 0.6)):
        records = [replace(pair, probability=probability) for pair in pairs]
        tie = replace(pairs[0], probability=0.5, id="tie")
        run = heedful.train.dpo(
            tiny.backbone(),
            [*records, tie],
            output=tmp_path / name,
            quiet=True,
            epochs=12.0,
            batch_size=8,
            eval_fraction=0.0,
            learning_rate=3e-3,
        )
        margins[name] = lines(tmp_path / name, "train")[-1]["rewards/margin"]
        counts = json.loads((run.run / "run.json").read_text())["counts"]["read"]
        assert counts["records to learn from"] == {"read": 9, "kept": 8, "quarantined": {"tie": 1}}
    # Certain labels have no end; a label of 0.6 is met at log(0.6 / 0.4).
    assert margins["soft"] < math.log(0.6 / 0.4) + 0.2 < margins["certain"]


def test_gradient_checkpointing_changes_no_result(tmp_path: Path) -> None:
    found = [
        small.train("dpo", tmp_path / str(on), gradient_checkpointing=on, epochs=2.0).run / "metrics.jsonl"
        for on in (False, True)
    ]
    plain, saving = ([line["loss"] for line in read_metrics(path)] for path in found)
    assert saving == pytest.approx(plain, abs=1e-6)


def test_a_second_run_over_the_same_backbone_repeats_the_first(tmp_path: Path) -> None:
    backbone, given = tiny.backbone(), small.pairs(8)
    for name in ("first", "second"):
        heedful.train.dpo(backbone, given, output=tmp_path / name, quiet=True, learning_rate=1e-3)
    first, second = (tmp_path / name / "adapter/adapter_model.safetensors" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_gradient_checkpointing_is_off_again_for_the_next_run(tmp_path: Path) -> None:
    backbone = tiny.backbone()
    for on in (True, False):
        heedful.train.dpo(
            backbone, small.pairs(4), output=tmp_path / str(on), quiet=True, gradient_checkpointing=on
        )
        layers = [module for module in backbone.model.modules() if hasattr(module, "gradient_checkpointing")]
        assert {module.gradient_checkpointing for module in layers} == {on}


def test_adapter_and_merged_weights_load_without_heedful(tmp_path: Path) -> None:
    folder, backbone = tiny.save(tmp_path / "model"), tiny.backbone()
    given = Given(small.pairs(12), None, backbone)
    run = small.train("dpo", tmp_path / "run", given=given, learning_rate=1e-2, merged=True).run
    base = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before, ours = base(ids).logits.clone(), backbone.model(ids).logits
        adapter = PeftModel.from_pretrained(base, str(run / "adapter")).eval()(ids).logits
        merged = AutoModelForCausalLM.from_pretrained(run / "merged")(ids).logits
    assert float((ours - before).abs().max()) > 1e-2
    torch.testing.assert_close(adapter, ours, atol=1e-4, rtol=0)
    torch.testing.assert_close(merged, ours, atol=1e-4, rtol=0)
