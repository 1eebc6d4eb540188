"""One set of weights, many roles: the policy, the reference it started from, a reward model, a critic.

With LoRA the base weights are frozen and every role is an adapter over them, with a scalar head where it
scores: `reference` is no adapter at all. With full fine-tuning the role that is trained is the weights
themselves, and a reference is a copy kept only where it is asked for. Knows weights, heads and adapters;
nothing of losses or training.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from heedful.errors import ModelError
from heedful.models import adapters
from heedful.models.attention import recompute_contexts
from heedful.models.logprobs import Head
from heedful.models.probe import Compatibility, probe
from heedful.models.roles import ROLES, Role, ScalarHead


class Backbone:
    """A causal language model, its tokenizer, and the roles its weights play.

    Attributes:
        model: the `transformers` model; LoRA layers are injected into it.
        tokenizer: its tokenizer.
        name: what it was loaded as.
        base: where the weights came from, as `from_pretrained` takes it.
        lineage: the adapters that have been folded into the weights since they were loaded, oldest first.
        compute_dtype: the type that matrix products run in.
        heads: the scalar heads of the roles that score, by role.
        trunks: roles that compute with another role's adapter, as a critic on the policy's trunk does.
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
        self.heads: dict[str, ScalarHead] = {}
        self.trunks: dict[str, str] = {}
        self._learning: list[str] = []
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
        """A role over these weights: `reference`, `policy`, `reward` or `critic`.

        Raises:
            ModelError: no such role, a reference whose weights were trained away, or a role that scores and
                has no head yet.
        """
        if name not in ROLES:
            raise ModelError(f"no role {name!r}.", mend=f"Roles are {', '.join(ROLES)}.")
        if name == "reference" and self._trained_fully and self._reference is None:
            raise ModelError("the reference's weights were trained and no copy was kept.")
        if name in ("reward", "critic") and name not in self.heads:
            raise ModelError(f"the role {name} has no head.", mend="Give it one, or load one.")
        return ROLES[name](self, name)

    def train_lora(
        self,
        role: str = "policy",
        *,
        rank: int = 16,
        alpha: float = 32.0,
        dropout: float = 0.0,
        targets: str | Sequence[str] = "all-linear",
        seed: int = 0,
    ) -> None:
        """Give a role a fresh LoRA adapter in fp32 over the frozen base; other roles keep theirs."""
        config = LoraConfig(
            r=rank,
            # An integer where it is one, as PEFT's own files have it.
            lora_alpha=int(alpha) if float(alpha).is_integer() else alpha,
            lora_dropout=dropout,
            target_modules=targets if isinstance(targets, str) else list(targets),
            task_type="CAUSAL_LM",
        )
        self._add_adapter(role, config, seed=seed)
        self._learn(role)

    def load_lora(self, role: str, folder: Path, *, learn: bool = False) -> None:
        """Give a role the adapter that is filed in `folder`; `learn` trains it further.

        What does not learn drops nothing out, even while others train beside it.

        Raises:
            ModelError: there is none, or it belongs to another model.
        """
        config, tensors = adapters.read(folder)
        config.task_type, config.modules_to_save, config.inference_mode = "CAUSAL_LM", None, False
        # It stands on the model at hand, wherever that was loaded from when it was filed.
        config.base_model_name_or_path = None
        if not learn:
            config.lora_dropout = 0.0
        own = {name: tensor for name, tensor in tensors.items() if "lora_" in name}
        self._add_adapter(role, config, seed=0)
        assert self.peft is not None
        adapters.fill(self.peft, role, own, where=str(folder))
        self._learn(*([role] if learn else []))

    def fill(self, role: str, saved: Mapping[str, Tensor], *, of: str = "policy", where: str) -> None:
        """Set what a role computes with to trained weights: its adapter to that of the role `of`, or where it
        has none the weights themselves.

        What else `saved` holds (a critic, heads) is left alone.

        Raises:
            ModelError: they are of another adapter or model.
        """
        lora = self._adapter(role) is not None
        named = adapters.parameters(self.model, role) if lora else dict(self.model.named_parameters())
        own = {
            name: (weight, saved.get(name.replace(f".{role}.", f".{of}.") if lora else name))
            for name, weight in named.items()
        }
        for name, (weight, found) in own.items():
            if found is None or found.shape != weight.shape:
                what = f"these weights do not fit the {'adapter' if lora else 'model'}: {name}."
                raise ModelError(what, where=where)
        with torch.no_grad():
            for weight, found in own.values():
                assert found is not None
                weight.copy_(found)

    def add_head(self, role: str, *, seed: int | None = None, learn: bool = True) -> ScalarHead:
        """Give a role that scores its head: zeros, or with a `seed` random numbers."""
        hidden = int(self.model.get_input_embeddings().weight.shape[1])
        head = ScalarHead(hidden).to(self.device)
        if seed is not None:
            head.randomize(seed)
        head.weight.requires_grad_(learn)
        self.heads[role] = head
        return head

    def copy_role(self, source: str, target: str) -> None:
        """Let `target` start as `source` is now, adapter and head, and learn from there."""
        if self.peft is not None and source in self.peft.peft_config:
            config = copy.deepcopy(self.peft.peft_config[source])
            self._add_adapter(target, config, seed=0)
            own = adapters.parameters(self.model, target)
            with torch.no_grad():
                for name, weight in adapters.parameters(self.model, source).items():
                    own[name.replace(f".{source}", f".{target}")].copy_(weight)
            self._learn(target)
        if source in self.heads:
            self.add_head(target).load_state_dict(self.heads[source].state_dict())

    def _add_adapter(self, role: str, config: LoraConfig, *, seed: int) -> None:
        if self.peft is not None and role in self.peft.peft_config:
            self._drop(role)
        self.peft = adapters.add(self.model, self.peft, role, config, seed=seed)
        head, embeddings = self.model.get_output_embeddings(), self.model.get_input_embeddings()
        if hasattr(head, "lora_A") or (hasattr(embeddings, "lora_A") and embeddings.weight is head.weight):
            self.drop_adapter()
            what = "log-probs read the LM head's own weight: an adapter on it, or tied to it, is lost."
            raise ModelError(what, where="lora.targets", mend="Leave the LM head and the embeddings out.")

    def _learn(self, *roles: str) -> None:
        """Train these roles' adapters too; PEFT's own bookkeeping forgets some as others come."""
        self._learning = [*self._learning, *(role for role in roles if role not in self._learning)]
        adapters.train_only(self.model, self._learning)

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
        enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
        enable({"use_reentrant": False, "context_fn": self._recompute_contexts})

    def _recompute_contexts(self) -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        """A layer that is computed again sees the adapter that was on the first time."""
        first, again = recompute_contexts(self.model)
        on = adapters.switched_on(self.model)

        @contextmanager
        def as_before() -> Iterator[None]:
            with ExitStack() as stack:
                stack.enter_context(again)
                stack.enter_context(adapters.switched(self.model, on))
                yield

        return first, as_before()

    def trainable(self) -> dict[str, nn.Parameter]:
        """The trainable parameters of adapters (or the whole model) and heads by name, in a fixed order."""
        own = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        heads = {f"heads.{role}.weight": head.weight for role, head in self.heads.items()}
        return own | {name: weight for name, weight in heads.items() if weight.requires_grad}

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
            with adapters.quietly():
                peft = PeftModel.from_pretrained(self.model, folder, adapter_name="policy")
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"the adapter cannot be put on {self.name}: {reason}", where=folder) from error
        self.model = peft.merge_and_unload()
        self.lineage.append(folder)
        self.model.requires_grad_(False)

    def drop_adapter(self) -> None:
        """Take all adapters and heads off again; the base is as it was."""
        self.heads = {}
        self.trunks = {}
        self._learning = []
        if self.peft is not None:
            self.model = adapters.take_off(self.peft)
            self.peft = None
            self.model.requires_grad_(False)

    def _drop(self, role: str) -> None:
        """Take one role's adapter off."""
        assert self.peft is not None
        if len(self.peft.peft_config) == 1:
            self.model, self.peft = adapters.take_off(self.peft), None
        else:
            self.peft.delete_adapter(role)
        self._learning = [name for name in self._learning if name != role]

    def fingerprint(self, role: str | None = None) -> str:
        """A hash of the configuration and of every base weight, adapters left out; with a `role`, of the
        weights that it computes with and of its own adapter.
        """
        with self.active(role) if role else nullcontext(self.model) as model:
            digest = hashlib.blake2b(model.config.to_json_string(use_diff=False).encode(), digest_size=16)
            for name, tensor in model.state_dict().items():
                if "lora_" not in name:
                    digest.update(name.replace(".base_layer", "").encode())
                    digest.update(_bytes(tensor))
        adapter = self._adapter(role) if role else None
        if adapter is not None:
            assert self.peft is not None
            config = self.peft.peft_config[adapter]
            scale = (config.r, config.lora_alpha, config.alpha_pattern, config.use_rslora)
            digest.update(repr(scale).encode())
            for name, weight in adapters.parameters(self.model, adapter).items():
                digest.update(name.replace(f".{adapter}", "").encode())
                digest.update(_bytes(weight))
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
        """The `transformers` model with the role's adapter on, or none where it has none."""
        if name == "reference" and self._reference is not None:
            yield self._reference
            return
        with adapters.switched(self.model, self._adapter(name)):
            yield self.model

    @contextmanager
    def merged(self, name: str) -> Iterator[PreTrainedModel]:
        """As `active`, with the role's adapter folded into a copy of the weights: faster over many tokens."""
        adapter = self._adapter(name)
        with self.active(name) as model, adapters.merged(model, adapter) if adapter else nullcontext():
            yield model

    def _adapter(self, role: str) -> str | None:
        """The adapter that a role computes with."""
        name = self.trunks.get(role, role)
        return name if self.peft is not None and name in self.peft.peft_config else None


def _bytes(tensor: Tensor) -> memoryview:
    data: memoryview = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
    return data


def _silence_dropout(model: nn.Module) -> None:
    """Turn a pretrained model's dropout off: policy and reference must start equal in training mode too."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("attention_dropout", "dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
