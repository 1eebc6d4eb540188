"""The study's work folder: which step is done, which is being made, and what its runs are called.

Every step writes a folder or a file of its own and is left alone once that is whole, so the study can be made
in pieces, by several processes side by side, and gone on with after an interruption.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.sentiment import task
from benchmarks.session import say
from heedful.errors import TrainingStopped

# How a run's status says that there is nothing left to do: it came to its end, or the guard stopped it.
_OVER = ("finished", TrainingStopped.__name__.lower())


@dataclass(frozen=True)
class Study:
    """Where the study lies and what it is made of.

    Attributes:
        model: what SFT starts from: a catalog name or a model folder.
        data: the folder of the sentences' files.
        sizes: sentences of each part, as `task.parts` takes them.
    """

    work: Path
    data: Path
    model: str
    sizes: dict[str, int]

    def parts(self) -> task.Parts:
        return task.parts(task.sentences(self.data), **self.sizes)

    @property
    def base(self) -> str:
        """The SFT model's folder: what every method starts from, and measures its KL against."""
        return str((self.work / "sft" / "merged").absolute())

    @property
    def reward(self) -> Path:
        return self.work / "reward"

    @property
    def runs(self) -> Path:
        return self.work / "runs"

    def finished(self) -> list[Path]:
        """The folders of the methods' runs that came to their end."""
        return sorted(folder for folder in self.runs.glob("*") if status_of(folder) == "finished")

    def run(self, folder: Path, train: Callable[..., Any], *, wait: bool = False) -> None:
        """Have `train(output=, resume=)` make a run unless it is over; an interrupted one goes on.

        A run that another process is making is waited for with `wait`, and else left to it. That the guard
        stopped a run is a result like another.
        """

        def make() -> None:
            try:
                train(output=folder, resume=(folder / "run.json").exists())
            except TrainingStopped as error:
                say(str(error))

        self.once(str(folder.relative_to(self.work)), lambda: status_of(folder) in _OVER, make, wait=wait)

    def once(
        self, name: str, is_done: Callable[[], bool], make: Callable[[], None], *, wait: bool = False
    ) -> None:
        if is_done():
            return
        with self._claimed(name, wait=wait) as claimed:
            if not claimed:
                say(f"{name}: another process is at it")
            elif not is_done():
                say(f"{name} ...")
                make()

    @contextmanager
    def _claimed(self, name: str, *, wait: bool) -> Iterator[bool]:
        """Whether the step is this process's to make; a claim ends with its process, however that ends."""
        path = self.work / ".claims" / name.replace("/", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True


def status_of(run: Path) -> str | None:
    """What `run.json` says of how a run stands; None where there is none."""
    try:
        info = json.loads((run / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return str(info["status"])


def run_name(method: str, *, beta: float | None, seed: int) -> str:
    """`ppo-gold-beta0.05-seed3`; no beta where the method's default holds."""
    return "-".join([method, *([] if beta is None else [f"beta{beta:g}"]), f"seed{seed}"])


def method_of(run: str) -> str:
    """The method in a run's name: `ppo-gold`, `ppo-learned`, `dpo`, `trl-dpo`."""
    return run.partition("-beta")[0].partition("-seed")[0]
