"""The options of every command that has models answer held-out prompts, written once, and how such a command
ends early.

A command declares a parameter `answering: Answering` and is registered through `answers_prompts`, which puts
`--prompts`, `--samples`, `--temperature`, `--max-new-tokens` and `--seed` in its place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heedful.cli.data_options import option, options_for
from heedful.errors import Interrupted, JudgeError

if TYPE_CHECKING:
    from heedful.report.compare_data import Awaited
    from heedful.report.data import Waiting

_GROUP = "How prompts are answered"


@dataclass(frozen=True)
class Answering:
    """How prompts are answered: keyword arguments of `heedful.evaluate` and `heedful.compare`."""

    prompts: int
    samples: int
    temperature: float
    max_new_tokens: int
    seed: int

    @property
    def arguments(self) -> dict[str, Any]:
        return asdict(self)


def answers_prompts(command: Callable[..., None], *, temperature: str = "") -> Callable[..., None]:
    """The command with the options in place of its parameter `answering`.

    Args:
        temperature: what more is to be said of `--temperature`.
    """
    return options_for(command, "answering", _options(temperature), Answering)


@contextmanager
def resumable() -> Iterator[None]:
    """Ctrl-C inside loses nothing, and says so."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("Interrupted.", mend="The same command goes on where it was stopped.") from None


def refuse_waiting(waiting: Sequence[Waiting | Awaited], folder: Path) -> None:
    """End a command whose findings are written, and lack what a judge has not said yet.

    Raises:
        JudgeError: which judge that is, and why.
    """
    if waiting:
        first = waiting[0]
        what = f"{first.judge} has not compared the answers yet, and what else was found is written."
        mend = f"{first.why} Answers are kept, and not asked for twice."
        raise JudgeError(what, where=str(folder), mend=mend)


def _options(temperature: str) -> list[inspect.Parameter]:
    own = functools.partial(option, group=_GROUP)
    greedy = f"0 takes the likeliest token each time. {temperature}".strip()
    return [
        own("prompts", int, 100, min=1, help="Answer so many prompts, the first of the data."),
        own("samples", int, 1, min=1, help="Answers to each prompt."),
        own("temperature", float, 0.0, min=0, help=greedy),
        own("max_new_tokens", int, 160, min=1, help="Answers are cut there."),
        own("seed", int, 0, min=0, help="Of sampling and resampling."),
    ]
