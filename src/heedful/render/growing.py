"""A response's text while its tokens come in."""

from __future__ import annotations

from heedful.render.chat import Renderer

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Growing:
    """The text of the tokens so far; half a character waits for its other half.

    Attributes:
        text: what can be shown.
    """

    def __init__(self, renderer: Renderer) -> None:
        self.text = ""
        self._renderer = renderer
        self._tokens: list[int] = []

    def put(self, token: int) -> str:
        """The text with this token."""
        self._tokens.append(token)
        text = self._renderer.decode(self._tokens)
        if not text.endswith(REPLACEMENT):
            self.text = text
        return self.text

    def finish(self) -> str:
        """The text with whatever was waiting."""
        self.text = self._renderer.decode(self._tokens)
        return self.text
