"""Prompts alone, rendered and cut to length: what is sampled from."""

from __future__ import annotations

from collections.abc import Sequence

from heedful.quarantine import Quarantined
from heedful.records import Candidates, Demonstration, Feedback, Preference, Prompt, Ranking, Rating
from heedful.render.chat import Renderer, TemplateRefused
from heedful.render.rows import Row, Rows
from heedful.render.truncate import CUTS, Limits

Prompted = Prompt | Candidates | Demonstration | Preference | Feedback | Rating | Ranking


def render_prompts(records: Sequence[Prompted], renderer: Renderer, limits: Limits) -> Rows:
    """The records' prompts as rows without responses, each text once.

    A prompt longer than `limits.max_prompt_length` (or `max_length`) is cut, or with the policy `drop` left
    out. Quarantined, with these reasons: `template_refused`, `empty_prompt`, `too_long`, `same_prompt`.
    """
    longest = limits.max_length if limits.max_prompt_length is None else limits.max_prompt_length
    kept: list[Row] = []
    quarantined: list[Quarantined] = []
    seen: set[str] = set()
    cut = 0

    def leave_out(record: Prompted, reason: str, detail: str) -> None:
        quarantined.append(Quarantined(record.id, reason, detail, record))

    for record in records:
        try:
            text = renderer.prompt_text(record.prompt)
        except TemplateRefused as error:
            leave_out(record, "template_refused", str(error))
            continue
        if text in seen:
            leave_out(record, "same_prompt", "an earlier row has the same prompt")
            continue
        seen.add(text)
        (ids,) = renderer.encode_prompts([text])
        if not ids:
            leave_out(record, "empty_prompt", "the prompt has no tokens")
        elif len(ids) > longest and limits.policy == "drop":
            leave_out(record, "too_long", f"the prompt is longer than {longest} tokens")
        else:
            if len(ids) > longest:
                cut += 1
                leading = 1 if ids[0] == renderer.tokenizer.bos_token_id and longest > 1 else 0
                ids = CUTS[limits.policy](ids, longest, leading)
            kept.append(Row(record.id, ids, (), record=record))
    rows = Rows(kept, quarantined)
    rows.rows_cut = rows.prompts_cut = cut
    return rows
