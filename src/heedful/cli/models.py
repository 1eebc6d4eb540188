"""`heedful models` and `heedful export`: which models there are, and taking a trained one elsewhere."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from heedful.errors import ModelError, RunError

if TYPE_CHECKING:
    from heedful.models.catalog import Source

app = typer.Typer(help="The models that Heedful knows by name.", no_args_is_help=True)


@app.command("list")
def list_models() -> None:
    """Show the catalog, and which of its models are on this machine."""
    from heedful.models.catalog import entries

    for entry in entries():
        state = "here" if entry.present else f"get it by: heedful models fetch {entry.name}"
        size = f"{entry.parameters / 1e6:.0f}M parameters"
        typer.echo(f"{entry.name}  {entry.title}, {size}, {entry.licence} ({state})")


@app.command("fetch")
def fetch_model(name: Annotated[str, typer.Argument(help="A name of the catalog.")]) -> None:
    """Download a model of the catalog and make it ready; once is enough."""
    from heedful.models.catalog import fetch

    folder = fetch(name, progress=lambda line: typer.echo(line, err=True))
    typer.echo(str(folder))


def export(
    run: Annotated[str, typer.Argument(help="A run or an adapter folder.")],
    merged: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the whole model, the adapter folded in.")
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the PEFT adapter alone.")
    ] = None,
) -> None:
    """Write what a run has learned for use without Heedful."""
    if (merged is None) == (adapter is None):
        raise typer.BadParameter("Say one of --merged FOLDER and --adapter FOLDER.")

    from heedful.models.catalog import resolve

    source = resolve(run)
    if merged is not None:
        with _new_folder(merged) as folder:
            _write_merged(run, source, folder)
    elif adapter is not None:
        if source.adapter is None:
            raise ModelError("there is no adapter here.", where=run, mend="Export it by --merged FOLDER.")
        with _new_folder(adapter) as folder:
            shutil.copytree(source.adapter, folder, dirs_exist_ok=True)
        if source.folded:
            below = ", ".join(map(str, source.folded))
            typer.echo(f"Note: this adapter belongs over {source.name} with {below} folded in.", err=True)
    typer.echo(str(merged or adapter))


def _write_merged(run: str, source: Source, folder: Path) -> None:
    """Fold in the number type that the base is stored in, whatever this machine computes in."""
    from transformers import AutoConfig

    from heedful.models.export import save_merged
    from heedful.models.loading import DTYPES, load

    stored = str(getattr(AutoConfig.from_pretrained(source.pretrained), "dtype", None)).removeprefix("torch.")
    save_merged(load(run, dtype=stored if stored in DTYPES else "float32", device="cpu"), folder)


@contextmanager
def _new_folder(wanted: Path) -> Iterator[Path]:
    """A folder to write into, which takes the wanted one's place once all is written."""
    if wanted.exists() and (not wanted.is_dir() or any(wanted.iterdir())):
        raise RunError("there is something here already.", where=str(wanted), mend="Name a new folder.")
    try:
        wanted.absolute().parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{wanted.name}.", dir=wanted.absolute().parent))
    except OSError as error:
        raise RunError(f"cannot be written: {error.strerror or error}.", where=str(wanted)) from error
    try:
        yield part
        part.chmod(0o777 & ~_umask())
        if wanted.exists():
            wanted.rmdir()
        os.rename(part, wanted)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _umask() -> int:
    """The process's file mask; mkdtemp gives folders to their owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
