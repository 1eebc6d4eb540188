"""A prompt is computed once: pairs laid out as `prompt | chosen | rejected`, several in one row, nothing
padded.

Responses attend to their prompt and to themselves, never to each other, and their position ids go on from the
prompt. `Packed` describes that layout once; attention reads it segment by segment on CPU
(`heedful.models.attention`), `mask_mod` gives the same structure to FlexAttention, and `to_padded` unpacks it
for models that take neither. Knows token ids and nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from heedful.render.rows import Row


@dataclass(frozen=True, slots=True)
class Segment:
    """One prompt and its responses inside a packed row. All numbers are token counts or offsets."""

    start: int
    prompt: int
    responses: tuple[int, ...]

    @property
    def stop(self) -> int:
        return self.start + self.prompt + sum(self.responses)

    def response_spans(self) -> list[tuple[int, int]]:
        """`(start, stop)` of each response in the packed row."""
        spans, at = [], self.start + self.prompt
        for length in self.responses:
            spans.append((at, at + length))
            at += length
        return spans


@dataclass(frozen=True)
class Packed:
    """Several rows in one, with what is needed to attend, to score and to find one's way back.

    Attributes:
        input_ids: `[tokens]`.
        position_ids: `[tokens]`, restarting with each prompt and going on from it in each response.
        segments: one per packed row, in order.
        target_index: `[targets]`, the token whose hidden state predicts the target (a response's first token
            is predicted by the prompt's last).
        target_ids: `[targets]`, every token of every response, sequence by sequence.
        target_sequence: `[targets]`, which response it belongs to, counted through the whole pack.
        weights: `[segments]`, the rows' weights.
        rows: which rows these are, as indices into the sequence that was packed.
    """

    input_ids: Tensor
    position_ids: Tensor
    segments: tuple[Segment, ...]
    target_index: Tensor
    target_ids: Tensor
    target_sequence: Tensor
    weights: Tensor
    rows: tuple[int, ...]

    @property
    def tokens(self) -> int:
        return self.input_ids.numel()

    @property
    def sequences(self) -> int:
        return sum(len(segment.responses) for segment in self.segments)

    @cached_property
    def lengths(self) -> Tensor:
        """`[sequences]`, tokens of each response."""
        lengths = [length for segment in self.segments for length in segment.responses]
        return torch.tensor(lengths, device=self.input_ids.device)

    @cached_property
    def end_index(self) -> Tensor:
        """`[sequences]`, the last token of each response."""
        ends = [stop - 1 for segment in self.segments for _, stop in segment.response_spans()]
        return torch.tensor(ends, device=self.input_ids.device)

    def sum_by_sequence(self, values: Tensor) -> Tensor:
        """`[targets]` to `[sequences]`: the sum over each response."""
        return values.new_zeros(self.sequences).index_add(0, self.target_sequence, values)

    def to(self, device: torch.device | str) -> Packed:
        if self.input_ids.device == torch.device(device):
            return self
        moved = {
            name: getattr(self, name).to(device)
            for name in (
                "input_ids",
                "position_ids",
                "target_index",
                "target_ids",
                "target_sequence",
                "weights",
            )
        }
        return Packed(segments=self.segments, rows=self.rows, **moved)

    def owners(self) -> tuple[Tensor, Tensor]:
        """`([tokens], [tokens])`: each token's segment, and its branch (0 for the prompt, k for the k-th
        response).
        """
        segment_of = torch.empty(self.tokens, dtype=torch.long)
        branch_of = torch.zeros(self.tokens, dtype=torch.long)
        for number, segment in enumerate(self.segments):
            segment_of[segment.start : segment.stop] = number
            for branch, (start, stop) in enumerate(segment.response_spans(), 1):
                branch_of[start:stop] = branch
        device = self.input_ids.device
        return segment_of.to(device), branch_of.to(device)

    def to_padded(self, pad_id: int) -> Padded:
        """Each response with its own copy of the prompt, padded on the right: one row per sequence."""
        sequences: list[Tensor] = []
        targets: list[Tensor] = []
        for segment in self.segments:
            prompt = self.input_ids[segment.start : segment.start + segment.prompt]
            for start, stop in segment.response_spans():
                sequences.append(torch.cat([prompt, self.input_ids[start:stop]]))
                targets.append(torch.arange(segment.prompt - 1, segment.prompt - 1 + stop - start))
        width = max(len(sequence) for sequence in sequences)
        input_ids = self.input_ids.new_full((len(sequences), width), pad_id)
        attention_mask = torch.zeros_like(input_ids)
        for number, sequence in enumerate(sequences):
            input_ids[number, : len(sequence)] = sequence
            attention_mask[number, : len(sequence)] = 1
        flat = torch.cat([target + number * width for number, target in enumerate(targets)])
        ends = torch.tensor([number * width + len(ids) - 1 for number, ids in enumerate(sequences)])
        device = self.input_ids.device
        return Padded(input_ids, attention_mask, flat.to(device), ends.to(device))


@dataclass(frozen=True, slots=True)
class Padded:
    """The padded twin of a `Packed`: `input_ids` and `attention_mask` `[sequences, width]`.

    `target_index` `[targets]` and `end_index` `[sequences]` point into the flattened hidden states
    `[sequences * width, hidden]`, in the order of the pack's.
    """

    input_ids: Tensor
    attention_mask: Tensor
    target_index: Tensor
    end_index: Tensor


def pack(rows: Sequence[Row], tokens_per_row: int) -> list[Packed]:
    """Pack rows first-fit, longest first, into as few packs of at most `tokens_per_row` tokens as that finds.

    A row longer than the budget gets a pack of its own. Deterministic: the same rows always pack the same
    way.
    """
    bins = first_fit([row.tokens for row in rows], tokens_per_row)
    return [_lay_out([rows[i] for i in members], tuple(members)) for members in bins]


def first_fit(sizes: Sequence[int], tokens_per_row: int) -> list[list[int]]:
    """Which rows of these sizes (tokens) share a pack, as indices."""
    bins: list[list[int]] = []
    room: list[int] = []
    for index in sorted(range(len(sizes)), key=lambda i: (-sizes[i], i)):
        size = sizes[index]
        for number, free in enumerate(room):
            if size <= free:
                bins[number].append(index)
                room[number] -= size
                break
        else:
            bins.append([index])
            room.append(max(tokens_per_row - size, 0))
    return bins


def _lay_out(rows: Sequence[Row], indices: tuple[int, ...]) -> Packed:
    ids: list[int] = []
    positions: list[int] = []
    segments: list[Segment] = []
    sources: list[int] = []
    target_ids: list[int] = []
    owners: list[int] = []
    sequence = 0
    for row in rows:
        start, prompt = len(ids), len(row.prompt)
        segments.append(Segment(start, prompt, tuple(len(response) for response in row.responses)))
        ids += row.prompt
        positions += range(prompt)
        for response in row.responses:
            at = len(ids)
            sources += [start + prompt - 1, *range(at, at + len(response) - 1)]
            target_ids += response
            owners += [sequence] * len(response)
            ids += response
            positions += range(prompt, prompt + len(response))
            sequence += 1
    return Packed(
        input_ids=torch.tensor(ids),
        position_ids=torch.tensor(positions),
        segments=tuple(segments),
        target_index=torch.tensor(sources),
        target_ids=torch.tensor(target_ids),
        target_sequence=torch.tensor(owners),
        weights=torch.tensor([row.weight for row in rows], dtype=torch.float32),
        rows=indices,
    )


def mask_mod(packed: Packed, window: int | None = None) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """The pack's mask as FlexAttention asks for it: may token `q` see token `k`?

    Same segment; causal; `k` is in the prompt or in `q`'s own response; and, with a sliding window, fewer
    than `window` positions back.
    """
    segment_of, branch_of = packed.owners()
    positions = packed.position_ids

    def visible(batch: Tensor, head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        same_segment = segment_of[q] == segment_of[k]
        reachable = (branch_of[k] == 0) | (branch_of[k] == branch_of[q])
        seen = same_segment & reachable & (q >= k)
        return seen if window is None else seen & (positions[q] - positions[k] < window)

    return visible
