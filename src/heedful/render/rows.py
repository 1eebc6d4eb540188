"""Records to token rows: rendering and truncation put together, with everything left out or cut counted.

A row is a prompt and its responses: one for a demonstration, two for a preference, more for what comes later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heedful.quarantine import Kept, Quarantined
from heedful.records import Demonstration, Messages, Preference
from heedful.render.chat import Renderer, TemplateRefused
from heedful.render.truncate import Limits, truncate


@dataclass(frozen=True, slots=True)
class Row:
    """A rendered record: token ids of the prompt and of each response (for a pair: chosen, rejected)."""

    id: str
    prompt: list[int]
    responses: tuple[list[int], ...]
    weight: float = 1.0

    @property
    def tokens(self) -> int:
        """Tokens of the packed row: the prompt counts once."""
        return len(self.prompt) + sum(len(response) for response in self.responses)

    @property
    def response_tokens(self) -> int:
        return sum(len(response) for response in self.responses)


class Rows(Kept[Row]):
    """Rendered rows, with counts of what was cut.

    Attributes:
        prompts_cut: rows whose prompt was truncated.
        responses_cut: responses whose end was truncated (they no longer teach when to stop).
        prompts_rewritten: rows whose prompt the template renders differently once a response follows.
    """

    def __init__(self, kept: Sequence[Row], quarantined: Sequence[Quarantined] = ()) -> None:
        super().__init__(kept, quarantined)
        self.prompts_cut = 0
        self.responses_cut = 0
        self.prompts_rewritten = 0

    @property
    def tokens(self) -> int:
        return sum(row.tokens for row in self)

    def cuts(self) -> str:
        """One line for a person; empty when nothing was cut."""
        parts = {
            "prompts truncated": self.prompts_cut,
            "responses truncated": self.responses_cut,
            "prompts rewritten by the template": self.prompts_rewritten,
        }
        return ", ".join(f"{n} {what}" for what, n in parts.items() if n)


def render(records: Sequence[Demonstration | Preference], renderer: Renderer, limits: Limits) -> Rows:
    """Render records for one tokenizer within `limits`.

    Quarantined, with these reasons: `template_refused`, `empty_prompt` (nothing to condition on), `too_long`
    (policy `drop`), `equal_after_truncation` (a pair whose sides no longer differ).
    """
    prompts_rewritten = 0
    texts: list[tuple[Demonstration | Preference, str, list[str]]] = []
    quarantined: list[Quarantined] = []
    for record in records:
        rewritten_before = renderer.rewritten
        try:
            prompt = renderer.prompt_text(record.prompt)
            responses = [renderer.response_text(record.prompt, response) for response in _responses(record)]
            texts.append((record, prompt, responses))
            prompts_rewritten += renderer.rewritten > rewritten_before
        except TemplateRefused as error:
            quarantined.append(Quarantined(record.id, "template_refused", str(error), record))
    prompts = renderer.encode_prompts([prompt for _, prompt, _ in texts])
    encoded = iter(renderer.encode_responses([text for _, _, responses in texts for text in responses]))

    kept: list[Row] = []
    prompts_cut = responses_cut = 0
    for (record, _, responses), prompt_ids in zip(texts, prompts, strict=True):
        response_ids = [next(encoded) for _ in responses]
        if not prompt_ids:
            quarantined.append(Quarantined(record.id, "empty_prompt", "the prompt has no tokens", record))
            continue
        row = truncate(prompt_ids, response_ids, limits, bos=renderer.tokenizer.bos_token_id)
        if row is None:
            own = limits.max_prompt_length
            over_own = own is not None and len(prompt_ids) > own
            detail = (
                f"the prompt is longer than {own} tokens"
                if over_own
                else f"longer than {limits.max_length} tokens"
            )
            quarantined.append(Quarantined(record.id, "too_long", detail, record))
        elif len(row.responses) == 2 and row.responses[0] == row.responses[1]:
            detail = f"chosen and rejected are equal within {limits.max_length} tokens"
            quarantined.append(Quarantined(record.id, "equal_after_truncation", detail, record))
        else:
            prompts_cut += row.prompt_cut
            responses_cut += row.responses_cut
            kept.append(Row(record.id, row.prompt, row.responses, record.weight))
    rows = Rows(kept, quarantined)
    rows.prompts_cut, rows.responses_cut = prompts_cut, responses_cut
    rows.prompts_rewritten = prompts_rewritten
    return rows


def _responses(record: Demonstration | Preference) -> tuple[Messages, ...]:
    if isinstance(record, Preference):
        return record.chosen, record.rejected
    return (record.response,)
