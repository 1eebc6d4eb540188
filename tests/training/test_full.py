"""Full fine-tuning: every weight learns, and what comes out is a plain `transformers` model."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from heedful.models.backbone import Backbone
from heedful.training.job import Given
from heedful.training.tracking import read_metrics
from tests import tiny
from tests.training import small


def given(stage: str, backbone: Backbone) -> Given:
    return Given(small.pairs(12) if stage == "dpo" else small.demonstrations(12), None, backbone)


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])  # tied and untied embeddings
@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_every_weight_learns_and_the_merged_model_reloads(
    stage: str, architecture: str, tmp_path: Path
) -> None:
    backbone = tiny.backbone(architecture)
    before = {name: weight.clone() for name, weight in backbone.model.named_parameters()}
    run = small.train(stage, tmp_path / "run", given=given(stage, backbone), method="full", epochs=2.0).run
    for name, weight in backbone.model.named_parameters():
        assert not torch.equal(weight, before[name]), f"{name} did not learn"
    assert not (run / "adapter").exists()
    loaded = AutoModelForCausalLM.from_pretrained(run / "merged")
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, backbone.model(ids).logits)
    assert AutoTokenizer.from_pretrained(run / "merged").chat_template == tiny.CHATML


def test_full_fine_tuning_by_dpo_starts_at_log_2_and_widens_the_margin(tmp_path: Path) -> None:
    run = small.train("dpo", tmp_path / "run", method="full", epochs=6.0).run
    lines = read_metrics(run / "metrics.jsonl")
    assert lines[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert lines[-1]["rewards/margin"] > 0.1


def test_half_precision_weights_learn_in_full_precision(tmp_path: Path) -> None:
    # A learning rate of 1e-5 is lost in bfloat16, whose neighbours of 1 are 0.004 away.
    backbone = Backbone(tiny.model().to(torch.bfloat16), tiny.tokenizer(), name="tiny-llama")
    before = backbone.model.model.norm.weight.detach().float().clone()
    small.train("sft", tmp_path / "run", given=given("sft", backbone), method="full", learning_rate=1e-5)
    after = backbone.model.model.norm.weight.detach()
    assert after.dtype == torch.float32
    assert 1e-6 < float((after - before).abs().max()) < 1e-4
    assert backbone.compute_dtype == torch.bfloat16
