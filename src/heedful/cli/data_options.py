"""The options of every command that reads data files, written once.

A command declares a parameter `reading: Reading` and is registered through `reads_files`, which puts
`--format`, the column options, `--encoding`, `--limit` and `--bad-lines` in its place.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from heedful.formats.reading import Stream
    from heedful.quarantine import Kept
    from heedful.records import Record

_GROUP = "How files are read"
_NAMED = {
    "prompt": "the prompt",
    "response": "the one response",
    "chosen": "the better response",
    "rejected": "the worse response",
    "response_a": "the first of two responses",
    "response_b": "the second of two responses",
    "score": "the response's score",
    "label": "the thumb, or which response won",
    "annotator": "who judged",
}


@dataclass(frozen=True)
class Reading:
    """How files are read: the keyword arguments of `heedful.read`."""

    format: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    limit: int | None = None
    bad_lines: Literal["error", "quarantine"] = "error"

    def stream(self, path: Path) -> Stream:
        from heedful import formats

        return formats.stream(path, **self.arguments)

    def read(self, path: Path) -> Kept[Record]:
        from heedful import formats

        return formats.read(path, **self.arguments)

    @property
    def arguments(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "columns": self.columns or None,
            "encoding": self.encoding,
            "limit": self.limit,
            "bad_lines": self.bad_lines,
        }


def reads_files(
    command: Callable[..., None], *, bad_lines: Literal["error", "quarantine"] = "error"
) -> Callable[..., None]:
    """The command with the reading options in place of its parameter `reading`.

    Args:
        bad_lines: the default of `--bad-lines`.
    """
    return options_for(command, "reading", _options(bad_lines), _reading)


def _reading(**given: Any) -> Reading:
    columns = {name: value for name in _NAMED if (value := given.pop(f"{name}_column")) is not None}
    return Reading(columns=columns, **given)


def options_for(
    command: Callable[..., None],
    name: str,
    options: Sequence[inspect.Parameter],
    made: Callable[..., Any],
) -> Callable[..., None]:
    """The command with `options` in place of its parameter `name`, which becomes `made(**options)`."""
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for known, parameter in signature.parameters.items() if known != name]

    @functools.wraps(command)
    def wrapped(**arguments: Any) -> None:
        taken = {option.name: arguments.pop(option.name) for option in options}
        command(**arguments, **{name: made(**taken)})

    # Typer reads the signature; the annotations are in it, resolved, and not looked up again by name.
    wrapped.__signature__ = signature.replace(parameters=[*own, *options])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in [*own, *options]} | {"return": None}
    return wrapped


def option(name: str, kind: Any, default: Any, *flags: str, group: str, **declared: Any) -> inspect.Parameter:
    """A parameter that Typer makes an option of, shown under `group` in the command's help."""
    annotation = Annotated[kind, typer.Option(*flags, rich_help_panel=group, **declared)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _options(bad_lines: str) -> list[inspect.Parameter]:
    own = functools.partial(option, group=_GROUP)
    return [
        own("format", str | None, None, metavar="NAME", help="Their layout; left out, it is recognised."),
        *(
            own(f"{name}_column", str | None, None, metavar="NAME", help=f"The column that holds {what}.")
            for name, what in _NAMED.items()
        ),
        own("encoding", str, "utf-8", metavar="NAME", help="Of text files."),
        own("limit", int | None, None, min=1, help="Read this many rows of each file."),
        own(
            "bad_lines",
            Literal["error", "quarantine"],
            bad_lines,
            help="Stop at a broken line or leave it out.",
        ),
    ]
