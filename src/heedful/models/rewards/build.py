"""From a recipe's reward sources to a reward, and from a folder to a reward model by itself.

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
from heedful.models.export import REWARD_FILE
from heedful.models.loading import choose_device, load
from heedful.models.rewards.backbone import BackboneReward, load_onto, read_record
from heedful.models.rewards.classifier import ClassifierReward
from heedful.models.rewards.combine import LengthTerm, WeightedSum
from heedful.models.rewards.function import FunctionReward
from heedful.models.rewards.http import HttpReward
from heedful.models.rewards.merged import MergedReward
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


def is_reward(name: str) -> bool:
    """Whether a reward model of Heedful's is what `name` means: a run of that stage, or a folder it wrote."""
    folder = Path(name).expanduser()
    return _run(folder).get("stage") == "reward" or (folder / REWARD_FILE).is_file()


def load_reward(name: str, *, max_length: int | None = None) -> BackboneReward:
    """A reward model of Heedful's by itself; it renders and cuts texts as it did in training.

    Args:
        name: a run of the reward stage, or an adapter folder of one.
        max_length: of a prompt with one response, in tokens; that of the run when absent.

    Raises:
        RewardError: it is none, is not finished, or left merged weights only.
        ModelError: the model cannot be loaded.
    """
    filed = _filed(name)
    if filed is None:
        mend = "Name a run of the reward stage, or its adapter folder."
        raise RewardError("this is no reward model of Heedful's.", where=f"reward {name}", mend=mend)
    if not _is_adapter(filed):
        what = "there are merged weights only, and judging takes the adapter."
        mend = "Name the run that has it, or train with training.method=lora."
        raise RewardError(what, where=f"reward {name}", mend=mend)
    recipe = _run(filed.parent).get("recipe", {})
    own = _over_its_base(filed, dtype="auto", device="auto")
    longest = max_length or recipe.get("data.max_length", Limits().max_length)
    limits = Limits(
        min(longest, own.context_length or longest),
        recipe.get("data.max_prompt_length"),
        recipe.get("data.truncation", "keep_end"),
    )
    renderer = Renderer(own.tokenizer, read_record(filed).template)
    return BackboneReward(own, renderer, limits, name=name)


def standalone(source: RewardSource) -> Reward:
    """The reward of a source where there is no policy: a reward model of Heedful's over weights of its own.

    Raises:
        RewardError: it cannot be called, or is no reward.
        ModelError: a model that cannot be loaded.
    """
    if source.model is not None:
        filed = _filed(source.model)
        if filed is not None and _is_adapter(filed):
            return load_reward(source.model)
    return _apart(source, str(choose_device("auto")))


def _one(source: RewardSource, backbone: Backbone, renderer: Renderer, limits: Limits) -> Reward:
    if source.model is not None:
        filed = _filed(source.model)
        if filed is not None and _is_adapter(filed):
            return _heedful(filed, source.model, backbone, renderer, limits)
    return _apart(source, str(backbone.device))


def _apart(source: RewardSource, device: str) -> Reward:
    """The reward of a source that has nothing to do with the policy's weights."""
    if source.function is not None:
        return FunctionReward(source.function)
    if source.length is not None:
        return LengthTerm(source.length)
    if source.url is not None:
        return HttpReward(
            source.url,
            headers=source.headers,
            batch_size=source.batch_size,
            timeout=source.timeout,
            retries=source.retries,
        )
    assert source.model is not None
    filed = _filed(source.model)
    name, kind = (source.model, ClassifierReward) if filed is None else (str(filed), MergedReward)
    return kind(name, label=source.label, device=device, batch_size=source.batch_size)


def _filed(name: str) -> Path | None:
    """The folder of a reward model of Heedful's, adapter or merged weights; None where `name` is something
    else.

    Raises:
        RewardError: a run or an adapter that is no reward.
    """
    folder, where = Path(name).expanduser(), f"reward {name}"
    if (folder / "run.json").is_file():
        stage = _run(folder).get("stage")
        if stage != "reward":
            mend = "Name a run of the reward stage."
            raise RewardError(f"this is a run of the stage {stage}.", where=where, mend=mend)
        for part in (folder / "adapter", folder / "merged"):
            if (part / REWARD_FILE).is_file():
                return part
        raise RewardError("this run has no finished weights.", where=where, mend="Resume the run first.")
    if (folder / REWARD_FILE).is_file():
        return folder
    if _is_adapter(folder):
        mend = "If it is a classifier's, merge it into its model and name that folder."
        what = f"this adapter is no reward of Heedful's (no {REWARD_FILE})."
        raise RewardError(what, where=where, mend=mend)
    return None


def _is_adapter(folder: Path) -> bool:
    return (folder / "adapter_config.json").is_file()


def _heedful(
    adapter: Path, name: str, backbone: Backbone, renderer: Renderer, limits: Limits
) -> BackboneReward:
    template = read_record(adapter).template
    # A second reward would take the first one's place.
    free = "reward" not in backbone.heads
    if free and _same_weights(adapter, backbone) and _same_template(adapter, template, renderer):
        load_onto(backbone, adapter)
        return BackboneReward(backbone, renderer, limits, name=name)
    dtype = str(backbone.compute_dtype).removeprefix("torch.")
    own = _over_its_base(adapter, dtype=dtype, device=str(backbone.device))
    # Limits count tokens, and its tokens are others.
    own_limits = Limits(max_length=own.context_length or limits.max_length)
    return BackboneReward(own, Renderer(own.tokenizer, template), own_limits, name=name)


def _over_its_base(adapter: Path, *, dtype: str, device: str) -> Backbone:
    """A backbone of its own for a reward model's adapter."""
    source = resolve(str(adapter))
    below = str(source.folded[-1]) if source.folded else source.pretrained
    own = load(below, dtype=dtype, device=device)
    load_onto(own, adapter)
    return own


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
