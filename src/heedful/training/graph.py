"""Stages that build on each other, each with a folder of its own, gone through as often as it takes.

A finished stage is reused for as long as it would come out the same: same settings, same contents of what it
reads, same version of the code that computes it. What was begun goes on. What would come out otherwise is
refused with what has changed, and never written over: `redo` sets it aside first. A stage says how it stands
and how it is run (`run_stage`, `folder_stage`); nothing here knows what one computes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from heedful.errors import RecipeError, RunError
from heedful.models import folders
from heedful.recipe import AnyRecipe, to_yaml
from heedful.training import processes
from heedful.training.set_aside import follow, set_aside
from heedful.training.tracking import Reporter

Standing = Literal["new", "unfinished", "finished"]

_REDO = "redo.json"


class Changed(RunError):
    """What stands in a stage's folder is not what would come out now."""


class Stage(Protocol):
    """One step of a graph.

    Attributes:
        name: as it is called everywhere.
        folder: where its result stands.
        after: the stages whose results it reads, by name.
    """

    @property
    def name(self) -> str: ...

    @property
    def folder(self) -> Path: ...

    @property
    def after(self) -> Sequence[str]: ...

    def standing(self, pending: Sequence[Path] = ()) -> Standing:
        """How far it is, by its folder.

        Args:
            pending: folders of stages that are to come, of which nothing can be known.

        Raises:
            Changed: the folder holds what would come out otherwise now.
            RunError: it holds something else.
            HeedfulError: what it reads cannot be read.
        """
        ...

    def run(self, *, begun: bool) -> None:
        """Do the work; `begun` where an earlier attempt is to be gone on with."""
        ...

    def admit(self) -> None:
        """Whether to go on with what came out, now that the stage is finished.

        Raises:
            HeedfulError: why not.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Redo:
    """Stages to be made anew, remembered until all is finished, so that a killed run goes on with it.

    Attributes:
        stages: as asked.
        todo: those of them whose folders are still to be set aside.
        to: the folder that takes what is set aside.
    """

    stages: tuple[str, ...]
    todo: tuple[str, ...]
    to: str


class Graph:
    """Stages in an order in which each comes after what it reads.

    Args:
        recipe: what they all come from; written into the folder.
        folder: holds the stages' folders.
        redo: names of stages to make anew, with what comes out otherwise because of it.
        resume: insist that there is something to go on with.
    """

    def __init__(
        self,
        recipe: AnyRecipe,
        folder: Path,
        stages: Sequence[Stage],
        *,
        redo: Sequence[str] = (),
        resume: bool = False,
    ) -> None:
        self.recipe, self.folder, self._resume = recipe, folder, resume
        self.stages = {stage.name: stage for stage in stages}
        unknown = [name for name in redo if name not in self.stages]
        if unknown:
            what = f"there is no stage {unknown[0]} in this recipe."
            raise RecipeError(what, where="--redo", mend=f"Its stages: {', '.join(self.stages)}.")
        self._asked = tuple(name for name in self.stages if name in redo)

    def check(self) -> dict[str, Standing]:
        """How each stage stands, as far as it can be known before the first one is run; writes nothing.

        Raises:
            RunError: a folder holds something else, or what would come out otherwise.
            HeedfulError: what `Stage.standing` raises.
        """
        if processes.count() > 1:
            what = "stages are gone through in one process."
            raise RunError(what, mend="Start it without a launcher, or run a recipe of one stage in several.")
        self._check_folder()
        found: dict[str, Standing] = {}
        pending: list[Path] = []
        redo = self._redo()
        for name, stage in self.stages.items():
            standing = "new" if name in redo.todo else self._standing(stage, redo, pending)[0]
            found[name] = standing
            # What was built on a stage that is still to come may not be what it will be built on.
            if standing != "finished" or any(
                self.stages[one].folder in pending for one in self._direct(name)
            ):
                pending.append(stage.folder)
            else:
                stage.admit()
        return found

    def run(self, reporter: Reporter) -> list[str]:
        """Go through the stages; the names of those that were run, and not reused.

        Raises:
            HeedfulError: as `check`, and whatever a stage raises.
        """
        self.check()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            folders.write_text(self.folder / "recipe.yaml", to_yaml(self.recipe))
        except OSError as error:
            raise RunError(f"the folder cannot be written: {error}", where=str(self.folder)) from error
        with _alone(self.folder):
            redo = self._set_aside_asked(reporter)
            done = [name for name, stage in self.stages.items() if self._run(stage, redo, reporter)]
            (self.folder / _REDO).unlink(missing_ok=True)
        return done

    def _run(self, stage: Stage, redo: _Redo, reporter: Reporter) -> bool:
        standing, changed = self._standing(stage, redo)
        if standing == "finished":
            reporter.say(f"Stage {stage.name}: nothing has changed, {stage.folder} is reused.")
            for name in self.before(stage.name) if redo.to else ():
                # Made anew it came out the same, and what is set aside may be thrown away.
                follow(stage.folder, self._aside(name, redo), self.stages[name].folder)
            stage.admit()
            return False
        if changed is not None:
            reporter.say(f"Stage {stage.name}: {changed.what}")
            self._move(stage, redo, reporter)
        begun = standing == "unfinished"
        reporter.say(f"Stage {stage.name}: {'goes on' if begun else 'begins'} in {stage.folder}.")
        stage.run(begun=begun)
        stage.admit()
        return True

    def _standing(
        self, stage: Stage, redo: _Redo, pending: Sequence[Path] = ()
    ) -> tuple[Standing, Changed | None]:
        """How a stage stands, and what has changed where it is to be made anew for that."""
        try:
            return stage.standing(pending), None
        except Changed as changed:
            if not {stage.name, *self.before(stage.name)}.isdisjoint(redo.stages):
                return "new", changed
            mend = f"Choose another output=FOLDER, or set aside what is there with --redo {stage.name}."
            raise RunError(f"stage {stage.name}: {changed.what}", where=changed.where, mend=mend) from changed

    def before(self, name: str) -> set[str]:
        """All stages that one is built on, directly or not."""
        direct = self._direct(name)
        return {*direct, *(earlier for one in direct for earlier in self.before(one))}

    def _direct(self, name: str) -> list[str]:
        """The stages that one reads from; a graph may do without some that it would read from."""
        return [one for one in self.stages[name].after if one in self.stages]

    def _redo(self) -> _Redo:
        """What is to be made anew: what was asked, or what a run that did not get to its end was asked."""
        known = _read(self.folder / _REDO)
        if known is not None and self._asked in ((), known.stages):
            return known
        if not self._asked:
            return _Redo((), (), "")
        number = 1
        while (self.folder / f"set-aside-{number}").exists():
            number += 1
        return _Redo(self._asked, self._asked, f"set-aside-{number}")

    def _set_aside_asked(self, reporter: Reporter) -> _Redo:
        redo = self._redo()
        if redo.stages:
            _write(self.folder / _REDO, redo)
        for name in redo.todo:
            self._move(self.stages[name], redo, reporter)
            left = tuple(one for one in redo.todo if one != name)
            redo = _Redo(redo.stages, left, redo.to)
            _write(self.folder / _REDO, redo)
        return redo

    def _move(self, stage: Stage, redo: _Redo, reporter: Reporter) -> None:
        where = self._aside(stage.name, redo)
        if set_aside(stage.folder, where, self.folder):
            reporter.say(f"Stage {stage.name}: what was there is set aside in {where}.")

    def _aside(self, name: str, redo: _Redo) -> Path:
        return self.folder / redo.to / name

    def _check_folder(self) -> None:
        folder, where, mend = self.folder, str(self.folder), "Choose another output=FOLDER."
        if folder.exists() and not folder.is_dir():
            raise RunError("this is a file, not a folder.", where=where, mend=mend)
        is_ours = (folder / "recipe.yaml").exists()
        if (folder / "run.json").exists():
            raise RunError("the output folder holds a run of one stage.", where=where, mend=mend)
        # What a kill left half-written has a name of its own, which begins with a dot.
        held = folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())
        if not is_ours and held:
            raise RunError("the output folder is not empty.", where=where, mend=mend)
        if self._resume and not is_ours:
            raise RunError("there is nothing to resume.", where=where, mend="Start it without --resume.")


def _read(path: Path) -> _Redo | None:
    if not path.exists():
        return None
    try:
        known: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return _Redo(tuple(known["stages"]), tuple(known["todo"]), known["to"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        mend = "Remove it, and name the stages by --redo again."
        raise RunError(f"this file cannot be read: {error}.", where=str(path), mend=mend) from error


def _write(path: Path, redo: _Redo) -> None:
    folders.write_text(path, json.dumps(asdict(redo)) + "\n")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder against a second run, for as long as this process lives.

    Raises:
        RunError: another process is at work in it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mend = "Wait for it, or choose another output=FOLDER."
            raise RunError("another run is at work in this folder.", where=str(folder), mend=mend) from None
        yield
