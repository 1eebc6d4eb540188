"""A reward in a recipe: exactly one kind, only its own keys, and errors that find their way into a list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from heedful.errors import RecipeError
from heedful.recipe import DPORecipe, RewardSource, load, to_yaml
from heedful.recipe.load import STAGES


def test_a_source_needs_one_kind_and_no_more() -> None:
    source = RewardSource(model="runs/reward")
    assert (source.weight, source.batch_size, source.timeout, source.retries) == (1.0, 16, 30.0, 3)
    assert (source.label, source.headers) == (None, {})
    with pytest.raises(
        ValidationError, match=r"exactly one of model, function, url, length, .* none of them"
    ):
        RewardSource()
    with pytest.raises(ValidationError, match="has model and url"):
        RewardSource(model="runs/reward", url="http://localhost/score")
    with pytest.raises(ValidationError, match="has function and length"):
        RewardSource(function="a:b", length=0.0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("runs/reward", "model"),
        ("org/classifier", "model"),
        ("C:\\runs\\reward", "model"),
        ("rewards.py", "model"),
        ("https://host/score", "url"),
        ("http://localhost:8000/score", "url"),
        ("my rewards/polite.py:score", "function"),
        ("package.module:score", "function"),
    ],
)
def test_a_name_alone_tells_its_kind(name: str, kind: str) -> None:
    assert RewardSource.named(name) == RewardSource(**{kind: name})


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        ("function", "batch_size", 4),
        ("function", "headers", {"a": "b"}),
        ("model", "timeout", 5.0),
        ("model", "retries", 0),
        ("url", "label", "good"),
        ("length", "batch_size", 4),
    ],
)
def test_a_key_of_another_kind_is_refused(kind: str, key: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=f"{key} belongs to .*, and this reward is a {kind}"):
        RewardSource(**{kind: -0.1 if kind == "length" else "here", key: value})


@pytest.mark.parametrize(
    "values",
    [
        {"weight": float("nan")},
        {"weight": "1"},
        {"timeout": 0.0},
        {"retries": -1},
        {"batch_size": 0},
        {"headers": {"a": 1}},
    ],
)
def test_values_are_taken_strictly(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RewardSource(url="http://localhost/score", **values)


# In a list


class Rewarded(DPORecipe):
    """A recipe with a list of rewards, whichever stage has one."""

    stage: Literal["dpo"] = "dpo"
    rewards: Annotated[list[RewardSource], Field(min_length=1)]


@pytest.fixture(autouse=True)
def rewarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGES, "dpo", Rewarded)


def write(folder: Path, rewards: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(f"data:\n  train: pairs.jsonl\nrewards:\n{rewards}", encoding="utf-8")
    return path


def complaint(path: Path | None, *overrides: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load(path, overrides, stage="dpo")
    return str(caught.value)


def test_a_list_of_sources_is_read_and_written(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "  - function: rewards.py:short\n    weight: 2\n  - url: http://here/score\n  - length: -1e-2\n",
    )
    recipe = load(path, stage="dpo")
    assert isinstance(recipe, Rewarded)
    assert [source.weight for source in recipe.rewards] == [2, 1, 1]
    assert recipe.rewards[2].length == -0.01
    again = tmp_path / "again.yaml"
    again.write_text(to_yaml(recipe), encoding="utf-8")
    assert load(again, stage="dpo") == recipe


@pytest.mark.parametrize(
    ("rewards", "line", "words"),
    [
        (
            "  - url: http://here\n    weigth: 2\n",
            5,
            "unknown key rewards.0.weigth. Did you mean rewards.weight?",
        ),
        ("  - url: http://here\n    zzz: 2\n", 5, "unknown key rewards.0.zzz. Known there: rewards.model, "),
        (
            "  - url: http://here\n    retries: -1\n",
            5,
            "rewards.0.retries must be a whole number of at least 0",
        ),
        (
            "  - url: http://here\n    headers: 3\n",
            5,
            "rewards.0.headers must be a mapping of names to texts",
        ),
        (
            "  - url: http://here\n  - weight: 2\n",
            5,
            "rewards.1: a reward is exactly one of model, function, url,",
        ),
        ("  - runs/reward\n", 4, 'rewards.0 must be a section of keys, not "runs/reward".'),
        ("  []\n", 3, "rewards must be a list of sections of keys, not []."),
        ("  url: http://here\n", 3, "rewards must be a list of sections of keys, not "),
    ],
)
def test_an_error_names_the_source_and_its_line(tmp_path: Path, rewards: str, line: int, words: str) -> None:
    path = write(tmp_path, rewards)
    assert f"{path}:{line}: {words}" in complaint(path)


def test_a_key_that_stands_twice_in_a_list_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "  - url: http://here\n    url: http://there\n")
    assert f"{path}:5: rewards.0.url stands twice, first in line 4." in complaint(path)


def test_an_override_sets_a_list_as_a_whole(tmp_path: Path) -> None:
    path = write(tmp_path, "  - url: http://here\n")
    recipe = load(path, ["rewards=[{function: 'a:b'}]"], stage="dpo")
    assert isinstance(recipe, Rewarded)
    assert recipe.rewards == [RewardSource(function="a:b")]
    for key in ("rewards.url", "rewards.0.url"):
        assert f"{key} stands within a list, and an override sets a list as a whole" in complaint(
            path, f"{key}=x"
        )


def test_a_missing_list_says_what_it_takes() -> None:
    message = complaint(None, "data.train=pairs.jsonl")
    assert "rewards is missing: it must be a list of sections of keys." in message


def test_a_kl_target_needs_a_beta_to_adapt() -> None:
    with pytest.raises(RecipeError, match=r"objective: kl_target multiplies beta .* set beta=0\.05"):
        load(None, ["data.train=a", "objective.beta=0", "objective.kl_target=6"], stage="ppo")
