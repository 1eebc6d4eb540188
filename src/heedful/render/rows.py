"""Records to token rows: rendering and truncation put together, with everything left out or cut counted.

A row is a prompt and its responses: one for a demonstration or a rating, two for a preference, as many as it
ranks for a ranking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from heedful.quarantine import Kept, Quarantined
from heedful.records import Candidates, Demonstration, Messages, Preference, Ranking, Rating, Record
from heedful.render.chat import Renderer, TemplateRefused
from heedful.render.truncate import Ids, Limits, Truncated, truncate

Renderable = Demonstration | Preference | Ranking | Rating

# What the ranking loss can take (`heedful.objectives.reward.MOST_TIED`, which render does not know; a test
# holds the two together).
MOST_TIED = 6


@dataclass(frozen=True, slots=True)
class Row:
    """A rendered record: token ids of the prompt and of each response (for a pair: chosen, rejected).

    `record` is what the row was rendered from, for stages that learn from more than tokens: ranks, scores,
    probabilities. `uncut` is how many tokens each response had before one was cut; empty where none was.
    """

    id: str
    prompt: list[int]
    responses: tuple[list[int], ...]
    weight: float = 1.0
    record: Record | None = field(default=None, compare=False, repr=False)
    uncut: tuple[int, ...] = field(default=(), compare=False, repr=False)

    @property
    def tokens(self) -> int:
        """Tokens of the packed row: the prompt counts once."""
        return len(self.prompt) + sum(len(response) for response in self.responses)

    @property
    def response_tokens(self) -> int:
        return sum(len(response) for response in self.responses)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Tokens of each whole response: two that are cut at one place are not of one length."""
        return self.uncut or tuple(map(len, self.responses))


class Rows(Kept[Row]):
    """Rendered rows, with counts of what was cut.

    Attributes:
        rows_cut: rows of which anything was truncated.
        prompts_cut: rows whose prompt was truncated.
        responses_cut: responses whose end was truncated (they no longer teach when to stop).
        prompts_rewritten: rows whose prompt the template renders differently once a response follows.
    """

    def __init__(self, kept: Sequence[Row], quarantined: Sequence[Quarantined] = ()) -> None:
        super().__init__(kept, quarantined)
        self.rows_cut = 0
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


def render(records: Sequence[Renderable], renderer: Renderer, limits: Limits) -> Rows:
    """Render records for one tokenizer within `limits`.

    Quarantined, with these reasons: `too_few_responses` (a ranking of fewer than two), `too_many_tied` (more
    than `MOST_TIED` responses of a ranking share a rank), `template_refused`, `empty_prompt` (nothing to
    condition on), `too_long` (policy `drop`), `equal_after_truncation` (a pair, or two responses of a ranking
    with different ranks, that no longer differ).
    """
    quarantined: list[Quarantined] = []
    texts: list[tuple[Renderable, str, list[str]]] = []
    prompts_rewritten = 0
    for record in records:
        rewritten_before = renderer.rewritten
        try:
            _check_ranking(record)
            prompt = renderer.prompt_text(record.prompt)
            responses = [renderer.response_text(record.prompt, response) for response in _responses(record)]
        except LeftOut as error:
            quarantined.append(Quarantined(record.id, error.reason, str(error), record))
        except TemplateRefused as error:
            quarantined.append(Quarantined(record.id, "template_refused", str(error), record))
        else:
            texts.append((record, prompt, responses))
            prompts_rewritten += renderer.rewritten > rewritten_before
    prompts = renderer.encode_prompts([prompt for _, prompt, _ in texts])
    encoded = iter(renderer.encode_responses([text for _, _, responses in texts for text in responses]))

    kept: list[Row] = []
    rows_cut = prompts_cut = responses_cut = 0
    for (record, _, responses), prompt_ids in zip(texts, prompts, strict=True):
        response_ids = [next(encoded) for _ in responses]
        try:
            row = within(limits, record, prompt_ids, response_ids, bos=renderer.tokenizer.bos_token_id)
        except LeftOut as error:
            quarantined.append(Quarantined(record.id, error.reason, str(error), record))
            continue
        rows_cut += row.prompt_cut or row.responses_cut > 0
        prompts_cut += row.prompt_cut
        responses_cut += row.responses_cut
        uncut = tuple(map(len, response_ids)) if row.responses_cut else ()
        kept.append(Row(record.id, row.prompt, row.responses, _weight(record), record, uncut))
    rows = Rows(kept, quarantined)
    rows.rows_cut, rows.prompts_cut, rows.responses_cut = rows_cut, prompts_cut, responses_cut
    rows.prompts_rewritten = prompts_rewritten
    return rows


class LeftOut(Exception):
    """A record that cannot become a row: a reason code of `render` and one sentence for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def _check_ranking(record: Renderable) -> None:
    """Leave out a ranking that has nothing to compare, or more ties than can be learned from."""
    if not isinstance(record, Ranking):
        return
    if len(record.responses) < 2:
        raise LeftOut("too_few_responses", f"a ranking needs 2 responses and has {len(record.responses)}")
    rank, tied = Counter(record.ranks).most_common(1)[0]
    if tied > MOST_TIED:
        raise LeftOut("too_many_tied", f"{tied} responses share rank {rank}; at most {MOST_TIED} can")


def within(
    limits: Limits, record: Record, prompt: Ids, responses: Sequence[Ids], *, bos: int | None
) -> Truncated:
    """What is left of a rendered record within `limits`.

    Args:
        prompt: token ids of the prompt, as for `truncate`; `responses` and `bos` likewise.

    Raises:
        LeftOut: nothing that can be learned from.
    """
    if not prompt:
        raise LeftOut("empty_prompt", "the prompt has no tokens")
    row = truncate(prompt, responses, limits, bos=bos)
    if row is None:
        own = limits.max_prompt_length
        over_own = own is not None and len(prompt) > own
        longest = f"the prompt is longer than {own}" if over_own else f"longer than {limits.max_length}"
        raise LeftOut("too_long", f"{longest} tokens")
    rank_of: dict[tuple[int, ...], int] = {}
    for response, rank in zip(row.responses, _ranks(record), strict=True):
        if rank_of.setdefault(tuple(response), rank) != rank:
            ranked = isinstance(record, Ranking)
            sides = "two responses of different rank" if ranked else "chosen and rejected"
            raise LeftOut("equal_after_truncation", f"{sides} are equal within {limits.max_length} tokens")
    return row


def _responses(record: Renderable) -> tuple[Messages, ...]:
    if isinstance(record, Preference):
        return record.chosen, record.rejected
    return record.responses if isinstance(record, Ranking) else (record.response,)


def _ranks(record: Record) -> tuple[int, ...]:
    """One rank per response, 1 is best."""
    if isinstance(record, Preference):
        return 1, 2
    if isinstance(record, Candidates):
        return (1,) * len(record.responses)
    return record.ranks if isinstance(record, Ranking) else (1,)


def _weight(record: Renderable) -> float:
    return 1.0 if isinstance(record, Ranking | Rating) else record.weight
