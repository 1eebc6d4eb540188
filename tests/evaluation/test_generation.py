"""Answers are sampled once: the same seed gives the same, what is kept is not asked for again, and a run that
was stopped ends with the answers of one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from heedful.errors import RecipeError, RunError
from heedful.evaluation import generation
from heedful.evaluation.generation import AnswerBook, Answers, Sampling, answers
from heedful.models.sharing import Voice
from heedful.quarantine import Kept
from heedful.records import Messages, user
from heedful.render.chat import Renderer
from tests import tiny

CHUNK = 3
DRAWN = Sampling(max_new_tokens=6, temperature=1.0, samples=2)
PROMPTS: list[Messages] = [(user(f"what is {number}?"),) for number in range(2 * CHUNK + 1)]


@lru_cache(maxsize=1)
def voice() -> Voice:
    backbone = tiny.backbone("llama")
    return Voice(backbone, Renderer(backbone.tokenizer), "reference")


class Counted:
    """A tiny model that counts how often it was asked for; `dies` on the call of that number."""

    def __init__(self, dies: int | None = None) -> None:
        self.voice = voice()
        self.calls, self.dies = 0, dies

    def __call__(self) -> Voice:
        self.calls += 1
        if self.calls == self.dies:
            raise KeyboardInterrupt
        return self.voice


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of the test's own; the folder that answers are kept in."""
    monkeypatch.setattr(generation, "CHUNK", CHUNK)
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "answers"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Go on with an empty cache."""
    return lambda: monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "other"))


def same(one: Kept[Answers], other: Kept[Answers]) -> bool:
    """Token for token: `ids` take no part in the equality of answers."""
    return list(one) == list(other) and [a.ids for own in one for a in own] == [
        a.ids for own in other for a in own
    ]


def test_every_prompt_has_so_many_answers_in_the_prompts_order() -> None:
    found = answers(Counted(), "m", PROMPTS, DRAWN)
    assert [own[0].prompt for own in found] == PROMPTS
    assert {len(own) for own in found} == {2}
    assert all(answer.tokens == len(answer.ids) - answer.ended <= 6 for own in found for answer in own)
    assert any(own[0] != own[1] for own in found)
    assert found.counts.read == found.counts.kept == len(PROMPTS)


def test_the_seed_and_nothing_else_decides_the_draw(elsewhere: Callable[[], None]) -> None:
    found = answers(Counted(), "m", PROMPTS, DRAWN)
    other = answers(Counted(), "m", PROMPTS, Sampling(6, 1.0, 2, seed=1))
    elsewhere()
    assert same(found, answers(Counted(), "m", PROMPTS, DRAWN))
    assert not same(found, other)


def test_what_is_kept_is_not_asked_for_again() -> None:
    first, again, told = Counted(), Counted(), list[int]()
    found = answers(first, "m", PROMPTS, DRAWN)
    assert first.calls == 3
    assert same(found, answers(again, "m", PROMPTS, DRAWN, on_done=told.append))
    assert again.calls == 0
    assert told == [6, 12, 14]


def test_other_prompts_are_asked_for_themselves() -> None:
    answers(Counted(), "m", PROMPTS[:CHUNK], DRAWN)
    model = Counted()
    found = answers(model, "m", PROMPTS[1 : CHUNK + 1], DRAWN)
    assert model.calls == 1
    assert same(found, answers(Counted(), "another", PROMPTS[1 : CHUNK + 1], DRAWN))


def test_more_prompts_ask_for_the_new_ones_only() -> None:
    answers(Counted(), "m", PROMPTS[:CHUNK], DRAWN)
    model = Counted()
    answers(model, "m", PROMPTS, DRAWN)
    assert model.calls == 2


@pytest.mark.parametrize(
    ("model", "sampling"),
    [
        ("other", DRAWN),
        ("m", Sampling(5, 1.0, 2)),
        ("m", Sampling(6, 0.9, 2)),
        ("m", Sampling(6, 1.0, 3)),
        ("m", Sampling(6, 1.0, 2, seed=1)),
    ],
)
def test_another_model_or_sampling_is_asked_anew(model: str, sampling: Sampling) -> None:
    answers(Counted(), "m", PROMPTS[:2], DRAWN)
    asked = Counted()
    answers(asked, model, PROMPTS[:2], sampling)
    assert asked.calls == 1


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_answers(
    at: int, elsewhere: Callable[[], None]
) -> None:
    whole = answers(Counted(), "m", PROMPTS, DRAWN)
    elsewhere()
    with pytest.raises(KeyboardInterrupt):
        answers(Counted(dies=at), "m", PROMPTS, DRAWN)
    model = Counted()
    assert same(whole, answers(model, "m", PROMPTS, DRAWN))
    assert model.calls == 3 - (at - 1)


def _cut(line: bytes) -> bytes:
    return line[: len(line) // 2]


def _changed(line: bytes) -> bytes:
    value: dict[str, Any] = json.loads(line)
    value["entries"][0]["answers"][0][0] = "I won."
    return json.dumps(value).encode() + b"\n"


def _moved(line: bytes) -> bytes:
    return json.dumps(json.loads(line) | {"chunk": "another"}).encode() + b"\n"


@pytest.mark.parametrize("harm", [_cut, _changed, _moved, lambda line: b"[]\n", lambda line: b"\xff\n"])
def test_a_broken_line_is_asked_for_again_and_spoils_no_other(
    harm: Callable[[bytes], bytes], cache: Path
) -> None:
    found = answers(Counted(), "m", PROMPTS, DRAWN)
    (book,) = cache.iterdir()
    lines = book.read_bytes().splitlines(keepends=True)
    book.write_bytes(b"".join([*lines[:2], harm(lines[2])]))

    model = Counted()
    assert same(found, answers(model, "m", PROMPTS, DRAWN))
    assert model.calls == 1
    assert same(found, answers(model, "m", PROMPTS, DRAWN))
    assert model.calls == 1


def test_prompts_without_an_answer_are_left_out_with_their_reason_and_stay_left_out() -> None:
    refusing = "{% if messages[0]['content'] == 'no' %}{{ raise_exception('no') }}{% endif %}" + tiny.CHATML
    backbone = tiny.backbone("llama")
    backbone.tokenizer.chat_template = refusing
    voice = Voice(backbone, Renderer(backbone.tokenizer), "reference")
    prompts: list[Messages] = [(user("no"),), PROMPTS[0], (user("the cat " * 600),), PROMPTS[1]]
    for _ in range(2):  # asked for, and read back
        found = answers(lambda: voice, "refusing", prompts, DRAWN)
        assert [own[0].prompt for own in found] == PROMPTS[:2]
        assert found.counts.quarantined == {"template_refused": 1, "no_room": 1}
        assert [left.where for left in found.quarantined] == ["prompt 1", "prompt 3"]


def test_answers_that_cannot_be_kept_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HEEDFUL_CACHE", str(tmp_path / "file"))
    with pytest.raises(RunError, match=r"cannot be kept: .* Point HEEDFUL_CACHE"):
        answers(Counted(), "m", PROMPTS[:1], DRAWN)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens: must be at least 1, not 0"),
        ({"temperature": -0.5}, "temperature: must be 0 or more, not -0.5"),
        ({"temperature": float("nan")}, "temperature: must be 0 or more, not nan"),
        ({"samples": 0}, "samples: must be at least 1, not 0"),
        ({"samples": 2}, "samples: at temperature 0 all samples are the same"),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Sampling(**wrong)


def test_a_line_is_whole_before_the_next_chunk_is_asked(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = generation._ask
    seen: list[int] = []

    def watched(*arguments: Any) -> Any:
        seen.append(sum(len(book.read_bytes().splitlines()) for book in cache.glob("*.jsonl")))
        return asked(*arguments)

    monkeypatch.setattr(generation, "_ask", watched)
    answers(Counted(), "m", PROMPTS, DRAWN)
    assert seen == [0, 1, 2]
    assert AnswerBook.of("m", DRAWN).get("no such chunk") is None
