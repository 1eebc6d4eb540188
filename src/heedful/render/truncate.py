"""What to do with a row that is too long: a policy with a name, and a count of what it did.

Works on token ids. `max_length` bounds prompt + response for each response by itself. A response is never
emptied, and a prompt keeps at least half of the room where it needs it: a response without its question
teaches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Policy = Literal["keep_end", "keep_start", "drop"]
Ids = list[int]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a row may be, in tokens, and what happens to a longer one.

    `keep_end` keeps the end of the prompt (the latest turns), `keep_start` its beginning, `drop` quarantines
    the row.
    """

    max_length: int = 1024
    max_prompt_length: int | None = None
    policy: Policy = "keep_end"


@dataclass(frozen=True, slots=True)
class Truncated:
    """A row within the limits; the two flags say what was cut."""

    prompt: Ids
    responses: tuple[Ids, ...]
    prompt_cut: bool
    responses_cut: int


def _keep_end(prompt: Ids, room: int, leading: int) -> Ids:
    return prompt[:leading] + prompt[len(prompt) - (room - leading) :]


def _keep_start(prompt: Ids, room: int, leading: int) -> Ids:
    return prompt[:room]


CUTS: dict[str, Callable[[Ids, int, int], Ids]] = {"keep_end": _keep_end, "keep_start": _keep_start}


def truncate(prompt: Ids, responses: Sequence[Ids], limits: Limits, *, bos: int | None) -> Truncated | None:
    """Bring a row within its limits; `None` where the policy is `drop` and the row is too long.

    Args:
        prompt: token ids; a leading `bos` survives every cut.
        responses: token ids of each response, none empty.
        bos: the tokenizer's BOS id, where it has one.
    """
    longest = max(len(response) for response in responses)
    room = limits.max_length - longest
    prompt_room = max(room, limits.max_length // 2)
    if limits.max_prompt_length is not None:
        prompt_room = min(prompt_room, limits.max_prompt_length)
    fits = len(prompt) <= prompt_room and len(prompt) + longest <= limits.max_length
    if fits:
        return Truncated(prompt, tuple(responses), False, 0)
    if limits.policy == "drop":
        return None
    prompt_cut = len(prompt) > prompt_room
    if prompt_cut:
        leading = 1 if bos is not None and prompt[:1] == [bos] and prompt_room > 1 else 0
        prompt = CUTS[limits.policy](prompt, prompt_room, leading)
    response_room = limits.max_length - len(prompt)
    cut = tuple(response[:response_room] for response in responses)
    return Truncated(prompt, cut, prompt_cut, sum(len(r) > response_room for r in responses))
