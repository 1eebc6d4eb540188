"""One set of weights, many roles: the model that is trained, and the reference it started from.

With LoRA the base weights are frozen and every role is an adapter over them: `reference` is no adapter,
`policy` is the one being trained. With full fine-tuning the policy is the weights themselves, and a reference
is a copy kept only where it is asked for. Knows weights, log-probs and packing; nothing of losses or
training.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from heedful.errors import ModelError
from heedful.models import lora
from heedful.models.attention import recompute_contexts
from heedful.models.forward import hidden_states
from heedful.models.logprobs import Head, token_logprobs
from heedful.models.probe import Compatibility, probe
from heedful.render.packing import Packed


class Backbone:
    """A causal language model, its tokenizer, and the roles its weights play.

    Attributes:
        model: the `transformers` model; LoRA layers are injected into it.
        tokenizer: its tokenizer.
        name: what it was loaded as.
        base: where the weights came from, as `from_pretrained` takes it.
        lineage: the adapters that have been folded into the weights since they were loaded, oldest first.
        compute_dtype: the type that matrix products run in.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        name: str = "",
        base: str = "",
        compute_dtype: torch.dtype | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.name = name or str(getattr(model.config, "_name_or_path", "")) or type(model).__name__
        self.base = base or self.name
        self.lineage: list[str] = []
        self.compute_dtype = compute_dtype or model.dtype
        self.peft: PeftModel | None = None
        self._reference: PreTrainedModel | None = None
        self._trained_fully = False
        self._recomputes = False
        self._compatibility: Compatibility | None = None
        _silence_dropout(model)
        model.requires_grad_(False)

    @property
    def device(self) -> torch.device:
        return torch.device(self.model.device)

    @property
    def context_length(self) -> int | None:
        """The most positions the model was made for; none where its configuration names no such number."""
        found = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return found if isinstance(found, int) and found > 0 else None

    @property
    def pad_id(self) -> int:
        """Any valid id will do: masks come from lengths and never from comparing ids with this one."""
        for candidate in (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id):
            if isinstance(candidate, int):
                return candidate
        return 0

    @property
    def compatibility(self) -> Compatibility:
        """What this architecture can take, found by trying it once."""
        if self._compatibility is None:
            self._compatibility = probe(
                self.model, self.head(), pad_id=self.pad_id, compute_dtype=self.compute_dtype, name=self.name
            )
        return self._compatibility

    def role(self, name: str) -> Role:
        """A role over these weights: `reference` or `policy`.

        Raises:
            ModelError: no such role, or a reference whose weights were trained away.
        """
        if name == "reference":
            if self._trained_fully and self._reference is None:
                raise ModelError("the reference's weights were trained and no copy was kept.")
        elif name != "policy":
            raise ModelError(f"no role {name!r}.", mend="Roles are reference and policy.")
        return Role(self, name)

    def train_lora(
        self,
        *,
        rank: int = 16,
        alpha: float = 32.0,
        dropout: float = 0.0,
        targets: str | Sequence[str] = "all-linear",
        seed: int = 0,
    ) -> None:
        """Give the policy a fresh LoRA adapter in fp32 over the frozen base."""
        self.drop_adapter()
        config = LoraConfig(
            r=rank,
            # An integer where it is one, as PEFT's own files have it.
            lora_alpha=int(alpha) if float(alpha).is_integer() else alpha,
            lora_dropout=dropout,
            target_modules=targets if isinstance(targets, str) else list(targets),
            task_type="CAUSAL_LM",
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                peft = get_peft_model(self.model, config, adapter_name="policy")
            except ValueError as error:
                raise ModelError(
                    f"LoRA cannot be put on this model: {error}", where="lora.targets"
                ) from error
        assert isinstance(peft, PeftModel)
        self.peft = peft
        head, embeddings = self.model.get_output_embeddings(), self.model.get_input_embeddings()
        if hasattr(head, "lora_A") or (hasattr(embeddings, "lora_A") and embeddings.weight is head.weight):
            self.drop_adapter()
            what = "log-probs read the LM head's own weight: an adapter on it, or tied to it, is lost."
            raise ModelError(what, where="lora.targets", mend="Leave the LM head and the embeddings out.")
        for name, parameter in self.model.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.float()
        lora.install(self.model)

    def train_fully(self, *, keep_reference: bool = True) -> None:
        """Make the weights themselves the policy; `keep_reference` keeps a frozen copy for the other role."""
        if keep_reference:
            self._reference = copy.deepcopy(self.model)
        self._trained_fully = True
        # The small steps of fine-tuning are lost in half precision, so the weights leave it; products need
        # not.
        self.model.float()
        self.model.requires_grad_(True)

    def recompute(self, on: bool) -> None:
        """Whether layers are computed again in the backward pass instead of kept (gradient checkpointing)."""
        model: Any = self.model
        if self._recomputes and not on:
            # Renamed in the course of transformers 5.
            getattr(model, "activation_checkpointing_disable", model.gradient_checkpointing_disable)()
        self._recomputes = on
        if not on:
            return
        if not self.model.supports_gradient_checkpointing:
            what = f"{type(self.model).__name__} does not support gradient checkpointing."
            raise ModelError(what, where="training.gradient_checkpointing", mend="Set it to false.")
        contexts = partial(recompute_contexts, self.model)
        enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
        enable({"use_reentrant": False, "context_fn": contexts})

    def trainable(self) -> dict[str, nn.Parameter]:
        """The policy's trainable parameters by name, in a fixed order."""
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}

    def load_trainable(self, state: dict[str, Tensor]) -> None:
        """Set the trainable parameters, exactly."""
        own = self.trainable()
        if own.keys() != state.keys():
            different = sorted(own.keys() ^ state.keys())
            raise ModelError(
                f"the saved weights are of another model or adapter: {different[0]} is not in both."
            )
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(state[name])

    def fold(self, folder: str) -> None:
        """Fold a PEFT adapter into the base weights, so that "reference = no adapter" stays true for the next
        stage.
        """
        self.drop_adapter()
        try:
            peft = PeftModel.from_pretrained(self.model, folder, adapter_name="policy")
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"the adapter cannot be put on {self.name}: {reason}", where=folder) from error
        self.model = peft.merge_and_unload()
        self.lineage.append(folder)
        self.model.requires_grad_(False)

    def drop_adapter(self) -> None:
        """Take the policy's adapter off again; the base is as it was."""
        if self.peft is not None:
            self.model = self.peft.unload()
            self.peft = None
            self.model.requires_grad_(False)

    def fingerprint(self) -> str:
        """A hash of the configuration and of every base weight, adapters left out."""
        digest = hashlib.blake2b(self.model.config.to_json_string(use_diff=False).encode(), digest_size=16)
        for name, tensor in self.model.state_dict().items():
            if "lora_" not in name:
                digest.update(name.replace(".base_layer", "").encode())
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def head(self, model: PreTrainedModel | None = None) -> Head:
        """The LM head in the form that `token_logprobs` takes; `model` where a role has weights of its
        own.
        """
        model = model or self.model
        layer = model.get_output_embeddings()
        config = model.config.get_text_config()
        scale = float(getattr(config, "logit_scale", None) or 1.0) / float(
            getattr(config, "logits_scaling", None) or 1.0
        )
        weight, bias = layer.weight, getattr(layer, "bias", None)
        return Head(
            weight.to(self.compute_dtype),
            None if bias is None else bias.to(self.compute_dtype),
            scale,
            getattr(config, "final_logit_softcapping", None),
        )

    @contextmanager
    def active(self, name: str) -> Iterator[PreTrainedModel]:
        """The `transformers` model with the role's adapter on, or off."""
        if name == "reference" and self._reference is not None:
            yield self._reference
        elif name == "reference" and self.peft is not None:
            with self.peft.disable_adapter():
                yield self.model
        else:
            yield self.model


class Role(nn.Module):
    """A backbone in one role: a pack of rows in, the log-probs of its response tokens out."""

    def __init__(self, backbone: Backbone, name: str) -> None:
        super().__init__()
        self.backbone = backbone
        self.name = name
        # Registered so that Accelerate finds the parameters; calls go through the backbone.
        self.model = backbone.model
        self.force_padded = False
        self.temperature = 1.0

    def forward(self, packed: Packed) -> Tensor:
        """Log-probs of the pack's targets: `[targets]`, nats, fp32."""
        backbone = self.backbone
        padded = self.force_padded or not backbone.compatibility.packs
        with backbone.active(self.name) as model:
            hidden = hidden_states(
                model, packed, padded=padded, pad_id=backbone.pad_id, compute_dtype=backbone.compute_dtype
            )
            head = backbone.head(model)
        return token_logprobs(hidden, packed.target_ids, head, temperature=self.temperature)


def _silence_dropout(model: nn.Module) -> None:
    """Turn a pretrained model's dropout off: policy and reference must start equal in training mode too."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("attention_dropout", "dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
