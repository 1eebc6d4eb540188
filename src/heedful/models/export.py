"""What leaves Heedful: PEFT adapters and merged weights, that plain `transformers` and PEFT load without
it.

A policy leaves as a causal language model; a reward model as a sequence classifier with one label.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import PeftConfig, get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

from heedful.errors import ModelError
from heedful.render.chat import Renderer, TemplateName

if TYPE_CHECKING:
    from heedful.models.backbone import Backbone

# What `transformers` calls the head of its classifiers.
HEAD = "score.weight"
# The scores' mean and standard deviation over reference responses, and the template that texts are rendered
# with: neither format has a place for them.
REWARD_FILE = "heedful_reward.json"


def save_adapter(
    backbone: Backbone, folder: Path, role: str = "policy", *, template: TemplateName = "auto"
) -> None:
    """Write a role's adapter as PEFT does: `adapter_config.json`, `adapter_model.safetensors`, and the
    tokenizer; a reward model's with its head and `heedful_reward.json`.

    The configuration names what the adapter belongs on: the base model, or the last adapter folded into it.

    Args:
        template: what a reward model's texts were rendered with.
    """
    if backbone.peft is None:
        raise ModelError("there is no adapter to save.", mend="Save the merged model instead.")
    folder.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(backbone.peft, adapter_name=role)
    config: PeftConfig = copy.copy(backbone.peft.peft_config[role])
    if role == "reward":
        state[f"base_model.model.{HEAD}"] = backbone.heads[role].weight
        config.task_type, config.modules_to_save = "SEQ_CLS", [HEAD.partition(".")[0]]
        _write_reward(backbone, folder, template)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()},
        folder / "adapter_model.safetensors",
    )
    config.base_model_name_or_path = backbone.lineage[-1] if backbone.lineage else backbone.base
    config.inference_mode = True
    config.save_pretrained(str(folder))
    backbone.tokenizer.save_pretrained(str(folder))


def save_merged(
    backbone: Backbone, folder: Path, role: str = "policy", *, template: TemplateName = "auto"
) -> None:
    """Write the whole model with a role's adapter folded in, its tokenizer and its chat template.

    The backbone in memory keeps its adapter apart: it is merged for the writing and taken out again, from a
    copy of the weights it touches, so that not one bit of the base changes.

    Args:
        template: what a reward model's texts were rendered with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = _merged_state(backbone, role)
    if role == "reward":
        _save_classifier(backbone, folder, state, template)
        _write_reward(backbone, folder, template)
    else:
        backbone.model.save_pretrained(str(folder), state_dict=state)
    backbone.tokenizer.save_pretrained(str(folder))


def require_classifier(backbone: Backbone) -> None:
    """Refuse weights that could not leave as a sequence classifier, before a reward model is trained in them.

    Raises:
        ModelError: `transformers` has no classifier for the architecture, or one with more than a score.
    """
    names = (name.replace(".base_layer", "") for name in backbone.model.state_dict())
    _classifier(backbone.model.config, names)


def _classifier(config: PreTrainedConfig, names: Iterable[str]) -> PreTrainedModel:
    """The architecture's own sequence classifier, which has the head, weights of these `names` and no others.

    They are on the meta device: it is there for its names and its configuration.
    """
    what = f"transformers has no sequence classifier for {type(config).__name__}"
    mend = "Train the reward model with training.method=lora and without export.merged."
    if type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        raise ModelError(f"{what}.", mend=mend)
    with torch.device("meta"):
        classifier: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)
    if missing := classifier.state_dict().keys() - {HEAD, *names}:
        what = f"{what} that adds {HEAD} alone, but one with {min(missing)}."
        raise ModelError(what, mend=mend)
    return classifier


def _save_classifier(backbone: Backbone, folder: Path, state: dict[str, Any], template: TemplateName) -> None:
    """The merged trunk and the scalar head as the architecture's own sequence classifier."""
    config = copy.deepcopy(backbone.model.config)
    config.num_labels, config.problem_type = 1, "regression"
    # A classifier reads the last token that is not padding. Where the end of a turn pads as well, it would
    # read the token before it, and not the one that was trained.
    config.pad_token_id = _never_last(backbone, template)
    classifier = _classifier(config, state)
    wanted = classifier.state_dict().keys()
    own: dict[str, Tensor] = {name: tensor for name, tensor in state.items() if name in wanted}
    own[HEAD] = backbone.heads["reward"].weight.detach().cpu().to(backbone.model.dtype)
    classifier.save_pretrained(str(folder), state_dict=own)


def _never_last(backbone: Backbone, template: TemplateName) -> int:
    """An id to pad with that closes no response."""
    tokenizer = backbone.tokenizer
    closing = Renderer(tokenizer, template).stop_ids
    wanted = [tokenizer.pad_token_id, *tokenizer.all_special_ids, *range(len(closing) + 1)]
    return next(int(token) for token in wanted if token is not None and token not in closing)


def _write_reward(backbone: Backbone, folder: Path, template: TemplateName) -> None:
    head = backbone.heads["reward"]
    record = {"mean": float(head.offset), "std": float(head.spread), "template": template}
    (folder / REWARD_FILE).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _merged_state(backbone: Backbone, role: str) -> dict[str, Any]:
    """The plain model's state dict, with every adapted weight replaced by its merged value."""
    if backbone.peft is None:
        return dict(backbone.model.state_dict())
    deltas = {
        f"{name}.weight": module.get_delta_weight(role)
        for name, module in backbone.model.named_modules()
        if hasattr(module, "get_delta_weight") and (role in module.lora_A or role in module.lora_embedding_A)
    }
    state: dict[str, Any] = {}
    for key, value in backbone.model.state_dict().items():
        if "lora_" in key:
            continue
        name = key.replace(".base_layer", "")
        state[name] = value if name not in deltas else (value.float() + deltas[name].float()).to(value.dtype)
    return state
