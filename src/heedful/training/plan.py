"""What a run would do, before it does it: rows, tokens, packs, steps, and how much memory its peak needs.

Counts are exact, the memory is an estimate (`Memory` says of what). Reads a prepared job and changes nothing:
the adapter it puts on the model to count its parameters comes off again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from heedful.models.backbone import Backbone
from heedful.models.logprobs import chunk_rows
from heedful.models.scoring import row_budget
from heedful.quarantine import Counts
from heedful.recipe import LoraSettings, PPORecipe
from heedful.render.packing import first_fit
from heedful.render.rows import Row
from heedful.training.job import Job
from heedful.training.loop import batch
from heedful.training.schedule import steps_per_epoch, total_steps

FP32_BYTES = 4
# Of a trainable parameter: its fp32 master, its gradient, and AdamW's two moments.
MASTER_BYTES, GRADIENT_BYTES, ADAM_BYTES = 4, 4, 8
# Chunks of fp32 logits alive at once: logits, log-probs, the chunk before, and a cast of the gradient.
HEAD_CHUNKS = 4
# A token id in a Python list (a pointer and an int), and the text it came from.
DATA_BYTES_PER_TOKEN = 48
# On CPU the C library keeps freed blocks that lie between used ones: so much of what a pass has in hand,
# measured on a Llama of 135M, with and without gradient checkpointing.
ALLOCATOR_SHARE = 0.4
# The interpreter, torch, transformers and PEFT.
LIBRARIES_BYTES = 600_000_000
GB = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Memory:
    """Estimated bytes at the peak of a training step.

    Attributes:
        weights: the model as loaded, and the copy that autocast makes where it computes in another type.
        training_state: masters, gradients and AdamW's moments of what is trained. Full fine-tuning trains the
            weights themselves, which are their own masters and are counted there.
        activations: what the longest pack keeps for backward, see `activation_bytes`.
        head: chunks of logits, and the states they are made from.
        data: the rows as token ids.
        allocator: freed blocks that do not go back to the system.
        libraries: what a process that does nothing yet has taken.
    """

    weights: int
    training_state: int
    activations: int
    head: int
    data: int
    allocator: int = 0
    libraries: int = LIBRARIES_BYTES

    @property
    def total(self) -> int:
        return sum(getattr(self, part.name) for part in fields(self))

    def __str__(self) -> str:
        sizes = {part.name.replace("_", " "): getattr(self, part.name) for part in fields(self)}
        parts = (f"{name} {size / GB:.1f}" for name, size in sizes.items() if size >= GB / 20)
        return f"about {self.total / GB:.1f} GB: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """A run before its first step.

    Attributes:
        read: rows read, kept and left out, by file.
        train, held_out: the same for rendering, which follows the split.
        prompts_cut, responses_cut: truncated by rendering, training and held-out rows together.
        prompts_rewritten: rendered differently by the template once a response follows.
        tokens, held_out_tokens: of the rows; a pair's prompt counts once.
        longest_row: tokens.
        packed: rows share forward passes; otherwise every response is padded.
        packs: forward passes of one epoch (of the whole run, where that is shorter).
        longest_pack: tokens a forward pass computes at most, padding included.
        steps: optimiser steps of the run, of up to `batch_size` rows and `tokens_per_step` tokens on average.
    """

    stage: str
    read: dict[str, Counts]
    train: Counts
    held_out: Counts
    prompts_cut: int
    responses_cut: int
    prompts_rewritten: int
    tokens: int
    held_out_tokens: int
    longest_row: int
    packed: bool
    packs: int
    longest_pack: int
    steps: int
    batch_size: int
    tokens_per_step: float
    parameters: int
    trainable: int
    compute_dtype: str
    device: str
    memory: Memory

    def __str__(self) -> str:
        share = self.trainable / self.parameters
        passes = f"{self.packs:,} {'packs' if self.packed else 'padded batches'} per epoch"
        lines = [
            *(("read", f"{name}: {counts}") for name, counts in self.read.items()),
            ("training rows", f"{self.train}; {self.tokens:,} tokens, the longest row {self.longest_row:,}"),
            ("held-out rows", f"{self.held_out}; {self.held_out_tokens:,} tokens"),
            ("truncated", f"{self.prompts_cut:,} prompts, {self.responses_cut:,} responses"),
            ("rewritten", f"{self.prompts_rewritten:,} prompts, by the template where a response follows"),
            ("forward passes", f"{passes}, the longest of {self.longest_pack:,} tokens"),
            ("trainable", f"{self.trainable:,} parameters, {share:.2%} of {self.parameters:,}"),
            (
                "optimiser steps",
                f"{self.steps:,} of {self.batch_size} rows, about {self.tokens_per_step:,.0f} tokens each",
            ),
            ("computes in", f"{self.compute_dtype} on {self.device}"),
            ("peak memory", str(self.memory)),
        ]
        width = max(len(name) for name, _ in lines)
        return "\n".join([f"Plan ({self.stage})", *(f"  {name:<{width}}  {text}" for name, text in lines)])


def plan(job: Job) -> Plan:
    """What training `job` would do.

    Raises:
        ModelError: the adapter cannot be put on the model, or its head is of a kind that cannot be trained.
    """
    training, backbone = job.recipe.training, job.backbone
    packed = backbone.compatibility.packs and not training.padded
    per_epoch = steps_per_epoch(len(job.train), training.batch_size)
    steps = total_steps(len(job.train), training.batch_size, training.epochs, training.max_steps)
    rows = _as_trained(job)
    batches = [
        [rows[index] for index in batch(step, len(rows), training.batch_size, training.seed)]
        for step in range(min(steps, per_epoch))
    ]
    budget = row_budget(training.tokens_per_row, backbone.device)
    passes = [rows for chosen in batches for rows in _passes(chosen, budget)]
    lengths = [_computed_tokens(rows, packed) for rows in passes]
    lora = job.recipe.lora if training.method == "lora" else None
    parameters = sum(parameter.numel() for parameter in backbone.model.parameters())
    trainable = parameters if lora is None else _adapter_parameters(backbone, lora, training.seed)
    if isinstance(job.recipe, PPORecipe) and job.recipe.objective.critic == "adapter":
        trainable *= 2
    targets = max(sum(row.response_tokens for row in rows) for rows in passes)
    memory = _memory(job, trainable, max(lengths), targets)
    return Plan(
        stage=job.recipe.stage,
        read={name: kept.counts for name, kept in job.read.items()},
        train=job.train.counts,
        held_out=job.held_out.counts,
        prompts_cut=job.train.prompts_cut + job.held_out.prompts_cut,
        responses_cut=job.train.responses_cut + job.held_out.responses_cut,
        prompts_rewritten=job.train.prompts_rewritten + job.held_out.prompts_rewritten,
        tokens=job.train.tokens,
        held_out_tokens=job.held_out.tokens,
        longest_row=max(row.tokens for row in rows),
        packed=packed,
        packs=len(passes),
        longest_pack=max(lengths),
        steps=steps,
        batch_size=min(training.batch_size, len(job.train)),
        tokens_per_step=sum(row.tokens for rows in batches for row in rows) / len(batches),
        parameters=parameters,
        trainable=trainable,
        compute_dtype=str(backbone.compute_dtype).removeprefix("torch."),
        device=str(backbone.device),
        memory=memory,
    )


def _as_trained(job: Job) -> Sequence[Row]:
    """The rows as a training pass sees them: PPO's with answers of the most tokens they may have."""
    if not isinstance(job.recipe, PPORecipe):
        return job.train
    rollout = job.recipe.rollout
    answers = ([0] * rollout.max_new_tokens,) * rollout.samples
    return [replace(row, responses=answers) for row in job.train]


def _memory(job: Job, trainable: int, tokens: int, targets: int) -> Memory:
    """For the longest pass, of `tokens` and `targets`."""
    backbone, training = job.backbone, job.recipe.training
    full = training.method == "full"
    passing = activation_bytes(backbone, tokens, full=full, recomputed=False)
    return Memory(
        weights=_weight_bytes(backbone),
        training_state=trainable * (GRADIENT_BYTES + ADAM_BYTES + (0 if full else MASTER_BYTES)),
        activations=activation_bytes(backbone, tokens, full=full, recomputed=training.gradient_checkpointing),
        head=_head_bytes(backbone, targets, full=full),
        data=(job.train.tokens + job.held_out.tokens) * DATA_BYTES_PER_TOKEN,
        allocator=int(ALLOCATOR_SHARE * passing) if backbone.device.type == "cpu" else 0,
    )


def activation_bytes(backbone: Backbone, tokens: int, *, full: bool, recomputed: bool) -> int:
    """What a forward pass over `tokens` keeps for backward, and what backward itself needs for one layer.

    A token keeps, in each layer of hidden size `h`, key width `k` and intermediate size `f`, in numbers of
    the compute type: `7h` (what goes into the projections of attention, its query and output, into its output
    projection, into the MLP, and into two norms), `4k` (keys and values, again for each response of a pair)
    and `4f` (gate, its activation, up, and their product; under LoRA gate and up alone). Trained norms keep
    their input in fp32, and their output. With gradient checkpointing a layer keeps its input, `h`, and
    computes the rest again. The numbers are a Llama's; Gemma 3 keeps up to a fifth more, GPT-2 a half.
    """
    config: Any = backbone.model.config.get_text_config()
    number = backbone.compute_dtype.itemsize
    hidden = int(config.hidden_size)
    gated = 4 if full else 2
    layer = number * (7 * hidden + 4 * _key_width(config) + gated * _intermediate_size(config))
    layer += 2 * hidden * (2 * FP32_BYTES - number) if full else 0
    kept = number * hidden if recomputed else layer
    working = 2 * layer if recomputed else layer
    return tokens * (int(config.num_hidden_layers) * kept + working)


def _key_width(config: Any) -> int:
    heads = getattr(config, "num_attention_heads", None) or 1
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return int((getattr(config, "num_key_value_heads", None) or heads) * width)


def _intermediate_size(config: Any) -> int:
    """Of the MLP; four times the hidden size is what GPT-2 and its kin mean by leaving it out."""
    size = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None)
    return int(size or 4 * config.hidden_size)


def _weight_bytes(backbone: Backbone) -> int:
    number = backbone.compute_dtype.itemsize if backbone.compute_dtype != backbone.model.dtype else 0
    return sum(weight.numel() * (weight.element_size() + number) for weight in backbone.model.parameters())


def _head_bytes(backbone: Backbone, targets: int, *, full: bool) -> int:
    """Chunks of logits, the targets' states and their gradients; the gradient of a trained head, twice."""
    vocabulary, hidden = backbone.head().weight.shape
    chunk = min(chunk_rows(vocabulary), targets) * vocabulary * FP32_BYTES
    states = 2 * targets * hidden * backbone.compute_dtype.itemsize
    return HEAD_CHUNKS * chunk + states + (2 * vocabulary * hidden * FP32_BYTES if full else 0)


def _adapter_parameters(backbone: Backbone, lora: LoraSettings, seed: int) -> int:
    """Counted on the adapter itself: which layers a name means is PEFT's to say."""
    backbone.train_lora(
        rank=lora.rank, alpha=lora.alpha, dropout=lora.dropout, targets=lora.targets, seed=seed
    )
    try:
        return sum(parameter.numel() for parameter in backbone.trainable().values())
    finally:
        backbone.drop_adapter()


def _passes(rows: Sequence[Row], tokens_per_row: int) -> list[list[Row]]:
    return [[rows[i] for i in members] for members in first_fit([row.tokens for row in rows], tokens_per_row)]


def _computed_tokens(rows: Sequence[Row], packed: bool) -> int:
    """Tokens of one forward pass: those of the rows, or of a padded matrix with a row for each response."""
    if packed:
        return sum(row.tokens for row in rows)
    width = max(len(row.prompt) + max(map(len, row.responses)) for row in rows)
    return width * sum(len(row.responses) for row in rows)
