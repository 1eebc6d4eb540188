"""How fast this machine computes a model, from about ten seconds of trying.

What is tried is a model of the same shape with fewer layers and a smaller vocabulary, of random numbers:
enough layers that their weights do not stay in a processor's cache, and all of them where the model is
small. The code is that of training and sampling, so what it makes of the machine is in the numbers. They are
scaled up by layers and by vocabulary. Nothing is loaded, and a model that does not fit into memory can be
tried as well.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.initialization import no_init_weights

from heedful.models import shape
from heedful.models.backbone import Backbone
from heedful.models.logprobs import token_logprobs
from heedful.models.roles import Role
from heedful.models.sampler import sample
from heedful.models.shape import Shape
from heedful.recipe import LoraSettings, TrainingSettings
from heedful.render.packing import Packed, pack
from heedful.render.rows import Row
from heedful.training.memory import Rollout

SECONDS = 10.0
# Parameters of the layers that are tried, and of the LM head: more than a processor's cache holds.
_LAYER_PARAMETERS, _HEAD_PARAMETERS = 2**25, 2**24
# Random weights small enough that nothing overflows, whatever the type.
_WEIGHT = 0.02
# Tokens that are sampled to see how long one takes.
_DRAWN = 8
_MOST_REPEATS = 20
# An answer that no token ends.
_NEVER = frozenset({-1})


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of one unit, and by what share repeats of it were off on either side."""

    seconds: float
    spread: float

    def times(self, factor: float) -> Pace:
        return replace(self, seconds=self.seconds * factor)


@dataclass(frozen=True, slots=True)
class Speed:
    """What a machine takes for a model.

    Attributes:
        passing, learning: of one token through all layers, without and with a backward pass.
        reading, teaching: of one target through the LM head, without and with gradients.
        updating: of one optimiser step.
        drawing: of one sampled token of all responses together; None where nothing is to be sampled.
        layers: how many were tried.
        tokens: of the pass that was tried.
    """

    passing: Pace
    learning: Pace
    reading: Pace
    teaching: Pace
    updating: Pace
    drawing: Pace | None
    layers: int
    tokens: int


def measure(
    outline: Backbone,
    rows: Sequence[Row],
    *,
    training: TrainingSettings,
    lora: LoraSettings,
    rollout: Rollout | None = None,
    seconds: float = SECONDS,
) -> Speed:
    """Try a model for about so many `seconds`.

    Args:
        outline: what is trained; its weights are not used and need not be there.
        rows: of one forward pass, such as the run has them.
        training: how it is trained: with an adapter or all of it, recomputed or not, padded or not.
        rollout: how answers are sampled, where any are.
    """
    full = training.method == "full"
    whole = shape.of_model(outline.model, outline.name)
    model = _smaller(outline, whole, torch.float32 if full else outline.compute_dtype)
    own = Backbone(model, outline.tokenizer, name=outline.name, compute_dtype=outline.compute_dtype)
    part = shape.of_model(model)
    share = seconds / (5 if rollout is None else 7)
    drawing = None if rollout is None else _drawing(own, whole, part, rollout, 2 * share)
    if full:
        own.train_fully(keep_reference=False)
    else:
        own.train_lora(rank=lora.rank, alpha=lora.alpha, dropout=lora.dropout, targets=lora.targets)
    own.model.train()
    own.recompute(training.gradient_checkpointing)
    trial = _Trial(own, training, rows, part.vocabulary, budget=share)
    deeper = whole.layers / part.layers
    wider = whole.vocabulary / part.vocabulary
    trained = whole.parameters if full else whole.adapter_parameters(lora.rank, lora.targets)
    learning, teaching, updating = trial.learn(2 * share)
    passing, reading = trial.pass_only(share)
    more = trained / sum(weight.numel() for weight in own.trainable().values())
    return Speed(
        passing=passing.times(deeper / trial.tokens),
        learning=learning.times(deeper / trial.tokens),
        reading=reading.times(wider / trial.targets),
        teaching=teaching.times(wider / trial.targets),
        updating=updating.times(more),
        drawing=drawing,
        layers=part.layers,
        tokens=trial.tokens,
    )


class _Trial:
    """Passes over one pack of rows, as training makes them, with a clock."""

    def __init__(
        self,
        backbone: Backbone,
        training: TrainingSettings,
        rows: Sequence[Row],
        vocabulary: int,
        budget: float,
    ) -> None:
        self.backbone = backbone
        self.role: Role = backbone.role("policy")
        self.role.force_padded = training.padded
        known = [_within(row, vocabulary) for row in rows]
        self.optimizer = torch.optim.AdamW(backbone.trainable().values(), lr=training.learning_rate)
        self.packed = self._of(known[:1])
        took = sum(self._learn())
        took = sum(self._learn())
        # As many rows as leave time for a repeat.
        fit = int(budget / max(took, 1e-9))
        self.packed = self._of(known[: max(1, min(len(known), fit))])

    def _of(self, rows: Sequence[Row]) -> Packed:
        return pack(rows, sum(row.tokens for row in rows))[0].to(self.backbone.device)

    @property
    def tokens(self) -> int:
        if self.role.force_padded or not self.backbone.compatibility.packs:
            return self.packed.to_padded(self.backbone.pad_id).input_ids.numel()
        return self.packed.tokens

    @property
    def targets(self) -> int:
        return len(self.packed.target_ids)

    def learn(self, seconds: float) -> tuple[Pace, Pace, Pace]:
        """Of the layers, the head and the optimiser."""
        return _paces(self._learn, seconds)

    def pass_only(self, seconds: float) -> tuple[Pace, Pace]:
        """Of the layers and the head."""
        with torch.no_grad():
            return _paces(self._pass, seconds)

    def _hidden(self) -> Tensor:
        with self.backbone.active("policy") as model:
            return self.role.hidden(model, self.packed)

    def _learn(self) -> tuple[float, float, float]:
        clock = _Clock(self.backbone.device)
        hidden = self._hidden()
        layers = clock.lap()
        states = hidden.detach().requires_grad_()
        head = self.backbone.head(self.backbone.model)
        token_logprobs(states, self.packed.target_ids, head).mean().backward()
        head_took = clock.lap()
        hidden.backward(states.grad)
        layers += clock.lap()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return layers, head_took, clock.lap()

    def _pass(self) -> tuple[float, float]:
        clock = _Clock(self.backbone.device)
        hidden = self._hidden()
        layers = clock.lap()
        token_logprobs(hidden, self.packed.target_ids, self.backbone.head(self.backbone.model))
        return layers, clock.lap()


class _Clock:
    """Seconds since the lap before, with all that the device was told done."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._at = self._now()

    def lap(self) -> float:
        now = self._now()
        took, self._at = now - self._at, now
        return took

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def _paces(tried: Callable[[], tuple[float, ...]], seconds: float) -> tuple[Any, ...]:
    """The medians of what is tried again and again for so many seconds, after once to warm up."""
    tried()
    found: list[tuple[float, ...]] = []
    until = time.perf_counter() + seconds
    while len(found) < 2 or (time.perf_counter() < until and len(found) < _MOST_REPEATS):
        found.append(tried())
    return tuple(_pace(values) for values in zip(*found, strict=True))


def _pace(values: Sequence[float]) -> Pace:
    middle = statistics.median(values)
    return Pace(middle, (max(values) - min(values)) / (2 * middle) if middle else 0.0)


def _drawing(own: Backbone, whole: Shape, part: Shape, rollout: Rollout, seconds: float) -> Pace:
    """Of one more token of so many responses: what sampling a few takes longer than sampling one."""
    prompts = [[token % part.vocabulary for token in range(rollout.prompt)]] * rollout.responses
    clock = _Clock(own.device)
    own.model.eval()

    def draw(count: int) -> float:
        clock.lap()
        sample(own.model, prompts, stop_ids=_NEVER, max_new_tokens=count, batch_size=rollout.responses)
        return clock.lap()

    def more() -> tuple[float]:
        return (max(draw(1 + _DRAWN) - draw(1), 0.0) / _DRAWN,)

    pace: Pace = _paces(more, seconds)[0]
    # A step is layers and LM head; each token reads all weights of both.
    read = part.multiplied + part.embedding
    return pace.times((whole.multiplied + whole.embedding) / read)


def _smaller(outline: Backbone, whole: Shape, dtype: torch.dtype) -> PreTrainedModel:
    """A model of the same shape with fewer layers and a smaller vocabulary, of random numbers."""
    config = copy.deepcopy(outline.model.config)
    text: Any = config.get_text_config()
    a_layer = max(whole.multiplied // whole.layers, 1)
    text.num_hidden_layers = min(whole.layers, math.ceil(_LAYER_PARAMETERS / a_layer))
    text.vocab_size = min(whole.vocabulary, math.ceil(_HEAD_PARAMETERS / whole.hidden))
    if getattr(text, "layer_types", None):
        text.layer_types = text.layer_types[: text.num_hidden_layers]
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(text, name, None)
    with torch.random.fork_rng(devices=[]), no_init_weights():
        torch.manual_seed(0)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype)
        model.tie_weights()
        with torch.no_grad():
            for weight in model.parameters():
                weight.uniform_(-_WEIGHT, _WEIGHT) if weight.ndim > 1 else weight.fill_(1.0)
    return model.to(outline.device)


def _within(row: Row, vocabulary: int) -> Row:
    """The row in tokens that a smaller vocabulary has."""
    responses = tuple([token % vocabulary for token in response] for response in row.responses)
    return replace(row, prompt=[token % vocabulary for token in row.prompt], responses=responses)
