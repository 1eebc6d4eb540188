"""A reward named as a Python function: found in modules and files, called with text, and missed in words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from heedful.errors import RewardError
from heedful.models.rewards import FunctionReward, checked
from heedful.records import Messages, assistant, user

PROMPTS: list[Messages] = [(user("one"),), (user("two"), assistant("2"), user("and?"))]
RESPONSES = ["a", "bb"]

SOURCE = """
from __future__ import annotations
from dataclasses import dataclass

import numpy as np

@dataclass
class Weights:
    prompt: int = 10

def lengths(prompts, responses):
    assert isinstance(prompts, list) and isinstance(responses, list)
    return np.array([Weights().prompt * len(p) + len(r) for p, r in zip(prompts, responses)])

scale = 3
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my rewards.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def refusal(name: str) -> str:
    with pytest.raises(RewardError) as caught:
        FunctionReward(name)
    return str(caught.value)


def test_a_function_from_a_file_gets_lists_of_text(file: Path) -> None:
    reward = FunctionReward(f"{file}:lengths")
    assert reward.name == f"{file}:lengths"
    transcript = "user: two\nassistant: 2\nuser: and?"
    assert checked(reward, PROMPTS, RESPONSES).tolist() == [31, 10 * len(transcript) + 2]


def test_a_function_from_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "heedful_test_rewards"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "short.py").write_text(
        "def short(prompts, responses):\n    return [-len(r) for r in responses]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    reward = FunctionReward("heedful_test_rewards.short:short")
    assert checked(reward, PROMPTS, RESPONSES).tolist() == [-1, -2]


def test_a_function_as_it_is_and_an_object_that_can_be_called() -> None:
    class Same:
        def __call__(self, prompts: list[str], responses: list[str]) -> list[int]:
            return [7 for _ in responses]

    def same(prompts: list[str], responses: list[str]) -> list[int]:
        return [7 for _ in responses]

    for function, name in ((same, "same"), (Same(), "Same")):
        reward = FunctionReward(function)
        assert reward.name.startswith(f"{__name__}:")
        assert reward.name.endswith(name)
        assert reward(PROMPTS, RESPONSES) == [7, 7]


@pytest.mark.parametrize("name", ["rewards.py", "a.module", ":score", "a.module:"])
def test_a_name_without_both_halves_is_refused(name: str) -> None:
    assert refusal(name) == (
        f"reward {name}: this names no function. Say package.module:function or path/to/file.py:function."
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert f"there is no file {tmp_path / 'no.py'}" in refusal(f"{tmp_path / 'no.py'}:score")


def test_a_module_that_is_not_there_says_how_a_file_is_named() -> None:
    message = refusal("no_such_module:score")
    assert (
        "no_such_module cannot be imported: ModuleNotFoundError: No module named 'no_such_module'." in message
    )
    assert "path/to/file.py:function" in message


def test_a_file_that_fails_when_it_is_read_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("raise OSError('no lexicon here.')\n")
    before = set(sys.modules)
    assert f"{path} cannot be imported: OSError: no lexicon here." in refusal(f"{path}:score")
    assert not {name for name in set(sys.modules) - before if "broken" in name}


def test_a_function_that_is_not_in_it_suggests_its_neighbour(file: Path) -> None:
    assert refusal(f"{file}:length").endswith("it has no function length. Did you mean lengths?")
    assert refusal(f"{file}:zzz").endswith("it has no function zzz.")
    assert refusal(f"{file}:scale").endswith("this is no function: scale.")
