"""`main`: what went wrong becomes one message and an exit code, and help comes at once."""

from __future__ import annotations

import errno
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import heedful as package
from heedful.cli import inspect, main
from heedful.errors import DataError, HeedfulError, Interrupted, TrainingStopped
from tests.cli.command import Command, pairs

COMMANDS = (
    "quickstart",
    "inspect",
    "convert",
    "check",
    "pairs",
    "split",
    "dedupe",
    "filter",
    "mix",
    "sft",
    "reward",
    "dpo",
    "ppo",
    "rlhf",
    "evaluate",
    "generate",
    "chat",
    "export",
    "models",
)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes `heedful inspect` raise what it is given."""

    def fail(error: BaseException) -> None:
        def examine(*_: Any, **__: Any) -> Any:
            raise error

        monkeypatch.setattr("heedful.formats.stream", examine)

    return fail


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            DataError("is broken.", where="a.jsonl:3", mend="Mend it."),
            2,
            "error: a.jsonl:3: is broken. Mend it.\n",
        ),
        (TrainingStopped("training stopped."), 3, "error: training stopped.\n"),
        (Interrupted("interrupted at step 3."), 130, "interrupted at step 3.\n"),
        (KeyboardInterrupt(), 130, "Interrupted.\n"),
        (
            OSError(errno.ENOSPC, "No space left", "/full/a"),
            2,
            "error: /full/a: the disk is full. Make room and try again.\n",
        ),
    ],
)
def test_an_error_is_one_line_and_its_exit_code(
    heedful: Command, failing: Any, error: BaseException, code: int, message: str
) -> None:
    failing(error)
    result = heedful("inspect", "a.jsonl")
    assert (result.code, result.err, result.out) == (code, message, "")


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(errno.EIO, "broken disk")])
def test_what_is_not_a_users_mistake_keeps_its_traceback(failing: Any, error: Exception) -> None:
    failing(error)
    with pytest.raises(type(error)):
        main(["inspect", "a.jsonl"])


def test_help_names_every_command(heedful: Command) -> None:
    result = heedful("--help")
    assert result.code == 0
    assert [name for name in COMMANDS if f" {name} " in result.out] == list(COMMANDS)


@pytest.mark.parametrize(
    "command", [(name,) for name in COMMANDS] + [("models", "list"), ("models", "fetch")]
)
def test_every_command_has_help(heedful: Command, command: tuple[str, ...]) -> None:
    result = heedful(*command, "--help")
    assert result.code == 0
    assert "Usage: heedful" in result.out


def test_help_imports_nothing_heavy() -> None:
    heavy = "torch", "transformers", "peft", "accelerate", "numpy", "jinja2"
    code = (
        "import sys; from heedful.cli import main; assert main(['sft', '--help']) == 0\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_version(heedful: Command) -> None:
    assert heedful("--version").out == f"{package.__version__}\n"


def test_an_unknown_option_or_command_is_exit_code_2(heedful: Command) -> None:
    for arguments in (["sft", "--nonsense"], ["trian"], ["generate", "--temperature", "-1", "hi"]):
        assert heedful(*arguments).code == HeedfulError.exit_code


def test_no_command_shows_help(heedful: Command) -> None:
    result = heedful()
    assert "Usage: heedful" in result.out + result.err


def test_warnings_of_libraries_stay_off_the_terminal(
    heedful: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = pairs(tmp_path / "pairs.jsonl")

    def warn(*_: Any) -> str:
        warnings.warn("old", FutureWarning, stacklevel=1)
        return "described"

    monkeypatch.setattr(sys, "warnoptions", [])
    monkeypatch.setattr(inspect, "describe", warn)
    result = heedful("inspect", path)
    assert (result.out, result.err) == ("described\n", "")
