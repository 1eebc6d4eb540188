"""What leaves Heedful: PEFT adapters and merged weights, that plain `transformers` and PEFT load without
it.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peft import PeftConfig, get_peft_model_state_dict
from safetensors.torch import save_file

from heedful.errors import ModelError

if TYPE_CHECKING:
    from heedful.models.backbone import Backbone


def save_adapter(backbone: Backbone, folder: Path) -> None:
    """Write the policy's adapter as PEFT does: `adapter_config.json`, `adapter_model.safetensors`, and the
    tokenizer.

    The configuration names what the adapter belongs on: the base model, or the last adapter folded into it.
    """
    if backbone.peft is None:
        raise ModelError("there is no adapter to save.", mend="Save the merged model instead.")
    folder.mkdir(parents=True, exist_ok=True)
    state = get_peft_model_state_dict(backbone.peft, adapter_name="policy")
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()},
        folder / "adapter_model.safetensors",
    )
    config: PeftConfig = copy.copy(backbone.peft.peft_config["policy"])
    config.base_model_name_or_path = backbone.lineage[-1] if backbone.lineage else backbone.base
    config.inference_mode = True
    config.save_pretrained(str(folder))
    backbone.tokenizer.save_pretrained(str(folder))


def save_merged(backbone: Backbone, folder: Path) -> None:
    """Write the whole model with the policy's adapter folded in, its tokenizer and its chat template.

    The backbone in memory keeps its adapter apart: it is merged for the writing and taken out again, from a
    copy of the weights it touches, so that not one bit of the base changes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    backbone.model.save_pretrained(str(folder), state_dict=_merged_state(backbone))
    backbone.tokenizer.save_pretrained(str(folder))


def _merged_state(backbone: Backbone) -> dict[str, Any]:
    """The plain model's state dict, with every adapted weight replaced by its merged value."""
    if backbone.peft is None:
        return dict(backbone.model.state_dict())
    deltas = {
        f"{name}.weight": module.get_delta_weight("policy")
        for name, module in backbone.model.named_modules()
        if hasattr(module, "get_delta_weight")
        and ("policy" in module.lora_A or "policy" in module.lora_embedding_A)
    }
    state: dict[str, Any] = {}
    for key, value in backbone.model.state_dict().items():
        if "lora_" in key:
            continue
        name = key.replace(".base_layer", "")
        state[name] = value if name not in deltas else (value.float() + deltas[name].float()).to(value.dtype)
    return state
