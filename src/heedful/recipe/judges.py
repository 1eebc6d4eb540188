"""Who compares answers, as recipes and `--judge` say it: exactly one of a reward, a function, a chat endpoint
and people.

`heedful.judges.build` makes a judge of it.
"""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import Field, model_validator

from heedful.recipe.settings import Count, NotNegative, Positive, Section, Text
from heedful.recipe.stages import RewardSource

# https://host/v1#model: a chat endpoint; without a model it is a reward over HTTP.
_ENDPOINT = re.compile(r"(https?://[^#]+)#(.+)")
# package.module:function or path/to/file.py:function
_FUNCTION = re.compile(r"(?:.+\.py|[^\W\d][\w.]*):[^\W\d]\w*")
_PEOPLE, _REWARD = "people:", "reward:"
_KINDS = ("reward", "function", "endpoint", "people")


class EndpointSettings(Section):
    """An OpenAI-compatible chat endpoint that is asked as a judge."""

    # Its base, as https://host/v1; /chat/completions is added where it is not there.
    url: Text
    # The model's name, as the endpoint knows it.
    model: Text
    # The environment variable that holds the key; None sends none.
    key_env: Text | None = None
    # Further headers of a request; ${NAME} stands for an environment variable.
    headers: dict[str, str] = {}  # noqa: RUF012  pydantic copies it
    # What a better answer is, in your own words, in the place of Heedful's.
    rubric: Text | None = None
    # What matters beside it, one sentence each.
    criteria: list[Text] = []  # noqa: RUF012
    # Sent with every request; another one asks anew what was answered before.
    seed: int = 0
    # Requests at a time.
    at_once: Count = 8
    # Seconds to wait for an answer.
    timeout: Positive = 120.0
    # Further attempts after a lost connection, a time-out, a 429 or a server's error.
    retries: Annotated[int, Field(ge=0)] = 4
    # How often a question is asked whose reply cannot be read, before it counts as undecided.
    tries: Count = 3
    # Tokens of a reply, its thoughts among them.
    max_tokens: Count = 2048
    # Stop asking after so many requests; what was answered is kept.
    max_requests: Count | None = None
    # Stop asking once the requests have cost so much, in the prices' currency.
    max_cost: Positive | None = None
    # What a million tokens cost that are sent, and that are written.
    price_in: NotNegative | None = None
    price_out: NotNegative | None = None

    @model_validator(mode="after")
    def _has_both_prices(self) -> Self:
        if (self.price_in is None) != (self.price_out is None):
            raise ValueError("price_in and price_out belong together; set both")
        if self.max_cost is not None and self.price_in is None:
            raise ValueError("max_cost needs price_in and price_out, what a million tokens cost")
        return self


class JudgeSettings(Section):
    """One judge: exactly one of `reward`, `function`, `endpoint` and `people`."""

    # Whatever scores answers: the higher score wins.
    reward: RewardSource | None = None
    # A Python function of prompt, first and second answer that says "first", "second" or "tie".
    function: Text | None = None
    # A model behind a chat endpoint.
    endpoint: EndpointSettings | None = None
    # The folder of an annotation project, in which people compare; made where there is none.
    people: Text | None = None

    @classmethod
    def named(cls, name: str) -> Self:
        """What a person means who gives a judge by name alone.

        `people:FOLDER`; `https://host/v1#model`, a chat endpoint; `reward:NAME`, whatever `--reward` takes;
        `file.py:function` or `package.module:function`; else a reward: a URL, a run, a classifier.
        """
        if name.startswith(_PEOPLE) and len(name) > len(_PEOPLE):
            return cls(people=name.removeprefix(_PEOPLE))
        if name.startswith(_REWARD) and len(name) > len(_REWARD):
            return cls(reward=RewardSource.named(name.removeprefix(_REWARD)))
        if endpoint := _ENDPOINT.fullmatch(name):
            return cls(endpoint=EndpointSettings(url=endpoint[1], model=endpoint[2]))
        if not name.startswith(("http://", "https://")) and _FUNCTION.fullmatch(name):
            return cls(function=name)
        return cls(reward=RewardSource.named(name))

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            listed, given = ", ".join(_KINDS), " and ".join(kinds) or "none of them"
            raise ValueError(f"a judge is exactly one of {listed}, and this one has {given}")
        return self
