"""The run folder: self-describing, never overwritten, and the same run when resumed.

Holds `recipe.yaml` (as resolved), `run.json` (versions, seeds, fingerprints, counts, lineage),
`metrics.jsonl`, `checkpoints/`, and at the end `adapter/` or `merged/` and `model_card.md`; of a reward model
that was judged also `report.html`.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from heedful import machine
from heedful.errors import RunError
from heedful.models import folders
from heedful.recipe import Recipe, to_yaml

# A resumed run may change these: they decide what is written and shown, not what is computed.
_MAY_CHANGE = (
    "output",
    "training.checkpoint_every",
    "training.keep_checkpoints",
    "training.log_every",
    "training.trackers",
    "export.merged",
    "data.quarantine",
    "data.check",
)
# Of a reward behind an endpoint: where it stands and how it is asked, which its scores do not depend on.
_MAY_MOVE = ("url", "headers", "timeout", "retries", "batch_size")


class RunFolder:
    """A run's folder on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def merged(self) -> Path:
        return self.path / "merged"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @classmethod
    def around(cls, name: str) -> RunFolder | None:
        """The run that a name means: its folder, or the adapter or model in it; None where it means none."""
        folder = Path(name).expanduser()
        places = [folder, *([folder.parent] if folder.name in ("adapter", "merged") else [])]
        return next((cls(place) for place in places if (place / "run.json").is_file()), None)

    def info(self) -> dict[str, Any]:
        """What `run.json` says."""
        try:
            found: dict[str, Any] = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"run.json cannot be read: {error}", where=str(self.path)) from error
        return found

    def update(self, **facts: Any) -> None:
        """Write facts into `run.json`, beside those already there."""
        known = self.info() if (self.path / "run.json").exists() else {}
        text = json.dumps({**known, **facts}, indent=2, ensure_ascii=False, default=str) + "\n"
        folders.write_text(self.path / "run.json", text)


def open_run(recipe: Recipe, *, resume: bool) -> RunFolder:
    """Make the run's folder, or with `resume` find it again and check that it is the same run.

    Raises:
        RunError: the folder holds a run or something else already, or the recipe to resume differs.
    """
    run = RunFolder(Path(recipe.output))
    check(recipe, resume=resume)
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        # First of all, so that a run that is killed in its first moments can be resumed like any other.
        run.update(
            status="running",
            stage=recipe.stage,
            recipe=_settled(recipe),
            seed=recipe.training.seed,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            versions=versions(),
            machine=machine.describe(),
        )
        run.checkpoints.mkdir(exist_ok=True)
        (run.path / "recipe.yaml").write_text(to_yaml(recipe), encoding="utf-8")
    except OSError as error:
        raise RunError(f"the run folder cannot be written: {error}", where=str(run.path)) from error
    return run


def check(recipe: Recipe, *, resume: bool) -> None:
    """Whether the run may write to its folder; writes nothing.

    Raises:
        RunError: as `open_run`.
    """
    path = Path(recipe.output)
    where = str(path)
    if path.exists() and not path.is_dir():
        raise RunError("this is a file, not a folder.", where=where, mend="Choose another output=FOLDER.")
    is_run = (path / "run.json").exists()
    if not resume:
        if is_run and never_began(RunFolder(path)):
            return
        if is_run:
            mend = "Go on with it by --resume, or choose another output=FOLDER."
            raise RunError("the output folder already holds a run.", where=where, mend=mend)
        if path.is_dir() and any(path.iterdir()):
            raise RunError(
                "the output folder is not empty.", where=where, mend="Choose another output=FOLDER."
            )
        return
    if not is_run:
        raise RunError("there is no run to resume.", where=where, mend="Start it without --resume.")
    before, now = RunFolder(path).info().get("recipe", {}), _settled(recipe)
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            what = f"the run was started with {key} = {before.get(key)!r}, and now it is {now.get(key)!r}."
            mend = f"Resume with the run's own recipe: {path / 'recipe.yaml'}"
            raise RunError(what, where=where, mend=mend)


def never_began(run: RunFolder) -> bool:
    """Whether an error ended the run before it had a checkpoint: nothing is lost by starting it again."""
    return run.info().get("status") != "running" and not any(run.checkpoints.glob("step-*"))


def check_same(run: RunFolder, facts: Mapping[str, Any]) -> None:
    """Whether a resumed run learns from what it was started with; `facts` are fingerprints by recipe key.

    Raises:
        RunError: which of them is another.
    """
    before = run.info().get("fingerprints", facts)
    for key in facts:
        if before.get(key) != facts[key]:
            what = f"what {key} names has changed since the run was started."
            mend = "Give it what it was started with, or start anew with another output=FOLDER."
            raise RunError(what, where=str(run.path), mend=mend)


def _settled(recipe: Recipe) -> dict[str, Any]:
    """The recipe flat (`training.seed: 0`), without what may change between start and resume."""
    flat: dict[str, Any] = {}

    def walk(prefix: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else key, inner)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for at, source in enumerate(value):
                moves = _MAY_MOVE if source.get("url") is not None else ()
                walk(f"{prefix}.{at}", {key: inner for key, inner in source.items() if key not in moves})
        else:
            flat[prefix] = value

    walk("", recipe.model_dump(mode="json"))
    return {key: value for key, value in flat.items() if key not in _MAY_CHANGE}


def versions() -> dict[str, str]:
    """What a run is computed with."""
    names = ("heedful", "torch", "transformers", "peft", "accelerate", "safetensors")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
