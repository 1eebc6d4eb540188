"""Responses scored for whole data sets: what a reference, a held-out accuracy and PPO start from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from heedful.models.roles import RewardModel, Role
from heedful.render.packing import Packed, pack
from heedful.render.rows import Row

# Tokens of one forward pass that fill a device: a GPU takes as long for 500 of a small model as for 8,000.
_ON_CPU, _ON_GPU = 512, 8192

# Rows are packed by length within chunks of this many, so that progress shows while a large data set is
# scored.
_CHUNK = 64


def row_budget(asked: int | None, device: torch.device) -> int:
    """Tokens of one forward pass: as many as are asked for, or what suits the device."""
    if asked is not None:
        return asked
    return _ON_CPU if device.type == "cpu" else _ON_GPU


def score(
    role: Role,
    rows: Sequence[Row],
    *,
    tokens_per_row: int | None = None,
    on_done: Callable[[int], None] | None = None,
) -> Tensor:
    """What a role says of every response: `[rows, responses]`, fp32, on CPU.

    A reward model's scores as they are, a language model's log-probs summed (nats).

    Args:
        rows: all with the same number of responses.
        tokens_per_row: packing budget of one forward pass; `row_budget` where none is given.
        on_done: called with the number of rows behind us.
    """
    found = torch.empty(len(rows), len(rows[0].responses) if rows else 0)
    with torch.no_grad():
        for members, packed in _packs(rows, row_budget(tokens_per_row, role.backbone.device), on_done):
            values = role(packed.to(role.backbone.device)).cpu()
            if not isinstance(role, RewardModel):
                values = packed.sum_by_sequence(values)
            found[members] = values.view(len(members), -1)
    return found


def end_states(
    role: Role,
    rows: Sequence[Row],
    *,
    tokens_per_row: int | None = None,
    on_done: Callable[[int], None] | None = None,
) -> Tensor:
    """What a reward model's head reads, the last hidden state of every response: `[rows, responses, hidden]`,
    fp32, on CPU. The arguments are those of `score`.
    """
    size = role.backbone.model.config.get_text_config().hidden_size
    found = torch.empty(len(rows), len(rows[0].responses) if rows else 0, size)
    with torch.no_grad(), role.backbone.active(role.name) as model:
        for members, packed in _packs(rows, row_budget(tokens_per_row, role.backbone.device), on_done):
            states = role.hidden(model, packed.to(role.backbone.device), ends=True)
            found[members] = states.float().cpu().view(len(members), -1, size)
    return found


def _packs(
    rows: Sequence[Row], tokens_per_row: int, on_done: Callable[[int], None] | None
) -> Iterator[tuple[list[int], Packed]]:
    """Packs, each with the indices of its rows; `on_done` is told of every chunk that is behind us."""
    for start in range(0, len(rows), _CHUNK):
        for packed in pack(rows[start : start + _CHUNK], tokens_per_row):
            yield [start + index for index in packed.rows], packed
        if on_done is not None:
            on_done(min(start + _CHUNK, len(rows)))


def score_tokens(
    judge: Callable[[Packed], Tensor],
    rows: Sequence[Row],
    *,
    device: torch.device,
    tokens_per_row: int | None = None,
) -> Tensor:
    """What is said of every response token: `[tokens, ...]`, fp32, on CPU, row by row.

    Args:
        judge: a role that says something of each of a pack's targets, `[targets, ...]`: a language model's
            log-probs (nats), a critic's values, or several of these beside each other.
        device: where it computes.
    """
    counts = torch.tensor([row.response_tokens for row in rows])
    starts = (counts.cumsum(0) - counts).tolist()
    parts: dict[int, Tensor] = {}
    with torch.no_grad():
        for packed in pack(rows, row_budget(tokens_per_row, device)):
            values = judge(packed.to(device)).cpu()
            sizes = [int(counts[index]) for index in packed.rows]
            parts |= {starts[i]: own for i, own in zip(packed.rows, values.split(sizes), strict=True)}
    return torch.cat([parts[start] for start in sorted(parts)])
