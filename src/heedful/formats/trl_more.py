"""TRL's layouts beside pairs and thumbs: prompts alone, and answers labelled step by step.

    {"prompt"}
    {"prompt", "completions": ["first step", "second step"], "labels": [true, false]}

Which is better: a `label` of true says that the step is right. A row of steps becomes one Feedback a step:
its response is the answer as far as that step, the steps joined by a newline as TRL's `StepwiseRewardTrainer`
joins them, and the thumb is that step's, so that a thumb down is on the first text that contains the error
and on every text whose last step is one. `step` (from 1) and `steps` in the metadata say which it is. Steps
are read and not written: a record does not hold its row.

A prompt alone is only taken for one where no other column could hold an answer or a verdict; a reward's own
columns (`ground_truth`, `solution`) may stand beside it and become metadata.
"""

from __future__ import annotations

import re
from typing import Any

from ..records import Feedback, Prompt, Record, assistant
from .fields import Fault, Fields, Origin, field, flag, kind_of, prompt_of, provenance, text, turns
from .format import Format, Unfit

STEPWISE_FIELDS = frozenset({"prompt", "completions", "labels"})
PROMPT_FIELDS = frozenset({"prompt"})
SEPARATOR = "\n"

CONTENT = re.compile(
    r"(chosen|rejected|completion|response|answer|output|generation|repl|summar|candidate|message|conversation"
    r"|instruction|question|query|context|history|post|text|label|rank|preference|winner|score|rating|annotat"
    r"|vote|data$|fields$|helpfulness|judg|heedful)",
    re.IGNORECASE,
)
"""How the names of columns begin that may hold an answer, a verdict or another prompt."""


def fits_prompt(row: Fields) -> bool:
    if not isinstance(row.get("prompt"), str | list):
        return False
    return not any(CONTENT.match(key) for key in row)


def parse_prompt(row: Fields, origin: Origin) -> Prompt:
    """A Prompt, in text or in turns; it must not end with the assistant."""
    prompt = prompt_of(field(row, "prompt"), "prompt")
    if prompt and prompt[-1].role == "assistant":
        raise Fault("prompt_ends_with_assistant", '"prompt" ends with the assistant')
    return Prompt(prompt, **provenance(row, origin, PROMPT_FIELDS))


def dump_prompt(record: Record) -> dict[str, Any]:
    """A Prompt, in turns."""
    if not isinstance(record, Prompt):
        raise Unfit("kind", f"TRL's prompt-only layout holds prompts, not a {type(record).__name__}")
    if record.prompt and record.prompt[-1].role == "assistant":
        raise Unfit("turns", "a prompt that ends with the assistant has been answered already")
    return {"prompt": turns(record.prompt)}


def fits_stepwise(row: Fields) -> bool:
    lists = (row.get("completions"), row.get("labels"))
    return "prompt" in row and all(isinstance(value, list) for value in lists)


def parse_stepwise(row: Fields, origin: Origin) -> list[Record | Fault]:
    """One Feedback a step; a step whose label is no thumb is a `Fault` of its own."""
    prompt = prompt_of(field(row, "prompt"), "prompt")
    steps, labels = _list(row, "completions"), _list(row, "labels")
    if not steps:
        raise Fault("no_responses", '"completions" is empty')
    if len(steps) != len(labels):
        raise Fault("bad_value", f"{len(steps)} completions but {len(labels)} labels")
    texts = [text(step, f"completions[{place}]") for place, step in enumerate(steps)]
    own = provenance(row, origin, STEPWISE_FIELDS)
    outcomes: list[Record | Fault] = []
    for place, label in enumerate(labels, 1):
        metadata = own["metadata"] | {"step": place, "steps": len(steps)}
        told = own | {"id": f"{own['id']}.{place}", "metadata": metadata}
        response = (assistant(SEPARATOR.join(texts[:place])),)
        try:
            outcomes.append(Feedback(prompt, response, flag(label, f"labels[{place - 1}]"), **told))
        except Fault as fault:
            outcomes.append(Fault(fault.reason, fault.detail, part={"step": place, "label": label}))
    return outcomes


def _list(row: Fields, key: str) -> list[Any]:
    value = field(row, key)
    if not isinstance(value, list):
        raise Fault("wrong_type", f'"{key}" must be a list, not {kind_of(value)}')
    return value


PROMPTS = Format(
    name="trl-prompt",
    about="TRL's prompts without answers",
    layouts=(PROMPT_FIELDS,),
    fits=fits_prompt,
    parse=parse_prompt,
    dump=dump_prompt,
    columns=True,
    reserved=PROMPT_FIELDS,
    texts={"prompt": "user"},
)
STEPWISE = Format(
    name="trl-stepwise",
    about="TRL's answers labelled step by step",
    layouts=(STEPWISE_FIELDS,),
    fits=fits_stepwise,
    parse=parse_stepwise,
)
