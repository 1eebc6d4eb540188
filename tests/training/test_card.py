"""The card's loading code runs as it stands, without Heedful, and gives what Heedful gives."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from heedful.models.loading import load
from heedful.models.rewards import BackboneReward
from heedful.records import user
from heedful.render.chat import Renderer
from heedful.render.truncate import Limits
from tests import tiny
from tests.training import small


@pytest.fixture(params=["llama", "gpt2"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A model folder whose end of turn pads too, as many a published model's does."""
    folder = tiny.save(tmp_path / "base", request.param)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "pad_token_id": config["eos_token_id"]}))
    return str(folder)


def run(stage: str, folder: Path, base: str, **settings: Any) -> Any:
    """A run over a model folder; its backbone."""
    backbone = load(base, dtype="float32", device="cpu")
    records = small.demonstrations(8) if stage == "sft" else small.pairs(8)
    small.train(
        stage, folder, given=small.Given(records, None, backbone), learning_rate=2e-2, epochs=3, **settings
    )
    return backbone


def ran(folder: Path) -> dict[str, Any]:
    """The names that the card's code leaves behind."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "model_card.md").read_text(), re.DOTALL)
    assert "heedful." not in code
    names: dict[str, Any] = {}
    exec(compile(code, "model_card.md", "exec"), names)
    return names


def scored(backbone: Any, template: Any, prompt: str, response: str) -> float:
    reward = BackboneReward(backbone, Renderer(backbone.tokenizer, template), Limits())
    (found,) = reward([(user(prompt),)], [response])
    return found


@pytest.mark.parametrize("template", ["chat", "plain", "raw"])
def test_a_reward_models_adapter(base: str, template: str, tmp_path: Path) -> None:
    backbone = run("reward", tmp_path / "run", base, template=template)
    texts = ("One prime number is", " two.") if template == "raw" else ("Name one prime number.", "Two.")
    names = ran(tmp_path / "run")
    assert names["mean"] == pytest.approx(float(backbone.heads["reward"].offset))
    assert names["score"] == pytest.approx(scored(backbone, template, *texts), abs=1e-4)


def test_a_reward_model_over_what_was_folded_in_before(base: str, tmp_path: Path) -> None:
    run("sft", tmp_path / "sft", base)
    backbone = run("reward", tmp_path / "run", str(tmp_path / "sft"))
    expected = scored(backbone, "chat", "Name one prime number.", "Two.")
    assert ran(tmp_path / "run")["score"] == pytest.approx(expected, abs=1e-4)
    unfolded = run("reward", tmp_path / "other", base)
    assert abs(expected - scored(unfolded, "chat", "Name one prime number.", "Two.")) > 1e-3


def test_a_merged_reward_model(base: str, tmp_path: Path) -> None:
    backbone = run("reward", tmp_path / "run", base, method="full")
    assert "PeftModel" not in (tmp_path / "run" / "model_card.md").read_text()
    expected = scored(backbone, "chat", "Name one prime number.", "Two.")
    assert ran(tmp_path / "run")["score"] == pytest.approx(expected, abs=1e-4)


def test_the_merged_folder_is_named_beside_the_adapter(tmp_path: Path) -> None:
    run("reward", tmp_path / "run", str(tiny.save(tmp_path / "base")), merged=True)
    card = (tmp_path / "run" / "model_card.md").read_text()
    assert f"the folder `{tmp_path / 'run' / 'merged'}`" in card
    assert "by reward modelling." in card


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_policy(base: str, method: str, tmp_path: Path) -> None:
    run("sft", tmp_path / "sft", base)
    backbone = run("dpo", tmp_path / "run", str(tmp_path / "sft"), method=method)
    ids = torch.tensor([[5, 6, 7, 8]])
    model: PreTrainedModel = ran(tmp_path / "run")["model"].eval()
    with torch.no_grad(), backbone.active("policy") as own:
        torch.testing.assert_close(model(ids).logits, own.eval()(ids).logits, atol=1e-4, rtol=0)
