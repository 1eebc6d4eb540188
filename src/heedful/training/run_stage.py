"""A training run as a stage of a graph: in its own run folder, resumed to the bit.

`run.json` says what the run was made from (`inputs`): hashes of all it reads, and the version of the code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from heedful.errors import RewardError, RunError
from heedful.recipe import Recipe
from heedful.training import inputs, run_folder
from heedful.training.graph import Changed, Standing
from heedful.training.job import NOTHING, Given
from heedful.training.loop import Outcome
from heedful.training.run_folder import RunFolder
from heedful.training.tracking import Reporter
from heedful.training.weights import Weights

# What each stage's result depends on in the code, as a number that whoever changes it raises: what is learned
# from the same data by the same recipe. A hash of the modules would throw hours away for a comment, and the
# package's version for a change to the annotation app.
CODE = {"sft": 1, "dpo": 1, "reward": 1, "ppo": 1}
# The keys of run.json that are a stage's own: what it was made from, and whether it is done with the run.
_INPUTS, _CODE, _DONE = "inputs", "code", "done"

# Trains by a recipe: `sft.run` and its like.
Train = Callable[..., Any]


@dataclass
class RunStage:
    """One training run.

    Attributes:
        train: takes the recipe, what is given, `resume` and `reporter`.
        weights: shared with the stages before and after.
        given: records in place of files.
        command: what goes on with the whole graph; empty where only Python can.
    """

    name: str
    recipe: Recipe
    train: Train
    weights: Weights
    reporter: Reporter
    after: Sequence[str] = ()
    given: Given = NOTHING
    command: str = ""
    folder: Path = field(init=False)

    def __post_init__(self) -> None:
        self.folder = Path(self.recipe.output)

    def standing(self, pending: Sequence[Path] = ()) -> Standing:
        """As a `graph.Stage`."""
        made_from = inputs.of(self.recipe, self.given, pending=pending)
        run, where = RunFolder(self.folder), str(self.folder)
        if not (self.folder / "run.json").exists() or run_folder.never_began(run):
            run_folder.check(self.recipe, resume=False)
            return "new"
        try:
            run_folder.check(self.recipe, resume=True)
        except RunError as error:
            raise Changed(error.what, where=error.where) from error
        info = run.info()
        _require_same(info, made_from, where)
        code = info.get(_CODE)
        if code != CODE[self.recipe.stage]:
            what = f"the run is of version {code} of how {self.recipe.stage} is computed, and now that is"
            raise Changed(f"{what} {CODE[self.recipe.stage]}.", where=where)
        return "finished" if info.get("status") == "finished" and info.get(_DONE) else "unfinished"

    def run(self, *, begun: bool) -> None:
        """As a `graph.Stage`."""
        run, made_from = RunFolder(self.folder), inputs.of(self.recipe, self.given)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Before it begins, so that it can be told however it ends.
            run.update(**{_INPUTS: dict(made_from), _CODE: CODE[self.recipe.stage], _DONE: False})
        except OSError as error:
            raise RunError(f"the run folder cannot be written: {error}", where=str(self.folder)) from error
        full = self.recipe.training.method == "full"
        backbone = self.weights.of(self.recipe.model, full=full)
        given = replace(self.given, backbone=backbone, command=self.command)
        self.train(self.recipe, given, resume=begun, reporter=self.reporter)
        run.update(**{_DONE: True})

    def admit(self) -> None:
        """As a `graph.Stage`: a finished run can be gone on with."""

    @property
    def outcome(self) -> Outcome:
        """What the finished run came to."""
        info = RunFolder(self.folder).info()
        return Outcome(self.folder, info["steps"], info["skipped"], info["evaluation"])


def _require_same(info: Mapping[str, Any], made_from: Mapping[str, str], where: str) -> None:
    before = info.get(_INPUTS, {})
    # A reward that failed has to be mended before the run can go on.
    failed = info.get("status") == RewardError.__name__.lower()
    for key in made_from:
        if before.get(key) != made_from[key] and not (failed and key.startswith("reward.")):
            raise Changed(f"what {key} names has changed since the run was started.", where=where)
