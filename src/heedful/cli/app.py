"""The command `heedful`, put together from its groups."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import heedful
from heedful.cli import (
    advise,
    check,
    collect,
    compare,
    convert,
    evaluate,
    inspect,
    label,
    models,
    pairs,
    plan,
    prepare,
    run,
    talk,
    train,
)
from heedful.cli.answer_options import answers_prompts
from heedful.cli.data_options import reads_files
from heedful.cli.data_output import writes_files
from heedful.cli.vote_options import aggregates_votes
from heedful.errors import Interrupted


class Group(TyperGroup):
    """Commands in the order of a day's work; Ctrl-C leaves as Heedful's own error, which `main` words."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("Interrupted.") from None


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Teach a language model what people prefer.",
)
app.command()(evaluate.quickstart)
app.command()(run.run)
app.command()(plan.plan)
app.command()(reads_files(inspect.inspect, bad_lines="quarantine"))
app.command()(reads_files(convert.convert))
app.command()(reads_files(check.check, bad_lines="quarantine"))
app.command()(reads_files(advise.advise, bad_lines="quarantine"))
app.command()(writes_files(reads_files(aggregates_votes(pairs.pairs, otherwise="each stays one"))))
app.command()(writes_files(reads_files(label.label)))
app.command()(writes_files(reads_files(prepare.split)))
app.command()(writes_files(reads_files(prepare.dedupe)))
app.command("filter")(writes_files(reads_files(prepare.filter_)))
app.command()(writes_files(reads_files(prepare.mix)))
app.command()(train.sft)
app.command()(train.reward)
app.command()(train.dpo)
app.command()(train.ppo)
app.command()(train.rlhf)
app.command()(answers_prompts(evaluate.evaluate))
app.command()(
    answers_prompts(compare.compare, temperature="Reward and KL are of samples at temperature 1 in any case.")
)
app.command()(talk.generate)
app.command()(talk.chat)
app.command()(models.export)
app.add_typer(collect.app, name="collect")
app.add_typer(models.app, name="models")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(heedful.__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass
