"""From a recipe's sources to a reward of each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from heedful.errors import RewardError
from heedful.models.rewards import (
    ClassifierReward,
    FunctionReward,
    HttpReward,
    Reward,
    WeightedSum,
    build,
    checked,
)
from heedful.recipe import RewardSource
from heedful.records import user
from heedful.render.chat import Renderer
from heedful.render.truncate import Limits
from tests import tiny
from tests.models.classifiers import encoder


def built(*sources: RewardSource) -> Reward:
    backbone = tiny.backbone()
    return build(
        sources, backbone=backbone, renderer=Renderer(backbone.tokenizer), limits=Limits(max_length=64)
    )


@pytest.fixture
def function(tmp_path: Path) -> str:
    path = tmp_path / "rewards.py"
    path.write_text("def words(prompts, responses):\n    return [len(r.split()) for r in responses]\n")
    return f"{path}:words"


def test_one_source_of_weight_one_is_the_reward_itself(function: str) -> None:
    reward = built(RewardSource(function=function))
    assert isinstance(reward, FunctionReward)
    assert checked(reward, [(user("a"),)], ["one two"]).tolist() == [2]


def test_a_weight_and_several_sources_make_a_sum(function: str) -> None:
    alone = built(RewardSource(function=function, weight=-2.0))
    assert checked(alone, [(user("a"),)], ["one two"]).tolist() == [-4]
    both = built(RewardSource(function=function), RewardSource(function=function, weight=0.5))
    assert isinstance(both, WeightedSum)
    assert checked(both, [(user("a"),)], ["one two"]).tolist() == [3]


def test_a_length_term_takes_from_another_reward(function: str) -> None:
    both = built(RewardSource(function=function), RewardSource(length=-0.25, weight=2.0))
    assert checked(both, [(user("a"),)] * 2, ["one two", ""]).tolist() == [1, 0]


def test_an_endpoint_gets_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush")
    reward = built(
        RewardSource(
            url="http://localhost:1/score",
            headers={"Authorization": "${TOKEN}"},
            timeout=2.5,
            retries=0,
            batch_size=4,
        )
    )
    assert isinstance(reward, HttpReward)
    assert reward.headers == {"Authorization": "hush"}
    assert reward.batch_size == 4
    assert (reward._post.timeout, reward._post.retries) == (2.5, 0)


def test_a_classifier_gets_its_label_and_the_backbones_device(tmp_path: Path) -> None:
    folder = encoder(tmp_path, id2label={0: "bad", 1: "good"})
    reward = built(RewardSource(model=folder, label="good", batch_size=3))
    assert isinstance(reward, ClassifierReward)
    assert (reward._column, reward.batch_size, reward.model.device.type) == (1, 3, "cpu")
    with pytest.raises(RewardError, match="2 labels: bad, good"):
        built(RewardSource(model=folder))


def test_no_sources_are_no_reward() -> None:
    with pytest.raises(RewardError, match="no reward"):
        built()
