"""Records as training renders and tokenises them, for the checks: `TokenView` makes their `Tokens`.

Uses the same renderer and the same truncation as training; knows a tokenizer and no model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile

from transformers import PreTrainedTokenizerBase

from heedful.checks.text import responses_of
from heedful.checks.tokens import Cut, Tokens
from heedful.records import Judgement, Prompt, Record
from heedful.render.chat import Renderer, TemplateName, TemplateRefused
from heedful.render.rows import LeftOut, within
from heedful.render.truncate import Ids, Limits, Policy

# Characters on each side of the boundary between prompt and response that decide how it is tokenised.
TAIL, HEAD = 16, 8
BOUNDARIES = 50_000  # that are remembered: most replies begin like others


@dataclass(slots=True)
class _Rendered:
    """A record's texts, before they are tokenised."""

    prompt: str = ""
    responses: tuple[str, ...] = ()
    refused: str = ""
    rewritten: bool = False


class TokenView:
    """Makes `Tokens` of records (a `heedful.checks.tokens.Tokenize`).

    Args:
        tokenizer: any `transformers` tokenizer; see `Renderer` for what happens to one without a template.
        template: as training's `data.template`.
        policy: as training's `data.truncation`.

    Raises:
        ModelError: the template cannot be had, or nothing ends a response; see `Renderer`.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        template: TemplateName = "auto",
        policy: Policy = "keep_end",
    ) -> None:
        self.renderer = Renderer(tokenizer, template)
        self.policy = policy
        self._bos = tokenizer.bos_token or ""
        self._adds_bos = self._bos != "" and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
        named = set(tokenizer.all_special_tokens)
        named |= {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        tokens = sorted(filter(None, named), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, tokens))) if tokens else None
        self._merges: dict[tuple[str, str], bool] = {}

    def __call__(self, records: Sequence[Record]) -> list[Tokens | None]:
        """One `Tokens` per record, None for a judgement."""
        rendered = [None if isinstance(record, Judgement) else self._render(record) for record in records]
        found = [one for one in rendered if one is not None]
        prompts = self.renderer.encode_prompts([one.prompt for one in found])
        responses = iter(self.renderer.encode_responses([text for one in found for text in one.responses]))
        self._learn_boundaries(found)
        ids = iter(prompts)
        tokens: list[Tokens | None] = []
        for record, one in zip(records, rendered, strict=True):
            if one is None:
                tokens.append(None)
            else:
                tokens.append(self._tokens(record, one, next(ids), [next(responses) for _ in one.responses]))
        return tokens

    def _render(self, record: Record) -> _Rendered:
        assert not isinstance(record, Judgement)
        before = self.renderer.rewritten
        try:
            prompt = self.renderer.prompt_text(record.prompt)
            responses = [self.renderer.response_text(record.prompt, one) for one in responses_of(record)]
        except TemplateRefused as error:
            return _Rendered(refused=str(error))
        return _Rendered(prompt, tuple(responses), rewritten=self.renderer.rewritten > before)

    def _tokens(self, record: Record, rendered: _Rendered, prompt: Ids, responses: list[Ids]) -> Tokens:
        begins = rendered.prompt.startswith(self._bos * (1 if self._adds_bos else 2)) and self._bos != ""
        return Tokens(
            prompt=len(prompt),
            responses=tuple(map(len, responses)),
            alike=_alike(responses),
            within=partial(self._within, record, prompt, responses),
            refused=rendered.refused,
            rewritten=rendered.rewritten,
            merged=any(self._merges[_boundary(rendered.prompt, text)] for text in rendered.responses),
            double_bos=begins,
            special=self._special_in(record),
        )

    def _within(self, record: Record, prompt: Ids, responses: list[Ids], length: int) -> Cut:
        if isinstance(record, Prompt):
            return Cut("", len(prompt) > length, 0)
        limits = Limits(max_length=length, policy=self.policy)
        try:
            row = within(limits, record, prompt, responses, bos=self.renderer.tokenizer.bos_token_id)
        except LeftOut as error:
            return Cut(error.reason, False, 0)
        return Cut("", row.prompt_cut, row.responses_cut)

    def _special_in(self, record: Record) -> tuple[str, ...]:
        """Special tokens that stand in the record's own texts, each once."""
        if self._special is None or isinstance(record, Judgement):
            return ()
        parts = (record.prompt, *responses_of(record))
        text = "\n".join([message.content for part in parts for message in part])
        return tuple(dict.fromkeys(self._special.findall(text)))

    def _learn_boundaries(self, rendered: Sequence[_Rendered]) -> None:
        """Find which boundaries between prompt and response the tokenizer merges, all at once."""
        if len(self._merges) > BOUNDARIES:
            self._merges.clear()
        asked = {_boundary(one.prompt, text) for one in rendered for text in one.responses}
        new = sorted(asked - self._merges.keys())
        if not new:
            return
        tails = [tail for tail, _ in new]
        encoded = self.renderer.tokenizer(
            [*tails, *(tail + head for tail, head in new)], add_special_tokens=False, verbose=False
        )["input_ids"]
        for boundary, alone, together in zip(new, encoded[: len(new)], encoded[len(new) :], strict=True):
            self._merges[boundary] = together[: len(alone)] != alone


def _boundary(prompt: str, response: str) -> tuple[str, str]:
    return prompt[-TAIL:], response[:HEAD]


def _alike(responses: Sequence[Ids]) -> int:
    """How many tokens all responses share from their start; 0 of one response, which nothing is beside."""
    if len(responses) < 2:
        return 0
    return sum(1 for _ in takewhile(lambda ids: len(set(ids)) == 1, zip(*responses, strict=False)))
