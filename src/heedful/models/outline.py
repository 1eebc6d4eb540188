"""A backbone without numbers: all that can be planned for, and nothing that can be computed.

Its weights are on the meta device, where tensors have sizes alone, so that a model of any size is there in a
moment. It renders, counts and has a shape as the real one would.
"""

from __future__ import annotations

from typing import Any

import torch

from heedful.models import shape
from heedful.models.backbone import Backbone
from heedful.models.loading import choose_device, choose_dtype
from heedful.models.probe import Compatibility
from heedful.models.tokenizers import load_tokenizer


class Outline(Backbone):
    """What `load` would load, without its weights.

    Attributes:
        place: the device that the weights would be on.
    """

    def __init__(self, *parts: Any, place: torch.device, **options: Any) -> None:
        super().__init__(*parts, **options)
        self.place = place

    @property
    def device(self) -> torch.device:
        return self.place

    @property
    def compatibility(self) -> Compatibility:
        """Taken for granted: only a model that computes can tell."""
        return Compatibility(packs=True)


def outline(name: str, *, dtype: str = "auto", device: str = "auto", full: bool = False) -> Outline:
    """What `load` of the same arguments would load; adapters that it would fold in change no size.

    Raises:
        ModelError: nothing of that name, or no configuration or tokenizer of it can be read.
    """
    place = choose_device(device)
    compute = choose_dtype(dtype, place)
    where, config = shape.configuration(name)
    model = shape.hollow(config, name).to(torch.float32 if full else compute)
    return Outline(
        model, load_tokenizer(where, name), name=name, base=where, compute_dtype=compute, place=place
    )
