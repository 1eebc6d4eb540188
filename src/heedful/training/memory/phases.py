"""The phases of a run, each with all that is in memory meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from heedful.training.memory import sizes
from heedful.training.memory.prediction import Part, Phase, Role
from heedful.training.memory.workload import Workload

# What a process has before it loads a model: the interpreter, torch, transformers, PEFT, a model's code and
# tokenizer. Resident on Linux with torch 2.13 for CPUs.
LIBRARIES_BYTES = 500_000_000
# What CUDA takes for itself on a GPU before the first tensor.
CUDA_CONTEXT_BYTES = 500_000_000
# On a CPU activations take about as much again. glibc keeps freed blocks below 32 MiB, adapters' gradients
# and moments come to lie between them, and the next pass, of another length, does not fit where the one
# before it was. Measured on Llamas of 20M and 135M: 0.3 to 1.3 times the activations; with gradient
# checkpointing as much as without it, since all layers go through the heap all the same.
ALLOCATOR_SHARE = 1.0


def phases(work: Workload) -> Iterator[Phase]:
    """In their order."""
    yield _phase(work, "load", work.weights(), _reading(work))
    if work.stage == "dpo":
        yield _phase(work, "reference", work.weights(), _passing(work, "reference"))
    if work.stage == "ppo":
        yield _phase(work, "rollout", work.standing(), _sampling(work))
        yield _phase(work, "scoring", work.standing(), _passing(work, "policy"))
    yield _phase(work, "training", work.standing(), _learning(work))
    yield _phase(work, "update", work.standing(), _moving(work))
    if work.held_out and work.stage != "ppo":
        yield _phase(work, "evaluation", work.standing(), _passing(work, work.trained[0]))
    yield _phase(work, "saving", work.standing(), _writing(work))


def _phase(work: Workload, name: str, *groups: Iterable[Part]) -> Phase:
    parts = [*_process(work), *(part for group in groups for part in group)]
    if work.on_cpu:
        passing = sum(part.bytes for part in parts if part.kind == "activations")
        parts.append(Part("process", "allocator", int(ALLOCATOR_SHARE * passing)))
    return Phase(name, tuple(part for part in parts if part.bytes))


def _process(work: Workload) -> Iterator[Part]:
    own = LIBRARIES_BYTES if work.on_cpu else CUDA_CONTEXT_BYTES
    yield Part("process", "libraries", own if work.libraries is None else work.libraries)
    if work.on_cpu:
        yield Part("process", "data", work.data_tokens * sizes.DATA_BYTES_PER_TOKEN)


def _reading(work: Workload) -> Iterator[Part]:
    """The weights' file, where they are kept in another type: else they are the file, mapped into memory."""
    if work.on_cpu and not work.quantised and work.shape.dtype != work.trained_type:
        yield Part("process", "copies", sizes.weight_bytes(work.shape, work.shape.dtype))


def _learning(work: Workload) -> Iterator[Part]:
    """A forward pass at its end, or a backward pass at its beginning, whichever needs more.

    With one pass a step there are no gradients yet, and they come as the activations go.
    """
    shape, role, number = work.shape, work.trained[0], work.number
    kept = {"full": work.full, "recomputed": work.recomputed, "dropout": work.dropout}
    activations = sizes.activation_bytes(shape, work.tokens, number, **kept)
    working = sizes.working_bytes(shape, work.tokens, number, **kept)
    states = 2 * work.targets * shape.hidden * number
    logits = sizes.logit_bytes(shape, work.targets) + states if work.stage != "reward" else 0
    head = sizes.head_gradient_bytes(shape, number) if work.full and work.stage != "reward" else 0
    gradients = work.trainable * sizes.FP32_BYTES
    if work.full and number < sizes.FP32_BYTES:
        yield Part(role, "copies", shape.parameters * number)
    at_the_end = work.passes == 1 and gradients + working > activations + max(logits + head, working)
    if work.passes > 1 or at_the_end:
        for learner in work.learners:
            yield Part(learner, "gradients", gradients)
    if work.recomputed and work.on_cpu:
        without = sizes.activation_bytes(shape, work.tokens, number, **{**kept, "recomputed": False})
        yield Part("process", "allocator", int(ALLOCATOR_SHARE * (without - activations)))
    if at_the_end:
        yield Part(role, "activations", working)
    elif logits + head >= working:
        yield Part(role, "activations", activations)
        yield Part(role, "logits", logits)
        yield Part(role, "gradients", head)
    else:
        yield Part(role, "activations", activations + working)


def _moving(work: Workload) -> Iterator[Part]:
    """The optimiser's step."""
    largest = work.shape.embedding if work.full else 0
    for role in work.learners:
        yield Part(role, "gradients", work.trainable * sizes.FP32_BYTES)
    yield Part(work.trained[0], "optimiser", sizes.STEP_COPIES * largest * sizes.FP32_BYTES)


def _passing(work: Workload, role: Role) -> Iterator[Part]:
    """A forward pass that keeps nothing."""
    shape = work.shape
    yield Part(role, "activations", sizes.passing_bytes(shape, work.tokens, work.number))
    if work.stage != "reward":
        states = work.targets * shape.hidden * work.number
        yield Part(role, "logits", sizes.logit_bytes(shape, work.targets) + states)


def _sampling(work: Workload) -> Iterator[Part]:
    """Prompts or single tokens of all responses together, over a cache with room for all of them."""
    assert work.rollout is not None
    rollout, shape, number = work.rollout, work.shape, work.number
    length = rollout.prompt + rollout.new
    yield Part("policy", "cache", sizes.cache_bytes(shape, rollout.responses, length, number))
    prompts = sizes.passing_bytes(shape, rollout.responses * rollout.prompt, number)
    logits = sizes.CHUNKS_OF_SEVERAL * rollout.responses * shape.vocabulary * sizes.FP32_BYTES
    yield Part("policy", "activations", prompts)
    yield Part("policy", "logits", logits)
    if rollout.merged and not work.full:
        yield Part("policy", "copies", sizes.folded_bytes(shape, work.adapted, number))


def _writing(work: Workload) -> Iterator[Part]:
    """The whole model, where it is written: every adapter's product in fp32, and what it is added to."""
    if work.merged and not work.full:
        folded = sizes.folded_bytes(work.shape, work.adapted, sizes.FP32_BYTES + work.number)
        yield Part("process", "copies", folded)
