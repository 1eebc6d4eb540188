"""`heedful check`: what is wrong with preference data, before anything learns from it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from heedful.cli.data_options import Reading
from heedful.cli.data_output import Writing
from heedful.errors import DataError

if TYPE_CHECKING:
    from heedful.checks.fixing import Fixed
    from heedful.checks.running import Checked
    from heedful.report.data_check import CheckData

FOUND = 1  # the exit code where there are findings at or above --fail-on

FailOn = Literal["error", "warning", "note", "never"]


def check(
    context: typer.Context,
    reading: Reading,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="Checked together, as one set.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Test data that must not be among them.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Also see what a tokenizer and its template do.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Also see what a model makes of labels and replies.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=2, help="Tokens of prompt and reply that training keeps.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a report to look at.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
    fail_on: Annotated[
        FailOn, typer.Option(help="Leave with exit code 1 for findings of this severity or worse.")
    ] = "warning",
    fix: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write a cleaned file; what was taken out beside it.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="NAME", help="The cleaned file's layout; left out, that of FILE.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="--fix may replace files.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Run this check; may repeat.")
    ] = None,
    skip: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Not this one; may repeat.")] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Such as length_bias.share=0.7; repeats."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show every check and its thresholds.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, and no summary.")] = False,
) -> None:
    """Find what is wrong with preference data: the worst first, why it matters, and what to do.

    Exit code: 0 where nothing was found at or above --fail-on, 1 where something was (what --fix took out
    does not count), 2 for a mistake in the command or a file that cannot be read.
    """
    if listed:
        typer.echo(_list())
        return
    if not files:
        raise typer.BadParameter("name a file to check, or --list to see the checks.", param_hint="FILE")

    from heedful import checking
    from heedful.checks.fixing import removed_path
    from heedful.checks.registry import read_thresholds
    from heedful.training.tracking import Reporter

    if fix is not None:
        Writing(to=to or "heedful", overwrite=overwrite).check([fix, removed_path(fix)], files)
    elif to is not None or overwrite:
        raise DataError("--to and --overwrite are about the file that --fix writes.", mend="Add --fix OUT.")
    reporter = Reporter(quiet=quiet)
    source = checking.Source(files, reading.arguments)
    thresholds = read_thresholds(threshold or ())
    settings = checking.Settings(only or (), skip or (), thresholds, against, tokenizer, model, max_length)
    checked = checking.check(source, settings, reporter)
    done = None if fix is None else checking.fixed(source, checked, fix, reporter, to=to)
    data = checking.described(source, checked, _again(context), examples=html is not None, reporter=reporter)
    _show(data, done, html, as_json=as_json, quiet=quiet)
    if _fails(checked, fail_on, fixed=done is not None):
        raise typer.Exit(FOUND)


def _show(data: CheckData, done: Fixed | None, html: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Findings on stdout as asked; where files went, on stderr where programs read the other."""
    if as_json:
        from heedful.report.check_json import as_json as value_of

        typer.echo(json.dumps(value_of(data), ensure_ascii=False, allow_nan=False))
    elif not quiet:
        from rich.console import Console

        from heedful.report.check_terminal import summary

        summary(data, Console())
    if html is not None:
        from heedful.report.check_html import write

        write(data, html)
    told = [] if html is None else [f"Report: {html}"]
    if done is not None:
        told += _fixed(done)
    if told and not quiet:
        typer.echo(("" if as_json else "\n") + "\n".join(told), err=as_json)


def _fixed(done: Fixed) -> list[str]:
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(done.removed.items()))
    removed = sum(done.removed.values())
    counts = f"{done.read:,} read = {done.written:,} written + {removed:,} removed"
    counts += f" ({reasons})" if reasons else ""
    lines = [f"Fixed: {done.path} ({done.format}): {counts}", f"Removed: {done.beside}"]
    if done.lost:
        lost = ", ".join(f"{name} {count:,}" for name, count in sorted(done.lost.items()))
        lines.append(f"The layout has no place for: {lost}. --to heedful keeps everything.")
    return lines


def _fails(checked: Checked, fail_on: FailOn, *, fixed: bool) -> bool:
    from heedful.checks.fixing import mended

    if fail_on == "never":
        return False
    found = checked.at_least(fail_on)
    return len(mended(found)) < len(found) if fixed else bool(found)


def _list() -> str:
    """Every check, the question it asks, and its thresholds with their defaults."""
    from heedful.checks.registry import CHECKS, NEEDS, needs_of, thresholds_of

    lines = []
    for kind in CHECKS.values():
        lines += [kind.name, f"  {kind.asks}"]
        lines += [f"  It needs {NEEDS[need]}." for need in needs_of(kind)]
        lines += [f"  {one.full_name}={one.default}  {one.about}" for one in thresholds_of(kind)]
        lines.append("")
    return "\n".join(lines).rstrip()


def _again(context: typer.Context) -> str:
    """The command line, from what was given on it."""
    words = ["heedful", str(context.info_name)]
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE":
            continue
        value: Any = context.params[name]
        values = value if isinstance(value, list | tuple) else [value]
        if parameter.param_type_name == "argument":
            words += map(str, values)
        elif isinstance(value, bool):
            words.append(parameter.opts[0])
        else:
            words += [word for one in values for word in (parameter.opts[0], str(one))]
    return shlex.join(words)
