"""A Python function as a judge: asked with texts, in both orders, and missed in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from heedful.errors import JudgeError
from heedful.judges import Question, both_orders
from heedful.judges.function import FunctionJudge
from heedful.records import Messages, assistant, user

PROMPT: Messages = (user("p"), assistant("a"), user("q"))

SOURCE = """
def longer(prompt, first, second):
    assert prompt == "user: p\\nassistant: a\\nuser: q"
    return "tie" if len(first) == len(second) else "first" if len(first) > len(second) else "second"

def score(prompts, responses):
    return [len(response) for response in responses]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


def test_a_function_of_a_file_gets_texts_and_is_asked_in_both_orders(file: Path) -> None:
    judge = FunctionJudge(f"{file}:longer")
    found = both_orders(judge, [PROMPT] * 3, ["aa", "a", "a"], ["b", "bb", "b"])
    assert [(one.forward, one.backward) for one in found] == [
        ("first", "second"),
        ("second", "first"),
        ("tie", "tie"),
    ]
    assert judge.name == f"{file}:longer"
    assert judge.again(1) is judge


def test_a_function_as_it_is_and_one_that_minds_the_order() -> None:
    def leftmost(prompt: str, first: str, second: str) -> str:
        return "first"

    judge = FunctionJudge(leftmost)
    told: list[int] = []
    (found,) = both_orders(judge, [PROMPT], ["a"], ["b"], told.append)
    assert (found.consistent, found.outcome) == (False, 0.5)
    assert told == [1, 2]
    assert judge.name.endswith("leftmost")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no.such.module:judge", "judge no.such.module:judge: no.such.module cannot be imported"),
        ("nothing", "judge nothing: this names no function. Say package.module:function"),
        ("{}:longest", "judge {}:longest: it has no function longest. Did you mean longer?"),
        ("missing.py:judge", "judge missing.py:judge: there is no file missing.py."),
    ],
)
def test_a_function_that_is_not_there_is_said_as_of_rewards(file: Path, name: str, message: str) -> None:
    with pytest.raises(JudgeError) as caught:
        FunctionJudge(name.format(file))
    assert str(caught.value).startswith(message.format(file))


@pytest.mark.parametrize(
    ("said", "shown"), [("A", "'A'"), (None, "'None'"), (1, "'1'"), ([], "'[]'"), ("First", "'First'")]
)
def test_what_is_no_verdict_is_shown_with_the_texts(said: object, shown: str) -> None:
    judge = FunctionJudge(lambda prompt, first, second: said)
    with pytest.raises(JudgeError) as caught:
        judge([Question(PROMPT, "one", "other")])
    assert f"it said {shown}, which is none of first, second and tie." in str(caught.value)
    assert '\n  first: "one"\n  second: "other"' in str(caught.value)


def test_a_function_that_fails_says_how_and_on_what() -> None:
    def fails(prompt: str, first: str, second: str) -> str:
        raise KeyError("lexicon\nmore")

    with pytest.raises(JudgeError, match=r"it failed with KeyError: 'lexicon\\nmore'\.\n  prompt: "):
        FunctionJudge(fails)([Question(PROMPT, "one", "other")])


def test_a_reward_function_is_told_apart(file: Path) -> None:
    with pytest.raises(JudgeError, match="a function of prompts and responses is reward:NAME"):
        FunctionJudge(f"{file}:score")([Question(PROMPT, "one", "other")])
