"""The base weights that stages hand to each other in memory, while they are what the next one starts from."""

from __future__ import annotations

from pathlib import Path

from heedful.models.backbone import Backbone
from heedful.models.catalog import resolve
from heedful.models.loading import load
from heedful.recipe import ModelSettings


class Weights:
    """One set of base weights, into which the adapter of an earlier stage is folded where that is enough."""

    def __init__(self) -> None:
        self._held: Backbone | None = None
        self._as: ModelSettings | None = None

    def of(self, model: ModelSettings, *, full: bool = False) -> Backbone:
        """A backbone without adapters that is what `model` names.

        Args:
            full: every weight will be trained, so that nobody can have these weights afterwards.

        Raises:
            ModelError: it cannot be loaded.
        """
        if full or not self._becomes(model):
            self.give_back()  # first, so that there are never two
            self._held = load(
                model.name, adapter=model.adapter, dtype=model.dtype, device=model.device, full=full
            )
        assert self._held is not None
        backbone, self._as = self._held, model
        if full:  # its weights will be others
            self._held = None
        return backbone

    def give_back(self) -> None:
        """Let go of the weights: something else needs the room."""
        self._held = None

    def _becomes(self, model: ModelSettings) -> bool:
        """Make the held weights those of `model`, where at most an adapter has to be folded in."""
        held, before = self._held, self._as
        if held is None or before is None:
            return False
        if model == before:
            return True
        source = resolve(model.name)
        lineage = [Path(folder).resolve() for folder in held.lineage]
        is_over = source.pretrained == held.base and [path.resolve() for path in source.folded] == lineage
        same_place = (model.dtype, model.device) == (before.dtype, before.device)
        if source.adapter is None or model.adapter is not None or not is_over or not same_place:
            return False
        held.fold(str(source.adapter.absolute()))
        held.name = model.name
        return True
