"""Several processes as one run: each computes its share, the main one writes, and all of them agree.

`accelerate launch` or `torchrun` starts the same program once per device. Everything that must happen once,
or be known everywhere, goes through here; with one process each function is the plain thing itself. Knows
nothing of what is computed or written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from heedful.errors import HeedfulError

T = TypeVar("T")


def _state() -> Any:
    # Accelerate brings torch with it, and checking a run folder should not wait for that.
    import torch
    from accelerate import PartialState

    # Without `cpu`, Accelerate takes processes that have no GPU for strangers, each of them alone.
    return PartialState(cpu=not (torch.cuda.is_available() or torch.xpu.is_available()))


def count() -> int:
    """How many processes this run has."""
    return int(_state().num_processes)


def index() -> int:
    """Which of them this one is, from 0."""
    return int(_state().process_index)


def is_main() -> bool:
    """Whether this process is the one that writes."""
    return index() == 0


def share(items: Sequence[T]) -> Sequence[T]:
    """This process's part of `items`; the parts of all processes are the whole."""
    return items[index() :: count()]


def on_main(work: Callable[[], T]) -> T:
    """What the main process gets from `work`, in every process; they wait for it.

    Raises:
        HeedfulError: in every process, where `work` raised it in the main one.
    """
    if count() == 1:
        return work()
    from accelerate.utils import broadcast_object_list

    box: list[Any] = [None, None]
    if is_main():
        try:
            box[0] = work()
        except HeedfulError as error:
            box[1] = error
    broadcast_object_list(box)
    if box[1] is not None:
        raise box[1]
    result: T = box[0]
    return result


def gather(value: T) -> list[T]:
    """Every process's `value`, in the order of the processes, in every process."""
    if count() == 1:
        return [value]
    from accelerate.utils import gather_object

    found: list[T] = gather_object([value])
    return found


def total(values: Mapping[str, float]) -> dict[str, float]:
    """Sums over all processes, name by name; a process need not have every name."""
    sums: Counter[str] = Counter()
    for part in gather(dict(values)):
        for name, value in part.items():
            sums[name] += value  # type: ignore[assignment]
    return dict(sums)
