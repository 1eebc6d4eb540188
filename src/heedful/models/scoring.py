"""Log-probs of whole responses for whole data sets: what a reference, a held-out accuracy and a reward margin
start from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from heedful.models.roles import Role
from heedful.render.packing import pack
from heedful.render.rows import Row

# Rows are packed by length within chunks of this many, so that progress shows while a large data set is
# scored.
_CHUNK = 64


def score(
    role: Role,
    rows: Sequence[Row],
    *,
    tokens_per_row: int = 512,
    on_done: Callable[[int], None] | None = None,
) -> Tensor:
    """Summed log-probs of every response: `[rows, responses]`, nats, fp32, on CPU.

    Args:
        rows: all with the same number of responses.
        tokens_per_row: packing budget of one forward pass.
        on_done: called with the number of rows behind us.
    """
    found = torch.empty(len(rows), len(rows[0].responses) if rows else 0)
    with torch.no_grad():
        for start in range(0, len(rows), _CHUNK):
            for packed in pack(rows[start : start + _CHUNK], tokens_per_row):
                sums = packed.sum_by_sequence(role(packed.to(role.backbone.device)).cpu())
                found[[start + index for index in packed.rows]] = sums.view(len(packed.rows), -1)
            if on_done is not None:
                on_done(min(start + _CHUNK, len(rows)))
    return found
