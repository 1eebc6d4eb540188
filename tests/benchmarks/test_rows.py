"""Claims about the rows of both sides: whole, different from each other, and never too long."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rows import prepare, prepare_prompts
from heedful import formats
from heedful.records import Preference, assistant, user
from tests import tiny


def pair(number: int, prompt: str) -> Preference:
    chosen, rejected = assistant(f"the cat sat on mat {number}"), assistant(f"the dog ran {number}")
    return Preference((user(prompt),), (chosen,), (rejected,), id=str(number))


def source(folder: Path, *prompts: str) -> Path:
    path = folder / "source.jsonl"
    formats.write([pair(number, prompt) for number, prompt in enumerate(prompts)], path)
    return path


def prompts_of(path: Path) -> list[str]:
    return [record.prompt[0].content for record in formats.read(path)]


def test_prompts_differ_and_are_short_enough(tmp_path: Path) -> None:
    longest = 40
    data = source(tmp_path, "one", "long " * 40, "one", "two", "three")
    found = prepare_prompts(
        data, tmp_path / "rows.jsonl", count=2, tokenizer=tiny.tokenizer(), longest=longest, new_tokens=8
    )
    assert prompts_of(found.path) == ["one", "two"]
    assert (found.kept, found.left_out) == (2, 2)
    assert found.prompt_tokens <= longest
    assert found.sequence_tokens == found.prompt_tokens + 8


def test_too_few_prompts_are_refused(tmp_path: Path) -> None:
    data = source(tmp_path, "one", "one")
    with pytest.raises(ValueError, match="1 usable pairs, 2 needed"):
        prepare_prompts(
            data, tmp_path / "rows.jsonl", count=2, tokenizer=tiny.tokenizer(), longest=40, new_tokens=8
        )


def test_held_out_rows_are_behind_those_learnt_from(tmp_path: Path) -> None:
    data = source(tmp_path, "one", "too long " * 60, "two", "three", "four")
    fitting = {"tokenizer": tiny.tokenizer(), "max_length": 128}
    used = prepare(data, tmp_path / "rows.jsonl", count=2, **fitting)
    held_out = prepare(data, tmp_path / "held.jsonl", count=2, skip=used.kept + used.left_out, **fitting)
    assert prompts_of(used.path) == ["one", "two"]
    assert prompts_of(held_out.path) == ["three", "four"]
