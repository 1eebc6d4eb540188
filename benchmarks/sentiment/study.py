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

from benchmarks.__main__ import say
from benchmarks.sentiment import task


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
    def runs(self) -> Path:
        return self.work / "runs"

    def run(self, folder: Path, train: Callable[..., Any], *, wait: bool = False) -> None:
        """Have `train(output=, resume=)` make a run unless it is finished; an interrupted one goes on.

        A run that another process is making is waited for with `wait`, and else left to it.
        """

        def make() -> None:
            train(output=folder, resume=(folder / "run.json").exists())

        self.once(str(folder.relative_to(self.work)), lambda: is_finished(folder), make, wait=wait)

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


def is_finished(run: Path) -> bool:
    """Whether a folder holds a run that came to its end."""
    try:
        info = json.loads((run / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return bool(info["status"] == "finished")


def run_name(method: str, *, beta: float | None, seed: int) -> str:
    """`ppo-gold-beta0.05-seed3`; no beta where the method's default holds."""
    return "-".join([method, *([] if beta is None else [f"beta{beta:g}"]), f"seed{seed}"])
