"""From a recipe's reward sources to a reward.

Decides which kind each is, and whether a reward model of Heedful's can share the policy's weights.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from heedful.errors import RewardError
from heedful.models.backbone import Backbone
from heedful.models.catalog import resolve
from heedful.models.loading import load
from heedful.models.rewards.backbone import RECORD, BackboneReward, load_onto
from heedful.models.rewards.classifier import ClassifierReward
from heedful.models.rewards.combine import WeightedSum
from heedful.models.rewards.function import FunctionReward
from heedful.models.rewards.http import HttpReward
from heedful.models.rewards.reward import Reward
from heedful.recipe import RewardSource
from heedful.render.chat import Renderer
from heedful.render.truncate import Limits

# What a tokenizer's chat template is called where it is saved.
_TEMPLATE = "chat_template.jinja"


def build(
    sources: Sequence[RewardSource], *, backbone: Backbone, renderer: Renderer, limits: Limits
) -> Reward:
    """The reward that the sources say: one, or their weighted sum.

    A reward model that was trained over the backbone's own weights becomes its role `reward`; any other is
    loaded beside it.

    Args:
        backbone: the policy's, with the adapters folded in that it starts from.
        renderer: the policy's.
        limits: the policy's, for a reward that shares its weights.

    Raises:
        RewardError: no sources, or one that cannot be called.
        ModelError: a model that cannot be loaded.
    """
    parts = [(source.weight, _one(source, backbone, renderer, limits)) for source in sources]
    if len(parts) == 1 and parts[0][0] == 1.0:
        return parts[0][1]
    return WeightedSum(parts)


def _one(source: RewardSource, backbone: Backbone, renderer: Renderer, limits: Limits) -> Reward:
    if source.function is not None:
        return FunctionReward(source.function)
    if source.url is not None:
        return HttpReward(
            source.url,
            headers=source.headers,
            batch_size=source.batch_size,
            timeout=source.timeout,
            retries=source.retries,
        )
    assert source.model is not None
    adapter = _adapter(source.model)
    if adapter is not None:
        return _heedful(adapter, source.model, backbone, renderer, limits)
    return ClassifierReward(
        source.model, label=source.label, device=str(backbone.device), batch_size=source.batch_size
    )


def _adapter(name: str) -> Path | None:
    """The adapter folder of a reward model of Heedful's; None where `name` is something else.

    Raises:
        RewardError: a run or an adapter that is no reward.
    """
    folder, where = Path(name).expanduser(), f"reward {name}"
    if (folder / "run.json").is_file():
        stage = _run(folder).get("stage")
        if stage != "reward":
            mend = "Name a run of the reward stage."
            raise RewardError(f"this is a run of the stage {stage}.", where=where, mend=mend)
        folder = folder / "adapter"
        if not (folder / "adapter_config.json").is_file():
            raise RewardError("this run has no finished adapter.", where=where, mend="Resume the run first.")
    if not (folder / "adapter_config.json").is_file():
        return None
    if not (folder / RECORD).is_file():
        mend = "If it is a classifier's, merge it into its model and name that folder."
        raise RewardError(f"this adapter is no reward of Heedful's (no {RECORD}).", where=where, mend=mend)
    return folder


def _heedful(
    adapter: Path, name: str, backbone: Backbone, renderer: Renderer, limits: Limits
) -> BackboneReward:
    template = _run(adapter.parent).get("recipe", {}).get("data.template", "auto")
    # A second reward would take the first one's place.
    free = "reward" not in backbone.heads
    if free and _same_weights(adapter, backbone) and _same_template(adapter, template, renderer):
        load_onto(backbone, adapter)
        return BackboneReward(backbone, renderer, limits, name=name)
    source = resolve(str(adapter))
    below = str(source.folded[-1]) if source.folded else source.pretrained
    dtype = str(backbone.compute_dtype).removeprefix("torch.")
    own = load(below, dtype=dtype, device=str(backbone.device))
    load_onto(own, adapter)
    # Limits count tokens, and its tokens are others.
    own_limits = Limits(max_length=own.context_length or limits.max_length)
    return BackboneReward(own, Renderer(own.tokenizer, template), own_limits, name=name)


def _same_weights(adapter: Path, backbone: Backbone) -> bool:
    """Whether the reward was trained over what the backbone is: its base and the adapters folded into it."""
    source = resolve(str(adapter))
    below = [str(folder.resolve()) for folder in source.folded]
    lineage = [str(Path(folder).resolve()) for folder in backbone.lineage]
    return _place(source.pretrained) == _place(backbone.base) and below == lineage


def _same_template(adapter: Path, template: str, renderer: Renderer) -> bool:
    """Whether the policy's texts are rendered as the reward's were in training."""
    if "raw" in (template, renderer.template):
        return template == renderer.template
    file = adapter / _TEMPLATE
    own = renderer.tokenizer.chat_template
    return not file.is_file() or file.read_text(encoding="utf-8") == own


def _place(name: str) -> str:
    """A path in full; a hub id as it is."""
    return str(Path(name).resolve()) if Path(name).exists() else name


def _run(folder: Path) -> dict[str, Any]:
    """What a run's record says; empty where there is none that can be read."""
    try:
        found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found
