"""What of a model decides how much memory and time it takes, without its weights.

Read off a loaded model, or off one that is built from its configuration on the meta device, where tensors
have sizes and no numbers: eight billion parameters are counted on a laptop in a moment. Knows architectures
by their modules; nothing of roles or training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from heedful.errors import ModelError
from heedful.models.catalog import resolve

# The layers that get an adapter: PEFT's word for all linear ones but the LM head, or module names.
Targets = Literal["all-linear"] | Sequence[str]


@dataclass(frozen=True, slots=True)
class Shape:
    """A causal language model in numbers.

    Attributes:
        name: what it is called.
        layers: of the decoder.
        hidden: width of the residual stream.
        query_width, key_width: of all heads' queries, and of all heads' keys (values are as wide).
        intermediate: of the MLP.
        vocabulary: rows of the LM head.
        tied: the LM head is the embedding.
        gated: the MLP is `down(act(gate(x)) · up(x))`.
        parameters: each counted once.
        linears: inputs and outputs of every layer that may get an adapter, by name.
        dtype: the type that its files keep the weights in.
    """

    name: str
    layers: int
    hidden: int
    query_width: int
    key_width: int
    intermediate: int
    vocabulary: int
    tied: bool
    gated: bool
    parameters: int
    linears: Mapping[str, tuple[int, int]]
    dtype: torch.dtype = torch.float32

    @property
    def embedding(self) -> int:
        """Parameters of the LM head, and of the embedding."""
        return self.vocabulary * self.hidden

    @property
    def multiplied(self) -> int:
        """Parameters that every token is multiplied with in the layers, the LM head left out."""
        return sum(inputs * outputs for inputs, outputs in self.linears.values())

    def adapted(self, targets: Targets = "all-linear") -> dict[str, tuple[int, int]]:
        """The layers that get an adapter: inputs and outputs by name."""
        if targets == "all-linear":
            return dict(self.linears)
        return {
            name: size
            for name, size in self.linears.items()
            if any(name == target or name.endswith(f".{target}") for target in targets)
        }

    def adapter_parameters(self, rank: int, targets: Targets = "all-linear") -> int:
        """Of a LoRA adapter: `A [rank, in]` and `B [out, rank]` for every layer."""
        return sum(rank * (inputs + outputs) for inputs, outputs in self.adapted(targets).values())


def of_model(model: PreTrainedModel, name: str = "") -> Shape:
    """The shape of a model, loaded or on the meta device; adapters on it do not count."""
    config: Any = model.config.get_text_config()
    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    linears = {
        _plain(path): _sizes(module)
        for path, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not head and "lora_" not in path
    }
    own = (weight for path, weight in model.named_parameters() if "lora_" not in path)
    heads = int(getattr(config, "num_attention_heads", None) or 1)
    width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    key_heads = int(getattr(config, "num_key_value_heads", None) or heads)
    return Shape(
        name=name or str(getattr(config, "_name_or_path", "")) or type(model).__name__,
        layers=int(config.num_hidden_layers),
        hidden=int(config.hidden_size),
        query_width=heads * width,
        key_width=key_heads * width,
        intermediate=_intermediate(config),
        vocabulary=int(head.weight.shape[0]),
        tied=head.weight is embeddings.weight,
        gated=any(path.endswith((".gate_proj", ".gate_up_proj")) for path in linears),
        parameters=sum(weight.numel() for weight in own),
        linears=linears,
        dtype=_filed_type(config, model),
    )


def of_config(config: Any, name: str = "") -> Shape:
    """The shape of the model that a configuration describes.

    Raises:
        ModelError: it describes no causal language model.
    """
    return of_model(hollow(config, name), name)


def of_name(name: str) -> Shape:
    """The shape of what `heedful.load` would load, by its configuration alone; its weights need not be here.

    Raises:
        ModelError: nothing of that name, or its configuration cannot be read.
    """
    _, config = configuration(name)
    return of_config(config, name)


def hollow(config: Any, name: str = "") -> PreTrainedModel:
    """The model that a configuration describes, on the meta device.

    Raises:
        ModelError: it describes no causal language model.
    """
    try:
        with torch.device("meta"):
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    except (ValueError, KeyError, TypeError, ImportError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"this is no causal language model: {reason}", where=name or None) from error
    model.tie_weights()
    return model


def configuration(name: str) -> tuple[str, Any]:
    """Where `from_pretrained` finds what `name` means, and its configuration; no weights need be there.

    Raises:
        ModelError: nothing of that name, or its configuration cannot be read.
    """
    folder = Path(name).expanduser()
    bare = (folder / "config.json").is_file() and not (folder / "run.json").is_file()
    place = folder.as_posix() if bare else resolve(name).pretrained
    try:
        return place, AutoConfig.from_pretrained(place)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        mend = "Check the name; without a network, name a folder that holds its config.json."
        what = f"the model's configuration cannot be read: {reason}"
        raise ModelError(what, where=name, mend=mend) from error


def _plain(path: str) -> str:
    """A module's name as it is without PEFT's layer around it."""
    return path.removesuffix(".base_layer")


def _sizes(module: Any) -> tuple[int, int]:
    """Inputs and outputs of a linear layer; GPT-2's keeps them the other way round."""
    if isinstance(module, Conv1D):
        inputs, outputs = module.weight.shape
        return int(inputs), int(outputs)
    return int(module.in_features), int(module.out_features)


def _intermediate(config: Any) -> int:
    """Of the MLP; four times the hidden size is what GPT-2 and its kin mean by leaving it out."""
    size = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None)
    return int(size or 4 * config.hidden_size)


def _filed_type(config: Any, model: PreTrainedModel) -> torch.dtype:
    found = getattr(config, "dtype", None)
    if isinstance(found, str):
        found = getattr(torch, found, None)
    return found if isinstance(found, torch.dtype) else model.dtype
