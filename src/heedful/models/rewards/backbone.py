"""A reward that is a role of a backbone: its adapter and its head over weights that are there anyway.

Also knows the folder such a reward comes in: a LoRA adapter with `score.weight` among its tensors, and
`heedful_reward.json` with the mean score of reference responses and the template. Training one is not its
work.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from torch import nn

from heedful.errors import ModelError
from heedful.models import adapters
from heedful.models.backbone import Backbone
from heedful.models.export import HEAD, REWARD_FILE
from heedful.models.rewards.reward import complaint
from heedful.models.scoring import row_budget
from heedful.records import Demonstration, Messages, assistant
from heedful.render.chat import Renderer, TemplateName
from heedful.render.packing import pack
from heedful.render.rows import Rows, render
from heedful.render.truncate import Limits


class BackboneReward:
    """The scores of a backbone's role `reward`, with texts rendered as they are for training.

    Args:
        backbone: has the role.
        renderer: of the backbone's tokenizer, with the template the reward was trained on.
        limits: longer conversations are cut by its policy, as in training.
        tokens_per_row: packing budget of one forward pass; `row_budget` where none is given.
        name: what errors call it.

    Attributes:
        cut: how many conversations have been cut so far.
    """

    def __init__(
        self,
        backbone: Backbone,
        renderer: Renderer,
        limits: Limits,
        *,
        tokens_per_row: int | None = None,
        name: str = "backbone",
    ) -> None:
        self.backbone, self.renderer, self.limits = backbone, renderer, limits
        self.tokens_per_row, self.name, self.cut = tokens_per_row, name, 0

    def __call__(self, prompts: Sequence[Messages], responses: Sequence[str]) -> list[float]:
        rows = rendered(prompts, responses, self.renderer, self.limits, name=self.name)
        self.cut += rows.rows_cut
        role = self.backbone.role("reward")
        scores = torch.empty(len(rows))
        with torch.no_grad(), _evaluating(self.backbone.model):
            for packed in pack(rows, row_budget(self.tokens_per_row, self.backbone.device)):
                scores[list(packed.rows)] = role(packed.to(self.backbone.device)).cpu()
        found: list[float] = scores.tolist()
        return found


@dataclass(frozen=True, slots=True)
class FiledReward:
    """What a reward model's folder says of its scores: their mean, and the template of the texts."""

    mean: float
    template: TemplateName


def read_record(folder: Path) -> FiledReward:
    """What `heedful_reward.json` in a reward model's folder says.

    Raises:
        ModelError: it cannot be read.
    """
    file = folder / REWARD_FILE
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
        mean, template = float(found["mean"]), found.get("template", "auto")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError("the mean score cannot be read from it.", where=str(file)) from error
    if not math.isfinite(mean):
        raise ModelError(f"the mean score in it is {mean}.", where=str(file))
    if template not in get_args(TemplateName):
        raise ModelError(f"there is no template {template!r}.", where=str(file))
    return FiledReward(mean, template)


def rendered(
    prompts: Sequence[Messages], responses: Sequence[str], renderer: Renderer, limits: Limits, *, name: str
) -> Rows:
    """Conversations as rows of one response each, as a reward model was trained on them.

    Args:
        name: what an error calls the reward.

    Raises:
        RewardError: a conversation that cannot be rendered.
    """
    records = [
        Demonstration(prompt, (assistant(response),), id=str(at))
        for at, (prompt, response) in enumerate(zip(prompts, responses, strict=True))
    ]
    rows = render(records, renderer, limits)
    if rows.quarantined:
        first = rows.quarantined[0]
        at = int(first.where)
        what = f"this conversation cannot be scored: {first.detail} ({first.reason})."
        raise complaint(name, what, prompts[at], responses[at])
    return rows


def load_onto(backbone: Backbone, folder: Path) -> None:
    """Give a backbone the role `reward` that is filed in an adapter folder: LoRA, head and offset.

    Raises:
        ModelError: there is none, it is damaged, or it belongs to another model.
    """
    _, tensors = adapters.read(folder)
    weights = [tensor for key, tensor in tensors.items() if key.endswith(HEAD)]
    if len(weights) != 1:
        raise ModelError(f"the adapter has no scalar head ({HEAD}).", where=str(folder))
    offset = read_record(folder).mean
    backbone.load_lora("reward", folder)
    head = backbone.add_head("reward", learn=False)
    if weights[0].shape != head.weight.shape:
        found, wanted = list(weights[0].shape), list(head.weight.shape)
        what = f"the adapter does not fit the model: its head is {found}, and {wanted} is needed."
        raise ModelError(what, where=str(folder))
    with torch.no_grad():
        head.weight.copy_(weights[0])
        head.offset.fill_(offset)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Dropout of the reward's adapter off, whatever is being trained beside it."""
    before = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(before)
