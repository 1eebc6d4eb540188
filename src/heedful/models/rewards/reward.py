"""What a reward is, what it sees of a prompt, and the check that its scores go through before they are used.

Knows records and tensors; which rewards there are is its neighbours' work.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Real
from typing import Any, Protocol

import torch
from torch import Tensor

from heedful.errors import HeedfulError, RewardError
from heedful.records import Messages

# Characters of a prompt or a response that an error shows, from its beginning and its end.
SHOWN = 200


class Reward(Protocol):
    """Anything that scores responses to prompts.

    Attributes:
        name: what errors and logs call it.
    """

    @property
    def name(self) -> str: ...

    def __call__(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[float]:
        """One score per response; higher is better.

        Args:
            prompts: the conversation before each response.
            responses: the assistant's text, without the token that ends the turn.
        """
        ...


def cut_by(reward: Reward) -> int:
    """How many conversations a reward has had to cut so far; 0 of one that counts none."""
    return int(getattr(reward, "cut", 0))


def prompt_text(messages: Messages) -> str:
    """What a plain function sees of a prompt: the content of a lone user message, else a transcript with
    `role: content` for each message.
    """
    if len(messages) == 1 and messages[0].role == "user":
        return messages[0].content
    return "\n".join(f"{message.role}: {message.content}" for message in messages)


def checked(reward: Reward, prompts: Sequence[Messages], responses: Sequence[str]) -> Tensor:
    """The reward's scores, verified: `[responses]`, fp32, on CPU.

    Raises:
        RewardError: it failed, gave too few or too many scores, or one that is not a finite number; the
            message shows the prompt and the response.
        ValueError: prompts and responses are not as many.
    """
    total = len(responses)
    if len(prompts) != total:
        raise ValueError(f"{len(prompts)} prompts but {total} responses")
    if not total:
        return torch.empty(0)
    try:
        scores = as_list(reward(prompts, responses))
    except HeedfulError:
        raise
    except Exception as error:
        raise _failure(reward, prompts, responses, error) from error
    if len(scores) != total:
        what = f"it gave {len(scores)} scores for {total} responses, the first of which is this one."
        raise complaint(reward.name, what, prompts[0], responses[0])
    for at, score in enumerate(scores):
        wrong = _wrong(score)
        if wrong:
            what = f"the score of response {at + 1} of {total} is {wrong}."
            raise complaint(reward.name, what, prompts[at], responses[at])
    return torch.tensor([float(score) for score in scores], dtype=torch.float32)


def as_list(found: Any) -> list[Any]:
    """The items of a list, tuple, array or tensor, as plain Python values.

    Raises:
        TypeError: it is none of these.
    """
    values = found.tolist() if hasattr(found, "tolist") else found
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise TypeError(f"a list of numbers was expected, not {type(found).__name__}")
    return [value.tolist() if hasattr(value, "tolist") else value for value in values]


def complaint(name: str, what: str, prompt: Messages, response: str) -> RewardError:
    """An error that shows the text it came about."""
    texts = f"\n  prompt: {excerpt(prompt_text(prompt))}\n  response: {excerpt(response)}"
    return RewardError(what + texts, where=f"reward {name}")


def _failure(
    reward: Reward, prompts: Sequence[Messages], responses: Sequence[str], error: Exception
) -> RewardError:
    """A reward sees many responses at once; which of them it cannot take shows when they come one by one."""
    at, alone = 0, "The first response:"
    for number, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        try:
            as_list(reward([prompt], [response]))
        except Exception as own:
            at, error, alone = number, own, f"On response {number + 1} of {len(responses)}:"
            break
    reason = next(iter(str(error).strip().splitlines()), "")
    what = f"it failed with {type(error).__name__}{': ' if reason else ''}{reason}. {alone}"
    return complaint(reward.name, what, prompts[at], responses[at])


def _wrong(score: Any) -> str:
    """What is wrong with a score, in words; empty where nothing is."""
    if not isinstance(score, Real):
        return f"{str(score)[:60]!r}, not a number" if isinstance(score, str) else f"{score}, not a number"
    try:
        value = float(score)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        return f"{value}, not a finite number"
    if abs(value) > torch.finfo(torch.float32).max:
        return f"{value:g}, more than 32 bits hold"
    return ""


def excerpt(text: str) -> str:
    """A text on one line, in quotes, its middle left out where it is long."""
    if len(text) > SHOWN:
        text = f"{text[: SHOWN // 2]} … {text[-(SHOWN // 2 - 3) :]}"
    return json.dumps(text, ensure_ascii=False)
