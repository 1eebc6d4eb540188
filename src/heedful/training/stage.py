"""What a stage tells the loop: which rows, what a row weighs, and what the loss of a pack is.

The loop owns everything else. A stage works on what a role says and on indices; it sees no optimiser and no
model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from heedful.render.packing import Packed
from heedful.render.rows import Rows


class Task(Protocol):
    """One data set, and who learns from it.

    Attributes:
        rows: what is learned from.
        role: the backbone's role that learns.
    """

    rows: Rows
    role: str


class Stage(Task, Protocol):
    """A task whose rows have a loss of their own; PPO's prompts have none until they are answered."""

    def weight(self, index: int) -> float:
        """What row `index` counts in the average of an optimiser step."""
        ...

    def loss(
        self, outputs: Tensor, packed: Packed, members: Sequence[int], /
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The summed loss of a pack, to be divided by the step's total weight, and metrics per unit.

        Args:
            outputs: what the role says of the pack: log-probs `[targets]` in nats, or scores `[sequences]`.
            packed: the layout they belong to.
            members: the packed rows, as indices into `rows`.

        Returns:
            The weighted sum (a scalar) and `{name: [units]}` without gradient.
        """
        ...
