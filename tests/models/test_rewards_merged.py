"""A reward model that leaves as whole weights scores as it did in training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import ModelError
from heedful.models.backbone import Backbone
from heedful.models.rewards import BackboneReward, MergedReward, Reward, build, checked
from heedful.recipe import RewardSource
from heedful.records import Message, Messages, user
from heedful.render.chat import Renderer
from heedful.render.truncate import Limits
from tests import tiny
from tests.render.chat_templates import with_bos
from tests.training import small

PROMPTS: list[Messages] = [
    (user("the cat"),),
    (Message("system", "be short"), user("what is the answer to this question")),
    (user("sat"),),
]
RESPONSES = ["sat on the mat", "", "to the house and the dog ran to the mat"]


def trained(run: Path, template: str, **settings: Any) -> Backbone:
    """A run whose tokenizer adds a BOS to plain text, and whose end of turn pads as well."""
    backbone = Backbone(tiny.model(), with_bos(tiny.tokenizer()), name="tiny")
    backbone.model.config.pad_token_id = backbone.tokenizer.eos_token_id
    given = small.Given(small.pairs(12), None, backbone)
    small.train("reward", run, given=given, template=template, learning_rate=1e-2, **settings)
    assert abs(float(backbone.heads["reward"].offset)) > 0.01
    return backbone


def expected(backbone: Backbone, template: Any, max_length: int = 512) -> Reward:
    return BackboneReward(backbone, Renderer(backbone.tokenizer, template), Limits(max_length))


def built(model: Path) -> Reward:
    policy = tiny.backbone(seed=1)
    return build(
        [RewardSource(model=str(model), batch_size=2)],
        backbone=policy,
        renderer=Renderer(policy.tokenizer),
        limits=Limits(100),
    )


@pytest.mark.parametrize("template", ["chat", "plain", "raw"])
@pytest.mark.parametrize("method", ["lora", "full"])
def test_whole_weights_score_as_in_training(template: str, method: str, tmp_path: Path) -> None:
    backbone = trained(tmp_path / "run", template, method=method, merged=True)
    scores = checked(expected(backbone, template), PROMPTS, RESPONSES).tolist()
    records = [json.loads(file.read_text()) for file in tmp_path.glob("run/*/heedful_reward.json")]
    assert [record["template"] for record in records] == [template] * (2 if method == "lora" else 1)
    moved = (tmp_path / "run" / "merged").rename(tmp_path / "elsewhere")
    assert checked(built(moved), PROMPTS, RESPONSES).tolist() == pytest.approx(scores, abs=1e-4)
    assert len({round(score, 3) for score in scores}) == len(scores)


def test_a_run_without_an_adapter_stands_for_its_whole_weights(tmp_path: Path) -> None:
    trained(tmp_path, "auto", method="full")
    reward = built(tmp_path)
    assert isinstance(reward, MergedReward)
    assert reward([], []) == []


def test_a_response_that_is_cut_is_read_at_its_last_token(tmp_path: Path) -> None:
    """Whichever that is: it may be the one that the configuration pads with."""
    backbone, long = trained(tmp_path, "chat", method="full"), "the cat sat " * 9
    reward = MergedReward(str(tmp_path / "merged"), device="cpu", max_length=40)
    pads = backbone.tokenizer.decode([reward.model.config.pad_token_id])
    prompts, responses = [(user(long),)] * 2 + [(user("a"),)] * 2, [long, pads * 60, "b", long]
    scores = checked(expected(backbone, "chat", 40), prompts, responses).tolist()
    assert checked(reward, prompts, responses).tolist() == pytest.approx(scores, abs=1e-4)
    assert reward.cut == 3


def test_an_older_record_names_no_template_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    backbone = trained(tmp_path, "auto", method="full")
    file = tmp_path / "merged" / "heedful_reward.json"
    record = json.loads(file.read_text())
    assert record.pop("template") == "chat"
    file.write_text(json.dumps(record))
    scores = checked(expected(backbone, "chat"), PROMPTS, RESPONSES).tolist()
    assert checked(built(tmp_path), PROMPTS, RESPONSES).tolist() == pytest.approx(scores, abs=1e-4)
    file.write_text(json.dumps({**record, "template": "jinja"}))
    with pytest.raises(ModelError, match="no template 'jinja'"):
        built(tmp_path)
