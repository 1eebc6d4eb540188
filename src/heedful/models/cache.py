"""A KV cache with room ahead: a sampled token is written where it belongs, and nothing is copied."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """A `DynamicLayer` whose keys and values are views of buffers that are larger than they need to be.

    Args:
        room: how many tokens are to fit behind those that are there when the buffers are made.
    """

    # No new layer type for transformers to find: only what `roomy_cache` puts into a cache.
    _layer_type = None

    keys: Tensor
    values: Tensor

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        have = self.get_seq_length()
        need = have + key_states.shape[-2]
        if self._buffers is None or need > self._buffers[0].shape[-2]:
            before = (self.keys, self.values) if have else None
            self._buffers = (
                _with_room(key_states, need + self.room),
                _with_room(value_states, need + self.room),
            )
            if before is not None:
                for buffer, states in zip(self._buffers, before, strict=True):
                    buffer[..., :have, :] = states
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[..., have:need, :] = states
        self.keys, self.values = (buffer[..., :need, :] for buffer in self._buffers)
        return self.keys, self.values

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._buffers = None

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self._buffers = None


def roomy_cache(model: PreTrainedModel, room: int) -> DynamicCache:
    """An empty cache for `model` that takes `room` sampled tokens without being copied.

    Layers that keep something else than all keys and values (a sliding window, a recurrent state) stay as
    `transformers` makes them.
    """
    cache = DynamicCache(config=model.config)
    cache.layers = [RoomyLayer(room) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def _with_room(states: Tensor, tokens: int) -> Tensor:
    return states.new_empty(*states.shape[:-2], tokens, states.shape[-1])
