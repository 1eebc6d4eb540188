"""`heedful collect`: preferences from people. One thin file per group of commands."""

from __future__ import annotations

import typer

from heedful.cli.collect import data, models, people, serve
from heedful.cli.collect.running import serves
from heedful.cli.data_options import reads_files
from heedful.cli.data_output import writes_files
from heedful.cli.vote_options import aggregates_votes

app = typer.Typer(no_args_is_help=True, help="Collect preferences from people, in a web app of your own.")
app.command()(serves(reads_files(serve.serve)))
app.add_typer(people.app, name="people")
app.command()(writes_files(aggregates_votes(data.export, otherwise="by majority")))
app.command("import")(reads_files(data.import_))
app.command()(writes_files(reads_files(models.candidates)))
app.command()(serves(models.chat))
