"""Messages to token ids through the model's own chat template, with an exact prompt/response boundary.

The prompt is rendered with the generation prompt; the response is what the full rendering adds to that
string; the two are tokenised separately, because that is what the model sees when it generates. Knows a
tokenizer and nothing of models. Truncation and packing are its neighbours' work.

A base model without a chat template gets `PLAIN_TEMPLATE` (`User: …`, `Assistant: …`, each answer closed by
the tokenizer's EOS); `template="raw"` joins the texts with no markup at all, for plain continuation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import jinja2
from transformers import PreTrainedTokenizerBase

from heedful.errors import ModelError
from heedful.records import Message, assistant, user

TemplateName = Literal["auto", "chat", "plain", "raw"]

PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}User: {{ message['content'] }}\n\n"
    "{% elif message['role'] == 'assistant' %}Assistant: {{ message['content'] }}{{ eos_token }}\n\n"
    "{% elif message['role'] == 'tool' %}Tool: {{ message['content'] }}\n\n"
    "{% else %}{{ message['content'] }}\n\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)

# Stands for "any response" where two renderings are compared; no template treats it specially.
_SENTINEL = "\u2e28heedful\u2e29"


class TemplateRefused(Exception):
    """The chat template raised on this conversation (some refuse a system message or two user turns in a
    row).
    """


class Renderer:
    """Renders conversations for one tokenizer.

    Args:
        tokenizer: any `transformers` tokenizer. With no chat template (or `template="plain"`),
            `PLAIN_TEMPLATE` is set on it, so that a saved model carries the template it was trained with.
        template: `auto` takes the tokenizer's own, else `plain`; `chat` insists on the tokenizer's own.

    Attributes:
        end_of_turn: the id that closes a response; learned as part of it.
        stop_ids: the ids at which sampling stops: `end_of_turn` and the tokenizer's EOS.
        rewritten: how many responses made the template render the prompt before them differently.

    Raises:
        ModelError: no chat template where one was demanded, or no token that could end a response.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: TemplateName = "auto") -> None:
        self.tokenizer = tokenizer
        self.template = template if template != "auto" else ("chat" if tokenizer.chat_template else "plain")
        if self.template == "chat" and not tokenizer.chat_template:
            mend = "Use data.template=plain (or auto), or a tokenizer with a chat template."
            raise ModelError("the tokenizer has no chat template.", mend=mend)
        if self.template == "chat" and tokenizer.chat_template == PLAIN_TEMPLATE:
            # The tokenizer of a model that was trained on it; the plain template writes no BOS of its own.
            self.template = "plain"
        if self.template == "plain":
            tokenizer.chat_template = PLAIN_TEMPLATE
        self.rewritten = 0
        self._last: tuple[tuple[Message, ...], str] | None = None
        self._leading_bos = self._find_leading_bos()
        self.end_of_turn, self._append_end = self._find_end_of_turn()
        eos = tokenizer.eos_token_id
        self.stop_ids = frozenset({self.end_of_turn} | ({eos} if eos is not None else set()))

    def prompt_text(self, prompt: Sequence[Message]) -> str:
        """The prompt as the model sees it before it generates, generation prompt included."""
        if self.template == "raw":
            return "".join(message.content for message in prompt)
        # Asked for again with each response, and half the work of rendering a pair.
        prompt = tuple(prompt)
        if self._last is None or self._last[0] != prompt:
            self._last = prompt, self._apply(prompt, add_generation_prompt=True)
        return self._last[1]

    def response_text(self, prompt: Sequence[Message], response: Sequence[Message]) -> str:
        """What the full rendering adds to `prompt_text`, end of turn included where the template writes
        one.
        """
        if self.template == "raw":
            return "".join(message.content for message in response)
        prompt_text = self.prompt_text(prompt)
        full = self._apply([*prompt, *response], add_generation_prompt=False)
        if full.startswith(prompt_text):
            return full[len(prompt_text) :]
        # The template changed the prompt once a response followed. Where the response starts in the full
        # rendering is where two renderings that differ only in their response part ways.
        self.rewritten += 1
        other = self._apply([*prompt, assistant(_SENTINEL)], add_generation_prompt=False)
        together = enumerate(zip(full, other, strict=False))
        return full[next((at for at, (one, two) in together if one != two), len(full)) :]

    def encode_prompts(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of rendered prompts; one BOS where the model expects one, never two."""
        bos = self.tokenizer.bos_token_id
        rows = self._encode(texts)
        for row in rows:
            if self._leading_bos and row[:1] != [bos]:
                row.insert(0, bos)
            while bos is not None and row[:2] == [bos, bos]:
                del row[0]
        return rows

    def encode_responses(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of rendered responses; each ends with `end_of_turn` and nothing stands behind it."""
        rows = self._encode(texts)
        if self._append_end:
            return [[*row, self.end_of_turn] for row in rows]
        for row in rows:
            if self.end_of_turn not in row:
                row.append(
                    self.end_of_turn
                )  # a last turn that the template closes otherwise, such as a tool's
            last = len(row) - 1 - row[::-1].index(self.end_of_turn)
            # Templates often write a newline after the end of turn; the model has stopped by then.
            del row[last + 1 :]
        return rows

    def decode(self, ids: Sequence[int]) -> str:
        """A response's text without its end of turn or the space that a plain template puts before it; of a
        raw continuation every space is its own.
        """
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
        return text if self.template == "raw" else text.strip()

    def _apply(self, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        try:
            text = self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        except (jinja2.TemplateError, ValueError) as error:
            raise TemplateRefused(str(error)) from error
        return str(text)

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded: Any = self.tokenizer(
            list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False
        )
        return [list(ids) for ids in encoded["input_ids"]]

    def _find_leading_bos(self) -> bool:
        """Whether we must add the BOS ourselves: chat templates write their own, plain text has none."""
        bos = self.tokenizer.bos_token_id
        if self.template == "chat" or bos is None:
            return False
        ids: Any = self.tokenizer("a")["input_ids"]
        return bool(ids[0] == bos)

    def _find_end_of_turn(self) -> tuple[int, bool]:
        """The id that closes a response, and whether we append it because the template writes none."""
        eos = self.tokenizer.eos_token_id
        if self.template != "raw":
            full = self._apply([user("a"), assistant(_SENTINEL)], add_generation_prompt=False)
            tail = self._encode([full[full.index(_SENTINEL) + len(_SENTINEL) :]])[0]
            special = set(self.tokenizer.all_special_ids)
            special |= {i for i, token in self.tokenizer.added_tokens_decoder.items() if token.special}
            for token_id in tail:
                if token_id in special:
                    return token_id, False
        if eos is None:
            mend = "Give it an eos_token, or a chat template that closes each turn with a special token."
            raise ModelError("nothing ends a response: the tokenizer has no EOS token.", mend=mend)
        return int(eos), True
