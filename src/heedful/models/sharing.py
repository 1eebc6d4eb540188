"""Several models by name, over as few weights as they can share.

Adapters over the same weights, and those weights by themselves, have one copy of them between them. Starts
without torch, which is imported when the first model is asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heedful.models.catalog import Source, resolve
from heedful.records import Messages

if TYPE_CHECKING:
    from torch import Tensor

    from heedful.models.backbone import Backbone
    from heedful.models.roles import LanguageModel
    from heedful.render.chat import Renderer, TemplateName


@dataclass(frozen=True, slots=True)
class Voice:
    """A loaded model: weights that others may share, and the role that is its own."""

    backbone: Backbone
    renderer: Renderer
    role: str

    @property
    def language_model(self) -> LanguageModel:
        """The role that says how likely it finds a response."""
        from heedful.models.roles import LanguageModel

        return LanguageModel(self.backbone, self.role)

    def encoded(self, conversation: Messages) -> list[int]:
        """The conversation as the model sees it before it answers.

        Raises:
            TemplateRefused: the chat template does not take it.
        """
        return self.renderer.encode_prompts([self.renderer.prompt_text(conversation)])[0]

    def cannot_answer(self, conversation: Messages, tokens: int) -> str:
        """Why there can be no answer of so many tokens, as a reason code; empty where there can.

        `template_refused`, `empty_prompt`, or `no_room` within the model's context.
        """
        from heedful.render.chat import TemplateRefused

        try:
            prompt = self.encoded(conversation)
        except TemplateRefused:
            return "template_refused"
        if not prompt:
            return "empty_prompt"
        room = self.room(prompt)
        return "" if room is None or room >= tokens else "no_room"

    def room(self, prompt: Sequence[int]) -> int | None:
        """How many tokens an answer can have; None where nothing is known to limit it."""
        longest = self.backbone.context_length
        return None if longest is None else longest - len(prompt)


class Models:
    """Models by name, loaded when they are first asked for.

    Args:
        one_at_a_time: give the weights back when a model of others is asked for.
        template: how conversations become text.

    Attributes:
        lock: whoever computes holds it.
        template: as given.
    """

    def __init__(self, *, one_at_a_time: bool = False, template: TemplateName = "auto") -> None:
        self.lock = threading.RLock()
        self.template = template
        self._alone = one_at_a_time
        self._weights: dict[tuple[str, ...], tuple[Backbone, Renderer]] = {}
        self._voices: dict[str, Voice] = {}
        # By model, the role for checkpoints' weights, and whose are in it.
        self._filled: dict[str, tuple[str, str]] = {}

    def get(self, name: str) -> Voice:
        """The model that `name` means: a catalog name, a folder, a run, an adapter, a .gguf file or a hub id.

        Raises:
            ModelError: nothing of that name, or it cannot be loaded.
        """
        with self.lock:
            if name not in self._voices:
                source = resolve(name)
                self._voices[name] = self._voice(name, source)
            return self._voices[name]

    def filled(self, name: str, weights: str, read: Callable[[], Mapping[str, Tensor]]) -> Voice:
        """A model with other weights of what was trained of it: those of a checkpoint.

        All of them take turns in one role, so that a voice speaks for its weights until those of another
        checkpoint of the same model are asked for. Where every weight was trained, they take turns in a copy.

        Args:
            name: a run, or an adapter.
            weights: what tells them from others of the same model.
            read: where they come from, when they are not in the role already.

        Raises:
            ModelError: the model cannot be loaded, or the weights do not fit it.
        """
        with self.lock:
            source = resolve(name)
            backbone, renderer = self._loaded(source, copy="" if source.adapter else name)
            if name not in self._filled:
                role = f"filled{len(self._filled)}" if source.adapter else "reference"
                if source.adapter:
                    backbone.load_lora(role, source.adapter)
                self._filled[name] = role, ""
            role, before = self._filled[name]
            if weights != before:
                backbone.fill(role, read(), where=weights)
                self._filled[name] = role, weights
            return Voice(backbone, renderer, role)

    def _voice(self, name: str, source: Source) -> Voice:
        if source.adapter is not None:
            # What one adapter was trained over may be the weights with another one folded in.
            folded = self._weights.get(_key(source, with_adapter=True))
            if folded is not None:
                return Voice(*folded, "reference")
        backbone, renderer = self._loaded(source)
        if source.adapter is None:
            return Voice(backbone, renderer, "reference")
        role = f"policy{len(self._voices)}"
        backbone.load_lora(role, source.adapter)
        return Voice(backbone, renderer, role)

    def _loaded(self, source: Source, *, copy: str = "") -> tuple[Backbone, Renderer]:
        """The weights below a model's own adapter; a `copy` is shared by those alone who name it."""
        from heedful.models.loading import load
        from heedful.render.chat import Renderer

        key = _key(source, copy=copy)
        if key not in self._weights:
            if self._alone:
                self._weights.clear()
                self._voices.clear()
                self._filled.clear()
            backbone = load(str(source.folded[-1]) if source.folded else source.pretrained)
            self._weights[key] = backbone, Renderer(backbone.tokenizer, self.template)
        return self._weights[key]


def _key(source: Source, *, with_adapter: bool = False, copy: str = "") -> tuple[str, ...]:
    """Which weights: those that are loaded, the adapters folded into them, and whose own copy they are."""
    adapters = [*source.folded, *([source.adapter] if with_adapter and source.adapter else [])]
    return source.pretrained, *(str(folder.resolve()) for folder in adapters), copy
