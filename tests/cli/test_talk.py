"""`heedful generate` and `heedful chat`: prompts in, answers out, from a model or a run."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from heedful.cli.talk import Stream
from heedful.render.chat import Renderer
from tests import tiny
from tests.cli.command import Command

Script = Callable[..., list[Any]]


def test_generate_answers_prompts_as_a_program_wants_them(heedful: Command, model: Path) -> None:
    arguments = ("generate", "--model", model, "--max-new-tokens", 5, "--json", "What is 1?", "And 2?")

    result = heedful(*arguments)

    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["prompt"] for row in rows] == ["What is 1?", "And 2?"]
    assert all(set(row) == {"prompt", "response", "ended", "tokens"} for row in rows)
    assert all(row["ended"] or row["tokens"] == 5 for row in rows)
    assert heedful(*arguments).out == result.out
    assert heedful(*arguments, "--seed", 1).out != result.out


def test_generate_reads_prompts_from_a_pipe(
    heedful: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("What is 1?\n\nAnd 2?\n"))
    result = heedful("generate", "--model", model, "--max-new-tokens", 3)
    assert [line for line in result.out.splitlines() if line.startswith(">")] == ["> What is 1?", "> And 2?"]


def test_generate_takes_a_run(heedful: Command, model: Path, run: Path) -> None:
    greedy = ("--temperature", 0, "--max-new-tokens", 4, "--json", "What is 1?")
    result = heedful("generate", "--model", run, *greedy)
    assert result.code == 0
    assert json.loads(result.out)["prompt"] == "What is 1?"


def test_a_system_message_changes_the_answer(heedful: Command, model: Path) -> None:
    arguments = ("generate", "--model", model, "--max-new-tokens", 8, "--temperature", 0, "What is 1?")
    assert heedful(*arguments, "--system", "Speak like a cat.").out != heedful(*arguments).out


def test_a_template_that_refuses_is_an_error_and_not_a_traceback(heedful: Command, tmp_path: Path) -> None:
    folder = tiny.save(tmp_path / "model")
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system, please') }}{% endif %}"
    tiny.tokenizer(chat_template=refusing + tiny.CHATML).save_pretrained(folder)
    result = heedful("generate", "--model", folder, "--system", "Be brief.", "Hi")
    assert result.code == 2
    assert "no system, please" in result.err
    assert "--template plain" in result.err


@pytest.mark.parametrize("typed", ["", "\n \n"])
def test_no_prompt_is_an_error(heedful: Command, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    result = heedful("generate", "--model", "unused")
    assert (result.code, result.err) == (2, "error: standard input holds no prompt.\n")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """What a person types, line by line, then Ctrl-D; returns the conversations that were to be answered."""

    def play(*lines: str, stop_after: int | None = None) -> list[Any]:
        typed: Iterator[str] = iter(lines)
        asked: list[Any] = []

        def listen(prompt: str = "") -> str:
            try:
                return next(typed)
            except StopIteration:
                raise EOFError from None

        def answer(
            backbone: Any, renderer: Renderer, conversations: Any, on_token: Any, **options: Any
        ) -> Any:
            asked.append([(turn.role, turn.content) for turn in conversations[0]])
            for number, token in enumerate(renderer.tokenizer(f"answer {len(asked)}")["input_ids"]):
                if number == stop_after:
                    raise KeyboardInterrupt
                on_token(0, token)

        monkeypatch.setattr("builtins.input", listen)
        monkeypatch.setattr("heedful.models.sampler.answer", answer)
        return asked

    return play


def test_chat_keeps_the_conversation_until_it_is_reset(heedful: Command, model: Path, script: Script) -> None:
    asked = script("one", "two", "/reset", "", "three", "/quit", "four")

    result = heedful("chat", "--model", model, "--system", "Be brief.")

    assert result.code == 0
    system = ("system", "Be brief.")
    assert asked == [
        [system, ("user", "one")],
        [system, ("user", "one"), ("assistant", "answer 1"), ("user", "two")],
        [system, ("user", "three")],
    ]
    assert result.out.splitlines() == ["answer 1", "answer 2", "answer 3"]


def test_chat_ends_at_the_end_of_input(heedful: Command, model: Path, script: Script) -> None:
    asked = script("/help")
    result = heedful("chat", "--model", model)
    assert (result.code, asked) == (0, [])
    assert result.err.count("/reset forgets") == 2


@pytest.mark.parametrize(("stop_after", "remembered"), [(0, None), (3, "answer")])
def test_ctrl_c_stops_an_answer_and_keeps_what_was_said(
    heedful: Command, model: Path, script: Script, stop_after: int, remembered: str | None
) -> None:
    asked = script("one", "two", stop_after=stop_after)

    result = heedful("chat", "--model", model)

    assert result.code == 0
    assert "[stopped]" in result.out
    before = [("user", "one"), ("assistant", remembered)] if remembered else []
    assert asked[1] == [*before, ("user", "two")]


def test_a_streamed_answer_is_the_whole_answer(capsys: pytest.CaptureFixture[str]) -> None:
    renderer = Renderer(tiny.tokenizer())
    text = "Grüße, the cat — 猫 — sat."
    stream = Stream(renderer)
    for token in renderer.tokenizer(text)["input_ids"]:
        stream.put(0, token)
        assert "\N{REPLACEMENT CHARACTER}" not in stream.text
    stream.finish()
    assert capsys.readouterr().out == stream.text == text


def test_chat_streams_from_a_real_model(
    heedful: Command, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = iter(["What is 1?"])
    monkeypatch.setattr("builtins.input", lambda _: next(typed, "/quit"))
    chatted = heedful("chat", "--model", model, "--temperature", 0, "--max-new-tokens", 6)
    generated = heedful("generate", "--model", model, "--temperature", 0, "--max-new-tokens", 6, "What is 1?")
    assert chatted.out == generated.out
