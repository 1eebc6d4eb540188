"""Judges by name and by settings: which kind each is, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from heedful.errors import JudgeError, RecipeError
from heedful.judges import EndpointSettings, JudgeSettings, Question, build, named
from heedful.judges.chat import ChatJudge
from heedful.judges.function import FunctionJudge
from heedful.judges.people import PeopleJudge
from heedful.judges.scores import ScoreJudge
from heedful.recipe import RewardSource, load_keys
from heedful.records import user


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("people:votes/one", {"people": "votes/one"}),
        ("judges.py:longer", {"function": "judges.py:longer"}),
        ("/a b/judges.py:longer", {"function": "/a b/judges.py:longer"}),
        ("my.package:longer", {"function": "my.package:longer"}),
        ("reward:rewards.py:score", {"reward": RewardSource(function="rewards.py:score")}),
        ("reward:runs/reward", {"reward": RewardSource(model="runs/reward")}),
        ("runs/reward", {"reward": RewardSource(model="runs/reward")}),
        ("org/classifier", {"reward": RewardSource(model="org/classifier")}),
        ("https://host/score", {"reward": RewardSource(url="https://host/score")}),
        ("http://host:8000/score", {"reward": RewardSource(url="http://host:8000/score")}),
        (
            "https://host/v1#org/model:7b",
            {"endpoint": EndpointSettings(url="https://host/v1", model="org/model:7b")},
        ),
        ("http://host:8000/v1#m#2", {"endpoint": EndpointSettings(url="http://host:8000/v1", model="m#2")}),
    ],
)
def test_what_a_name_means(name: str, settings: dict[str, Any]) -> None:
    assert JudgeSettings.named(name) == JudgeSettings(**settings)


def test_each_kind_is_built(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "def longer(p, a, b): return 'first' if len(a) > len(b) else 'second'\n"
        "def score(ps, rs): return [len(r) for r in rs]\n",
        encoding="utf-8",
    )
    kinds = {
        f"{file}:longer": FunctionJudge,
        f"reward:{file}:score": ScoreJudge,
        "https://host/v1#tiny": ChatJudge,
        f"people:{tmp_path / 'votes'}": PeopleJudge,
    }
    built = {name: named(name) for name in kinds}
    assert {name: type(judge) for name, judge in built.items()} == kinds
    longer = JudgeSettings(reward=RewardSource(length=1.0))
    for judge in (built[f"{file}:longer"], built[f"reward:{file}:score"], build(longer)):
        assert judge([Question((user("p"),), "two words", "one")])[0].choice == "first"


@pytest.mark.parametrize("kinds", [{}, {"people": "votes", "function": "a:b"}])
def test_a_judge_is_exactly_one_kind(kinds: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="exactly one of reward, function, endpoint, people"):
        JudgeSettings(**kinds)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("endpoint.price_in=1.0", "price_in and price_out belong together"),
        ("endpoint.max_cost=1.0", "max_cost needs price_in and price_out"),
        ("endpoint.max_requests=0", "at least 1"),
        ("endpoint.seeds=1", "Did you mean endpoint.seed?"),
        ("people=votes", "exactly one of"),
    ],
)
def test_what_does_not_fit_is_said_with_its_key(key: str, message: str) -> None:
    known = dict.fromkeys(JudgeSettings.model_fields) | {"endpoint": {"url": "https://host", "model": "m"}}
    with pytest.raises(RecipeError, match=message):
        load_keys(None, [key], JudgeSettings, known)


def test_a_reward_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match="there is no file"):
        named(f"{tmp_path}/none.py:longer")
